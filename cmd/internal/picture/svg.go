package picture

import (
	_ "embed"
	"fmt"
	"io"
)

//go:embed style.css
var style string

// SVG writes the picture of a page. The error is that of the writer.
func SVG(w io.Writer, p Page) error {
	if _, err := io.WriteString(w, markup(p)); err != nil {
		return fmt.Errorf("could not write the picture: %w", err)
	}
	return nil
}

// markup is the SVG element.
func markup(p Page) string {
	s := &sheet{page: p, left: margin, y: 36, width: p.width() - 2*margin}
	s.text(point{s.left, s.y}, "title", p.Title)
	s.y += 4
	s.sentences(p.Facts, "sub")
	s.legend()
	if p.Beside {
		s.columns()
	} else {
		s.stack()
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">
<style>
%s</style>
<rect width="100%%" height="100%%" class="bg"/>
%s</svg>
`, p.width(), s.y, escape(p.Title), style, s.b.String())
}

func (p Page) width() float64 {
	if p.Beside && len(p.Variants) > 1 {
		return column * float64(len(p.Variants))
	}
	return full
}

// stack draws the variants one above the other.
func (s *sheet) stack() {
	for _, v := range s.page.Variants {
		s.introduce(v)
		tops := peaksOf(v.Panels)
		for i, p := range v.Panels {
			s.panel(v, i, tops.of(p))
		}
	}
}

// columns draws them beside each other, row by row, so that what is to be compared is level.
func (s *sheet) columns() {
	var all []Panel
	rows := 0
	for _, v := range s.page.Variants {
		all, rows = append(all, v.Panels...), max(rows, len(v.Panels))
	}
	s.width = s.page.width()/float64(max(len(s.page.Variants), 1)) - 2*margin
	s.level(func(v Variant) { s.introduce(v) })
	tops := peaksOf(all)
	for i := range rows {
		s.level(func(v Variant) {
			if i < len(v.Panels) {
				s.panel(v, i, tops.of(v.Panels[i]))
			}
		})
	}
}

// level draws something of every variant from the same height on, and goes on below the lowest.
func (s *sheet) level(draw func(Variant)) {
	from, lowest := s.y, s.y
	for i, v := range s.page.Variants {
		s.y, s.left = from, margin+float64(i)*(s.width+2*margin)
		draw(v)
		lowest = max(lowest, s.y)
	}
	s.y, s.left = lowest, margin
}

// peaks is the highest value of each unit.
type peaks map[string]float64

func peaksOf(panels []Panel) peaks {
	tops := peaks{}
	for _, p := range panels {
		tops[p.Unit] = max(tops[p.Unit], p.highest())
	}
	return tops
}

// of is where a panel's value axis has to reach.
func (tops peaks) of(p Panel) float64 {
	if p.Unit == "" {
		return p.highest()
	}
	return tops[p.Unit]
}

// panel draws one panel and moves on.
func (s *sheet) panel(v Variant, i int, highest float64) {
	p := v.Panels[i]
	if p.Title != "" {
		s.y += 26
		s.text(point{s.left, s.y}, "heading", p.Title)
	}
	s.sentences([]string{p.Note}, "sub")
	s.y += head
	height, smallest := tall, 0.0
	if p.Short {
		height = short
	}
	if p.Whole {
		smallest, highest = 1, highest+0.5 // room for the label of a mark at the top
	}
	a := axes{left: s.left + inset, right: s.left + s.width - outset, top: s.y, bottom: s.y + height, labelled: p.Second != nil}
	a.from, a.to = v.span()
	a.scaled(highest*1.02, smallest)
	s.spans(a, v.Spans, i == 0)
	a.frame(&s.canvas, p)
	a.panel(&s.canvas, p)
	a.clock(&s.canvas)
	s.y += height + axis
}
