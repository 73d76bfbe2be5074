package manifest

import (
	"slices"
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
