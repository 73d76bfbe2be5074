package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/json"
	kubectl "sigs.k8s.io/yaml"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// readYAML reads the only document of the chunk, with these nodes. With an error it may still return a document, if only a part of that is wrong.
func (c chunk) readYAML(nodes func() (*yaml.Node, error)) (d Document, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			d.Value, err = nil, LineError{c.line, errors.New("the YAML parser does not understand it")}
		}
	}()
	if d.Node, err = nodes(); err != nil || d.Node == nil {
		return d, err
	}
	renumber(d.Node, c.lines())
	x := expansion{room: c.common.room}
	if _, err := x.measure(d.Node); err != nil {
		return d, err
	}
	c.common.room -= x.repeated
	if isListOfObjects(d.Node) {
		return d, LineError{d.Node.Line, errors.New("is a list of objects, and only one of kind List can be applied; separate them with ---")}
	}
	d.sheet = &sheet{chunk: c}
	if kind, _ := (atlas{}).part(d.Node, "kind"); kind == nil && !c.always {
		return d, nil // large files are often none of Kubernetes
	}
	var scalars odd
	scalars.look(d.Node, false)
	if value, ok := c.value(d.Node, &scalars, x.repeated); ok {
		d.Value = value
		return d, scalars.refused()
	}
	text, err := c.withNames(scalars.names)
	var odd error
	if refused := scalars.refused(); err != nil && refused != nil {
		odd = refused
		if quoted, ok := c.quoted(scalars.all()); ok {
			text, err = kubectl.YAMLToJSON([]byte(quoted.text))
		} else {
			err = odd
		}
	}
	if err != nil {
		return d, cmp.Or(odd, c.unfit(d.Node, scalars.none, err))
	}
	if err := json.Unmarshal(text, &d.Value); err != nil {
		return d, LineError{d.Node.Line, err}
	}
	return d, odd
}

// value is what kubectl reads of the document with these nodes, made of the nodes and not of another look at the text: of the time that a short
// document takes, most is spent on starting a parser. The parser of the nodes and that of kubectl take the same text apart in the same way, and
// differ in what a plain scalar is. Where they differ in more, it fails, and kubectl's parser is asked: in tags, in aliases that repeat much, of which
// kubectl's takes only so many, and in tabs beside comments.
func (c chunk) value(root *yaml.Node, scalars *odd, repeated int) (any, bool) {
	if len(scalars.none) > 0 || repeated > fewRepeated*nodeWeight || strings.Contains(c.text, "!") || strings.Contains(c.text, "#") && strings.Contains(c.text, "\t") {
		return nil, false
	}
	if _, ok := c.quoted(scalars.all()); !ok {
		return nil, false
	}
	return valueOf(root)
}

// unfit says why the chunk, whose nodes could be read, cannot be JSON. None are the names in it that are nothing.
func (c chunk) unfit(root *yaml.Node, none []*yaml.Node, err error) error {
	if len(none) > 0 {
		return LineError{none[0].Line, errors.New("cannot be parsed: a name in a mapping is nothing at all; names must be text")}
	}
	if strings.Contains(err.Error(), "map merge") {
		if wrong := wrongMerge(root); wrong != nil {
			return LineError{wrong.Line, errors.New("cannot be parsed: what is merged with << must be a mapping, or a list of some")}
		}
	}
	return c.failed(err, c.lines())
}

// withNames is the chunk as JSON with these names as they stand there.
func (c chunk) withNames(names []*yaml.Node) ([]byte, error) {
	if quoted, ok := c.quoted(names); ok {
		c.text = quoted.text
	}
	return c.common.asJSON(c.text)
}

// hasComments says whether there are comments as some parsers of JSON know them. YAML takes each for a part of the name behind it.
func hasComments(n *yaml.Node) bool {
	for i, child := range n.Content {
		isName := n.Kind == yaml.MappingNode && i%2 == 0 && child.Style&isText == 0
		if isName && (strings.HasPrefix(child.Value, "//") || strings.HasPrefix(child.Value, "/*")) || hasComments(child) {
			return true
		}
	}
	return false
}

// isListOfObjects says whether a document is what no tool applies.
func isListOfObjects(root *yaml.Node) bool {
	if root.Kind != yaml.SequenceNode || len(root.Content) == 0 {
		return false
	}
	kind, _ := (atlas{}).part(root.Content[0], "kind")
	version, _ := (atlas{}).part(root.Content[0], "apiVersion")
	return kind != nil && version != nil
}

// wrongMerge returns the first merge of something other than mappings, or nil if there is none.
func wrongMerge(n *yaml.Node) *yaml.Node {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Tag == "!!merge" {
			value := Followed(child)
			items := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				items = value.Content
			}
			for _, item := range items {
				if Followed(item).Kind != yaml.MappingNode {
					return item
				}
			}
		}
		if found := wrongMerge(child); found != nil {
			return found
		}
	}
	return nil
}

// quoted is the chunk with quotes around nodes of it, which are in its order. It fails where the parser counts lines or columns otherwise than
// editors do.
func (c chunk) quoted(nodes []*yaml.Node) (chunk, bool) {
	if len(nodes) == 0 {
		return c, true // as nearly always
	}
	lines := strings.SplitAfter(c.text, "\n")
	for len(nodes) > 0 {
		number := nodes[0].Line
		line := []rune(lines[number-c.line])
		var text strings.Builder
		done := 0
		for len(nodes) > 0 && nodes[0].Line == number {
			start, value := nodes[0].Column-1, nodes[0].Value
			end := start + utf8.RuneCountInString(value)
			if start < done || end > len(line) || string(line[start:end]) != value {
				return c, false
			}
			fmt.Fprintf(&text, "%s%q", string(line[done:start]), value)
			done, nodes = end, nodes[1:]
		}
		lines[number-c.line] = text.String() + string(line[done:])
	}
	return chunk{text: strings.Join(lines, ""), line: c.line}, true
}
