package recommend

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// The repairs: where the HPA controller is known to decide wrongly, mini-hpa decides otherwise unless Rules says not to.
// Each is one small rule, here or, where it is a part of a larger one, there: byValue, byAverage, careful, numbers.

// stale repairs "a stale sample is a sample": a sample older than two of its windows plus the publishing period is
// missing. The HPA takes it at face value and may scale in on load that is long past.
func (v *view) stale(u *usage, c *cohort) bool {
	if !v.repairs(RepairStale) || u.at.IsZero() {
		return false
	}
	left := u.lasts() - v.Time.Sub(u.taken)
	if left <= 0 {
		if u.taken.After(c.newest) {
			c.newest = u.taken
		}
		return true
	}
	if c.fresh == 0 || left < c.fresh {
		c.fresh = left
	}
	return false
}

// against repairs "never against the ratio": usage below the target never scales out, above it never in. The HPA
// multiplies the ratio by the ready pods without a look at spec.replicas, so that surge pods of a rollout scale out a
// workload below its target (kubernetes/kubernetes#72775); only where it made assumptions for some pods it looks. It says whether it
// had to.
func (v *view) against(current int32, o *outlook) bool {
	turned := o.reason == ReasonOutside && o.turned(current) && v.repairs(RepairAgainst)
	if turned {
		o.to, o.reason = current, ReasonAgainst
	}
	return turned
}

// totalWindow is what the value of an Object or External metric covers at least: systems outside the cluster publish
// minutes late, and their adapters mostly do not say so.
const totalWindow = 5 * time.Minute

// outdated repairs "a stale sample is a sample" for values that do not describe the pods: one that is older than two
// windows is a failure of its metric. An adapter that does not say how old it is speaks of now.
func (v *view) outdated(d *draft, name string, at time.Time, windowSeconds *int64) *Failure {
	if at.IsZero() || !v.repairs(RepairStale) {
		return nil
	}
	u := usage{window: totalWindow}
	if windowSeconds != nil {
		u.window = max(u.window, time.Duration(*windowSeconds)*time.Second)
	}
	if end := at.Add(u.lasts()); end.After(v.Time) {
		d.before(end)
		return nil
	}
	d.repaired(RepairStale, true)
	return &Failure{Metric: name, Reason: ReasonNoSamples, Detail: fmt.Sprintf("metric %s: its value is %s old", name, v.Time.Sub(at).Truncate(time.Second))}
}

// more adds to the HPA's assumptions those of the repairs that depend on the direction. It returns the ones that have something
// to say.
//
// "Monotone in load": pods that were ready and are not count as being at their target, up to the replicas that are asked for. The
// HPA leaves them out, so that half of the pods turning unready halves the workload.
//
// "What has never been ready holds nothing": pods that have never been ready carry nothing, so on the way in they do not count, and on the
// way out they use nothing yet. So it is in the HPA for CPU; for what they use before they serve, such as memory, it counts them.
//
// "What is not known to serve is no capacity": on the way out, pods of which nobody knows whether they are ready keep their place, and
// the others have to carry the load. On the way in they are like those that have turned unready.
//
// "A sample is evaluated against replicas that it knows nothing of": a sample whose window began while there were more replicas
// counts with what the pod uses once the present ones carry what all of those did. Each pod that a scale-in removes is a reason to look
// again, and what its siblings used while it still carried its share would take the workload down step by step: 40 -> 8 -> 2. The
// HPA looks every 15 s, by which time there usually is a newer sample. Pods do not use equally much, so until there is one
// the scale-in ends where the samples had it end at first: see draft.envelope.
//
// "What a pod uses while it warms up is not what its load asks for", on the way out: see warming.
func (v *view) more(d *draft, c *cohort, as *treatments, ratio float64) Repairs {
	if ratio > 1 {
		return v.moreOut(d, c, as)
	}
	var bits Repairs
	if c.partlyKnown() {
		as.mark[unknownReady], as.mark[neverServed] = absent, absent
		bits |= RepairUnknown&(c.some(unknownReady)|c.some(lost)) | RepairNever&c.some(neverServed)
	}
	if ratio == 1 { // nothing changes, and pods that are not known to be ready have no say in that
		return bits
	}
	as.mark[neverReady], as.mark[neverSampled], as.mark[awaited] = absent, absent, absent
	as.mark[turnedUnready] = atLeastTarget
	bits |= RepairNever&c.some(neverSampled) | RepairUnseen&c.some(unseen) | RepairUnready&c.some(turnedUnready)
	if c.partlyKnown() {
		as.mark[unknownReady] = atLeastTarget
	}
	waiting := c.count[inUnready] - c.marked[neverReady] - c.marked[awaited]
	room := int(v.Replicas) - c.count[inReady] - c.count[inMissing] + c.marked[neverSampled] + c.marked[neverServed]
	if v.repairs(RepairUnready) && waiting > 0 && room > 0 {
		as.group[inUnready], as.unready = atTarget, room
		bits |= RepairUnready
	}
	if v.repairs(RepairSettled) && c.early > 0 {
		as.group[inReady] = settled
		bits |= RepairSettled
	}
	return bits
}

