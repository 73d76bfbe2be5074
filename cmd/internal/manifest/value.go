package manifest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// value is what kubectl reads of the document with these nodes, made of the nodes and not of another look at the text: of the time that a short
// document takes, most is spent on starting a parser. The parser of the nodes and that of kubectl take the same text apart in the same way, and
// differ in what a plain scalar is. Where they differ in more, it fails, and kubectl's parser is asked: in tags and merges, in aliases, of which
// kubectl's takes only so many, and in tabs beside comments.
func (c chunk) value(root *yaml.Node, scalars *odd) (any, bool) {
	if len(scalars.none) > 0 || strings.ContainsAny(c.text, "!*") || strings.Contains(c.text, "#") && strings.Contains(c.text, "\t") {
		return nil, false
	}
	if _, ok := c.quoted(scalars.all()); !ok {
		return nil, false
	}
	return valueOf(root)
}

// valueOf is value for a node.
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
	default:
		return nil, false
	}
}

// mappingOf is value for a mapping. Of two members with the same name the last one counts. Names are the text that stands there.
func mappingOf(n *yaml.Node) (any, bool) {
	members := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		value, ok := valueOf(n.Content[i+1])
		if !ok || name.Kind != yaml.ScalarNode || name.Value == "<<" {
			return nil, false
		}
		members[name.Value] = value
	}
	return members, true
}

// scalarOf is value for a scalar, by YAML 1.1. Numbers that JSON has not are text, see odd.
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
