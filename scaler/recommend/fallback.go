package recommend

import (
	"fmt"
	"maps"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// failingSince adds since when a metric has failed. A failure that is normal while a workload starts begins no such time, and ends none.
func (v *view) failingSince(all map[string]time.Time, m *annotations.Metric, p *proposal) map[string]time.Time {
	if p.failure == nil {
		return all
	}
	id := m.ID
	if id == "" {
		id = p.failure.Metric
	}
	since, known := v.history.failing[id]
	switch {
	case !known && p.failure.Reason == ReasonAwaitingSample:
		return all
	case !known:
		since = v.Time
	}
	all = maps.Clone(all)
	if all == nil {
		all = map[string]time.Time{}
	}
	all[id] = since
	return all
}

// fallBack proposes mini-hpa/fallback if a metric has failed for as long as it says. It is a floor: it never lowers, and replaces no proposal.
func (v *view) fallBack(d draft) draft {
	f := v.policy.Fallback
	if f.Replicas == 0 || v.Compat || len(d.failing) == 0 {
		return d
	}
	since := v.Time
	for _, t := range d.failing {
		since = earlier(since, t)
	}
	if due := since.Add(f.After); due.After(v.Time) {
		d.Next = earlier(d.Next, due)
		return d
	}
	if f.Replicas <= max(d.asked.replicas, d.Current) {
		return d
	}
	floor := &fallback{Fallback: f, failed: v.Time.Sub(since), failure: d.Failure}
	d.Steps = append(d.Steps, Step{Stage: StageFallback, From: max(d.asked.replicas, 0), To: f.Replicas, Reason: ReasonFallback, Detail: Text{floor}})
	d.asked.replicas, d.asked.alone, d.asked.metric, d.asked.state, d.asked.floor = f.Replicas, nothing, "", floor, true
	return d
}

// fallback is the floor, and the failure that it is for.
type fallback struct {
	annotations.Fallback
	failed  time.Duration
	failure *Failure
}

// String says for how long what has failed.
func (f *fallback) String() string {
	return fmt.Sprintf("a metric has failed for %s, so that there are at least %d (%s): %s", whole(f.failed), f.Replicas, annotations.FallbackKey, f.failure.Detail)
}