// moreOut is more on the way out.
func (v *view) moreOut(d *draft, c *cohort, as *treatments) Repairs {
	bits := RepairUnseen & (c.some(unseen) | c.some(awaited))
	if c.warming > 0 {
		as.group[inReady], as.warm = atMostOthers, c.warm(&d.numbers)
		bits |= RepairWarmUp
	}
	if c.partlyKnown() {
		as.mark[unknownReady], as.mark[lost], as.mark[neverServed] = beside, beside, idle
		bits |= RepairUnknown&(c.some(unknownReady)|c.some(lost)) | RepairNever&c.some(neverServed)
	}
	return bits
}

// some is every repair if a pod has the mark, else none.
func (c *cohort) some(m mark) Repairs {
	if c.marked[m] > 0 {
		return ^Repairs(0)
	}
	return 0
}

// known is how many of the HPA's ready pods are known to be, or to have been ready.
func (c *cohort) known() int {
	return c.count[inReady] - c.marked[unknownReady] - c.marked[neverServed]
}

// partlyKnown says that some pods are known to be ready, and others are not.
func (c *cohort) partlyKnown() bool {
	return c.known() > 0 && c.marked[unknownReady]+c.marked[lost]+c.marked[neverServed] > 0
}

// spoken is how many pods the measured usage is of.
func (c *cohort) spoken() int {
	if c.partlyKnown() {
		return c.known()
	}
	return c.count[inReady]
}

// firstReady is how long after its start a pod becomes ready for the first time, at the latest, if no other pod of the workload is known to
// take longer. What turns ready later than that was ready before.
const firstReady = 5 * time.Minute

// warmUp is what a pod and its CPU sample tell of the pod's warm-up.
type warmUp struct {
	// after is how long after its start the pod became what it is, ready or not.
	after time.Duration
	// early says that the sample's window began less than mini-hpa/warm-up after that, ready that the pod is.
	early, ready bool
}

// warmingUp is what is known of one pod's warm-up. The sample is asked, not the clock: what is known of a pod is from its warm-up until there
// is a later sample, so that time alone changes nothing.
//
//	start ---- ready ---- warm-up ---->|
//	                [ warming  ]   [ warming ]   [ past ]      samples
func (v *view) warmingUp(pod *corev1.Pod, u *usage) warmUp {
	condition := readyCondition(pod)
	if v.warmUp == 0 || !u.cpu || condition == nil || pod.Status.StartTime == nil {
		return warmUp{}
	}
	since := condition.LastTransitionTime.Time
	began := u.taken.Add(u.kubeletAhead(pod) - u.window)
	if u.at.IsZero() {
		began = v.Time
	}
	return warmUp{after: since.Sub(pod.Status.StartTime.Time), early: began.Before(since.Add(v.warmUp)), ready: condition.Status == corev1.ConditionTrue}
}

// warming finds the pods whose CPU sample is of their warm-up. Usage that new pods have whatever their load makes more of them, which do the
// same. On the way out they count like the others; if all pods are new, nothing is known of the load. On the way in they count as they are.
//
// A pod warms up once. Its Ready condition knows its last change only, and under an overload that makes readiness flap,
// pods that begin to warm up each time would never scale out. So a pod that is ready late was ready before, unless one that is past its
// warm-up took about as long: pods of one workload start alike. Then there are others whose usage tells of the load.
func (v *view) warming(c *cohort) {
	usual, quickest := max(firstReady, v.CPUInitializationPeriod), time.Duration(0)
	for i := range c.readings {
		if w := &c.readings[i].warmUp; w.ready && !w.early && (quickest == 0 || w.after < quickest) {
			quickest = w.after
		}
	}
	const alike = 2
	for i := range c.readings {
		r := &c.readings[i]
		if w := &r.warmUp; w.early && (w.after <= usual || w.ready && w.after <= alike*quickest) {
			r.warming = true
			c.warming++
		}
	}
}

