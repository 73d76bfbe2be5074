package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheProgramIsSmall, so that it is pulled and started soon, and a dependency that brings much with it is noticed. Code that calls methods by names that are
// known only at run time, as text/template does, makes the linker keep every exported method of every type, and the types of the Kubernetes API have
// tens of thousands. For one small page, the program had 53 MB instead of 34 and took 10 MB more memory.
func TestTheProgramIsSmall(t *testing.T) {
	t.Parallel()
	const most = 47 << 20
	program := filepath.Join(t.TempDir(), "mini-hpa")
	// As the Makefile has it, and the linker tells what needs what.
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "grpcnotrace", "-trimpath", "-ldflags", "-s -w -funcalign=8 -dumpdep", "-o", program, "./cmd/mini-hpa")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
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
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("the program has %d bytes", info.Size()); info.Size() > most {
		t.Errorf("the program has %d bytes, more than %d", info.Size(), most)
	}
}

// TestBuildsHaveTheTag: whatever builds a program of this repository leaves out what gRPC draws with a template.
func TestBuildsHaveTheTag(t *testing.T) {
	t.Parallel()
	builds := regexp.MustCompile(`\bgo (build|run|test|install|list)\b.*`)
	for name, count := range map[string]int{".ci/run": 1, "Dockerfile": 1, "action.yml": 1} {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		found := builds.FindAllString(string(text), -1)
		if len(found) != count {
			t.Errorf("%s builds %d times, want %d: %q", name, len(found), count, found)
		}
		for _, line := range found {
			if !strings.Contains(line, "grpcnotrace") {
				t.Errorf("%s builds without the tag grpcnotrace: %s", name, line)
			}
		}
	}
}
