package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/json"
	kubectl "sigs.k8s.io/yaml"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// readYAML reads the only document of the chunk. With an error it may still return a document, if only a part of that is wrong.
func (c chunk) readYAML() (d Document, err error) {
	// Where a parser contradicts itself, it panics.
	defer func() {
		if recover() != nil {
			d.Value, err = nil, LineError{c.line, errors.New("the YAML parser does not understand it")}
		}
	}()
	if d.Node, err = c.nodes(); err != nil || d.Node == nil {
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
	if value, ok := c.value(d.Node, &scalars); ok {
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
		c = quoted
	}
	return kubectl.YAMLToJSON([]byte(c.text))
}

func isObject(value any) bool {
	fields, _ := value.(map[string]any)
	return fields["apiVersion"] != nil && fields["kind"] != nil
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

// notFinite are the numbers that YAML has and JSON has not, as kubectl's parser knows them.
var notFinite = []string{".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"}

// truths are the words that are true or false for kubectl's parser, though not for that of the nodes.
var truths = []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE", "n", "N", "no", "No", "NO", "off", "Off", "OFF", "False", "FALSE"}

// odd are the scalars of a document that kubectl's parser does not take for what they are meant to be, in the order of the document.
type odd struct {
	// names are words and numbers that are the names in mappings: of "on" it would make the name "true", and of 0x10 "16". none are names that
	// are nothing at all.
	names, none []*yaml.Node
	// infinite are no numbers of JSON.
	infinite []*yaml.Node
}

// isText are the styles of scalars that are text, or what their tag says.
const isText = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func (s *odd) look(n *yaml.Node, isName bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Style&isText != 0:
	case slices.Contains(notFinite, n.Value):
		s.infinite = append(s.infinite, n)
	case isName && n.Tag == "!!null":
		s.none = append(s.none, n)
	case isName && (slices.Contains(truths, n.Value) || n.Tag == "!!int" || n.Tag == "!!float"):
		s.names = append(s.names, n)
	}
	for i, child := range n.Content {
		s.look(child, n.Kind == yaml.MappingNode && i%2 == 0)
	}
}

// refused says why the API server takes nothing of the document, if a number is none in JSON.
func (s *odd) refused() error {
	if len(s.infinite) == 0 {
		return nil
	}
	first := s.infinite[0]
	return LineError{first.Line, fmt.Errorf("cannot be parsed: %s is no number in JSON, so the API server gets nothing of this; put it in quotes", first.Value)}
}

// all are those that need quotes.
func (s *odd) all() []*yaml.Node {
	return slices.SortedFunc(slices.Values(slices.Concat(s.names, s.infinite)), func(a, b *yaml.Node) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
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
