package manifest

import (
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// atlas finds the parts of documents. It remembers the members of each mapping that it was asked about, because there may be as many
// findings in a mapping as it has members.
type atlas map[*yaml.Node]map[string]entry

// entry is a member of a mapping: its name and its value.
type entry struct{ name, value *yaml.Node }

// walk goes as far as it can, and says where it has come to. The value is nil if that is not the end.
func (a atlas) walk(root *yaml.Node, steps []string) (name, value *yaml.Node) {
	name, value = root, root
	for _, step := range steps {
		nextName, nextValue := a.part(value, step)
		if nextName == nil {
			return name, nil
		}
		name, value = nextName, nextValue
	}
	return name, value
}

// Steps takes a path of k8s.io/apimachinery/pkg/util/validation/field apart.
func Steps(path string) []string {
	var found []string
	for path != "" {
		var step string
		if rest, ok := strings.CutPrefix(path, "["); ok {
			step, path, _ = strings.Cut(rest, "]")
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			step, path = path[:end], path[end:]
		}
		found = append(found, step)
		path = strings.TrimPrefix(path, ".")
	}
	return found
}

// step is the first one of a path, and what is left of it. Names may have brackets and dots of their own, so that what is there decides where one
// ends: the first Place will do at which a part ends that is there. Few names have many such places, and not all of those are tried.
func (a atlas) step(n *yaml.Node, path string) (name, value *yaml.Node, left string) {
	const most = 16
	opening, isKey := strings.CutPrefix(path, "[")
	for end, tries := 0, 0; end < len(opening) && tries < most; end++ {
		behind := opening[end+1:]
		isEnd := opening[end] == '.' || opening[end] == '['
		if isKey {
			isEnd = opening[end] == ']' && (behind == "" || behind[0] == '.' || behind[0] == '[')
		}
		if !isEnd {
			continue
		}
		tries++
		if name, value = a.part(n, opening[:end]); name == nil {
			continue
		}
		if opening[end] == '[' {
			behind = opening[end:]
		}
		return name, value, strings.TrimPrefix(behind, ".")
	}
	if !isKey {
		name, value = a.part(n, opening)
	}
	return name, value, ""
}

// part is one step: the node that names a part of another one, and the part.
func (a atlas) part(n *yaml.Node, step string) (name, value *yaml.Node) {
	n = Followed(n)
	if n.Kind == yaml.MappingNode {
		found := a.members(n)[step]
		return found.name, found.value
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.SequenceNode && err == nil && 0 <= i && i < len(n.Content) {
		return n.Content[i], n.Content[i]
	}
	return nil, nil
}

// members returns the members of a mapping. Of two with the same name the last one counts, and a merged member only if the mapping has
// none of that name.
func (a atlas) members(n *yaml.Node) map[string]entry {
	if known, ok := a[n]; ok {
		return known
	}
	found := make(map[string]entry, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		found[Followed(n.Content[i]).Value] = entry{n.Content[i], n.Content[i+1]}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		merged := Followed(n.Content[i+1])
		candidates := []*yaml.Node{merged}
		if merged.Kind == yaml.SequenceNode {
			candidates = merged.Content
		}
		for _, candidate := range candidates {
			if candidate = Followed(candidate); candidate.Kind != yaml.MappingNode {
				continue
			}
			for name, member := range a.members(candidate) {
				if _, ok := found[name]; !ok {
					found[name] = member
				}
			}
		}
	}
	a[n] = found
	return found
}

// Followed returns what an alias stands for, or the node itself. YAML has no alias of an alias.
func Followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
