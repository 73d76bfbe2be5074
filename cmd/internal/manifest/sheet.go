package manifest

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// sheet is the text of a chunk, in which places are found by their line and column and the other way round.
type sheet struct {
	chunk
	isJSON bool
	// starts are where its lines begin, runes how many characters are before each stride of it. They are nil until they are asked for, so
	// that a line may be as long as a file and still be asked about often.
	starts, runes []int
	// insides are the documents in its scalars that were asked about.
	insides map[*yaml.Node]*inside
	// keys are those of mini-hpa, placeholders what is to be filled in first.
	keys, placeholders question
}

// question is one about a text that is answered once.
type question struct{ asked, answer bool }

func (q *question) is(find func() bool) bool {
	if !q.asked {
		q.asked, q.answer = true, find()
	}
	return q.answer
}

const stride = 4 << 10

func (p *sheet) index() {
	if p.starts != nil {
		return
	}
	p.starts = []int{0}
	for i, count := 0, 0; i < len(p.text); i++ {
		if i%stride == 0 {
			p.runes = append(p.runes, count)
		}
		if utf8.RuneStart(p.text[i]) {
			count++
		}
		if p.text[i] == '\n' {
			p.starts = append(p.starts, i+1)
		}
	}
}

// before is how many characters are before an offset.
func (p *sheet) before(offset int) int {
	if offset >= len(p.text) && offset > 0 {
		return p.before(offset-1) + 1
	}
	if offset == 0 {
		return 0
	}
	from := offset / stride * stride
	count := p.runes[offset/stride]
	for i := from; i < offset; i++ {
		if utf8.RuneStart(p.text[i]) {
			count++
		}
	}
	return count
}

// offset returns where in the text a place is; it fails if the text has no such place.
func (p *sheet) offset(at Place) (int, bool) {
	p.index()
	line := at.Line - p.line
	if line < 0 || line >= len(p.starts) || at.Column < 1 {
		return 0, false
	}
	start := p.starts[line]
	want := p.before(start) + at.Column - 1
	part, found := slices.BinarySearch(p.runes, want)
	if !found {
		part--
	}
	if part < 0 {
		return 0, false
	}
	offset, count := part*stride, p.runes[part]
	for ; offset < len(p.text); offset++ {
		if utf8.RuneStart(p.text[offset]) {
			if count == want {
				break
			}
			count++
		}
	}
	return offset, offset >= start
}

// placeAt is where an offset is.
func (p *sheet) placeAt(offset int) Place {
	p.index()
	line, found := slices.BinarySearch(p.starts, offset)
	if !found {
		line--
	}
	return Place{Line: p.line + line, Column: p.before(offset) - p.before(p.starts[line]) + 1}
}

// inside is a text in a scalar of another one. It may be a document.
type inside struct {
	sheet
	// pieces are where it comes from; nil if that is not certain.
	pieces []piece
	// isRead says that the others are known. root is nil if there is none, and broken the line that cannot be parsed, or 0 if all can.
	isRead bool
	atlas  atlas
	root   *yaml.Node
	broken int
}

// inside finds where the text of a scalar comes from, once.
func (p *sheet) inside(block *yaml.Node) *inside {
	if known := p.insides[block]; known != nil {
		return known
	}
	d := &inside{sheet: sheet{chunk: chunk{text: block.Value, line: 1}}, pieces: p.pieces(block)}
	if p.insides == nil {
		p.insides = map[*yaml.Node]*inside{}
	}
	p.insides[block] = d
	return d
}

// read reads the document, once.
func (d *inside) read() {
	if d.isRead || d.pieces == nil {
		return
	}
	d.isRead, d.atlas = true, atlas{}
	root, err := d.nodes()
	if at := (LineError{}); errors.As(d.told(err), &at) {
		d.broken = at.Line
	} else if root != nil {
		renumber(root, d.lines())
		d.root = root
	}
}

// pieces are those of a scalar of the text.
func (p *sheet) pieces(n *yaml.Node) []piece {
	at, ok := p.offset(placeOf(n))
	if !ok {
		return nil
	}
	return piecesOf(n, p.text, at, p.isJSON)
}

// below makes a place of the file of one in a scalar of it.
func (p *sheet) below(d *inside, at, outside Place) Place {
	offset, ok := d.offset(at)
	if !ok || len(d.pieces) == 0 {
		return outside
	}
	return p.placeAt(origin(d.pieces, offset))
}

// lineBelow is where a line of a scalar begins, if all of it is on one line of the file.
func (p *sheet) lineBelow(d *inside, line int, outside Place) Place {
	start, ok := d.offset(Place{Line: line, Column: 1})
	if !ok || len(d.pieces) == 0 { // it has no quotes and no lines of its own
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