// unseen repairs "a pod that is not seen does not exist": replicas that the Deployment's status counts and whose pods
// are not among those gathered are missing, and those that it does not count yet are unready. Watches are not ordered among each
// other, so that a pod can be known before the ReplicaSet that makes it one of this workload's, and the status lags behind both.
// Their request is the average of the others.
func (v *view) unseen(d *draft, c *cohort) {
	seen := len(c.readings)
	if seen == 0 || int(v.Replicas) <= seen || !v.repairs(RepairUnseen) {
		return
	}
	var total int64
	for i := range c.readings {
		total = d.numbers.add(total, c.readings[i].request)
	}
	counted := max(int(min(v.Replicas, v.StatusReplicas)), seen)
	for _, r := range []reading{{group: inMissing, mark: unseen, times: int32(counted - seen)}, {group: inUnready, mark: awaited, times: v.Replicas - int32(counted)}} {
		if r.request = total / int64(seen); r.times > 0 {
			c.add(r)
		}
	}
}

// bystander is a pod that does not take part. It repairs "only the pods that take part need requests": the HPA fails
// the whole metric for a pod without a request that is being deleted.
func (v *view) bystander(d *draft, m *podMetric, pod *corev1.Pod) *Failure {
	failure := m.lacking(pod)
	if failure == nil || d.repaired(RepairParticipants, v.repairs(RepairParticipants)) {
		return nil
	}
	return failure
}

// omit repairs "an injected sidecar without a request blinds": a container without a request, or with one of 0, is left out of usage and
// requests, as long as another one of the pod has a request, and the decision names it. The HPA fails the whole metric.
func (v *view) omit(d *draft, m *podMetric, pod *corev1.Pod, container string) bool {
	if m.container != "" || !requested(m, pod) || !d.repaired(RepairSidecar, v.repairs(RepairSidecar)) {
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
func requested(m *podMetric, pod *corev1.Pod) bool {
	for part := range podspec.Request(&pod.Spec, m.resource, "") {
		if part.Sign() > 0 {
			return true
		}
	}
	return false
}

// omitted says whether a container of a pod was left out because it has no request.
func (v *view) omitted(m *podMetric, pod *corev1.Pod, name string) bool {
	if pod == nil {
		return false
	}
	for part := range podspec.Request(&pod.Spec, m.resource, name) {
		if part.Container != nil && part.Container.Name == name {
			return part.Sign() <= 0
		}
	}
	return false
}

// longestGap is how long a workload may go without an evaluation before what is remembered of it is out of date.
const longestGap = 5 * time.Minute

// resume repairs "stabilization ends with the last look": at the first evaluation after an outage of the metrics, a pause
// or a time at 0 replicas that outlasted the window, the present number holds scale-in for a window, as it does after a
// restart. The HPA scales in at the first sample after an outage. After looks that rested on assumptions, if for a whole window there
// was no other, it is what was assumed that holds. A workload that is always evaluated after a gap, such as one of a coarse trace, is
// held at every other evaluation only.
func (r Rules) resume(h History, s Snapshot, l look, p annotations.Policy) History {
	last := h.Samples[len(h.Samples)-1].Time
	gap := max(window(p.Up), window(p.Down), longestGap, 2*p.SyncPeriod)
	blind := s.Time.Sub(last) > gap && !h.resumed.Time.Equal(last)
	unsure := !l.assumed() && last.After(h.certain) && s.Time.Sub(h.certain) > window(p.Down) && !h.resumed.Time.Equal(h.certain)
	switch {
	case !r.repairs(RepairBlind):
	case blind:
		h.resumed = Sample{Time: s.Time, Replicas: s.Replicas, Basis: Found}
	case unsure && !h.certain.IsZero():
		h.resumed = Sample{Time: s.Time, Replicas: h.assumed(s, p), Basis: Assumed}
	}
	return h
}

// assumed is the most that was proposed with assumptions in the scale-down window, and no more than the present number; that if there was
// nothing.
func (h History) assumed(s Snapshot, p annotations.Policy) int32 {
	e := h.envelope(s.Time, nothing, p, basesOf(Assumed))
	if e.high.replicas == nothing {
		return s.Replicas
	}
	return min(e.high.replicas, s.Replicas)
}
