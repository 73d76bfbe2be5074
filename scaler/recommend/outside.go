package recommend

import (
	"fmt"
	"time"
)

// witnessed compares the replicas with those that were left at the last look. That they are fewer is not enough: a write
// that was never carried out looks the same. There have to be pods that nobody asks for any more.
func (v *view) witnessed(h History) History {
	left := h.left
	h.left = v.Replicas
	first := h.active.IsZero()
	if first {
		h.slept = true // see Snapshot.Paused: whatever is not said to be a pause is a sleep
	}
	h.slept = h.slept && v.Replicas == 0 && v.Paused == ""
	unseen := !h.seen.IsZero() && v.Time.Sub(h.seen) > max(longestGap, 2*v.policy.SyncPeriod)
	if h.seen = v.Time; first || unseen || v.Replicas != left {
		h.active = v.Time
	}
	if !first && v.Replicas > left && v.repairs(RepairAssumed) && !h.undone(&v.Snapshot) {
		h.Recommendations = v.raised(h)
	}
	switch lowered := v.Replicas < left && v.crowded(); {
	case !v.repairs(RepairOutside), v.Replicas == 0, v.Replicas >= h.outside.from && !lowered:
		h.outside = outside{}
	case lowered && h.outside.zero():
		h.outside = outside{at: v.Time, from: left}
		if h.needed.current(v.Time, &v.policy) {
			h.outside.needed = h.needed.Replicas
		}
	case lowered:
		h.outside.at = v.Time
	}
	return h
}

// raised adds the number to which somebody else has raised the replicas. It drops the same number where it was added before, and numbers that no
// window looks at any more: while there are no metrics, nothing else drops them.
func (v *view) raised(h History) []Recommendation {
	oldest := v.Time.Add(-max(window(v.policy.Up), window(v.policy.Down)))
	kept := make([]Recommendation, 0, len(h.Recommendations)+1)
	for _, old := range h.Recommendations {
		if old.Basis != Raised || old.Replicas != v.Replicas && old.Time.After(oldest) {
			kept = append(kept, old)
		}
	}
	return append(kept, Recommendation{Time: v.Time, Replicas: v.Replicas, Basis: Raised})
}

// undone says that somebody else has raised the replicas to no more than there were before the scale-in of a moment ago: a rival does
// that, and it looks the same if the scale-in was never carried out.
func (h History) undone(s *Snapshot) bool {
	n := len(h.Changes)
	return n > 0 && s.Replicas <= h.Changes[n-1].From && s.Time.Sub(h.Changes[n-1].Time) < sampleGrace
}

// crowded says that there are pods that nobody asks for any more.
func (s *Snapshot) crowded() bool {
	leaving := int32(0)
	for _, pod := range s.Pods {
		if !pod.Deleted.IsZero() {
			leaving++
		}
	}
	return max(s.existing()+leaving, s.StatusReplicas) > s.Replicas
}

// carries says whether a load, in pods at their target, is more than the replicas that somebody else has left can bear.
func (v *view) carries(load float64, made int32) bool {
	return !v.history.outside.zero() && made > v.Replicas && !v.band.within(load/float64(v.Replicas))
}

// cut is a scale-in by somebody else which is the reason of a change; the zero value is none.
type cut struct{ from, to int32 }

// String says why a load that its pods can bear asks for a change all the same.
func (c cut) String() string {
	if c.from == 0 {
		return ""
	}
	return fmt.Sprintf("; somebody else has set %d instead of %d", c.to, c.from)
}

func (v *view) cut(reason string) cut {
	if reason != ReasonCarried {
		return cut{}
	}
	return cut{v.history.outside.from, v.Replicas}
}

// needs is what the measured pods ask for. While a metric only holds, what was known before is still right, unless others ask for more.
func (v *view) needs(all *proposals) Recommendation {
	before := v.history.needed
	if all.held && (all.needed <= before.Replicas && before.current(v.Time, &v.policy) || all.needed == 0) {
		return before
	}
	return Recommendation{Time: v.Time, Replicas: all.needed}
}

// restore proposes at least what was needed before somebody else's scale-in, where the pods that could say so have gone or have no
// sample. After a minute what is measured is the load on those that are left: if they can bear it, somebody else's number is
// accepted; if they cannot, how much more there is of it does not show, because a pod uses no more than its limit.
func (v *view) restore(d draft) draft {
	all, o := d.asked, d.asked.outside
	if o.zero() || all.valid == 0 {
		return d
	}
	switch settled := o.at.Add(sampleGrace); {
	case v.Time.Before(settled):
		d.Next = earlier(d.Next, settled)
	case all.replicas <= d.Current:
		d.asked.outside = outside{}
		return d
	}
	if !all.incomplete {
		d.asked.outside.needed = all.replicas
		return d
	}
	if o.needed <= max(all.replicas, d.Current) {
		return d
	}
	d.Repairs |= RepairOutside
	d.Steps = append(d.Steps, Step{Stage: StageOutside, From: all.replicas, To: o.needed, Reason: ReasonRestored,
		Detail: Text{&need{current: d.Current, from: o.from, needed: o.needed, ago: v.Time.Sub(o.at)}}})
	d.asked.replicas, d.asked.alone, d.asked.needed, d.asked.held = o.needed, o.needed, o.needed, false
	return d
}

// need is what was needed before somebody else's scale-in, so long ago.
type need struct {
	current, from, needed int32
	ago                   time.Duration
}

// String says what was known before somebody else's scale-in.
func (n *need) String() string {
	return fmt.Sprintf("somebody else has set %d instead of %d %s ago; before that the load asked for %d", n.current, n.from, whole(n.ago), n.needed)
}
