package recommend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// sleeps says whether 0 replicas are a sleep, from which metrics wake the workload. Where they are and min is above 0, it was raised during
// the sleep.
func (v *view) sleeps() bool {
	switch {
	case v.Replicas > 0 || v.Paused != "" || v.most == 0:
		return false
	case v.history.slept:
		return true
	}
	return v.fewest == 0 && !v.Compat
}

// pause decides nothing for a workload that somebody has set to 0 replicas.
func (v *view) pause(d draft) draft {
	if v.Replicas > 0 || v.asleep {
		return d
	}
	d.Active, d.final = ActiveDisabled, true
	switch {
	case v.most == 0:
		d.Reason = Plain(fmt.Sprintf("%s is 0: the workload is switched off", annotations.Max))
	case v.Paused != "":
		d.Reason = Plain(fmt.Sprintf("%q has set the replicas to 0: scaling is disabled until somebody sets them above 0", cutName(v.Paused)))
	default:
		d.Reason = Plain("replicas is 0: scaling is disabled until somebody sets it above 0")
	}
	return d
}

// attend sets the replicas to the least that the schedule allows, where there is no metric that could ask for more, or none that has a value
// while the workload sleeps.
func (v *view) attend(d draft) draft {
	if v.Compat || slices.ContainsFunc(v.policy.Metrics, func(m annotations.Metric) bool { return !v.asleep || m.IsTotal() }) {
		return d
	}
	d.Active, d.Reason, d.final = ActiveScheduled, Text{&rota{v.policy.Schedule, v.Time, v.policy.Min}}, true
	d.step(StageSchedule, "", v.policy.Min, ReasonScheduled, d.Reason.Facts)
	return v.limit(d)
}

// rota is what a schedule asks for at a moment.
type rota struct {
	schedule schedule.Schedule
	at       time.Time
	replicas int32
}

// String says which line counts.
func (r *rota) String() string {
	if w, ok := r.schedule.At(r.at); ok {
		return fmt.Sprintf("%s asks for %d", w, r.replicas)
	}
	return fmt.Sprintf("no line of %s counts: %s is %d", annotations.ScheduleKey, annotations.Min, r.replicas)
}

// cutName is a name from outside as far as it is shown.
func cutName(name string) string {
	const shown = 64 // bytes
	return strings.ToValidUTF8(name[:min(len(name), shown)], "")
}

// wakeReplicas is how many replicas there are at least when the workload wakes.
func (v *view) wakeReplicas() int32 {
	if v.Compat {
		return 1
	}
	return min(max(v.policy.WakeReplicas, 1), v.policy.Max)
}

// counting adds whether a metric that has a value without pods is active.
func (all proposals) counting(m *annotations.Metric, p *proposal) proposals {
	switch {
	case !m.IsTotal():
	case p.failure != nil:
		all.unknown++
	default:
		if all.totals++; p.active {
			all.active++
		}
	}
	return all
}

// idle says that nothing is active, and that this is known of each metric that can say so.
func (all *proposals) idle() bool { return all.totals > 0 && all.unknown == 0 && all.active == 0 }

// activate proposes 0 if nothing is active, and at least 1 otherwise; when asleep, at least mini-hpa/wake-replicas. A metric that failed is
// not inactive: it puts nothing to sleep, and wakes nothing.
func (v *view) activate(d draft) draft {
	all := &d.asked
	if v.policy.Min > 0 || all.valid == 0 || !v.repairs(RepairIdle) {
		return d
	}
	before := all.replicas
	switch {
	case all.idle(), v.asleep && all.active == 0:
		all.replicas, all.alone, all.needed, all.held, all.early = 0, 0, 0, false, false
		all.metric, all.state = "", &activity{asleep: v.asleep, all: *all}
	case v.asleep:
		all.replicas = max(all.replicas, v.wakeReplicas())
		all.alone, all.state = all.replicas, &waking{all.state}
	default:
		all.replicas = max(all.replicas, 1)
		if all.alone != nothing {
			all.alone = max(all.alone, 1)
		}
	}
	if d.Repairs |= RepairIdle.when(before != all.replicas && !v.asleep); before == all.replicas && !v.asleep {
		return d
	}
	reason := ReasonActive
	if all.replicas == 0 {
		reason = ReasonInactive
	}
	d.Steps = append(d.Steps, Step{Stage: StageActivation, Metric: all.metric, From: max(before, 0), To: all.replicas, Reason: reason, Detail: Text{&activity{asleep: v.asleep, all: *all}}})
	return d
}

// activity is what is active, and what that means.
type activity struct {
	asleep bool
	all    proposals
}

// String says what is active of what could be asked.
func (a *activity) String() string {
	known := fmt.Sprintf("%d of %d external and object metrics are above 0", a.all.active, a.all.totals)
	if a.all.active == 0 {
		if known = "no external or object metric is above 0"; a.all.unknown > 0 {
			known = fmt.Sprintf("none of %d external and object metrics is above 0, and %d could not be evaluated", a.all.totals, a.all.unknown)
		}
	}
	switch {
	case a.asleep && a.all.active == 0:
		return known + ": it stays asleep"
	case a.asleep:
		return known + ": it wakes"
	case a.all.active == 0 && a.all.unknown == 0:
		return known + ": there is nothing to do"
	}
	return known + ": it stays awake"
}

// waking is the state of the metric that wakes a workload.
type waking struct{ state fmt.Stringer }

// String says which metric wakes it.
func (w *waking) String() string { return w.state.String() + ", above 0: wakes" }

// stayAwake holds a replica until nothing has been active for mini-hpa/sleep-after.
func (v *view) stayAwake(d draft) draft {
	ends := v.history.active.Add(v.policy.SleepAfter)
	if d.Desired > 0 || v.Replicas == 0 || v.Compat || !ends.After(v.Time) || d.asked.active > 0 {
		return d
	}
	d.Next = earlier(d.Next, ends)
	d.step(StageActivation, "", 1, ReasonSleepAfter, &awake{v.Time.Sub(v.history.active), v.policy.SleepAfter})
	return d
}

// awake is how long nothing has been active, and how long that must be.
type awake struct{ idle, after time.Duration }

// String says how long it will stay awake.
func (a *awake) String() string {
	return fmt.Sprintf("inactive for %s; it sleeps after %s", whole(a.idle), whole(a.after))
}

// least is the lower bound of what is proposed. The HPA controller does not hold a proposal for a sleeping workload to it, but what its policies
// have made of it: see lift.
func (v *view) least() int32 {
	if v.asleep && v.Compat {
		return 0
	}
	return v.policy.Min
}

// lift brings a workload whose minimum was raised while it slept up to it, as the HPA controller does, if the metrics could be asked. Without
// Compat that has happened before: see confine.
func (v *view) lift(d draft) draft {
	if v.asleep && v.Compat && d.Desired < v.policy.Min {
		d.step(StageBounds, "", v.policy.Min, LimitedTooFew, &outOfBounds{current: 0, bound: v.policy.Min})
	}
	return d
}

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
