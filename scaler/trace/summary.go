package trace

import (
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Summary sums up a run of decisions, recorded or simulated, in the order of their time. Its zero value is empty and
// ready to use. What holds at a decision holds until the next one, so the last one adds no time of its own; see Until.
type Summary struct {
	// Evaluations counts decisions, Failures those in which a metric could not be evaluated.
	Evaluations, Failures int
	// Changes counts decisions to write another number of replicas. Moves counts decisions on another number than the
	// decision before: where decisions are not carried out, the same one comes again and again and is one move.
	Changes, Moves int
	// AboveTarget is the time in which the largest ratio of usage to target was above 1, Unmeasured that in which there was
	// none: the metrics failed, or the replicas were out of bounds and no metric was asked.
	AboveTarget, Unmeasured time.Duration
	// ReplicaHours is the integral of the replicas that were decided on, SeenReplicaHours of those that the next
	// observation found. They are equal where every decision was carried out at once and nobody else scaled.
	ReplicaHours, SeenReplicaHours float64
	// First and Last are the times of the first and the last decision.
	First, Last time.Time

	ratio    float64
	measured bool
	desired  int32
}

// Add takes in the next decision.
func (s *Summary) Add(d recommend.Decision) {
	if s.Evaluations == 0 {
		s.First, s.Last = d.Time, d.Time
	}
	s.pass(d.Time, d.Current)
	if s.Evaluations > 0 && d.Desired != s.desired {
		s.Moves++
	}
	s.Evaluations++
	if d.Desired != d.Current {
		s.Changes++
	}
	if d.Failure != nil {
		s.Failures++
	}
	s.desired, s.ratio, s.measured = d.Desired, Ratio(d), Measured(d)
}

// Until extends the last decision to the end of the run. Without a decision it does nothing.
func (s *Summary) Until(end time.Time) {
	if s.Evaluations > 0 {
		s.pass(end, s.desired)
	}
}

// pass adds the time since the last decision; seen is how many replicas there turned out to be in it.
func (s *Summary) pass(now time.Time, seen int32) {
	took := now.Sub(s.Last)
	s.ReplicaHours += float64(s.desired) * took.Hours()
	s.SeenReplicaHours += float64(seen) * took.Hours()
	if s.ratio > 1 {
		s.AboveTarget += took
	}
	if !s.measured {
		s.Unmeasured += took
	}
	s.Last = now
}

// Span is the time from the first decision to the last one.
func (s *Summary) Span() time.Duration { return s.Last.Sub(s.First) }

// Measured says whether any metric of a decision was evaluated.
func Measured(d recommend.Decision) bool {
	return slices.ContainsFunc(d.Metrics, func(m recommend.MetricResult) bool { return !m.Failed })
}

// Ratio is the largest ratio of usage to target among the metrics of a decision; 0 unless it is Measured.
func Ratio(d recommend.Decision) float64 {
	largest := 0.0
	for _, m := range d.Metrics {
		if !m.Failed {
			largest = max(largest, m.Ratio)
		}
	}
	return largest
}
