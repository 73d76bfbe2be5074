package kustomize

import (
	"strconv"
	"strings"
)

// PatchRef is one entry of the lists of patches that a Kustomization may have.
type PatchRef struct {
	// Path is a file; it is empty if the patch is a text in the kustomization.
	Path string
	// At is the place of the entry, or of the text in it.
	At []string
	Use
}

// Use is where a patch is used.
type Use struct {
	// Dir is the directory of the kustomization.
	Dir string
	// Kind and Name are of what is patched, if they are given; Selects says that more is said of it.
	Kind, Name string
	Selects    bool
	// Order is its place among the patches of the kustomization.
	Order int
}

// PatchesOf are those of a mapping that has the lists of a Kustomization, in a file of a directory.
func PatchesOf(dir string, fields map[string]any) []PatchRef {
	var found []PatchRef
	for _, list := range []string{"patchesStrategicMerge", "patches", "patchesJson6902"} {
		items, _ := fields[list].([]any)
		for i, item := range items {
			members, isMapping := item.(map[string]any)
			if !isMapping {
				members = map[string]any{"path": item}
			}
			target, _ := members["target"].(map[string]any)
			p := PatchRef{At: []string{list, strconv.Itoa(i)}, Use: Use{Dir: dir, Order: len(found)}}
			p.Selects = target["labelSelector"] != nil || target["annotationSelector"] != nil || target["namespace"] != nil
			p.Kind, _ = target["kind"].(string)
			p.Name, _ = target["name"].(string)
			switch text, _ := members["path"].(string); {
			case members["patch"] != nil:
				p.At = append(p.At, "patch")
			case strings.Contains(text, "\n"): // the patch itself
			case text != "":
				p.Path = text
			default:
				continue
			}
			found = append(found, p)
		}
	}
	return found
}
