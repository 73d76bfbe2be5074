package recommend

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// outside is a scale-in that somebody else has made and that the workload has not got over yet. The zero value is none.
//
//	replicas
//	  12 |-----+                 +----- taken back
//	     |     |  the pods go    |
//	   1 |     +-----------------+
//	     +-----^-----------------------> time
//	           at
//
// For a moment its pods still run and their samples say what the load needs; then the pods are gone, and for as long as the
// samples of those that are left are from before, nothing says so any more but what was known before.
type outside struct {
	at time.Time
	// from is the number that was left to the workload before.
	from int32
	// needed is what the load asked for when it was last measured; 0 if it was not, or not lately.
	needed int32
}

func (o outside) zero() bool { return o.from == 0 }

// within says that the number before was within bounds that the present one may be below.
func (o outside) within(p *annotations.Policy) bool {
	return !o.zero() && o.from >= p.Min && o.from <= p.Max
}

// witnessed compares the replicas with those that were left at the last evaluation. That they are fewer is not enough: a write
// that was never carried out looks the same. There have to be pods that nobody asks for any more.
func (v *view) witnessed(h History) History {
	left := h.left
	h.left = v.Replicas
	if left > 0 && v.Replicas > left && v.repairs(RepairAssumed) && !h.undone(&v.Snapshot) {
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

// raised adds the number that somebody else has raised the replicas to. It drops those that this one outlasts, and those that no window
// looks at any more: while there are no metrics, nobody else does.
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
		if pod.DeletionTimestamp != nil {
			leaving++
		}
	}
	return max(s.existing()+leaving, s.StatusReplicas) > s.Replicas
}

// carried repairs "somebody else's scale-in is within the tolerance": while more pods run than are asked for, the load is what
// all of them carry. The tolerance is that of the replicas which they are to become: 12 pods at the target are not within it if 1
// is to be left, but they are if it is 11.
func (v *view) carried(n *numbers, o outlook) outlook {
	each := min(o.ratio, o.careful) // pods that could not be measured carry no more than the others
	load := each*float64(o.pods) + o.targets
	if made := n.ceil(load); made >= o.to && v.carries(load, made) {
		o.each, o.made, o.to, o.reason = each, made, made, ReasonCarried
		o.repairs |= RepairOutside
	}
	return o
}

// carries says whether a load, in pods at their target, is more than the replicas that somebody else has left can bear.
func (v *view) carries(load float64, made int32) bool {
	return !v.history.outside.zero() && made > v.Replicas && !v.band.within(load/float64(v.Replicas))
}

// cut is a scale-in by somebody else which is the reason of a change; the zero value is none.
type cut struct{ from, to int32 }

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

// current says whether something is known lately enough to count.
func (r Recommendation) current(now time.Time, p *annotations.Policy) bool {
	return now.Sub(r.Time) <= max(longestGap, 2*p.SyncPeriod)
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
		d = d.before(settled)
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

// base is where a change begins, for policies and windows: those of scale-up do not stand in the way back to the number from before
// somebody else's scale-in.
func (h History) base(current, desired int32) int32 {
	if desired <= current {
		return current
	}
	return max(current, h.outside.from)
}

// Adopted is the history after another controller that goes by the same annotations has changed the replicas. Its change uses up
// the policies as an own one would: between two of them nothing is granted twice.
func (h History) Adopted(at time.Time, replicas int32) History {
	if h.left > 0 && replicas > 0 && replicas != h.left {
		h.Changes = append(h.Changes[:len(h.Changes):len(h.Changes)], Change{Time: at, Delta: replicas - h.left, From: h.left})
		h.carried, h.unplaced = h.asked, true
	}
	h.left, h.outside = replicas, outside{}
	return h
}
