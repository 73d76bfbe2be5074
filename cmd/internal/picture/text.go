package picture

import (
	"time"
)

// sentences writes texts below each other, wrapped.
func (s *sheet) sentences(texts []string, class string) {
	for _, text := range texts {
		for _, line := range wrap(text, int(s.width/letter)) {
			s.y += row
			s.text(point{s.left, s.y}, class, line)
		}
	}
}

// introduce is what stands above a variant's panels.
func (s *sheet) introduce(v Variant) {
	if v.Name != "" {
		s.y += 34
		s.text(point{s.left, s.y}, "name", v.Name)
	}
	s.sentences(v.Facts, "sub")
	s.summary(v.Summary)
}

// summary writes numbers, large, over their names.
func (s *sheet) summary(facts []Fact) {
	if len(facts) == 0 {
		return
	}
	s.y += 30
	x := s.left
	for _, f := range facts {
		room := max(float64(len([]rune(f.Name)))*letter, float64(len([]rune(f.Value)))*11) + 22
		if x > s.left && x+room > s.left+s.width {
			x, s.y = s.left, s.y+42
		}
		s.text(point{x, s.y}, "value", f.Value)
		s.text(point{x, s.y + 16}, "sub", f.Name)
		x += room
	}
	s.y += 18
}

// sample is one entry of the legend.
type sample struct {
	name string
	look Look
	tone Tone
}

// band is the look of bands, which lines cannot have.
const band Look = "band"

// legend says once what the lines of every panel mean.
func (s *sheet) legend() {
	samples := s.page.samples()
	if len(samples) == 0 {
		return
	}
	s.y += 30
	x := s.left
	for _, k := range samples {
		room := 33 + float64(len([]rune(k.name)))*5.7 + 22
		if x > s.left && x+room > s.left+s.width {
			x, s.y = s.left, s.y+row
		}
		s.sample(k, x)
		s.text(point{x + 33, s.y}, "note", k.name)
		x += room
	}
	s.y += 8
}

func (s *sheet) sample(k sample, x float64) {
	from, to := point{x, s.y - 11}, point{x + 26, s.y + 1}
	middle := [2]point{{x, s.y - 4}, {x + 26, s.y - 4}}
	switch k.look {
	case Area:
		s.rect(from, to, "area")
		s.line(point{x, s.y - 11}, point{x + 26, s.y - 11}, "area-line")
	case band:
		s.rect(from, to, "band")
	default:
		s.line(middle[0], middle[1], class(string(k.look), k.tone))
	}
}

// samples are the named lines and bands, each once, in the order in which they appear.
func (p Page) samples() []sample {
	var all []sample
	seen := map[sample]bool{}
	add := func(k sample) {
		if k.name != "" && !seen[k] {
			seen[k], all = true, append(all, k)
		}
	}
	for _, v := range p.Variants {
		for _, panel := range v.Panels {
			for _, l := range panel.Lines {
				add(sample{l.Name, l.Look, l.Tone})
			}
			for _, b := range panel.Bands {
				add(sample{name: b.Name, look: band})
			}
		}
	}
	return all
}

// spans shades every other span and, in the first panel, names them.
func (s *sheet) spans(a axes, spans []Span, named bool) {
	for i, span := range spans {
		from, to := a.x(span.From), a.x(span.To)
		if i%2 == 1 {
			s.rect(point{from, a.top}, point{to, a.bottom}, "span")
		}
		if i > 0 {
			s.line(point{from, a.top}, point{from, a.bottom}, "edge")
		}
		if !named {
			continue
		}
		class := "note middle"
		if span.Alarm {
			class += " failed"
		}
		s.text(point{(from + to) / 2, a.top - 8}, class, span.Name)
	}
}

// span is the time axis: as set, or as long as there are points.
func (v Variant) span() (from, to time.Duration) {
	if v.To > v.From {
		return v.From, v.To
	}
	first := true
	for _, p := range v.Panels {
		for _, l := range p.Lines {
			for _, at := range l.Points {
				if first {
					from, to, first = at.At, at.At, false
				}
				from, to = min(from, at.At), max(to, at.At)
			}
		}
	}
	return from, to
}
