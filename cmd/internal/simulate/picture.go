package simulate

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

// draw draws the variants beside each other.
func draw(w io.Writer, form string, variants []*variant) error {
	title := variants[0].setup.Load.Name + " load"
	if a := variants[0].setup.Arrivals; a != nil {
		title = "arrivals " + a.Name
	}
	p := picture.Page{Title: "mini-hpa: " + title + ", simulated", Facts: facts(variants), Beside: true}
	for _, v := range variants {
		p.Variants = append(p.Variants, v.picture())
	}
	if form == "svg" {
		return picture.SVG(w, p)
	}
	return picture.HTML(w, p)
}

func (v *variant) picture() picture.Variant {
	panels := []picture.Panel{v.replicasPanel()}
	if v.setup.Arrivals != nil {
		panels = append(panels, v.backlogPanel())
	}
	if v.setup.Arrivals == nil || v.setup.PerReplica() > 0 {
		panels = append(panels, v.usagePanel())
	}
	return picture.Variant{Name: v.title(), Facts: append([]string{v.words()}, v.mode()...), Summary: v.summary(), To: v.setup.Duration, Spans: v.spans(), Panels: panels}
}

// spans divides the time where an outage of the metrics begins and ends; nil without one.
func (v *variant) spans() []picture.Span {
	o := v.setup.Outage
	if o == nil || o.At >= v.setup.Duration {
		return nil
	}
	end := min(o.At+o.For, v.setup.Duration)
	return []picture.Span{{To: o.At}, {Name: "no metrics", From: o.At, To: end, Alarm: true}, {From: end, To: v.setup.Duration}}
}

// replicasPanel shows the load, as the number of pods that it would keep exactly at their target, or the arrivals, as that of those that can
// just serve them, and how many replicas there are.
func (v *variant) replicasPanel() picture.Panel {
	per, unit, suffix := v.setup.PerReplica(), "load", "m"
	load := picture.Line{Name: "load: replicas on its edge are exactly at the target", Look: picture.Area, Steps: true}
	value := func(m *simulate.Moment) float64 { return m.Load / max(per, 1) }
	if a := v.setup.Arrivals; a != nil {
		per, unit, suffix = a.Rate, "messages", "/s"
		load.Name = "arrivals: replicas on its edge can just serve them"
		value = func(m *simulate.Moment) float64 { return m.Arrivals / a.Rate }
	}
	replicas := picture.Line{Name: "replicas", Look: picture.Bold, Steps: true}
	ready := picture.Line{Name: "ready", Look: picture.Thin, Tone: picture.Muted, Steps: true}
	for _, m := range v.sampled() {
		load.Points = append(load.Points, picture.Point{At: m.At, Value: value(&m)})
		ready.Points = append(ready.Points, picture.Point{At: m.At, Value: float64(m.Ready)})
	}
	p := picture.Panel{Title: "replicas", Unit: "replicas", Whole: true}
	if per > 0 {
		p.Second = &picture.Scale{Unit: unit, Factor: per, Suffix: suffix}
		p.Lines = append(p.Lines, load)
	}
	p.Marks = v.marks()
	replicas.Points = v.stairs()
	p.Lines = append(p.Lines, v.bound("min", func(p annotations.Policy) int32 { return p.Min }), v.bound("max", func(p annotations.Policy) int32 { return p.Max }), ready, replicas)
	return p
}

// backlogPanel is how many messages wait.
func (v *variant) backlogPanel() picture.Panel {
	waiting := picture.Line{Name: "waiting", Look: picture.Area}
	for _, m := range v.sampled() {
		waiting.Points = append(waiting.Points, picture.Point{At: m.At, Value: float64(m.Backlog)})
	}
	return picture.Panel{Title: "messages that wait", Unit: "messages", Whole: true, Short: true, Lines: []picture.Line{waiting}}
}

