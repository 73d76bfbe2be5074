package replay

import (
	"fmt"
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// drawing draws a replay: replicas over time, and the ratio of usage to target below. It becomes a part of the
// task's page when it ends.
type drawing struct {
	page    *picture.Page
	variant picture.Variant
	c       *comparison
	began   time.Time
	at      time.Duration
	// found is the replicas as recorded, decided and set what was decided on under the annotations as recorded and
	// under those of --set.
	found, decided, set curve
	marks               []picture.Mark
	// totals are the values of metrics that have one without pods, in the order in which they were first seen.
	totals []total
	// before is the outcome before.
	before *trace.Outcome
}

// curve is the replicas and the ratio that go with them.
type curve struct{ replicas, ratio []picture.Point }

// total is one of them, by its name.
type total struct {
	name   string
	points []picture.Point
}

func newDrawing(page *picture.Page, c *comparison) *drawing {
	v := picture.Variant{Name: c.title}
	if c.settings != "" {
		v.Facts = append(v.Facts, "--set "+c.settings)
	}
	if c.set != nil {
		v.Facts = append(v.Facts, "Each point is what other annotations would have decided there and then, on usage that was measured with the recorded "+
			"replicas. It is not what would have happened.")
	}
	return &drawing{page: page, variant: v, c: c}
}

func (r *drawing) show(p pair) error {
	if r.before == nil {
		r.began = p.recorded.Time
	}
	r.at = p.recorded.Time.Sub(r.began)
	r.found.replicas = append(r.found.replicas, picture.Point{At: r.at, Value: float64(p.recorded.Current)})
	r.decided.add(r.at, p.recorded)
	if p.set != nil {
		r.set.add(r.at, p.set)
	}
	now := p.asked()
	r.count(now.Decision.Metrics)
	from := now.Current
	if p.set != nil && r.before != nil {
		from = r.before.Desired // nobody has carried out what was decided before
	}
	if now.Desired != from {
		r.marks = append(r.marks, picture.Mark{At: r.at, From: float64(from), To: float64(now.Desired), Tip: now.Because()})
	}
	r.before = now
	return nil
}

// add takes the next outcome; a ratio that could not be evaluated leaves a gap.
func (c *curve) add(at time.Duration, o *trace.Outcome) {
	ratio := math.NaN()
	if trace.Measured(o.Decision) {
		ratio = trace.Ratio(o.Decision)
	}
	c.replicas = append(c.replicas, picture.Point{At: at, Value: float64(o.Desired)})
	c.ratio = append(c.ratio, picture.Point{At: at, Value: ratio})
}

// count takes in the next values; one that could not be evaluated leaves a gap.
func (r *drawing) count(all []recommend.MetricResult) {
	for _, m := range all {
		if m.Type != autoscalingv2.ExternalMetricSourceType && m.Type != autoscalingv2.ObjectMetricSourceType {
			continue
		}
		i := slices.IndexFunc(r.totals, func(t total) bool { return t.name == m.Metric })
		if i < 0 {
			i = len(r.totals)
			r.totals = append(r.totals, total{name: m.Metric})
		}
		value := float64(m.Total) / 1000
		if m.Failed {
			value = math.NaN()
		}
		r.totals[i].points = append(r.totals[i].points, picture.Point{At: r.at, Value: value})
	}
}

// end puts the drawing on the page.
func (r *drawing) end() error {
	replicas := picture.Panel{Title: "replicas", Unit: "replicas", Whole: true, Marks: r.marks}
	ratio := picture.Panel{Title: "usage divided by target, the largest of all metrics", Unit: "ratio", Short: true,
		Lines: []picture.Line{{Name: "target", Look: picture.Target, Points: []picture.Point{{At: 0, Value: 1}, {At: r.at, Value: 1}}}}}
	replicas.Lines = []picture.Line{{Name: "recorded", Look: picture.Thin, Tone: picture.Muted, Steps: true, Points: r.found.replicas}}
	if r.c.set == nil {
		replicas.Lines = append(replicas.Lines, picture.Line{Name: "decided on", Look: picture.Bold, Steps: true, Points: r.decided.replicas})
		ratio.Lines = append(ratio.Lines, picture.Line{Look: picture.Thin, Points: r.decided.ratio})
	} else {
		replicas.Lines = append(replicas.Lines, picture.Line{Name: "decided on with --set", Look: picture.Bold, Steps: true, Points: r.set.replicas})
		ratio.Lines = append(ratio.Lines,
			picture.Line{Name: "recorded", Look: picture.Thin, Tone: picture.Muted, Points: r.decided.ratio},
			picture.Line{Name: "with --set", Look: picture.Thin, Points: r.set.ratio})
	}
	r.variant.Panels = []picture.Panel{replicas}
	for _, t := range r.totals {
		r.variant.Panels = append(r.variant.Panels, picture.Panel{Title: "value of " + t.name, Short: true,
			Lines: []picture.Line{{Look: picture.Area, Steps: true, Points: t.points}}})
	}
	r.variant.Panels = append(r.variant.Panels, ratio)
	r.sum()
	r.page.Variants = append(r.page.Variants, r.variant)
	return nil
}

func (r *drawing) sum() {
	if r.before != nil {
		r.variant.Facts = append(r.variant.Facts, "The time axis begins at "+stamp(r.began)+".")
	}
	for _, row := range sumRows(r.c.set != nil) {
		value := row.of(&r.c.recordedSum)
		if other := row.of(&r.c.setSum); r.c.set != nil && other != value {
			value += ", with --set " + other
		}
		r.variant.Summary = append(r.variant.Summary, picture.Fact{Name: row.name, Value: value})
	}
	if r.c.set != nil {
		r.variant.Summary = append(r.variant.Summary, picture.Fact{Name: "decided differently",
			Value: fmt.Sprintf("%d of %d", r.c.differ, r.c.setSum.Evaluations)})
	}
}
