package arch

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestTheLinkerDropsMethods: code that calls methods by names that are known only at run time, as text/template does, makes the linker
// keep every exported method of every type, and the types of the Kubernetes API have tens of thousands. For one small page, the program
// had 53 MB instead of 34 and took 10 MB more memory.
func TestTheLinkerDropsMethods(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "mini-hpa"), "./cmd/mini-hpa")
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	if n := len(regexp.MustCompile(`(?m)^main\.main -> `).FindAll(out, -1)); n == 0 {
		t.Fatal("the linker does not tell what main needs: has -dumpdep changed?")
	}
	guilty := regexp.MustCompile(`(?m)^(\S+) <ReflectMethod> -> `).FindAllSubmatch(out, -1)
	var names []string
	for _, found := range guilty {
		names = append(names, string(found[1]))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		t.Errorf("%s calls methods by name", name)
	}
}
