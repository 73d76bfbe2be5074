package annotations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
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

var (
	errAlias  = errors.New(`must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`)
	errTag    = errors.New(`must not use YAML tags other than "!!str"`)
	errSingle = errors.New("must be a single YAML document")
)

// readYAML reads the nodes of the only document. Nodes are what was written: they show quotes, and aliases are not expanded, of which a few
// lines can stand for gigabytes.
func readYAML(text string) (tree any, err error) {
	// Where the parser contradicts itself, it panics; an annotation must not end the controller.
	defer func() {
		if recover() != nil {
			tree, err = nil, unreadable(errors.New("the parser does not understand it"))
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, unreadable(err)
	}
	tree, err = treeOf(document.Content[0], 0)
	if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, errSingle
	case !errors.Is(err, io.EOF):
		return nil, unreadable(err)
	}
	return tree, nil
}

func treeOf(node *yaml.Node, depth int) (any, error) {
	isScalar := node.Kind == yaml.ScalarNode
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return nil, errAlias
	case node.Style&yaml.TaggedStyle != 0 && (!isScalar || node.Tag != "!!str"):
		return nil, errTag
	case isScalar:
		return scalar(node), nil
	case depth == maxDepth:
		return nil, errDeep
	case node.Kind == yaml.MappingNode:
		return objectOf(node, depth)
	}
	return listOf(node, depth)
}

func listOf(node *yaml.Node, depth int) (any, error) {
	items := make([]any, len(node.Content))
	for i, item := range node.Content {
		var err error
		if items[i], err = treeOf(item, depth+1); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func objectOf(node *yaml.Node, depth int) (any, error) {
	members := make(object, 0, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, err := treeOf(node.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		switch {
		case !ok:
			return nil, fmt.Errorf("name %q in a mapping must be a string; put it in quotes", clean(node.Content[i].Value, shown))
		case node.Content[i].Tag == "!!merge":
			return nil, errAlias
		}
		value, err := treeOf(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: name, value: value})
	}
	return members, nil
}

func scalar(node *yaml.Node) any {
	const isText = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if node.Style&isText != 0 {
		return node.Value
	}
	return resolve(node.Value)
}

// resolve says what a scalar without quotes stands for when kubectl makes JSON of it for the API server: it reads
// YAML 1.1, in which "no" is false and 010 is 8. What JSON has no number for stays a number that nothing accepts.
func resolve(text string) any {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
		return json.Number(text)
	}
	if strings.Contains("+-.0123456789", text[:1]) {
		return resolveNumber(text)
	}
	return text
}

// resolveNumber is resolve for what starts like a number.
func resolveNumber(text string) any {
	digits := text
	if text[0] != '.' {
		digits = strings.ReplaceAll(text, "_", "")
	}
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return json.Number(strconv.FormatInt(n, 10))
	}
	if n, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return json.Number(strconv.FormatUint(n, 10))
	}
	if f, err := strconv.ParseFloat(digits, 64); err == nil && strings.Trim(digits, "+-.eE0123456789") == "" {
		// A float64 that was read without an error is finite, and marshals.
		number, _ := json.Marshal(f)
		return json.Number(number)
	}
	return text
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

// describe is what a message shows of a part of a document that is not what it should be.
func describe(from any) string {
	switch from := from.(type) {
	case string:
		return from
	case json.Number:
		return string(from)
	case bool:
		return strconv.FormatBool(from)
	case []any:
		return "a list"
	default:
		return "a mapping"
	}
}
