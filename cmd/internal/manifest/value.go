package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// fewRepeated is how many nodes the aliases of a document may repeat that kubectl's parser takes, whatever else is in it.
const fewRepeated = 100

// valueOf is what kubectl reads of a node that has no tag in it.
func valueOf(n *yaml.Node) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		return mappingOf(n)
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, child := range n.Content {
			var ok bool
			if items[i], ok = valueOf(child); !ok {
				return nil, false
			}
		}
		return items, true
	case yaml.ScalarNode:
		return scalarOf(n)
	case yaml.AliasNode:
		return valueOf(n.Alias)
	default:
		return nil, false
	}
}

// mappingOf is valueOf for a mapping. Of two members with the same name the last one counts. Names are the text that stands there.
func mappingOf(n *yaml.Node) (any, bool) {
	members := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		value, ok := valueOf(n.Content[i+1])
		switch {
		case !ok || name.Kind != yaml.ScalarNode || name.Value == "<<" && name.Tag != "!!merge":
			return nil, false
		case name.Tag != "!!merge":
			members[name.Value] = value
		case !merge(members, value):
			return nil, false
		}
	}
	return members, true
}

// merge puts the members of a mapping, or of a list of some of which the first counts most, into another one. As kubectl does it, what stood there before
// is overwritten.
func merge(members map[string]any, value any) bool {
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	for _, item := range slices.Backward(items) {
		merged, isMapping := item.(map[string]any)
		if !isMapping {
			return false
		}
		maps.Copy(members, merged)
	}
	return true
}

// scalarOf is valueOf for a scalar, by YAML 1.1. Numbers that JSON has not are text, see odd.
func scalarOf(n *yaml.Node) (any, bool) {
	text := n.Value
	switch {
	case n.Style&isText != 0, slices.Contains(notFinite, text):
		return text, true
	case slices.Contains([]string{"", "~", "null", "Null", "NULL"}, text):
		return nil, true
	case slices.Contains(truths, text):
		return strings.ContainsAny(text[:1], "yY") || strings.EqualFold(text, "true") || strings.EqualFold(text, "on"), true
	case text == "true" || text == "false":
		return text == "true", true
	}
	return numberOf(text), true
}

// decimal is a number with a fraction or an exponent, as kubectl's parser knows them.
var decimal = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// numberOf is the number that a plain scalar is for kubectl, an int64 where it is a whole one, or its text.
func numberOf(text string) any {
	if !strings.ContainsAny(text[:1], "+-.0123456789") {
		return text
	}
	plain := text
	if text[0] != '.' {
		plain = strings.ReplaceAll(text, "_", "")
		if n, err := strconv.ParseInt(plain, 0, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(plain, 0, 64); err == nil {
			return float64(n)
		}
	}
	if text[0] != '.' && !decimal.MatchString(plain) {
		return text
	}
	f, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return text
	}
	written, err := json.Marshal(f)
	if err != nil {
		return text
	}
	if n, err := strconv.ParseInt(string(written), 10, 64); err == nil {
		return n
	}
	return f
}
