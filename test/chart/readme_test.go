package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadmeIsCurrent compares with what helm-docs makes of README.md.gotmpl and values.yaml; make update-docs makes it anew.
func TestReadmeIsCurrent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mini-hpa")
	if err := os.CopyFS(dir, os.DirFS(chartDir(t))); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "tool", "helm-docs", "--chart-search-root", filepath.Dir(dir), "--sort-values-order", "file").CombinedOutput(); err != nil {
		t.Fatalf("helm-docs: %v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(read(t, "README.md"))); diff != "" {
		t.Errorf("charts/mini-hpa/README.md is stale; run make update-docs (-want +got):\n%s", diff)
	}
}
