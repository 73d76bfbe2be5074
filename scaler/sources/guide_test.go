package sources

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// TestTheGuideCanBeFollowed: the file of docs/sources.md can be used, each of its lines may be asked in namespace shop, and each kind of source that there is has
// a row, an entry if it needs one, and a recipe for each.
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
	lines := regexp.MustCompile(`(?m)^ *mini-hpa/sources: (.+)$`).FindAllStringSubmatch(string(page), -1)
	if len(lines) < 3 {
		t.Fatalf("docs/sources.md has %d lines of sources", len(lines))
	}
	names := map[string][]string{} // by their kind
	for _, e := range listed.Entries() {
		names[e.Type.Name] = append(names[e.Type.Name], e.Name)
	}
	_, recipes, _ := strings.Cut(string(page), "\n## Recipes\n")
	recipes, _, _ = strings.Cut(recipes, "\n## ")
	for _, k := range Kinds() {
		if !strings.Contains(string(page), "| `"+k.Name+"` |") {
			t.Errorf("docs/sources.md has no row of type %q", k.Name)
		}
		if k.Entryless {
			names[k.Name] = []string{k.Name}
		}
		if len(names[k.Name]) == 0 {
			t.Errorf("the file of docs/sources.md has no source of type %q", k.Name)
		}
		for _, name := range names[k.Name] {
			if !strings.Contains(recipes, "mini-hpa/sources: "+name+" ") {
				t.Errorf("docs/sources.md has no recipe with the %s %q", k.Name, name)
			}
		}
	}
	for _, line := range lines {
		w := &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), Annotations: map[string]string{annotations.SourcesKey: line[1], annotations.Max: "40"}}
		if v := annotations.DefaultDefaults().Review(w, annotations.Surroundings{Sources: listed}); len(v.Problems) > 0 || len(v.Policy.Metrics) != 1 {
			t.Errorf("%s: %v", line[1], v.Problems)
		}
	}
}
