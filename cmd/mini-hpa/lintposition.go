package main

import (
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// deepest is the last node on the way along a path, such as spec.containers[1].resources.requests[cpu], that is there.
// Of a member of a mapping it is the name.
func deepest(root *yaml.Node, path string) *yaml.Node {
	name, _ := walk(root, steps(path))
	return name
}

// walk goes as far as it can, and says where it has come to. The value is nil if that is not the end.
func walk(root *yaml.Node, steps []string) (name, value *yaml.Node) {
	name, value = root, root
	for _, step := range steps {
		nextName, nextValue := part(value, step)
		if nextName == nil {
			return name, nil
		}
		name, value = nextName, nextValue
	}
	return name, value
}

// steps takes a path of k8s.io/apimachinery/pkg/util/validation/field apart.
func steps(path string) []string {
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

// part is one step: the node that names a part of another one, and the part.
func part(n *yaml.Node, step string) (name, value *yaml.Node) {
	n = followed(n)
	if n.Kind == yaml.MappingNode {
		return member(n, step)
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.SequenceNode && err == nil && 0 <= i && i < len(n.Content) {
		return n.Content[i], n.Content[i]
	}
	return nil, nil
}

// member looks from the end: of two of the same name, the last one counts. What is merged in comes after what is there.
func member(n *yaml.Node, step string) (name, value *yaml.Node) {
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if followed(n.Content[i]).Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		merged := followed(n.Content[i+1])
		candidates := []*yaml.Node{merged}
		if merged.Kind == yaml.SequenceNode {
			candidates = merged.Content
		}
		for _, candidate := range candidates {
			if name, value := part(candidate, step); name != nil {
				return name, value
			}
		}
	}
	return nil, nil
}

// followed is what an alias stands for. An alias of an alias there is not.
func followed(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
