// Package picture draws a recording of the demo: load, replicas and utilization over time, as one SVG and as one HTML page. Both
// are self-contained and follow the reader's light or dark scheme.
package picture

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

//go:embed style.css
var style string

const (
	tall  = 200.0
	short = 110.0
	// above is the room over a panel for its heading, below the room under it for the time axis.
	above, below = 70.0, 34.0
)

// chart is a drawing in progress: y is where the next panel goes.
type chart struct {
	canvas
	recording story.Recording
	y         float64
}

// SVG writes the picture of a recording.
func SVG(w io.Writer, r story.Recording) error {
	c := &chart{recording: r, y: 36}
	c.text(point{left - 50, c.y}, "title", "mini-hpa: load and replicas over time")
	c.y += 4
	for _, fact := range r.Facts {
		c.y += 17
		c.text(point{left - 50, c.y}, "sub", fact)
	}
	c.legend()
	for _, acts := range scenes(r.Acts) {
		c.scene(acts)
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="load and replicas over time">
<style>
%s</style>
<rect width="100%%" height="100%%" class="bg"/>
%s</svg>
`, width, c.y, style, c.b.String())
	if err != nil {
		return fmt.Errorf("could not write the picture: %w", err)
	}
	return nil
}

// scenes groups successive acts that have the same workloads: each group shares its time axis.
func scenes(acts []story.Act) [][]story.Act {
	var all [][]story.Act
	for i, act := range acts {
		if i > 0 && slices.Equal(act.Phase.Names(), acts[i-1].Phase.Names()) {
			all[len(all)-1] = append(all[len(all)-1], act)
			continue
		}
		all = append(all, []story.Act{act})
	}
	return all
}

// legend says once what the lines of every panel mean.
func (c *chart) legend() {
	c.y += 30
	x := left - 50
	sample := func(class, says string, room float64) {
		c.line(point{x, c.y - 4}, point{x + 26, c.y - 4}, class)
		c.text(point{x + 33, c.y}, "note", says)
		x += room
	}
	c.rect(point{x, c.y - 11}, point{x + 26, c.y + 1}, "load-area")
	sample("load-line", "load, drawn so that replicas on its edge are exactly at the target", 400)
	sample("replicas web", "replicas and utilization", 180)
	sample("replicas flappy", "the same without guards", 190)
	sample("target", "target, ±10% tolerance", 160)
	c.y += 8
}

// scene draws the panels of acts that share their workloads: replicas for each workload, then everybody's utilization.
func (c *chart) scene(acts []story.Act) {
	over := span{acts[0].Began, acts[len(acts)-1].Ended}
	names := acts[0].Phase.Names()
	var tracks []story.Track
	for _, name := range names {
		tracks = append(tracks, c.recording.Track(name).Between(over.from, over.to))
	}
	peak := c.peak(tracks)
	for i, t := range tracks {
		c.replicas(panel{time: over, peak: peak}, t, acts, i == 0)
	}
	c.utilizations(panel{time: over}, tracks, acts)
}

// place gives a panel its room and moves on.
func (c *chart) place(p panel, height float64) panel {
	p.top = c.y + above
	p.bottom = p.top + height
	c.y = p.bottom + below
	return p
}

// replicas is the panel of one workload: its load and its replicas.
func (c *chart) replicas(p panel, t story.Track, acts []story.Act, titled bool) {
	p = c.place(p, tall)
	milli := c.perReplica()
	heading := fmt.Sprintf("%s: %s", t.Workload, count(len(t.Changes)))
	c.text(point{left - 50, p.top - 42}, "heading", heading)
	c.text(point{left - 50, p.top - 26}, "sub", settings(acts[0].Phase, t.Workload))
	c.acts(p, acts, titled)
	p.frame(&c.canvas, "replicas", whole)
	p.rightAxis(&c.canvas, "load", func(v float64) string { return fmt.Sprintf("%.0fm", v*milli) })
	p.loadArea(&c.canvas, t, milli)
	p.replicaSteps(&c.canvas, t, t.Workload)
	p.clock(&c.canvas)
}

// utilizations is the panel under it: what the metrics API said, against the target.
func (c *chart) utilizations(p panel, tracks []story.Track, acts []story.Act) {
	highest := float64(c.recording.Target)
	for _, t := range tracks {
		for _, at := range t.Points {
			highest = max(highest, float64(at.Utilization))
		}
	}
	p.peak = ceiling(highest * 1.02)
	p = c.place(p, short)
	c.text(point{left - 50, p.top - 30}, "heading", "utilization of the CPU requests, as the metrics API reports it")
	c.acts(p, acts, false)
	p.frame(&c.canvas, "percent", whole)
	p.target(&c.canvas, float64(c.recording.Target))
	for _, t := range tracks {
		p.utilization(&c.canvas, t, t.Workload)
	}
	p.clock(&c.canvas)
}

// acts shades every other act and, in the first panel, names them.
func (c *chart) acts(p panel, acts []story.Act, titled bool) {
	for i, act := range acts {
		from, to := p.x(act.Began), p.x(act.Ended)
		if i+1 < len(acts) {
			to = p.x(acts[i+1].Began)
		}
		if i%2 == 1 {
			c.rect(point{from, p.top}, point{to, p.bottom}, "act")
		}
		if i > 0 {
			c.line(point{from, p.top}, point{from, p.bottom}, "edge")
		}
		if !titled {
			continue
		}
		class := "note middle"
		if act.Verdict.State == story.Failed {
			class += " failed"
		}
		c.text(point{(from + to) / 2, p.top - 8}, class, act.Phase.Title)
	}
}

// perReplica is the load in millicores that one replica carries exactly at the target.
func (c *chart) perReplica() float64 {
	return max(1, float64(c.recording.Request)*float64(c.recording.Target)/100)
}

// peak is the top of the replicas' axis, the same for all tracks so that they compare.
func (c *chart) peak(tracks []story.Track) float64 {
	highest := 1.0
	for _, t := range tracks {
		for _, at := range t.Points {
			highest = max(highest, float64(at.Replicas), float64(at.Load)/c.perReplica())
		}
		for _, change := range t.Changes {
			highest = max(highest, float64(change.To))
		}
	}
	return ceiling(highest + 0.8)
}

// settings are the annotations of a workload without their prefix.
func settings(phase story.Phase, workload string) string {
	var all []string
	for _, w := range phase.Workloads {
		if w.Name != workload {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(w.Annotations)) {
			all = append(all, fmt.Sprintf("%s %q", strings.TrimPrefix(key, annotations.Prefix), w.Annotations[key]))
		}
	}
	return "annotations " + annotations.Prefix + "...  " + strings.Join(all, ", ")
}

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

func count(changes int) string {
	if changes == 1 {
		return "1 change of replicas"
	}
	return fmt.Sprintf("%d changes of replicas", changes)
}

// length is how long an act lasted, for a table.
func length(a story.Act) string { return (a.Ended - a.Began).Round(time.Second).String() }
