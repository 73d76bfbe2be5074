package recommend

import "time"

// The repairs: where the HPA controller is known to decide wrongly, mini-hpa decides otherwise unless Rules.Compat
// asks for the same decision. Each is one small rule.

// stale repairs "a stale sample is a sample": a sample older than two of its windows plus the publishing period is
// missing. The HPA takes it at face value and may scale in on load that is long past.
func (r Rules) stale(u *usage, now time.Time, c *cohort) bool {
	if r.Compat {
		return false
	}
	end := u.at.Add(2*u.window + sampleResolution)
	if !end.After(now) {
		return true
	}
	c.changes = earlier(c.changes, end)
	return false
}

// against repairs "never against the ratio": usage below the target never scales out, above it never in. The HPA
// multiplies the ratio by the ready pods without a look at spec.replicas, so that surge pods of a rollout scale out a
// workload below its target (kubernetes/kubernetes#72775); only where it made assumptions for some pods it looks.
func (r Rules) against(o outlook, to, current int32) bool {
	if r.Compat && o.assumed == 0 {
		return false
	}
	return o.careful < 1 && to > current || o.careful > 1 && to < current
}

// counted repairs "monotone in load": on the way in, a pod that is unready counts as being at its target. The HPA
// leaves it out, so that half of the pods turning unready halves the workload.
func (r Rules) counted(c *cohort, ratio float64) bool {
	return !r.Compat && ratio < 1 && len(c.unready) > 0
}
