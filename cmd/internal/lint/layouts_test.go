package lint

import (
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
