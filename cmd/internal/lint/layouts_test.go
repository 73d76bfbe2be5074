package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestLintLayouts lints repositories of the kinds that there are, each as a whole: what is said of it stands beside it.
func TestLintLayouts(t *testing.T) {
	const layouts = "testdata/layouts"
	entries, err := os.ReadDir(layouts)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		seen++
		t.Run(entry.Name(), func(t *testing.T) {
			code, stdout, stderr := call(t, filepath.Join(layouts, entry.Name()))
			said := map[int]string{cli.ExitOK: "sound", cli.ExitFailure: "errors", cli.ExitUsage: "unreadable"}[code]
			text := strings.ReplaceAll(stdout+stderr, layouts+"/"+entry.Name()+"/", "")
			clitest.Golden(t, filepath.Join(layouts, entry.Name()+".txt"), text+"exit code: "+said+"\n")
		})
	}
	if seen < 10 {
		t.Errorf("%d layouts, want all of them", seen)
	}
}

// TestLintComposesNoMoreThanItMeets: where each kustomization is made of all those before it, each would meet the same ones without end.
func TestLintComposesNoMoreThanItMeets(t *testing.T) {
	l := newLayout(nil)
	for i := range 2000 {
		for j := max(0, i-20); j < i; j++ {
			l.parts[fmt.Sprint("/d", i)] = append(l.parts[fmt.Sprint("/d", i)], fmt.Sprint("/d", j))
		}
		l.parts["/all"] = append(l.parts["/all"], fmt.Sprintf("/all/%d.yaml", i))
	}
	if n := len(l.compose("/d1999", "").order); n < 100 || n > 300 {
		t.Errorf("it is made of %d others", n)
	}
	if n := len(l.compose("/all", "").order); n != maxParts {
		t.Errorf("of %d files, want %d", n, maxParts)
	}
}
