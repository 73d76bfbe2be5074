package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

func TestSteps(t *testing.T) {
	tests := map[string][]string{
		"":                                      nil,
		"spec":                                  {"spec"},
		"spec.template.spec.containers[1].name": {"spec", "template", "spec", "containers", "1", "name"},
		"metadata.annotations[mini-hpa/max.x]":  {"metadata", "annotations", "mini-hpa/max.x"},
		"a[b][0].c[d":                           {"a", "b", "0", "c", "d"},
		"[0]":                                   {"0"},
	}
	for path, want := range tests {
		if diff := cmp.Diff(want, Steps(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestLastOfTwoCounts, as for kubectl; what is merged in counts only where there is no name of its own.
func TestLastOfTwoCounts(t *testing.T) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte("a: 1\nb: 2\na: 3\n<<: [{c: 4}, {d: 5}]\n"), &document); err != nil {
		t.Fatal(err)
	}
	d := Document{Node: document.Content[0], atlas: atlas{}}
	for path, want := range map[string]int{"a": 3, "b": 2, "d": 4, "e": 1, "[0]": 1} {
		if name, _ := d.Walk(Steps(path)...); name.Line != want {
			t.Errorf("%s is in line %d, want %d", path, name.Line, want)
		}
	}
}
