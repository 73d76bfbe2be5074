package recommend

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

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

// settled repairs "a sample is evaluated against replicas that it knows nothing of": on the way in, a sample whose window
// began before the last change counts as at least the target. Each pod that a scale-in removes is a reason to look
// again, and what its siblings used while it still carried its share would take the workload down step by step:
// 40 -> 8 -> 2. The HPA looks every 15 s, by which time there usually is a newer sample. It also returns how many
// samples that concerned.
func (v view) settled(m resourceMetric, pods []reading, ratio float64) ([]reading, int) {
	held := 0
	if v.Compat || ratio >= 1 {
		return pods, held
	}
	for i, pod := range pods {
		if at := m.atTarget(pod); pod.before && pod.usage < at.usage {
			pods[i] = at
			held++
		}
	}
	return pods, held
}

// unseen repairs "a pod that is not seen does not exist": replicas that the Deployment's status counts and whose pods
// are not among those gathered are missing. Watches are not ordered among each other, so that a pod can be known
// before the ReplicaSet that makes it one of this workload's. Their request is the average of the others.
func (v view) unseen(c *cohort) {
	seen := len(c.ready) + len(c.unready) + len(c.missing)
	count := int(min(v.Replicas, v.StatusReplicas)) - seen
	if v.Compat || count <= 0 || seen == 0 {
		return
	}
	var total int64
	for _, group := range [][]reading{c.ready, c.unready, c.missing} {
		for _, pod := range group {
			total = add(total, pod.request)
		}
	}
	for range count {
		c.missing = append(c.missing, reading{request: total / int64(seen)})
	}
}

// longestGap is how long a workload may go without an evaluation before what is remembered of it is out of date.
const longestGap = 5 * time.Minute

// blind repairs "stabilization ends with the last look": after an outage of the metrics, a pause or a time at 0 replicas
// that outlasted the window, the present number counts as a recommendation again, as it does after a restart. The HPA
// scales in at the first sample after an outage.
func (r Rules) blind(h History, s Snapshot, p annotations.Policy) bool {
	gap := max(window(p.Up), window(p.Down), longestGap, 2*p.SyncPeriod)
	last := h.Samples[len(h.Samples)-1].Time
	return !r.Compat && s.Time.Sub(last) > gap
}
