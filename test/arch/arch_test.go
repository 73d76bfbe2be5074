package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repository is the root of the product's module, relative to this package. The go command caches a test's result while the files of
// its own module do not change. These tests also read other modules, so run them with -count=1.
const repository = "../.."

func TestImports(t *testing.T) {
	t.Parallel()
	house := House()
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module "+house.Module+"\n") {
		t.Fatalf("%s is not the root of %s: %v", repository, house.Module, err)
	}
	packages, err := List(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		t.Fatal("there are no packages")
	}
	for _, finding := range house.Check(packages) {
		t.Error(finding)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	modules := read(t)
	for _, module := range []string{".", "test"} {
		files := modules[module]
		t.Run(module, func(t *testing.T) {
			if len(files) == 0 {
				t.Fatal("there are no files")
			}
			for _, finding := range CheckWrites(files) {
				t.Error(finding)
			}
		})
	}
	for _, finding := range House().CheckClock(modules["."]) {
		t.Error(finding)
	}
}

// read returns the repository's files by the module that they belong to.
func read(t *testing.T) map[string][]File {
	t.Helper()
	root := os.DirFS(repository)
	files, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string][]File{}
	for _, file := range files {
		dir := file.dir()
		for dir != "." {
			if _, err := os.Stat(filepath.Join(repository, dir, "go.mod")); err == nil {
				break
			}
			dir = filepath.Dir(dir)
		}
		modules[dir] = append(modules[dir], file)
	}
	return modules
}
