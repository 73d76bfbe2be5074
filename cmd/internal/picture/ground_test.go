package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// crowded is a load and replicas that change so often.
func crowded(changes int, labelled bool) Page {
	load := Line{Look: Area, Steps: true}
	ready, replicas := Line{Look: Thin, Tone: Muted, Steps: true}, Line{Look: Bold, Steps: true, Points: []Point{{0, 1}}}
	for i := range 450 {
		load.Points = append(load.Points, Point{time.Duration(i) * 4 * s, 4 + 4*math.Sin(float64(i)/7)})
		ready.Points = append(ready.Points, Point{time.Duration(i) * 4 * s, math.Round(4 + 3*math.Cos(float64(i)/9))})
	}
	p := Panel{Unit: "replicas", Whole: true}
	if labelled {
		p.Second = &Scale{Unit: "load", Factor: 500, Suffix: "m"}
	}
	last := 1.0
	for i := range changes {
		at, to := time.Duration(i+1)*1800*s/time.Duration(changes+1), float64(1+(i*7)%9)
		p.Marks = append(p.Marks, Mark{At: at, From: last, To: to})
		replicas.Points, last = append(replicas.Points, Point{at, to}), to
	}
	replicas.Points = append(replicas.Points, Point{1800 * s, last})
	p.Lines = []Line{load, {Look: Bound, Points: []Point{{0, 1}, {1800 * s, 1}}, Label: "min 1"}, {Look: Target, Points: []Point{{0, 5}, {1800 * s, 5}}, Label: "target 5"}, ready, replicas}
	return Page{Variants: []Variant{{To: 1800 * s, Panels: []Panel{p}}}}
}

// segment is a piece of a line; a text is a rectangle.
type segment struct{ from, to point }

// inked reads a picture: the segments of its paths, and the boxes of the texts among them.
func inked(t *testing.T, svg string) (lines []segment, texts map[string]segment) {
	t.Helper()
	texts = map[string]segment{}
	decoder, attrs := xml.NewDecoder(strings.NewReader(svg)), map[string]string{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return lines, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			attrs = map[string]string{}
			for _, attr := range token.Attr {
				attrs[attr.Name.Local] = attr.Value
			}
			if token.Name.Local == "path" && attrs["class"] != "area" {
				lines = append(lines, segments(attrs["d"])...)
			}
		case xml.CharData:
			if strings.HasPrefix(attrs["class"], "note") && strings.TrimSpace(string(token)) != "" {
				x, _ := strconv.ParseFloat(attrs["x"], 64)
				y, _ := strconv.ParseFloat(attrs["y"], 64)
				left, width := x, 5.9*float64(len([]rune(string(token))))
				if strings.Contains(attrs["class"], "middle") {
					left -= width / 2
				} else if strings.Contains(attrs["class"], "end") {
					left -= width
				}
				texts[fmt.Sprintf("%s at %s,%s", token, attrs["x"], attrs["y"])] = segment{point{left, y - 9}, point{left + width, y + 3}}
			}
		}
	}
}

func segments(path string) (all []segment) {
	var last point
	for i, part := range strings.FieldsFunc(path, func(r rune) bool { return r == 'M' || r == 'L' }) {
		var at point
		fmt.Sscanf(part, "%f %f", &at.x, &at.y)
		if i > 0 {
			all = append(all, segment{last, at})
		}
		last = at
	}
	return all
}

// crosses says whether a segment goes through a box.
func (b segment) crosses(l segment) bool {
	for i := range 1001 {
		share := float64(i) / 1000
		x, y := l.from.x+share*(l.to.x-l.from.x), l.from.y+share*(l.to.y-l.from.y)
		if b.from.x < x && x < b.to.x && b.from.y < y && y < b.to.y {
			return true
		}
	}
	return false
}

func (b segment) overlaps(o segment) bool {
	return b.from.x < o.to.x && o.from.x < b.to.x && b.from.y < o.to.y && o.from.y < b.to.y
}

// TestLabelsLieOnNothing: however many lines and changes there are, what is written can be read.
func TestLabelsLieOnNothing(t *testing.T) {
	for _, changes := range []int{0, 1, 5, 20, 60, 300} {
		for _, labelled := range []bool{true, false} {
			svg, _ := render(t, crowded(changes, labelled))
			lines, texts := inked(t, svg)
			for what, box := range texts {
				for _, l := range lines {
					if box.crosses(l) {
						t.Errorf("%d changes: %s lies on a line", changes, what)
						break
					}
				}
				for other, o := range texts {
					if other < what && box.overlaps(o) {
						t.Errorf("%d changes: %s lies on %s", changes, what, other)
					}
				}
			}
			if changes > 0 && len(texts) == 0 {
				t.Errorf("%d changes: nothing is labelled", changes)
			}
		}
	}
}

// TestLabelsOfAFewChangesAreThere: where there is room, nothing is left out.
func TestLabelsOfAFewChangesAreThere(t *testing.T) {
	svg, _ := render(t, fixture())
	for _, label := range []string{">1 → 4<", ">4 → 2<", ">min<", ">target 0.5<"} {
		if strings.Count(svg, label) != 2 {
			t.Errorf("%d of 2 %s", strings.Count(svg, label), label)
		}
	}
}