// bound is a bound at each time.
func (v *variant) bound(label string, of func(annotations.Policy) int32) picture.Line {
	policy, start := v.setup.Policy, v.setup.Begin()
	line := picture.Line{Name: "min and max", Look: picture.Bound, Steps: true, Points: v.level(float64(of(policy))), Label: fmt.Sprintf("%s %d", label, of(policy))}
	if policy.Schedule.IsZero() || v.setup.Rules.Compat {
		return line
	}
	line.Points, line.Label = nil, label
	for _, m := range v.sampled() {
		line.Points = append(line.Points, picture.Point{At: m.At, Value: float64(of(policy.At(start.Add(m.At))))})
	}
	return line
}

func (v *variant) level(value float64) []picture.Point {
	return []picture.Point{{At: 0, Value: value}, {At: v.setup.Duration, Value: value}}
}

func (v *variant) marks() []picture.Mark {
	var all []picture.Mark
	for _, e := range v.scalings() {
		all = append(all, picture.Mark{At: e.Moment.At, From: float64(e.Current), To: float64(e.Desired), Tip: e.Because()})
	}
	return all
}

// scalings are the evaluations that changed replicas.
func (v *variant) scalings() []*simulate.Evaluation {
	var all []*simulate.Evaluation
	for i := range v.run.Evaluations {
		if e := &v.run.Evaluations[i]; e.Desired != e.Current && v.setup.Policy.Mode != annotations.ModeObserve {
			all = append(all, e)
		}
	}
	return all
}

// stairs are the replicas, one point for each change.
func (v *variant) stairs() []picture.Point {
	points := v.level(float64(v.run.Moments[0].Replicas))[:1]
	for _, e := range v.scalings() {
		points = append(points, picture.Point{At: e.Moment.At, Value: float64(e.Desired)})
	}
	return append(points, picture.Point{At: v.setup.Duration, Value: points[len(points)-1].Value})
}

// usagePanel is what the metrics API said at each evaluation, against the target.
func (v *variant) usagePanel() picture.Panel {
	request, unit := v.setup.Request()/100, "percent"
	if request == 0 {
		request, unit = 1, "millicores"
	}
	usage := picture.Line{Name: "measured usage", Look: picture.Thin}
	for _, e := range v.run.Evaluations {
		value := e.Usage / request
		if e.Usage < 0 {
			value = math.NaN()
		}
		usage.Points = append(usage.Points, picture.Point{At: e.Moment.At, Value: value})
	}
	p := picture.Panel{Title: "CPU usage of the pods, as the metrics API tells it", Unit: unit, Short: true}
	if target := v.setup.PerReplica() / request; target > 0 {
		up, down := v.setup.Policy.Up.Tolerance.AsApproximateFloat64(), v.setup.Policy.Down.Tolerance.AsApproximateFloat64()
		p.Bands = []picture.Band{{Name: "tolerance: no change within", Low: target * (1 - down), High: target * (1 + up)}}
		p.Lines = append(p.Lines, picture.Line{Name: "target", Look: picture.Target, Points: v.level(target), Label: "target " + fmt.Sprintf("%.4g", target)})
	}
	p.Lines = append(p.Lines, usage)
	return p
}

// sampled are the moments that are drawn. More of them than this would look the same. What waits and arrives at most until the next one is
// drawn, so that no burst is lost.
func (v *variant) sampled() []simulate.Moment {
	const most = 450
	step := max(1, int(v.setup.Duration/time.Second/most))
	var all []simulate.Moment
	for i := 0; i < len(v.run.Moments); i += step {
		m := v.run.Moments[i]
		for _, other := range v.run.Moments[i:min(i+step, len(v.run.Moments))] {
			m.Arrivals, m.Backlog = max(m.Arrivals, other.Arrivals), max(m.Backlog, other.Backlog)
		}
		all = append(all, m)
	}
	return append(all, v.run.Moments[len(v.run.Moments)-1])
}
