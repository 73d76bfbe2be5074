package recommend

import (
	"slices"
	"time"
)

// prepared makes the present number of replicas the first recommendation, so that a controller that has just started
// does not scale in before it has watched for one stabilization window (HPA: recordInitialRecommendation).
func (v *view) prepared(h History) History {
	if v.Compat && h.unplaced {
		h = h.placed(&v.policy)
	}
	h.unplaced = false
	if len(h.Recommendations) == 0 {
		h.Recommendations, h.certain = []Recommendation{{Time: v.Time, Replicas: v.Replicas, Basis: Found}}, v.Time
	}
	return h
}

// look is what was proposed.
func (v *view) look(d *draft) look {
	l := look{proposed: d.Desired, alone: d.Desired}
	if v.repairs(RepairAssumed) {
		l.alone = d.asked.alone
	}
	return l
}

// resume repairs "stabilization ends with the last look": at the first look after an outage of the metrics, a pause
// or a time at 0 replicas that outlasted the window, the present number holds scale-in for a window, as it does after a
// restart. The HPA scales in at the first sample after an outage. After looks that rested on assumptions, if for a whole window there
// was no other, it is what was assumed that holds. A workload that is always looked at after a gap, such as one of a coarse trace, is
// held at every other look only.
func (v *view) resume(d draft) draft {
	h := &v.history
	d.resumed = h.resumed
	last := h.Recommendations[len(h.Recommendations)-1].Time
	gap := max(window(v.policy.Up), window(v.policy.Down), longestGap, 2*v.policy.SyncPeriod)
	blind := v.Time.Sub(last) > gap && !h.resumed.Time.Equal(last)
	unsure := !d.look.assumed() && last.After(h.certain) && v.Time.Sub(h.certain) > window(v.policy.Down) && !h.resumed.Time.Equal(h.certain)
	switch {
	case !v.repairs(RepairBlind):
	case blind:
		d.resumed = Recommendation{Time: v.Time, Replicas: v.Replicas, Basis: Found}
	case unsure && !h.certain.IsZero():
		d.resumed = Recommendation{Time: v.Time, Replicas: v.assumed(), Basis: Assumed}
	}
	return d
}

// assumed is the most that was proposed with assumptions in the scale-down window, and no more than the present number; that if there was
// nothing.
func (v *view) assumed() int32 {
	e := v.history.envelope(v.Time, nothing, &v.policy, basesOf(Assumed))
	if e.high.replicas == nothing {
		return v.Replicas
	}
	return min(e.high.replicas, v.Replicas)
}

// remembered is the history for the next look: with what the metrics have asked for at this one, if it came to that.
func (v *view) remembered(d *draft) History {
	h := v.history
	if d.Metrics != nil || v.Replicas == 0 {
		h.failing = d.failing // replicas that are brought back within their bounds say nothing about metrics
	}
	if !d.asked.idle() {
		h.active = v.Time
	}
	if d.final {
		return h
	}
	h = v.recorded(h, d.look)
	h.asked, h.outside, h.needed, h.resumed = d.look.proposed, d.asked.outside, v.needs(&d.asked), d.resumed
	return h
}

// oldestSample is how long a change is remembered for the samples from before it: as old as those of the usual windows are
// at most, and more.
const oldestSample = 5 * time.Minute

// recorded adds what was proposed at one look, and drops what no window, no policy and no sample looks at any more.
//
// It repairs "what was assumed is remembered as recommended": where assumptions had a say, what the observations alone
// recommend is remembered, and beside it what was assumed.
func (v *view) recorded(h History, l look) History {
	p := &v.policy
	kept := make([]Recommendation, 0, len(h.Recommendations)+2)
	keep := func(r Recommendation) {
		kept = slices.DeleteFunc(kept, func(old Recommendation) bool {
			return old.Replicas == r.Replicas && (old.Basis == r.Basis || r.Basis == Recommended)
		})
		kept = append(kept, r)
	}
	oldest := v.Time.Add(-max(window(p.Up), window(p.Down)))
	for _, old := range h.Recommendations {
		if old.Time.After(oldest) {
			kept = append(kept, old)
		}
	}
	if !l.assumed() {
		h.certain = v.Time
	}
	if l.alone != nothing {
		keep(Recommendation{Time: v.Time, Replicas: l.alone})
	}
	if l.assumed() {
		keep(Recommendation{Time: v.Time, Replicas: l.proposed, Basis: Assumed})
	}
	h.Recommendations = kept
	if !v.Compat {
		h.Changes = h.since(v.Time.Add(-max(longestPeriod(p.Up), longestPeriod(p.Down), oldestSample)))
	}
	return h
}
