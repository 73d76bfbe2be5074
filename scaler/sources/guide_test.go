package sources

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// TestTheGuideCanBeFollowed: the file of docs/sources.md can be used, each of its lines may be asked in namespace shop, and each of its sources has a recipe.
func TestTheGuideCanBeFollowed(t *testing.T) {
	page, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(page), "```yaml\nversion: v1")
	file, _, found := strings.Cut(file, "```\n")
	if !found {
		t.Fatal("docs/sources.md has no file")
	}
	listed, err := catalog.Parse([]byte("version: v1"+file), Types())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range listed.Entries() {
		if !strings.Contains(string(page), "| `"+e.Type.Name+"` |") {
			t.Errorf("docs/sources.md has no row of type %q", e.Type.Name)
		}
	}
	lines := regexp.MustCompile(`(?m)^ *mini-hpa/sources: (.+)$`).FindAllStringSubmatch(string(page), -1)
	if len(lines) < 3 {
		t.Fatalf("docs/sources.md has %d lines of sources", len(lines))
	}
	_, recipes, _ := strings.Cut(string(page), "## Recipes")
	for _, e := range listed.Entries() {
		if !strings.Contains(recipes, "mini-hpa/sources: "+e.Name+" ") {
			t.Errorf("docs/sources.md has no recipe with the %s %q", e.Type.Name, e.Name)
		}
	}
	for _, line := range lines {
		w := &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), Annotations: map[string]string{annotations.SourcesKey: line[1], annotations.Max: "40"}}
		if v := annotations.DefaultDefaults().Review(w, annotations.Surroundings{Sources: listed}); len(v.Problems) > 0 || len(v.Policy.Metrics) != 1 {
			t.Errorf("%s: %v", line[1], v.Problems)
		}
	}
}
