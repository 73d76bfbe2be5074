package recommend

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
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
		d.Reason = Plain(fmt.Sprintf("%s has set the replicas to 0: scaling is disabled until somebody sets them above 0", nameOf(v.Paused)))
	default:
		d.Reason = Plain("replicas is 0: scaling is disabled until somebody sets it above 0")
	}
	return d
}

// Somebody has set the replicas, and it is not known who.
const Somebody = "somebody"

// nameOf is a name from outside as far as it is shown.
func nameOf(manager string) string {
	const shown = 64 // bytes
	if manager == Somebody {
		return manager
	}
	return strconv.Quote(strings.ToValidUTF8(manager[:min(len(manager), shown)], ""))
}

// wakeReplicas is how many replicas there are at least when the workload wakes.
func (v *view) wakeReplicas() int32 {
	if v.Compat {
		return 1
	}
	return min(max(v.policy.WakeReplicas, 1), v.policy.Max)
}

// counting adds whether a metric that has a value without pods is active.
func (all proposals) counting(m *annotations.Metric, p *proposal, asleep bool) proposals {
	if !m.IsTotal() {
		return all
	}
	if all.lines = all.lines || m.Line != nil; p.failure != nil {
		all.unknown++
		return all
	}
	all.totals++
	if p.from.left() {
		all.left++
	}
	if !p.active {
		return all
	}
	if all.active++; asleep && (all.waker == nil || all.waker.replicas < p.replicas) {
		all.waker = &waker{p.metric, p.replicas, p.from}
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
		all.alone, all.state = all.replicas, &waking{all.metric, all.state, all.waker}
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
	kind, is := "external and object metrics", "above 0"
	if a.all.lines {
		kind, is = "metrics and sources that can wake it", "active"
	}
	known := fmt.Sprintf("%d of %d %s are %s", a.all.active, a.all.totals, kind, is)
	switch {
	case a.all.active == 0 && a.all.unknown > 0:
		known = fmt.Sprintf("none of %d %s is %s, and %d could not be evaluated", a.all.totals, kind, is, a.all.unknown)
	case a.all.active == 0 && a.all.lines:
		known = "none of the " + kind + " is active"
	case a.all.active == 0:
		known = "no external or object metric is above 0"
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

// waking is the state of the metric that asks for the most, and which one wakes the workload.
type waking struct {
	metric string
	state  fmt.Stringer
	by     *waker
}

// String says which metric wakes it.
func (w *waking) String() string {
	if w.by.metric == w.metric {
		return fmt.Sprintf("%s, %s: wakes", w.state, w.by.from)
	}
	return fmt.Sprintf("%s; %s %s is %s: wakes", w.state, w.by.metric, decimal(w.by.from.value), w.by.from)
}
