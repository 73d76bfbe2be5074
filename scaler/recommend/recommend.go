package recommend

import (
	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// stages are the steps of a decision, in their order. Each is given all that is known and the decision so far, and returns the
// decision as it leaves it.
var stages = []func(*view, draft) draft{
	(*view).pause,     // 0 replicas: somebody has switched the workload off
	(*view).confine,   // replicas out of bounds are brought back at once, and that is all
	(*view).attend,    // without metrics, the schedule alone says how many
	(*view).measure,   // each metric proposes a number: pods -> ratio -> tolerance
	(*view).restore,   // at least what was needed before somebody else's scale-in
	(*view).activate,  // 0 while nothing is active, at least 1 while something is
	(*view).fallBack,  // at least mini-hpa/fallback while a metric has failed for long
	(*view).rescue,    // awake if requests were to wake it, and cannot any more
	(*view).largest,   // the largest proposal counts; while a metric fails, there is no scale-in
	(*view).resume,    // after a gap the present number counts as recommended
	(*view).stabilize, // within the recommendations of the stabilization windows
	(*view).bound,     // within mini-hpa/min and mini-hpa/max
	(*view).limit,     // not faster than the policies allow
	(*view).stayAwake, // no sleep before mini-hpa/sleep-after
	(*view).lift,      // as the HPA controller: min was raised during the sleep
	(*view).refuse,    // no more while pods are refused
}

// Recommend says how many replicas the workload should have now. The returned history holds this look; hand it
// to the next call, by way of History.Applied where the decision was written.
func (r Rules) Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	v := r.view(&p, &s, h)
	d := v.draft()
	for _, stage := range stages {
		if d = stage(v, d); d.final {
			break
		}
	}
	if v.below && d.Desired < v.policy.Min {
		d = v.correct(d)
	}
	d.Asleep, d.Next = v.asleep, earlier(d.Next, v.policy.Schedule.Next(s.Time))
	return d.Decision, v.remembered(&d)
}

func (r Rules) view(p *annotations.Policy, s *Snapshot, h History) *view {
	v := &view{Rules: r, Snapshot: *s, policy: *p, fewest: p.Min, most: p.Max, band: tolerancesOf(p), initial: s.Time.Add(-r.CPUInitializationPeriod)}
	if !r.repairs(RepairWarmUp) {
		v.policy.WarmUp = 0
	}
	if r.Compat {
		v.policy.Schedule = schedule.Schedule{}
	} else if !p.Schedule.IsZero() {
		v.policy = p.At(s.Time)
		v.fewest, v.most = p.Widest()
	}
	v.history = v.prepared(v.witnessed(h))
	v.below = s.Replicas < v.policy.Min && v.history.outside.within(&v.policy)
	v.asleep = v.sleeps()
	return v
}

func (v *view) draft() draft {
	return draft{Decision: Decision{
		Time: v.Time, Current: v.Replicas, Desired: v.Replicas, Able: AbleSucceededGetScale, Missing: v.missing(v.history)}}
}
