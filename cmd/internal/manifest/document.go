// Package manifest reads YAML and JSON as kubectl does, and knows where in the text each part of it is, also of a document that stands in a
// string of another one. It knows templates of many tools, which are no manifests yet.
package manifest

import (
	"fmt"
	"iter"
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

// Place is where in a text something is. Both begin at 1; a column is that of a character.
type Place struct{ Line, Column int }

// LineError is an error with the line of the file that it is about.
type LineError struct {
	Line int
	Err  error
}

// Error does not have the line, which the caller writes behind the name of the file.
func (e LineError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong there.
func (e LineError) Unwrap() error { return e.Err }

// At is a part of the document: an item of a list, say, with the value that it has there.
func (d Document) At(node *yaml.Node, value any) Document {
	d.Node, d.Value = node, value
	return d
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

// question is one about a text that is answered once.
type question struct{ asked, answer bool }

func (q *question) is(find func() bool) bool {
	if !q.asked {
		q.asked, q.answer = true, find()
	}
	return q.answer
}

// ReadText reads the documents in a scalar of this one. Their places are those in the file.
func (d Document) ReadText(scalar *yaml.Node) iter.Seq[Part] {
	return read(scalar.Value, true, &host{outside: placeOf(scalar), sheet: d.sheet, text: scalar})
}
