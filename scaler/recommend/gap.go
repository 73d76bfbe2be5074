package recommend

import "time"

// longestGap is how long a workload may go without an evaluation before what is remembered of it is out of date.
const longestGap = 5 * time.Minute

// resume repairs "stabilization ends with the last look": at the first evaluation after an outage of the metrics, a pause
// or a time at 0 replicas that outlasted the window, the present number holds scale-in for a window, as it does after a
// restart. The HPA scales in at the first sample after an outage. After looks that rested on assumptions, if for a whole window there
// was no other, it is what was assumed that holds. A workload that is always evaluated after a gap, such as one of a coarse trace, is
// held at every other evaluation only.
func (v *view) resume(h History, l look) History {
	last := h.Recommendations[len(h.Recommendations)-1].Time
	gap := max(window(v.policy.Up), window(v.policy.Down), longestGap, 2*v.policy.SyncPeriod)
	blind := v.Time.Sub(last) > gap && !h.resumed.Time.Equal(last)
	unsure := !l.assumed() && last.After(h.certain) && v.Time.Sub(h.certain) > window(v.policy.Down) && !h.resumed.Time.Equal(h.certain)
	switch {
	case !v.repairs(RepairBlind):
	case blind:
		h.resumed = Recommendation{Time: v.Time, Replicas: v.Replicas, Basis: Found}
	case unsure && !h.certain.IsZero():
		h.resumed = Recommendation{Time: v.Time, Replicas: v.assumed(h), Basis: Assumed}
	}
	return h
}

// assumed is the most that was proposed with assumptions in the scale-down window, and no more than the present number; that if there was
// nothing.
func (v *view) assumed(h History) int32 {
	e := h.envelope(v.Time, nothing, &v.policy, basesOf(Assumed))
	if e.high.replicas == nothing {
		return v.Replicas
	}
	return min(e.high.replicas, v.Replicas)
}
