//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The picture's measure, in pixels.
const (
	panelWidth, panelHeight        = 380, 230
	marginLeft, marginTop          = 70, 44
	gapX, gapY                     = 90, 74
	pictureWidth, pictureHeight    = 2*panelWidth + marginLeft + gapX + 30, 2*panelHeight + marginTop + gapY + 80
	lowestShown                    = 0.01 // what is less is as good as nothing, and has no place on a logarithmic axis
	lightStyle, darkStyle          = ".ink{fill:#1f2933}.dim{fill:#616e7c}.grid{stroke:#dde3e9}.back{fill:#fff}.guide{stroke:#8795a3;stroke-width:1.5;stroke-dasharray:1 4}", ".ink{fill:#e4e7eb}.dim{fill:#9aa5b1}.grid{stroke:#2a333d}.back{fill:#12171d}"
	pictureFont                    = `font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"`
	legendGap, tickLength, dotSize = 190, 5, 4
)

// shade is the colour of each contender.
func shade(name string) string {
	return map[string]string{miniHPA: "#1f7a4d", tunedHPA: "#c8352b", defaultHPA: "#b7791f"}[name]
}

// curve draws how the figures grow with the number of workloads, on logarithmic axes, beside a line that grows in
// proportion. It is empty with fewer than two numbers of workloads.
func curve(all []result) string {
	sizes := sizesOf(all)
	if len(sizes) < 2 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" %s font-size="13">`+"\n", pictureWidth, pictureHeight, pictureFont)
	fmt.Fprintf(&out, "<title>Cost and reaction over the number of workloads</title>\n<style>%s@media (prefers-color-scheme:dark){%s}</style>\n", lightStyle, darkStyle)
	fmt.Fprintf(&out, `<rect class="back" width="%d" height="%d"/>`+"\n", pictureWidth, pictureHeight)
	for i, want := range []string{"API requests per minute at rest", "controller CPU per minute", "controller RSS", "readable sample to write, p99"} {
		row := rows()[slices.IndexFunc(rows(), func(r row) bool { return r.name == want })]
		p := newPlot(row, all, sizes)
		p.x, p.y = marginLeft+float64(i%2)*(panelWidth+gapX), marginTop+float64(i/2)*(panelHeight+gapY)
		p.draw(&out)
	}
	for i, name := range contendersOf(all) {
		x, y := marginLeft+i*legendGap, pictureHeight-22
		fmt.Fprintf(&out, `<circle cx="%d" cy="%d" r="%d" fill="%s"/><text class="ink" x="%d" y="%d">%s</text>`+"\n", x, y-dotSize, dotSize, shade(name), x+12, y, title(name))
	}
	x, y := marginLeft+len(contendersOf(all))*legendGap, pictureHeight-22
	fmt.Fprintf(&out, `<line class="guide" x1="%d" y1="%d" x2="%d" y2="%d"/><text class="ink" x="%d" y="%d">in proportion to the workloads</text>`+"\n",
		x-dotSize, y-dotSize, x+16, y-dotSize, x+24, y)
	out.WriteString("</svg>\n")
	return out.String()
}

