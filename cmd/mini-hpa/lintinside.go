package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// sheet is the text of a chunk, line by line.
type sheet struct {
	chunk
	numbers []int    // the lines of the file, by the lines that YAML counts
	texts   []string // nil until they are asked for
}

// textOf is the text of a line of the file.
func (p *sheet) textOf(number int) string {
	if p.texts == nil {
		p.texts = strings.Split(p.text, "\n")
	}
	if i := number - p.chunk.line; 0 <= i && i < len(p.texts) {
		return strings.TrimSuffix(p.texts[i], "\r")
	}
	return ""
}

// spot is where a field is, or the last part of the way to it that is there. Of a member of a mapping it is the name. A value that is
// itself a document, as those of the annotations for metrics and behavior are, is looked into; and if what is wrong with a mapping is
// one of its names, that is the spot.
func (o object) spot(path string, wrong any) place {
	name, value := o.node, o.node
	way := steps(path)
	for i, step := range way {
		nextName, nextValue := o.atlas.part(value, step)
		if nextName == nil {
			return o.spotInside(value, way[i:], wrong, placeOf(name))
		}
		name, value = nextName, nextValue
	}
	if _, isName := wrong.(string); isName || len(way) > 0 {
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

// spotInside goes on in the lines of a block ("|"), which are lines of the file. Elsewhere the value has no lines of its own.
func (o object) spotInside(block *yaml.Node, way []string, wrong any, outside place) place {
	block = followed(block)
	if block.Kind != yaml.ScalarNode || block.Style&yaml.LiteralStyle == 0 || o.sheet == nil {
		return outside
	}
	inside := chunk{text: block.Value, line: 1}
	root, err := inside.nodes(inside.lines())
	at := atLine{}
	switch {
	case errors.As(err, &at):
		return o.sheet.below(block, place{line: at.line, column: 1})
	case err != nil || root == nil:
		return outside
	}
	whole := object{node: root, atlas: atlas{}}
	if text, isName := wrong.(string); len(way) == 0 && isName {
		if member, _ := whole.atlas.part(root, text); member != nil {
			return o.sheet.below(block, placeOf(member))
		}
	}
	if len(way) == 0 {
		return outside
	}
	return o.sheet.below(block, whole.spot(fieldPath(way), wrong))
}

// fieldPath puts steps together again.
func fieldPath(way []string) string {
	return "[" + strings.Join(way, "][") + "]"
}

// below makes a place of the file of one in the text of a block.
func (p *sheet) below(block *yaml.Node, inside place) place {
	header, _ := slices.BinarySearch(p.numbers, block.Line)
	line := p.numbers[min(header+inside.line, len(p.numbers)-1)]
	texts := strings.Split(block.Value, "\n")
	indentation := utf8.RuneCountInString(p.textOf(line)) - utf8.RuneCountInString(texts[min(inside.line, len(texts))-1])
	return place{line: line, column: inside.column + max(indentation, 0)}
}

// notFinite are the numbers that YAML has and JSON has not, as kubectl's parser knows them.
var notFinite = []string{".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"}

// infinite adds to what was found the nodes of a document that are no numbers of JSON.
func infinite(n *yaml.Node, found []*yaml.Node) []*yaml.Node {
	const isText = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.Kind == yaml.ScalarNode && n.Style&isText == 0 && slices.Contains(notFinite, n.Value) {
		return append(found, n)
	}
	for _, child := range n.Content {
		found = infinite(child, found)
	}
	return found
}

// quoted is the chunk with quotes around nodes of it, which are in its order. It fails where the parser counts lines or columns otherwise than
// editors do.
func (c chunk) quoted(nodes []*yaml.Node) (chunk, bool) {
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
