package lint

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// repeated reports names that a mapping of the object has twice, if the object has keys of mini-hpa anywhere, even some that are not read
// because of the repetition. Of a list it checks only the fields, because its items are objects.
func (o object) repeated(isList bool) []finding {
	if o.Node == nil || !o.MayHaveKeys() {
		return nil
	}
	r := repeats{object: o}
	r.look(o.Node, nil, isList)
	if len(r.found) == 0 || !isList && !hasOwnKeys(o.Node) {
		return nil
	}
	return r.found
}

// hasOwnKeys says whether a mapping somewhere in a node has a name with the Prefix.
func hasOwnKeys(n *yaml.Node) bool {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && strings.HasPrefix(child.Value, annotations.Prefix) || hasOwnKeys(child) {
			return true
		}
	}
	return false
}

// repeats collects the repeated names of one object.
type repeats struct {
	object
	found []finding
}

// look goes through a node without following aliases: what they stand for is looked at where it stands.
func (r *repeats) look(n *yaml.Node, at *field.Path, isList bool) {
	if n.Kind == yaml.MappingNode {
		r.names(n, at)
	}
	for i, child := range n.Content {
		switch {
		case len(r.found) == maxStrays:
			return
		case n.Kind == yaml.SequenceNode:
			r.look(child, at.Index(i), false)
		case n.Kind == yaml.MappingNode && i%2 == 1 && !(isList && n.Content[i-1].Value == "items"):
			r.look(child, member(at, n.Content[i-1]), false)
		}
	}
}

// names compares the names of one mapping. Of what is merged with << nothing is lost, however often there is some.
func (r *repeats) names(n *yaml.Node, at *field.Path) {
	last := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && len(r.found) < maxStrays; i += 2 {
		name := n.Content[i]
		text := manifest.Followed(name).Value
		before := last[text]
		last[text] = name
		if before == nil || name.Tag == "!!merge" {
			continue
		}
		r.tell(member(at, name), r.PlaceOf(before), r.PlaceOf(name))
		if at == nil && (text == "apiVersion" || text == "kind") {
			return // what follows is another object
		}
	}
}

// tell says which of the two values of a repeated name counts.
func (r *repeats) tell(path *field.Path, before, again manifest.Place) {
	advice := "of the two, kubectl takes the last one without a word, and kustomize refuses the file; keep one"
	if name := path.String(); name == "apiVersion" || name == "kind" {
		advice = "as where --- is missing between two objects: kubectl makes one object of both, without a word, and kustomize refuses the file; separate them with ---"
	}
	r.found = append(r.found, r.findingAt(again, severityError, annotations.FoundInvalidField, path.String(),
		fmt.Sprintf("is here again, after line %d; %s", before.Line, advice)))
}

// member is the path of a member of a mapping.
func member(at *field.Path, name *yaml.Node) *field.Path {
	text := manifest.Followed(name).Value
	if strings.ContainsAny(text, "./[]") {
		return at.Key(text)
	}
	return at.Child(text)
}