func sizesOf(all []result) []int {
	var sizes []int
	for _, r := range all {
		sizes = append(sizes, r.Workloads)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// contendersOf are those with results, in the order of the tables.
func contendersOf(all []result) []string {
	var names []string
	for _, r := range all {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// plot is one panel.
type plot struct {
	row
	all   []result
	sizes []int
	// x and y are its upper left corner; low and high the ends of its value axis, powers of ten.
	x, y      float64
	low, high float64
}

func newPlot(r row, all []result, sizes []int) *plot {
	p := &plot{row: r, all: all, sizes: sizes, low: math.Inf(1), high: lowestShown * 10}
	for _, result := range all {
		v := p.shown(result)
		p.low, p.high = min(p.low, v), max(p.high, v)
	}
	p.low, p.high = math.Pow(10, math.Floor(math.Log10(p.low))), math.Pow(10, math.Ceil(math.Log10(p.high)))
	return p
}

// shown is the value in the unit that the axis shows.
func (p *plot) shown(r result) float64 {
	v := p.value(r)
	if p.name == "controller RSS" {
		v /= 1 << 20
	}
	return max(v, lowestShown)
}

func (p *plot) unit() string {
	switch p.name {
	case "controller RSS":
		return ", MiB"
	case "API requests per minute at rest":
		return ""
	}
	return ", seconds"
}

// at is where a point is drawn.
func (p *plot) at(size, value float64) (x, y float64) {
	first, last := math.Log10(float64(p.sizes[0])), math.Log10(float64(p.sizes[len(p.sizes)-1]))
	x = p.x + panelWidth*(math.Log10(size)-first)/(last-first)
	return x, p.y + panelHeight*(1-math.Log10(value/p.low)/math.Log10(p.high/p.low))
}

func (p *plot) draw(out *strings.Builder) {
	fmt.Fprintf(out, `<text class="ink" x="%.0f" y="%.0f" font-weight="600">%s%s</text>`+"\n", p.x, p.y-14, p.name, p.unit())
	for v := p.low; v <= p.high*1.01; v *= 10 {
		_, y := p.at(float64(p.sizes[0]), v)
		fmt.Fprintf(out, `<line class="grid" x1="%.0f" y1="%.1f" x2="%.0f" y2="%.1f"/><text class="dim" x="%.0f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			p.x, y, p.x+panelWidth, y, p.x-8, y+4, tick(v))
	}
	for _, size := range p.sizes {
		x, _ := p.at(float64(size), p.low)
		fmt.Fprintf(out, `<line class="grid" x1="%.1f" y1="%.0f" x2="%.1f" y2="%.0f"/><text class="dim" x="%.1f" y="%.0f" text-anchor="middle">%s</text>`+"\n",
			x, p.y, x, p.y+panelHeight+tickLength, x, p.y+panelHeight+20, p.named(size))
	}
	fmt.Fprintf(out, `<text class="dim" x="%.0f" y="%.0f" text-anchor="middle">workloads × pods of each</text>`+"\n", p.x+panelWidth/2, p.y+panelHeight+38)
	p.guide(out)
	for _, name := range contendersOf(p.all) {
		p.line(out, name)
	}
}

// guide draws what would grow in proportion to the workloads from mini-hpa's smallest size on, as far as there is room.
func (p *plot) guide(out *strings.Builder) {
	for _, group := range groups(p.all) {
		r := find(group, miniHPA)
		if r == nil {
			continue
		}
		value, last := p.shown(*r), p.sizes[len(p.sizes)-1]
		end := min(float64(last), float64(r.Workloads)*p.high/value)
		x1, y1 := p.at(float64(r.Workloads), value)
		x2, y2 := p.at(end, value*end/float64(r.Workloads))
		fmt.Fprintf(out, `<line class="guide" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", x1, y1, x2, y2)
		return
	}
}

// line draws one contender. What was measured with other pods than the size before is joined by a dashed line.
func (p *plot) line(out *strings.Builder, name string) {
	var last *result
	for _, group := range groups(p.all) {
		r := find(group, name)
		if r == nil {
			continue
		}
		x, y := p.at(float64(r.Workloads), p.shown(*r))
		fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="%d" fill="%s"><title>%s, %d workloads of %d pods: %s</title></circle>`+"\n",
			x, y, dotSize, shade(name), title(name), r.Workloads, r.Pods, p.format(p.value(*r)))
		if last != nil {
			dash := ""
			if last.Pods != r.Pods {
				dash = ` stroke-dasharray="6 4"`
			}
			x0, y0 := p.at(float64(last.Workloads), p.shown(*last))
			fmt.Fprintf(out, `<line stroke="%s" stroke-width="2"%s x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", shade(name), dash, x0, y0, x, y)
		}
		last = r
	}
}

// named is a number of workloads with their pods, such as 1000×2.
func (p *plot) named(size int) string {
	var pods []string
	for _, group := range groups(p.all) {
		if group[0].Workloads == size {
			pods = append(pods, fmt.Sprint(group[0].Pods))
		}
	}
	return fmt.Sprintf("%d×%s", size, strings.Join(pods, ","))
}

// tick is a power of ten as it is read.
func tick(v float64) string {
	if v >= 1 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%g", math.Round(v*1000)/1000)
}
