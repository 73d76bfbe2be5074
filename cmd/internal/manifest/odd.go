package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

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

func (s *odd) look(n *yaml.Node, isName bool) {
	const isText = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
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
