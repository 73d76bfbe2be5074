package annotations

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// maxDepth is how deep lists and mappings may be nested; the deepest of autoscaling/v2 need eight levels.
const maxDepth = 16

// object is a JSON object whose members are in the order, and as often, as they were written.
type object []member

type member struct {
	name  string
	value any
}

// documents has the documents that were read, by their text. The values made from them are never changed.
type documents struct {
	known map[string]documentRead
	// size is the length of all the texts.
	size int
}

type documentRead struct {
	tree any
	err  error
}

// maxRemembered is how much text is remembered; beyond that all is forgotten.
const maxRemembered = 1 << 20

// read is readDocument, once for each text.
func (d *documents) read(text string) (any, error) {
	if d == nil {
		return readDocument(text)
	}
	if known, ok := d.known[text]; ok {
		return known.tree, known.err
	}
	tree, err := readDocument(text)
	if d.size += len(text); d.known == nil || d.size > maxRemembered {
		d.known, d.size = map[string]documentRead{}, len(text)
	}
	d.known[text] = documentRead{tree, err}
	return tree, err
}

// readDocument reads one YAML or JSON document into a tree of nil, bool, json.Number, string, []any and object. JSON,
// which is what programs write, is read as such: it costs a third of the time.
func readDocument(text string) (any, error) {
	if json.Valid([]byte(text)) {
		return readJSON(text)
	}
	return readYAML(text)
}

// unreadable reports the error of a reader.
func unreadable(err error) error {
	said := clean(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "), 2*shown)
	return fmt.Errorf("cannot be read as one YAML or JSON document: %s", said)
}

var errDeep = fmt.Errorf("is nested too deep; at most %d levels are allowed", maxDepth)

// treeReader builds a tree out of JSON.
type treeReader struct {
	decoder *json.Decoder
}

func readJSON(text string) (any, error) {
	r := treeReader{decoder: json.NewDecoder(strings.NewReader(text))}
	r.decoder.UseNumber()
	return r.value(0)
}

func (r *treeReader) value(depth int) (any, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, unreadable(err)
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, errDeep
	}
	if delimiter == '[' {
		return r.list(depth)
	}
	return r.object(depth)
}

func (r *treeReader) list(depth int) (any, error) {
	items := []any{}
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.decoder.Token()
	return items, err
}

func (r *treeReader) object(depth int) (any, error) {
	members := object{}
	for r.decoder.More() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: name, value: value})
	}
	_, err := r.decoder.Token()
	return members, err
}

func (r *treeReader) name() (string, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return "", unreadable(err)
	}
	name, _ := token.(string)
	return name, nil
}

// isOutOfPlace says whether a document must not hold r: control characters other than blanks and line breaks, and the
// characters that only YAML takes for line breaks or skips.
func isOutOfPlace(r rune) bool {
	switch r {
	case '\n', '\r', '\t':
		return false
	case '\u2028', '\u2029', '\ufeff':
		return true
	}
	return unicode.IsControl(r)
}
