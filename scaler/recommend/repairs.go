package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// The repairs: where the HPA controller is known to decide wrongly, mini-hpa decides otherwise unless Rules says not to.
// Each is one small rule, here or, where it is a part of a larger one, at the place that RepairTable names.

// stale repairs "a stale sample is a sample": a sample older than two of its windows plus the publishing period is
// missing. The HPA takes it at face value and may scale in on load that is long past.
func (v *view) stale(u usage, c *cohort) bool {
	if !v.repairs(RepairStale) || u.at.IsZero() {
		return false
	}
	if !u.end().After(v.Time) {
		return true
	}
	c.changes = earlier(c.changes, u.end())
	return false
}

// against repairs "never against the ratio": usage below the target never scales out, above it never in. The HPA
// multiplies the ratio by the ready pods without a look at spec.replicas, so that surge pods of a rollout scale out a
// workload below its target (kubernetes/kubernetes#72775); only where it made assumptions for some pods it looks.
func (v *view) against(d *draft, o outlook, to int32) bool {
	if o.careful < 1 && to <= d.Current || o.careful > 1 && to >= d.Current {
		return false
	}
	return o.assumed > 0 || d.repaired(RepairAgainst, v.repairs(RepairAgainst))
}

// unseen repairs "a pod that is not seen does not exist": replicas that the Deployment's status counts and whose pods
// are not among those gathered are missing. Watches are not ordered among each other, so that a pod can be known
// before the ReplicaSet that makes it one of this workload's. Their request is the average of the others.
func (v *view) unseen(d *draft, c *cohort) {
	seen := len(c.readings)
	count := int(min(v.Replicas, v.StatusReplicas)) - seen
	if count <= 0 || seen == 0 || !d.repaired(RepairUnseen, v.repairs(RepairUnseen)) {
		return
	}
	var total int64
	for i := range c.readings {
		total = d.numbers.add(total, c.readings[i].request)
	}
	for range count {
		c.add(reading{request: total / int64(seen), group: inMissing})
	}
}

// bystander is a pod that does not take part. It repairs "only the pods that take part need requests": the HPA fails
// the whole metric for a pod without a request that is being deleted.
func (v *view) bystander(d *draft, m *podMetric, pod *corev1.Pod) *Failure {
	_, failure := v.request(d, m, pod)
	if failure == nil || d.repaired(RepairParticipants, v.repairs(RepairParticipants)) {
		return nil
	}
	return failure
}

// omit repairs "an injected sidecar without a request blinds": a container without a request is left out of usage and
// requests, as long as another one of the pod has a request, and the decision names it. The HPA fails the whole metric.
func (v *view) omit(d *draft, m *podMetric, pod *corev1.Pod, container string) bool {
	if m.container != "" || !v.requested(m, pod) || !d.repaired(RepairSidecar, v.repairs(RepairSidecar)) {
		return false
	}
	v.partial = true
	if d.Omitted == "" {
		d.Omitted = "container " + printable(container) + " has no " + string(m.resource) + " request and is left out of the " +
			string(m.resource) + " utilization"
	}
	return true
}

// requested says whether any container has a request to divide by.
func (v *view) requested(m *podMetric, pod *corev1.Pod) bool {
	for i := range len(pod.Spec.Containers) + len(pod.Spec.InitContainers) {
		if c := longRunning(pod, i); c != nil {
			if q, ok := c.Resources.Requests[m.resource]; v.counts(q, ok) {
				return true
			}
		}
	}
	return false
}

// omitted says whether a container of a pod was left out because it has no request.
func (v *view) omitted(m *podMetric, pod *corev1.Pod, name string) bool {
	if !v.partial || pod == nil {
		return false
	}
	for i := range len(pod.Spec.Containers) + len(pod.Spec.InitContainers) {
		if c := longRunning(pod, i); c != nil && c.Name == name {
			q, ok := c.Resources.Requests[m.resource]
			return !v.counts(q, ok)
		}
	}
	return false
}

// longestGap is how long a workload may go without an evaluation before what is remembered of it is out of date.
const longestGap = 5 * time.Minute

// blind repairs "stabilization ends with the last look": after an outage of the metrics, a pause or a time at 0 replicas
// that outlasted the window, the present number counts as a recommendation again, as it does after a restart. The HPA
// scales in at the first sample after an outage.
func (r Rules) blind(h History, s Snapshot, p annotations.Policy) bool {
	if len(h.Samples) == 0 || !r.repairs(RepairBlind) {
		return false
	}
	gap := max(window(p.Up), window(p.Down), longestGap, 2*p.SyncPeriod)
	return s.Time.Sub(h.Samples[len(h.Samples)-1].Time) > gap
}
