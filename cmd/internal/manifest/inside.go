package manifest

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// spot returns where a field is, or the last existing part of its path. For a member of a mapping it is the name. It also looks into values
// that are documents, such as the annotations for metrics and behavior. If a name of a mapping is wrong, the spot is that name.
func (d Document) spot(path string, wrong any) Place {
	name, value := d.Node, d.Node
	for rest := path; rest != ""; {
		nextName, nextValue, left := d.atlas.step(value, rest)
		if nextName == nil {
			return d.spotInside(value, Steps(rest), wrong, placeOf(name))
		}
		name, value, rest = nextName, nextValue, left
	}
	if _, isName := wrong.(string); isName || path != "" {
		return d.spotInside(value, nil, wrong, d.named(name, value, wrong))
	}
	return placeOf(name)
}

func placeOf(n *yaml.Node) Place { return Place{Line: n.Line, Column: n.Column} }

// named is the place of the member that is wrong with a mapping, or that of the mapping's own name.
func (d Document) named(name, value *yaml.Node, wrong any) Place {
	if text, ok := wrong.(string); ok && Followed(value).Kind == yaml.MappingNode {
		if member, _ := d.atlas.part(value, text); member != nil {
			return placeOf(member)
		}
	}
	return placeOf(name)
}

// inside is a document in a scalar of another one.
type inside struct {
	sheet
	atlas  atlas
	root   *yaml.Node // nil if there is none
	broken int        // the line that cannot be parsed; 0 if all can
	pieces []piece
}

// inside reads the document in a scalar, once.
func (p *sheet) inside(block *yaml.Node) *inside {
	if known := p.insides[block]; known != nil {
		return known
	}
	d := &inside{sheet: sheet{chunk: chunk{text: block.Value, line: 1}}, atlas: atlas{}}
	if d.pieces = p.pieces(block); d.pieces != nil {
		root, err := d.nodes()
		if at := (LineError{}); errors.As(d.told(err), &at) {
			d.broken = at.Line
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
func (d Document) spotInside(block *yaml.Node, way []string, wrong any, outside Place) Place {
	block = Followed(block)
	if block.Kind != yaml.ScalarNode || d.sheet == nil {
		return outside
	}
	text, isName := wrong.(string)
	if len(way) == 0 && !isName {
		return outside
	}
	in := d.sheet.inside(block)
	switch {
	case in.broken > 0:
		return d.sheet.lineBelow(in, outside)
	case in.root == nil:
		return outside
	}
	if len(way) > 0 {
		return d.sheet.below(in, Document{Node: in.root, atlas: in.atlas}.spot(fieldPath(way), wrong), outside)
	}
	if member, _ := in.atlas.part(in.root, text); member != nil {
		return d.sheet.below(in, placeOf(member), outside)
	}
	return outside
}

// fieldPath puts steps together again.
func fieldPath(way []string) string {
	return "[" + strings.Join(way, "][") + "]"
}

// below makes a place of the file of one in a scalar of it.
func (p *sheet) below(d *inside, at, outside Place) Place {
	offset, ok := d.offset(at)
	if !ok {
		return outside
	}
	return p.placeAt(origin(d.pieces, offset))
}

// lineBelow is where the broken line of a scalar begins, if all of it is on one line of the file.
func (p *sheet) lineBelow(d *inside, outside Place) Place {
	start, ok := d.offset(Place{Line: d.broken, Column: 1})
	if !ok {
		return outside
	}
	text, _, _ := strings.Cut(d.text[start:], "\n")
	first, last := p.placeAt(origin(d.pieces, start)), p.placeAt(origin(d.pieces, start+max(len(text)-1, 0)))
	if first.Line != last.Line {
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

// host is the text of a document that is itself one.
type host struct {
	sheet   *sheet // nil if there are no places in it
	text    *yaml.Node
	outside Place
}

// place is where in the file a place of the text is.
func (h *host) place(at Place) Place {
	if h.sheet == nil {
		return h.outside
	}
	text := h.sheet.inside(h.text)
	if text.pieces == nil {
		return h.outside
	}
	return h.sheet.below(text, at, h.outside)
}
