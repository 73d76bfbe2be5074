package picture

import (
	"fmt"
	"math"
)

// bands and lines go first, so that nothing hides a mark.
func (a axes) panel(c *canvas, p Panel) {
	for _, b := range p.Bands {
		c.rect(point{a.left, a.y(b.High)}, point{a.right, a.y(b.Low)}, "band")
	}
	for _, l := range p.Lines {
		if l.Look != Bound || l.highest() <= a.peak {
			a.line(c, l)
		}
	}
	a.marks(c, p.Marks)
}

// line draws one series, broken where there is no value.
func (a axes) line(c *canvas, l Line) {
	var piece []point
	for _, at := range l.Points {
		if math.IsNaN(at.Value) {
			a.piece(c, l, piece)
			piece = nil
			continue
		}
		x, y := a.x(at.At), a.y(at.Value)
		if n := len(piece); l.Steps && n > 0 {
			piece = append(piece, point{x, piece[n-1].y})
		}
		piece = append(piece, point{x, y})
	}
	a.piece(c, l, piece)
	if n := len(piece); n > 0 && l.Label != "" {
		a.label(c, piece[n-1].y, l.Label)
	}
}

// label stands to the right of the panel or, where a second scale is, above the line's end.
func (a axes) label(c *canvas, y float64, text string) {
	if a.labelled {
		c.text(point{a.right - 4, y - 5}, "note end", text)
		return
	}
	c.text(point{a.right + 8, y + 4}, "note", text)
}

func (a axes) piece(c *canvas, l Line, piece []point) {
	if n := len(piece); l.Look == Area && n > 0 {
		floor := a.y(0)
		area := append([]point{{piece[0].x, floor}}, piece...)
		c.path(append(area, point{piece[n-1].x, floor}), "area")
		c.path(piece, "area-line")
		return
	}
	c.path(piece, class(string(l.Look), l.Tone))
}

// class is the style of something in a tone.
func class(what string, t Tone) string {
	if t == Calm {
		return what
	}
	return what + " " + string(t)
}

// marks labels the changes, leaving out a label that would lie on its neighbour.
func (a axes) marks(c *canvas, marks []Mark) {
	free := 0.0
	for _, m := range marks {
		at := point{a.x(m.At), a.y(m.To)}
		c.dot(at, class("mark", m.Tone), fmt.Sprintf("%s  %s  %s", Clock(m.At), m, m.Tip))
		if at.x < free {
			continue
		}
		c.text(point{at.x, a.y(max(m.From, m.To)) - 9}, "note middle", m.String())
		free = at.x + 44
	}
}

// String is the change as the picture prints it, "1 → 5".
func (m Mark) String() string { return number(m.From) + " → " + number(m.To) }

// highest is the largest value in the panel. Bounds do not count: a far one would leave no room for the rest.
func (p Panel) highest() float64 {
	top := 0.0
	for _, b := range p.Bands {
		top = larger(top, b.High)
	}
	for _, l := range p.Lines {
		if l.Look != Bound {
			top = max(top, l.highest())
		}
	}
	for _, m := range p.Marks {
		top = larger(larger(top, m.From), m.To)
	}
	return top
}

func (l Line) highest() float64 {
	top := 0.0
	for _, at := range l.Points {
		top = larger(top, at.Value)
	}
	return top
}

// larger leaves out what no axis can show.
func larger(a, b float64) float64 {
	if math.IsNaN(b) || math.IsInf(b, 0) {
		return a
	}
	return max(a, b)
}
