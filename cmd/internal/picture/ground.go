package picture

import (
	"math"
	"strings"
)

// ground knows, to a pixel, where in a panel something is drawn or written already.
type ground struct {
	from          point
	width, height int
	taken         []bool
}

func newGround(from, to point) *ground {
	g := &ground{from: from, width: int(to.x-from.x) + 1, height: int(to.y-from.y) + 1}
	g.taken = make([]bool, g.width*g.height)
	return g
}

// index is a pixel's, by its distance from the top left corner; -1 outside.
func (g *ground) index(x, y int) int {
	if x < 0 || y < 0 || x >= g.width || y >= g.height {
		return -1
	}
	return y*g.width + x
}

// draw takes what a line covers.
func (g *ground) draw(from, to point) {
	steps := int(max(math.Abs(to.x-from.x), math.Abs(to.y-from.y))) + 1
	for i := range steps + 1 {
		share := float64(i) / float64(steps)
		at := g.index(int(from.x+share*(to.x-from.x)-g.from.x), int(from.y+share*(to.y-from.y)-g.from.y))
		if at >= 0 {
			g.taken[at] = true
		}
	}
}

// fill takes a rectangle.
func (g *ground) fill(from, to point) {
	for y := int(from.y - g.from.y); y <= int(to.y-g.from.y); y++ {
		for x := int(from.x - g.from.x); x <= int(to.x-g.from.x); x++ {
			if at := g.index(x, y); at >= 0 {
				g.taken[at] = true
			}
		}
	}
}

// free says that a rectangle is within the panel and that nothing is there.
func (g *ground) free(from, to point) bool {
	if from.x < g.from.x || from.y < g.from.y || g.index(int(to.x-g.from.x), int(to.y-g.from.y)) < 0 {
		return false
	}
	for y := int(from.y - g.from.y); y <= int(to.y-g.from.y); y++ {
		for x := int(from.x - g.from.x); x <= int(to.x-g.from.x); x++ {
			if g.taken[y*g.width+x] {
				return false
			}
		}
	}
	return true
}

// place is where a text may stand: the point that it is written at, and the class that says where it is of that.
type place struct {
	at    point
	class string
}

// box is what a text covers there, with room for the width of lines.
func (p place) box(text string) (from, to point) {
	const ascent, descent, slack, character = 9, 3, 1.5, 5.9
	width := float64(len([]rune(text))) * character
	left := p.at.x
	switch {
	case strings.Contains(p.class, "middle"):
		left -= width / 2
	case strings.Contains(p.class, "end"):
		left -= width
	}
	return point{left - slack, p.at.y - ascent - slack}, point{left + width + slack, p.at.y + descent + slack}
}

// write writes a text in the first of some places that is free; nothing if none is.
func (g *ground) write(c *canvas, text string, places []place) {
	for _, p := range places {
		if from, to := p.box(text); g.free(from, to) {
			g.fill(from, to)
			c.text(p.at, p.class, text)
			return
		}
	}
}
