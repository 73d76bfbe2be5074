package picture

import (
	"fmt"
	"strings"
)

// point is a place on the canvas, in pixels from its top left corner.
type point struct{ x, y float64 }

// canvas collects SVG elements. How a class looks is said in style.css alone.
type canvas struct{ b strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

func (c *canvas) text(at point, class, s string) {
	c.add(`<text x="%s" y="%s" class="%s">%s</text>`, px(at.x), px(at.y), class, escape(s))
}

func (c *canvas) line(from, to point, class string) {
	c.add(`<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`, px(from.x), px(from.y), px(to.x), px(to.y), class)
}

func (c *canvas) rect(from, to point, class string) {
	c.add(`<rect x="%s" y="%s" width="%s" height="%s" class="%s"/>`, px(from.x), px(from.y), px(to.x-from.x), px(to.y-from.y), class)
}

// dot is a mark that tells more when the pointer rests on it.
func (c *canvas) dot(at point, class, tip string) {
	c.add(`<circle cx="%s" cy="%s" r="4" class="%s"><title>%s</title></circle>`, px(at.x), px(at.y), class, escape(tip))
}

// path joins the points; nothing is drawn for fewer than two. A point on the straight way between its neighbours adds
// nothing and is left out.
func (c *canvas) path(points []point, class string) {
	points = bends(points)
	if len(points) < 2 {
		return
	}
	var d strings.Builder
	for i, p := range points {
		fmt.Fprintf(&d, "%c%s %s", "ML"[min(i, 1)], px(p.x), px(p.y))
	}
	c.add(`<path d="%s" class="%s"/>`, d.String(), class)
}

// bends drops points in the middle of horizontal and vertical stretches.
func bends(points []point) []point {
	var kept []point
	for _, p := range points {
		if n := len(kept); n > 1 && (kept[n-2].y == kept[n-1].y && kept[n-1].y == p.y || kept[n-2].x == kept[n-1].x && kept[n-1].x == p.x) {
			kept = kept[:n-1]
		}
		kept = append(kept, p)
	}
	return kept
}

// px is a coordinate to a tenth of a pixel, without a zero that says nothing.
func px(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// escape makes text of anything: as encoding/xml.EscapeText does, which brings the whole of XML with it.
func escape(s string) string {
	allowed := func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF {
			return r
		}
		return '\uFFFD'
	}
	return escapes.Replace(strings.Map(allowed, s))
}

var escapes = strings.NewReplacer(`"`, "&#34;", "'", "&#39;", "&", "&amp;", "<", "&lt;", ">", "&gt;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")

// wrap breaks a text into lines of at most so many characters, between words where it can.
func wrap(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		for len([]rune(word)) > most {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			runes := []rune(word)
			lines, word = append(lines, string(runes[:most])), string(runes[most:])
		}
		if line != "" && len([]rune(line))+1+len([]rune(word)) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// Lengths in pixels.
const (
	// full is the width of the picture, column that of each variant that has another one beside it.
	full, column = 1000.0, 640.0
	tall, short  = 200.0, 110.0
	// margin is left free at both sides; inset is the room for the numbers left of a panel, outset that to its right.
	margin, inset, outset = 16.0, 50.0, 58.0
	// axis is the room under a panel for its time axis, head that over it for the names of its axes.
	axis, head = 34.0, 28.0
	// letter is how wide a character of running text is, as a rule; row is the distance of two lines.
	letter, row = 6.1, 17.0
)

// sheet is a drawing in progress: y is where the next thing goes, from left to left+width.
type sheet struct {
	canvas
	page           Page
	left, width, y float64
}
