// Package picture draws a recording of the demo: load, replicas and utilization over time, as one SVG and as one HTML page.
// What is drawn is said here, how in scaler/picture.
package picture

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/picture"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// SVG writes the picture of a recording.
func SVG(w io.Writer, r story.Recording) error { return picture.SVG(w, page(r)) }

// HTML writes the page of a recording: the picture, what was expected and seen, every change with its reason, the Events.
func HTML(w io.Writer, r story.Recording) error { return picture.HTML(w, page(r)) }

func page(r story.Recording) picture.Page {
	p := picture.Page{Title: "mini-hpa: load and replicas over time", Facts: r.Facts}
	for _, acts := range scenes(r.Acts) {
		p.Variants = append(p.Variants, scene{r, acts}.variant())
	}
	p.Sections = append(p.Sections, phases(r.Acts))
	for i, events := range r.Events {
		title := ""
		if i == 0 {
			title = "Events"
		}
		p.Sections = append(p.Sections, picture.Section{Title: title, Text: events})
	}
	return p
}

// phases is what was expected and seen of each act.
func phases(acts []story.Act) picture.Section {
	s := picture.Section{Title: "What was expected, what was seen", Head: []string{"Phase", "Load of each workload", "Expected", "Seen", "Took"}}
	for _, act := range acts {
		s.Rows = append(s.Rows, picture.Row{Alarm: act.Verdict.State != story.Held, Cells: []string{
			act.Phase.Title, fmt.Sprint(act.Phase.Load), fmt.Sprint(act.Phase.Expect), act.Verdict.Says, length(act)}})
	}
	return s
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

// scene is acts that share their workloads.
type scene struct {
	story.Recording
	acts []story.Act
}

// variant is the replicas of each workload, then everybody's utilization.
func (s scene) variant() picture.Variant {
	v := picture.Variant{From: s.acts[0].Began, To: s.acts[len(s.acts)-1].Ended}
	for i, act := range s.acts {
		to := act.Ended
		if i+1 < len(s.acts) {
			to = s.acts[i+1].Began
		}
		v.Spans = append(v.Spans, picture.Span{Name: act.Phase.Title, From: act.Began, To: to, Alarm: act.Verdict.State == story.Failed})
	}
	utilization := s.utilization()
	for _, name := range s.acts[0].Phase.Names() {
		track := s.Track(name).Between(v.From, v.To)
		v.Panels = append(v.Panels, s.replicas(track, v.To))
		utilization.Lines = append(utilization.Lines, utilized(track))
	}
	target := []picture.Point{{At: v.From, Value: float64(s.Target)}, {At: v.To, Value: float64(s.Target)}}
	utilization.Lines = append(utilization.Lines, picture.Line{Name: "target, ±10% tolerance", Look: picture.Target, Points: target,
		Label: fmt.Sprintf("target %d%%", s.Target)})
	v.Panels = append(v.Panels, utilization)
	return v
}

// utilization is the panel of what the metrics API said, against the target.
func (s scene) utilization() picture.Panel {
	target := float64(s.Target)
	return picture.Panel{Title: "utilization of the CPU requests, as the metrics API reports it", Unit: "percent", Short: true, Whole: true,
		Bands: []picture.Band{{Low: target * 0.9, High: target * 1.1}}}
}

// replicas is the panel of one workload: its load and its replicas.
func (s scene) replicas(t story.Track, end time.Duration) picture.Panel {
	milli := max(1, float64(s.Request)*float64(s.Target)/100) // what one replica carries exactly at the target
	load := picture.Line{Name: "load, drawn so that replicas on its edge are exactly at the target", Look: picture.Area, Steps: true}
	for _, at := range t.Points {
		load.Points = append(load.Points, picture.Point{At: at.At, Value: float64(at.Load) / milli})
	}
	if n := len(load.Points); n > 0 {
		load.Points = append(load.Points, picture.Point{At: end, Value: load.Points[n-1].Value})
	}
	p := picture.Panel{Title: fmt.Sprintf("%s: %s", t.Workload, count(len(t.Changes))), Note: settings(s.acts[0].Phase, t.Workload),
		Unit: "replicas", Whole: true, Second: &picture.Scale{Unit: "load", Factor: milli, Suffix: "m"},
		Lines: []picture.Line{load, stairs(t)}}
	for _, c := range t.Changes {
		p.Marks = append(p.Marks, picture.Mark{At: c.At, From: float64(c.From), To: float64(c.To), Tip: c.Reason, Tone: tone(t.Workload)})
	}
	return p
}

// stairs is spec.replicas. The last change may have been seen after the last point.
func stairs(t story.Track) picture.Line {
	line := picture.Line{Name: "replicas and utilization", Look: picture.Bold, Tone: tone(t.Workload), Steps: true}
	if line.Tone == picture.Alarm {
		line.Name = "the same without guards"
	}
	if len(t.Points) == 0 {
		return line
	}
	first, last := t.Points[0], t.Points[len(t.Points)-1]
	replicas := first.Replicas
	if len(t.Changes) > 0 {
		replicas = t.Changes[0].From
	}
	line.Points = append(line.Points, picture.Point{At: first.At, Value: float64(replicas)})
	end := last.At
	for _, c := range t.Changes {
		line.Points = append(line.Points, picture.Point{At: c.At, Value: float64(c.To)})
		replicas, end = c.To, max(end, c.At)
	}
	line.Points = append(line.Points, picture.Point{At: end, Value: float64(replicas)})
	return line
}

// utilized is the line of measured utilization, broken where nothing was measured.
func utilized(t story.Track) picture.Line {
	line := picture.Line{Look: picture.Thin, Tone: tone(t.Workload)}
	for _, at := range t.Points {
		value := float64(at.Utilization)
		if at.Utilization == story.Unknown {
			value = math.NaN()
		}
		line.Points = append(line.Points, picture.Point{At: at.At, Value: value})
	}
	return line
}

// tone is red for the workload without guards.
func tone(workload string) picture.Tone {
	if workload == "flappy" {
		return picture.Alarm
	}
	return picture.Calm
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

func count(changes int) string {
	if changes == 1 {
		return "1 change of replicas"
	}
	return fmt.Sprintf("%d changes of replicas", changes)
}

// length is how long an act lasted, for a table.
func length(a story.Act) string { return (a.Ended - a.Began).Round(time.Second).String() }
