// Package manifest reads YAML and JSON as kubectl does, and knows where in the text each part of it is, also of a document that stands in a
// string of another one. It knows templates of many tools, which are no manifests yet.
package manifest

import (
	"fmt"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Document is one document of a text, or a part of one.
type Document struct {
	// Node says where each part is, in lines of the text; nil if the document is empty.
	Node *yaml.Node
	// Value is what kubectl reads of it, by YAML 1.1.
	Value any
	sheet *sheet
	atlas atlas
	host  *host
}

// At is a part of the document: an item of a list, say, with the value that it has there.
func (d Document) At(node *yaml.Node, value any) Document {
	d.Node, d.Value = node, value
	return d
}

// List takes the items of a list, which the document is. It fails if they are more than the lists of a file may have.
func (d Document) List(items []any) error {
	if d.sheet == nil || d.sheet.common == nil {
		return nil
	}
	left := d.sheet.common.items
	if len(items) > left {
		return LineError{d.outside(placeOf(d.Node)).Line, fmt.Errorf("the list has %d items, and there is room for %d; the lists of a file may have %d, and one more for every %d bytes of the file",
			len(items), left, spareInside, sizeItem)}
	}
	d.sheet.common.items -= len(items)
	return nil
}

// Walk goes along a way of names and indexes as far as it can. Name is the node that names the last part which is there, and value that part; value
// is nil if it is not the end.
func (d Document) Walk(way ...string) (name, value *yaml.Node) {
	return d.atlas.walk(d.Node, way)
}

// PlaceOf is where in the file a node is.
func (d Document) PlaceOf(n *yaml.Node) Place { return d.outside(placeOf(n)) }

// Locate is where in the file a field is, by its path (see k8s.io/apimachinery/pkg/util/validation/field), or where it would be. Wrong is the value
// that is wrong with it: of a mapping it may be one of its names.
func (d Document) Locate(path string, wrong any) Place { return d.outside(d.spot(path, wrong)) }

// outside is a place of the text as one of the file.
func (d Document) outside(at Place) Place {
	if d.host == nil {
		return at
	}
	return d.host.place(at)
}

// Written returns a scalar as it stands in the text, where 010 was read as 8 and Off as false. Other values are written in Go's form.
func (d Document) Written(path string, value any) string {
	if _, node := d.Walk(Steps(path)...); node != nil && Followed(node).Kind == yaml.ScalarNode {
		return Followed(node).Value
	}
	return fmt.Sprint(value)
}

// MayHaveKeys says whether the text that the document is in may have keys of mini-hpa: it has if one of them could be written by an escape.
func (d Document) MayHaveKeys() bool {
	return d.sheet != nil && d.sheet.keys.is(func() bool {
		return strings.Contains(d.sheet.text, annotations.Prefix) || strings.Contains(d.sheet.text, `\`)
	})
}

// spot returns where a field is, or the last existing part of its path. For a member of a mapping it is the name. It also looks into values
// that are documents, such as the annotations for metrics and behavior. If a name of a mapping is wrong, the spot is that name.
func (d Document) spot(path string, wrong any) Place {
	name, value := d.Node, d.Node
	for rest := path; rest != ""; {
		nextName, nextValue, left := d.atlas.step(value, rest)
		if nextName == nil {
			return d.spotInside(value, Steps(rest), wrong, placeOf(name))
		}
		name, value, rest = nextName, nextValue, left
	}
	if _, isName := wrong.(string); isName || path != "" {
		return d.spotInside(value, nil, wrong, d.named(name, value, wrong))
	}
	return placeOf(name)
}

// named is the place of the member that is wrong with a mapping, or that of the mapping's own name.
func (d Document) named(name, value *yaml.Node, wrong any) Place {
	if text, ok := wrong.(string); ok && Followed(value).Kind == yaml.MappingNode {
		if member, _ := d.atlas.part(value, text); member != nil {
			return placeOf(member)
		}
	}
	return placeOf(name)
}

// spotInside goes on in the text of a scalar.
func (d Document) spotInside(block *yaml.Node, way []string, wrong any, outside Place) Place {
	block = Followed(block)
	if block.Kind != yaml.ScalarNode || d.sheet == nil {
		return outside
	}
	text, isName := wrong.(string)
	if len(way) == 0 && !isName || isWord(block.Value) {
		return outside
	}
	in := d.sheet.inside(block)
	in.read()
	if line, ok := entryOf(way); ok && (in.root == nil || in.root.Kind == yaml.ScalarNode) {
		return d.sheet.lineBelow(in, line, outside)
	}
	switch {
	case in.broken > 0:
		return d.sheet.lineBelow(in, in.broken, outside)
	case in.root == nil:
		return outside
	}
	if len(way) > 0 {
		return d.sheet.below(in, Document{Node: in.root, atlas: in.atlas}.spot(fieldPath(way), wrong), outside)
	}
	if member, _ := in.atlas.part(in.root, text); member != nil {
		return d.sheet.below(in, placeOf(member), outside)
	}
	return outside
}

// entryOf is the line that a way into a text leads to which is no document: a list of lines has an entry in each.
func entryOf(way []string) (int, bool) {
	if len(way) != 1 {
		return 0, false
	}
	n, err := strconv.Atoi(way[0])
	return n + 1, err == nil
}

// isWord says whether a text can be no mapping and no list, and nothing that cannot be parsed: most values have nothing of YAML in them.
func isWord(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '/', c == '_':
		default:
			return false
		}
	}
	return true
}

// fieldPath puts steps together again.
func fieldPath(way []string) string {
	return "[" + strings.Join(way, "][") + "]"
}
