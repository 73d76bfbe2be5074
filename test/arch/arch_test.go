package arch

import (
	"context"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

// repository is the root of the product's module, relative to this package. The go command caches a test's result while the files of
// its own module do not change. These tests also read other modules, so run them with -count=1.
const repository = "../.."

// house is the product's module.
var house = sync.OnceValues(func() ([]*packages.Package, error) { return Load(context.Background(), repository) })

func loadHouse(t *testing.T) []*packages.Package {
	t.Helper()
	loaded, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) == 0 {
		t.Fatal("there are no packages")
	}
	return loaded
}

func TestImports(t *testing.T) {
	t.Parallel()
	plan := House()
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module "+plan.Module+"\n") {
		t.Fatalf("%s is not the root of %s: %v", repository, plan.Module, err)
	}
	for _, finding := range plan.Check(loadHouse(t)) {
		t.Error(finding)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	tests, err := Load(t.Context(), filepath.Join(repository, "test"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("%d packages of tests: %v", len(tests), err)
	}
	for _, finding := range slices.Concat(House().CheckClock(loadHouse(t)), CheckWrites(loadHouse(t)), CheckWrites(tests)) {
		t.Error(finding)
	}
}

// TestTheGuardHasOneFunction: who looks at what stands between strangers and the controller begins there.
func TestTheGuardHasOneFunction(t *testing.T) {
	t.Parallel()
	var exported []string
	for _, p := range loadHouse(t) {
		if p.PkgPath != House().Module+"/webhook/guard" {
			continue
		}
		for _, name := range p.Types.Scope().Names() {
			if f, ok := p.Types.Scope().Lookup(name).(*types.Func); ok && f.Exported() {
				exported = append(exported, name)
			}
		}
	}
	if want := []string{"Listen"}; !slices.Equal(exported, want) {
		t.Errorf("webhook/guard exports the functions %v, want %v", exported, want)
	}
}

// TestFilesDoNotUseEachOtherInCircles: each package of the product can be read from its top to its bottom.
func TestFilesDoNotUseEachOtherInCircles(t *testing.T) {
	t.Parallel()
	for _, finding := range Circles(loadHouse(t)) {
		t.Error(finding)
	}
}
