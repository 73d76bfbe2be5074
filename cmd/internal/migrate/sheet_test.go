package migrate

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// TestPlaces: the index of a text says where each line and each character of it is.
func TestPlaces(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a line": "a: b", "a line that ends": "a: b\n", "empty lines": "\n\na\n\n",
		"characters of several bytes": strings.Repeat("aä€😀", stride/5) + "\n" + strings.Repeat("ü", stride) + "\nend",
		"a long line":                 strings.Repeat("x", 3*stride) + "\n" + strings.Repeat("y", stride-1) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newSheet(text)
			line, column := 1, 1
			for at, c := range text {
				if got := f.offset(manifest.Place{Line: line, Column: column}); got != at {
					t.Fatalf("line %d column %d is at %d, want %d", line, column, got, at)
				}
				if column++; c == '\n' {
					line, column = line+1, 1
					if got, want := f.line(line), at+utf8.RuneLen(c); got != want {
						t.Fatalf("line %d begins at %d, want %d", line, got, want)
					}
				}
			}
			for _, behind := range []int{f.line(line + 1), f.line(line + 100), f.offset(manifest.Place{Line: line, Column: column + 100})} {
				if behind != len(text) {
					t.Errorf("what is behind the end is at %d, want %d", behind, len(text))
				}
			}
			if got := f.line(0); got != 0 {
				t.Errorf("no line is at %d", got)
			}
		})
	}
}

// TestDocumentsOfAText: which lines separate them.
func TestDocumentsOfAText(t *testing.T) {
	text := "--- # first\na: |\n  ---\n---x: 1\n---\t\n---\r\n----\n---"
	var got []string
	f := newSheet(text)
	for _, at := range f.documents {
		line, _, _ := strings.Cut(text[at:], "\n")
		got = append(got, line)
	}
	if want := fmt.Sprintf("%q", []string{"--- # first", "---\t", "---\r", "---"}); fmt.Sprintf("%q", got) != want {
		t.Errorf("%q, want %s", got, want)
	}
}

// pairs are so many workloads, each with an HPA.
func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		name := fmt.Sprintf("name: w%d", i)
		b.WriteString(strings.ReplaceAll(web+"---\n"+hpaOf(fmt.Sprint("h", i), "9", "apps/v1", "Deployment")+"---\n", "name: web", name))
	}
	return b.String()
}

// call runs migrate on a file.
func call(t *testing.T, code int, args ...string) func() {
	t.Helper()
	return func() {
		if got, _, stderr := clitest.Call(t, Command(), args...); got != code {
			t.Errorf("exit code %d, want %d: %.1000s", got, code, stderr)
		}
	}
}

// TestManifestOfMany: a file of thousands of objects is written once more in the time that it takes to read it, also where one of them stays as it is.
func TestManifestOfMany(t *testing.T) {
	clitest.Linear(t, 60, func(n int) func() { return call(t, cli.ExitOK, "-f", fileOf(t, pairs(n)), "-o", "manifest") })
	const shared = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: &common\n    a: b\nspec: {template: {metadata: {annotations: *common}}}\n---\n"
	clitest.Linear(t, 60, func(n int) func() {
		return call(t, cli.ExitFailure, "-f", fileOf(t, pairs(n)+shared+hpaOf("a", "3", "apps/v1", "Deployment")), "-o", "manifest")
	})
}
