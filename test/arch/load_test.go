package arch

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/packages"
)

// load loads the module m.example, which consists of the files.
func load(t *testing.T, files map[string]string) []*packages.Package {
	t.Helper()
	loaded, err := Load(t.Context(), moduleOf(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func moduleOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module m.example\n\ngo 1.26.0\n")
	for name, text := range files {
		write(t, dir, name, text)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLoad finds what is shipped of the module's own packages, with direct imports.
func TestLoad(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range load(t, map[string]string{
		"a.go": "package m\n\nimport _ \"os\"\n", "a_test.go": "package m\n\nimport _ \"testing\"\n",
		"b/b.go": "package other\n\nimport _ \"m.example\"\n", "testdata/c.go": "package c\n", ".hidden/d.go": "package d\n",
		"inner/go.mod": "module inner.example\n", "inner/e.go": "package e\n",
	}) {
		var imports []string
		for path := range p.Imports {
			imports = append(imports, path)
		}
		got = append(got, p.PkgPath+" "+p.Name+" "+strings.Join(imports, " "))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"m.example m os", "m.example/b other m.example"}, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"package p\n\nimport\n": "broken.go:3", "package p\n\nfunc A() { B() }\n": "broken.go:3"} {
		if _, err := Load(t.Context(), moduleOf(t, map[string]string{"broken.go": text})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Load(ended, moduleOf(t, nil)); err == nil {
		t.Error("no error after the context has ended")
	}
}
