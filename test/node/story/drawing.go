//go:build linux

package story

import (
	"fmt"
	"strings"
	"time"
)

// Lengths of the picture in pixels: rows have names to the left of axis, and bars between it and far.
const (
	pictureWidth = 860
	pictureRow   = 30
	pictureTop   = 46
	pictureAxis  = 290
	pictureFar   = 780
)

// pictureStyle has the colors of the other pictures of the documentation.
const pictureStyle = `<style>
.bg { fill: #ffffff }
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 12px; fill: #1f2933 }
.title { font-size: 15px; font-weight: 600 }
.tick { font-size: 11px; fill: #5b6875; text-anchor: middle }
.end { text-anchor: end }
.grid { stroke: #dde3e9; stroke-width: 1 }
.whole { fill: #8a94a0 }
.part { fill: #1f6fd1 }
@media (prefers-color-scheme: dark) {
  .bg { fill: #12171d }
  text { fill: #e4e7eb }
  .tick { fill: #9aa5b1 }
  .grid { stroke: #2a333d }
  .part { fill: #63a4ff }
}
</style>`

// draw is the timeline as an SVG picture: a bar for each span, from left to right.
func (t *timeline) draw() string {
	spans := t.spans()
	whole := spans[0].takes()
	height := pictureTop + pictureRow*len(spans) + 28
	x := func(at time.Time) float64 {
		return pictureAxis + (pictureFar-pictureAxis)*float64(at.Sub(t.begun))/float64(max(whole, 1))
	}
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`, pictureWidth, height, pictureWidth, height, t.label())
	add("%s", pictureStyle)
	add(`<rect width="%d" height="%d" class="bg"/>`, pictureWidth, height)
	add(`<text x="16" y="26" class="title">A request to a workload that sleeps, from its connection to its answer</text>`)
	bottom := pictureTop + pictureRow*len(spans)
	step := tick(whole)
	for at := time.Duration(0); at <= whole; at += step {
		add(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="grid"/>`, x(t.begun.Add(at)), pictureTop, x(t.begun.Add(at)), bottom)
		add(`<text x="%.1f" y="%d" class="tick">%d ms</text>`, x(t.begun.Add(at)), bottom+16, at.Milliseconds())
	}
	for i, s := range spans {
		class, top := "part", pictureTop+pictureRow*i
		if i == 0 {
			class = "whole"
		}
		add(`<text x="%d" y="%d" class="end">%s</text>`, pictureAxis-10, top+19, s.what)
		add(`<rect x="%.1f" y="%d" width="%.1f" height="16" class="%s"/>`, x(s.from), top+7, max(x(s.to)-x(s.from), 1), class)
		add(`<text x="%.1f" y="%d">%d ms</text>`, x(s.to)+6, top+19, s.takes().Milliseconds())
	}
	add("</svg>")
	return b.String()
}

// label says what the picture shows to whoever cannot see it.
func (t *timeline) label() string {
	var parts []string
	for _, s := range t.spans() {
		parts = append(parts, fmt.Sprintf("%s %d ms", s.what, s.takes().Milliseconds()))
	}
	return strings.Join(parts, "; ")
}

// tick is a round distance, at most six of which there are.
func tick(whole time.Duration) time.Duration {
	for step := 10 * time.Millisecond; ; step *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if whole <= 6*step*factor {
				return step * factor
			}
		}
	}
}
