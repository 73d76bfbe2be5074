package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// spot is where a field is, or the last part of the way to it that is there. Of a member of a mapping it is the name. A value that is
// itself a document, as those of the annotations for metrics and behavior are, is looked into; and if what is wrong with a mapping is
// one of its names, that is the spot.
func (o object) spot(path string, wrong any) place {
	name, value := o.node, o.node
	for rest := path; rest != ""; {
		nextName, nextValue, left := o.atlas.step(value, rest)
		if nextName == nil {
			return o.spotInside(value, steps(rest), wrong, placeOf(name))
		}
		name, value, rest = nextName, nextValue, left
	}
	if _, isName := wrong.(string); isName || path != "" {
		return o.spotInside(value, nil, wrong, o.named(name, value, wrong))
	}
	return placeOf(name)
}

func placeOf(n *yaml.Node) place { return place{line: n.Line, column: n.Column} }

// named is the place of the member that is wrong with a mapping, or that of the mapping's own name.
func (o object) named(name, value *yaml.Node, wrong any) place {
	if text, ok := wrong.(string); ok && followed(value).Kind == yaml.MappingNode {
		if member, _ := o.atlas.part(value, text); member != nil {
			return placeOf(member)
		}
	}
	return placeOf(name)
}

// inside is a document in a scalar of another one.
type inside struct {
	sheet
	root   *yaml.Node // nil if there is none
	broken int        // the line that cannot be parsed; 0 if all can
	pieces []piece
}

// inside reads the document in a scalar, once.
func (p *sheet) inside(block *yaml.Node) *inside {
	if known := p.insides[block]; known != nil {
		return known
	}
	d := &inside{sheet: sheet{chunk: chunk{text: block.Value, line: 1}}}
	if d.pieces = p.pieces(block); d.pieces != nil {
		root, err := d.nodes()
		if at := (atLine{}); errors.As(d.told(err), &at) {
			d.broken = at.line
		} else if root != nil {
			renumber(root, d.lines())
			d.root = root
		}
	}
	if p.insides == nil {
		p.insides = map[*yaml.Node]*inside{}
	}
	p.insides[block] = d
	return d
}

// spotInside goes on in the text of a scalar.
func (o object) spotInside(block *yaml.Node, way []string, wrong any, outside place) place {
	block = followed(block)
	if block.Kind != yaml.ScalarNode || o.sheet == nil {
		return outside
	}
	text, isName := wrong.(string)
	if len(way) == 0 && !isName {
		return outside
	}
	d := o.sheet.inside(block)
	switch {
	case d.broken > 0:
		return o.sheet.lineBelow(d, outside)
	case d.root == nil:
		return outside
	}
	whole := object{node: d.root, atlas: o.atlas}
	if len(way) > 0 {
		return o.sheet.below(d, whole.spot(fieldPath(way), wrong), outside)
	}
	if member, _ := whole.atlas.part(d.root, text); member != nil {
		return o.sheet.below(d, placeOf(member), outside)
	}
	return outside
}

// fieldPath puts steps together again.
func fieldPath(way []string) string {
	return "[" + strings.Join(way, "][") + "]"
}

// below makes a place of the file of one in a scalar of it.
func (p *sheet) below(d *inside, at, outside place) place {
	offset, ok := d.offset(at)
	if !ok {
		return outside
	}
	return p.placeAt(origin(d.pieces, offset))
}

// lineBelow is where the broken line of a scalar begins, if all of it is on one line of the file.
func (p *sheet) lineBelow(d *inside, outside place) place {
	start, ok := d.offset(place{line: d.broken, column: 1})
	if !ok {
		return outside
	}
	text, _, _ := strings.Cut(d.text[start:], "\n")
	first, last := p.placeAt(origin(d.pieces, start)), p.placeAt(origin(d.pieces, start+max(len(text)-1, 0)))
	if first.line != last.line {
		return outside
	}
	return first
}

// origin is where in the text an offset of a value comes from.
func origin(pieces []piece, offset int) int {
	i, found := slices.BinarySearchFunc(pieces, offset, func(p piece, offset int) int { return cmp.Compare(p.value, offset) })
	if !found {
		i--
	}
	return pieces[i].text + offset - pieces[i].value
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
