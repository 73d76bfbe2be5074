package picture

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// point is a place on the canvas, in pixels from its top left corner.
type point struct{ x, y float64 }

// canvas collects SVG elements. How a class looks is said in style.css alone.
type canvas struct{ b strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

func (c *canvas) text(at point, class, s string) {
	c.add(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, at.x, at.y, class, escape(s))
}

func (c *canvas) line(from, to point, class string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, from.x, from.y, to.x, to.y, class)
}

func (c *canvas) rect(from, to point, class string) {
	c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`, from.x, from.y, to.x-from.x, to.y-from.y, class)
}

// dot is a mark that tells more when the pointer rests on it.
func (c *canvas) dot(at point, class, tip string) {
	c.add(`<circle cx="%.1f" cy="%.1f" r="4" class="%s"><title>%s</title></circle>`, at.x, at.y, class, escape(tip))
}

// path joins the points; nothing is drawn for fewer than two.
func (c *canvas) path(points []point, class string) {
	if len(points) < 2 {
		return
	}
	var d strings.Builder
	for i, p := range points {
		fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(i, 1)], p.x, p.y)
	}
	c.add(`<path d="%s" class="%s"/>`, d.String(), class)
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes every write.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
