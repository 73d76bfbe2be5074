package picture

import (
	"fmt"
	"math"
)

// panel draws bands and lines first, so that nothing hides a mark. Text comes last, and goes where there is room for it.
func (a axes) panel(c *canvas, p Panel) {
	g := newGround(point{a.left, a.top}, point{a.right + outset + margin, a.bottom})
	for _, b := range p.Bands {
		c.rect(point{a.left, a.y(b.High)}, point{a.right, a.y(b.Low)}, "band")
	}
	var shown []Line
	for _, l := range p.Lines {
		if l.Look != Bound || l.highest() <= a.peak {
			shown = append(shown, l)
			a.line(c, g, l)
		}
	}
	for _, m := range p.Marks {
		at := point{a.x(m.At), a.y(m.To)}
		c.dot(at, class("mark", m.Tone), fmt.Sprintf("%s  %s  %s", Clock(m.At), m, m.Tip))
		g.fill(point{at.x - 4, at.y - 4}, point{at.x + 4, at.y + 4})
	}
	for _, l := range shown {
		a.label(c, g, l)
	}
	a.marks(c, g, p.Marks)
}

// line draws one series, broken where there is no value.
func (a axes) line(c *canvas, g *ground, l Line) {
	var piece []point
	for _, at := range l.Points {
		if math.IsNaN(at.Value) {
			a.piece(c, g, l, piece)
			piece = nil
			continue
		}
		x, y := a.x(at.At), a.y(at.Value)
		if n := len(piece); l.Steps && n > 0 {
			piece = append(piece, point{x, piece[n-1].y})
		}
		piece = append(piece, point{x, y})
	}
	a.piece(c, g, l, piece)
}

// label is written to the right of the panel or, where a second scale is, above or below the line, as near to its end as there is
// room.
func (a axes) label(c *canvas, g *ground, l Line) {
	n := len(l.Points)
	if l.Label == "" || n == 0 || math.IsNaN(l.Points[n-1].Value) {
		return
	}
	y := a.y(l.Points[n-1].Value)
	places := []place{{point{a.right + 8, y + 4}, "note"}, {point{a.right + 8, y + 16}, "note"}, {point{a.right + 8, y - 8}, "note"}}
	if a.labelled {
		places = nil
		for x := a.right - 4; x > (a.left+a.right)/2; x -= 20 {
			places = append(places, place{point{x, y - 7}, "note end"}, place{point{x, y + 14}, "note end"})
		}
	}
	g.write(c, l.Label, places)
}

func (a axes) piece(c *canvas, g *ground, l Line, piece []point) {
	for i := 1; i < len(piece); i++ {
		g.draw(piece[i-1], piece[i])
	}
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

// marks labels the changes, each where there is room around it. One that would lie on a line or on another label is left out: its
// mark tells when the pointer rests on it.
func (a axes) marks(c *canvas, g *ground, marks []Mark) {
	for _, m := range marks {
		x, high, low := a.x(m.At), a.y(max(m.From, m.To)), a.y(min(m.From, m.To))
		g.write(c, m.String(), []place{
			{point{x, high - 9}, "note middle"},
			{point{x - 7, high - 2}, "note end"}, {point{x + 7, high - 5}, "note"},
			{point{x, low + 17}, "note middle"},
			{point{x - 7, low + 14}, "note end"}, {point{x + 7, low + 14}, "note"},
			{point{x - 7, (high+low)/2 + 4}, "note end"}, {point{x + 7, (high+low)/2 + 4}, "note"},
		})
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
