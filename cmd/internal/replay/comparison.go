package replay

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// comparison decides on each observation under the annotations as recorded and, where it is not nil, under those of --set.
type comparison struct {
	// title names the file and the workload, settings are those of --set, in words; empty where there are none.
	title, settings string
	recorded, set   *trace.Replay
	// recordedSum and setSum sum up what each of them decided.
	recordedSum, setSum trace.Summary
	// differ counts the observations that the two decide differently; first is the first of them.
	differ int
	first  pair
}

// pair is what one observation came to, under either; set is nil where there is nothing to compare.
type pair struct{ recorded, set *trace.Outcome }

func (c *comparison) next(s recommend.Snapshot) pair {
	p := pair{recorded: decide(c.recorded, &c.recordedSum, s), set: decide(c.set, &c.setSum, s)}
	if p.set != nil && p.recorded.Desired != p.set.Desired {
		if c.differ++; c.differ == 1 {
			c.first = p
		}
	}
	return p
}

func decide(r *trace.Replay, sum *trace.Summary, s recommend.Snapshot) *trace.Outcome {
	if r == nil {
		return nil
	}
	o := r.Next(s)
	sum.Add(o.Decision)
	return &o
}

// asked is the outcome that the user wants to see: that of --set where there is one.
func (p pair) asked() *trace.Outcome {
	if p.set != nil {
		return p.set
	}
	return p.recorded
}

// sumRow is one row of the summary: what it is called, and how it is read.
type sumRow struct {
	name string
	of   func(*trace.Summary) string
}

// sumRows are the rows of the summary. Where two sets of annotations are compared, decisions to scale do not count: nobody has carried
// out what was decided under those that were not in force, so that the same is decided again at every observation. What counts is how
// often the size that is decided on changes.
func sumRows(compared bool) []sumRow {
	hours := func(h float64) string { return fmt.Sprintf("%.2f", h) }
	changes := sumRow{"decisions to scale", func(s *trace.Summary) string { return fmt.Sprint(s.Changes) }}
	if compared {
		changes = sumRow{"changes of the size decided on", func(s *trace.Summary) string { return fmt.Sprint(s.Moves) }}
	}
	return []sumRow{
		{"evaluations", func(s *trace.Summary) string { return fmt.Sprint(s.Evaluations) }},
		{"with a metric that failed", func(s *trace.Summary) string { return fmt.Sprint(s.Failures) }},
		changes,
		{"time above target", func(s *trace.Summary) string { return cli.Short(s.AboveTarget.Round(time.Second)) }},
		{"time without a ratio", func(s *trace.Summary) string { return cli.Short(s.Unmeasured.Round(time.Second)) }},
		{"replica-hours decided on", func(s *trace.Summary) string { return hours(s.ReplicaHours) }},
		{"replica-hours recorded", func(s *trace.Summary) string { return hours(s.SeenReplicaHours) }},
	}
}
