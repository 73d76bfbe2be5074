package recommend

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// sampleResolution is how often metrics-server publishes (its --metric-resolution), the slack of a sample's age.
const sampleResolution = 15 * time.Second

// sampleGrace is how long a pod may go without a usable sample before that is worth a warning: metrics-server needs
// two scrapes for the first sample, and the sample must begin after the pod became ready.
const sampleGrace = time.Minute

// group is how a pod takes part in a metric.
type group uint8

const (
	inReady group = iota
	inUnready
	inMissing
	// inStray is a sample without a pod. Only the HPA controller counts those.
	inStray
	groupCount
)

// mark is what the repairs know of a pod beside its group, which is the HPA controller's.
type mark uint8

const (
	unmarked mark = iota
	// neverReady is a pod that has never been ready, neverSampled one of them that the HPA takes for one without a sample, and
	// neverServed one with a sample that it counts all the same, because that is not of CPU.
	neverReady
	neverSampled
	neverServed
	// turnedUnready is a pod with a sample that was ready and is not.
	turnedUnready
	// unknownReady is a pod with a sample of which nobody knows whether it is ready, lost is one without, or with one that says
	// nothing yet.
	unknownReady
	lost
	// unseen is a pod that the Deployment's status counts and nobody has seen, awaited one that it does not count yet.
	unseen
	awaited
	markCount
)

// reading is one pod as one metric sees it, in milli-units.
type reading struct {
	usage, request int64
	// times is how many pods this is, if not one.
	times int32
	group group
	// settled is the usage, or what it would be if the present replicas carried what more of them did in the sample's window.
	settled int64
	// warming says that the sample's window began before the pod's warm-up was over; warmUp is what the pod itself says of that.
	warming bool
	warmUp  warmUp
	mark    mark
}

// cohort is the workload's pods as one metric sees them (HPA: groupPods).
//
//	being deleted, Failed (and Succeeded)        -> ignored
//	Pending                                      -> unready
//	no sample, or one that is too old            -> missing
//	CPU only: not ready since the sample began   -> unready
//	everything else                              -> ready
type cohort struct {
	readings []reading
	count    [groupCount]int
	ignored  int
	// early is how many of the ready have a sample whose window began before the last change.
	early  int
	marked [markCount]int
	// warming is how many of the ready are warming up.
	warming int
	// oldest is when the oldest sample among the ready was taken, newest the newest one among those that are too old.
	oldest, newest time.Time
	// changes is the earliest moment at which time alone regroups a pod; zero if none.
	changes time.Time
	// fresh is how long all samples stay fresh that are; 0 if none is or none grows stale.
	fresh time.Duration
}

// sort puts the pods into their groups and reads usage and request of those that take part.
func (v *view) sort(d *draft, m *podMetric) (cohort, *Failure) {
	v.finder(d, m)
	c := cohort{readings: make([]reading, 0, len(v.Pods)+1)}
	for _, pod := range v.Pods {
		if !v.participates(d, pod) {
			c.ignored++
			v.find(d, m, pod.Name)
			if failure := v.bystander(d, m, pod); failure != nil {
				return c, failure
			}
			continue
		}
		what, failure := v.request(d, m, pod)
		if failure != nil {
			return c, failure
		}
		c.place(v, d, pod, v.usage(d, m, v.find(d, m, pod.Name), pod), what)
	}
	v.warming(&c)
	v.strays(d, m, &c)
	v.unseen(d, &c)
	return c, nil
}

// ignored pods are on their way out (HPA: ignoredPods).
func ignored(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed
}

// participates says whether a pod takes part. Those that have Succeeded do not, which is a part of the repair "only the pods that take
// part": in the HPA they have no sample, and hold whichever way it would go (kubernetes/kubernetes#141298).
func (v *view) participates(d *draft, pod *corev1.Pod) bool {
	ended := pod.Status.Phase == corev1.PodSucceeded
	return !ignored(pod) && !(ended && d.repaired(RepairParticipants, v.repairs(RepairParticipants)))
}

func (c *cohort) add(r reading) {
	times := int(max(r.times, 1))
	c.readings = append(c.readings, r)
	c.count[r.group] += times
	c.marked[r.mark] += times
}

// place puts one pod that takes part into its group.
func (c *cohort) place(v *view, d *draft, pod *corev1.Pod, u *usage, request int64) {
	r := reading{request: request}
	switch {
	case pod.Status.Phase == corev1.PodPending:
		r.group = inUnready
	case !u.found || d.repaired(RepairStale, v.stale(u, c)):
		r.group = inMissing
	case u.cpu && v.unstarted(d, pod, u):
		r.group = inUnready
		c.changes = earlier(c.changes, v.initialized(pod, u))
	default:
		r.usage, r.warmUp = u.value, v.warmingUp(pod, u)
		if r.settled = u.value; c.sampled(v, u) && v.repairs(RepairSettled) {
			r.settled = d.numbers.scaled(u.value, v.crowd(u))
		}
	}
	r.mark = v.mark(pod, r.group)
	c.add(r)
}

// mark is what the repairs know of a pod of that group.
func (v *view) mark(pod *corev1.Pod, g group) mark {
	switch {
	case v.repairs(RepairNever) && v.neverReady(pod):
		return [groupCount]mark{inReady: neverServed, inUnready: neverReady, inMissing: neverSampled}[g]
	case g == inReady && v.repairs(RepairUnready) && !v.neverReady(pod) && readyCondition(pod).Status == corev1.ConditionFalse:
		return turnedUnready
	case g == inReady && v.repairs(RepairUnknown) && unknown(pod):
		return unknownReady
	case g != inReady && v.repairs(RepairUnknown) && unknown(pod):
		return lost
	}
	return unmarked
}

// neverReady says that a pod has never been ready, as far as its conditions tell (HPA: groupPods, for pods past their start).
func (r *Rules) neverReady(pod *corev1.Pod) bool {
	condition := readyCondition(pod)
	if pod.Status.Phase == corev1.PodPending || condition == nil || pod.Status.StartTime == nil {
		return true
	}
	return condition.Status == corev1.ConditionFalse && pod.Status.StartTime.Add(r.InitialReadinessDelay).After(condition.LastTransitionTime.Time)
}

// unknown says that the kubelet of the pod's node has not been heard of for a while.
func unknown(pod *corev1.Pod) bool {
	condition := readyCondition(pod)
	return condition != nil && condition.Status == corev1.ConditionUnknown
}

// sampled remembers what is said of all samples together, and says whether this one began before the last change.
func (c *cohort) sampled(v *view, u *usage) bool {
	if c.oldest.IsZero() || u.taken.Before(c.oldest) {
		c.oldest = u.taken
	}
	n := len(v.changes)
	early := n > 0 && !u.began().IsZero() && v.changes[n-1].Time.After(u.began())
	if early {
		c.early++
	}
	return early
}

// crowd is by how many replicas the load was carried in a sample's window, as a multiple of those of now. Each of n replicas uses the
// n-th part of a steady load, so it is their harmonic mean. Fewer than now count as if they were as many.
//
//	replicas  8 ____________
//	          4             |____      12 s with 8 and 3 s with 4 replicas, which there are now:
//	            <---- 15 s ---->       15 / (12 * 4/8 + 3 * 4/4) = 1.67
func (v *view) crowd(u *usage) float64 {
	window := max(u.window, 1) // a value of one moment has none
	begin, end := u.taken.Add(-window), u.taken
	now, then, share := float64(v.Replicas), float64(v.Replicas), 0.0
	until := func(from time.Time) {
		if from.Before(end) {
			share += end.Sub(from).Seconds() * now / max(then, now)
			end = from
		}
	}
	for i := len(v.changes) - 1; i >= 0 && v.changes[i].Time.After(begin); i-- {
		until(v.changes[i].Time)
		then = float64(v.changes[i].From)
	}
	until(begin)
	return window.Seconds() / share
}

// unstarted is unready at this moment. It repairs "a node's clock is not ours": sample, moment and the pod's life are put on one
// clock. Where that of the node is minutes ahead or behind, the HPA looks at the wrong time of a pod's life.
func (v *view) unstarted(d *draft, pod *corev1.Pod, u *usage) bool {
	plain := v.unready(pod, u, v.Time)
	ahead := u.kubeletAhead(pod)
	onNode := usage{at: u.taken.Add(ahead), window: u.window}
	if right := v.unready(pod, &onNode, v.Time.Add(ahead)); right != plain && d.repaired(RepairClock, v.repairs(RepairClock)) {
		return right
	}
	return plain
}

// unready says whether a pod's CPU sample does not speak for the pod's normal work yet.
//
//	start ----- CPUInitializationPeriod -----|------------------------------>
//	  unready: Ready is False, or the         unready: Ready is False and was
//	  sample began before it became ready     never True for longer than
//	                                          InitialReadinessDelay after start
func (r *Rules) unready(pod *corev1.Pod, u *usage, now time.Time) bool {
	condition := readyCondition(pod)
	if condition == nil || pod.Status.StartTime == nil {
		return true
	}
	start, since := pod.Status.StartTime.Time, condition.LastTransitionTime.Time
	notReady := condition.Status == corev1.ConditionFalse
	if start.Add(r.CPUInitializationPeriod).After(now) {
		return notReady || u.at.Before(since.Add(u.window))
	}
	return notReady && start.Add(r.InitialReadinessDelay).After(since)
}

// initialized is when a pod leaves the period in which its CPU usage is looked at more closely; zero if it has.
func (v *view) initialized(pod *corev1.Pod, u *usage) time.Time {
	if pod.Status.StartTime == nil {
		return time.Time{}
	}
	end := pod.Status.StartTime.Add(v.CPUInitializationPeriod)
	if v.repairs(RepairClock) {
		end = end.Add(-u.kubeletAhead(pod))
	}
	if end.After(v.Time) {
		return end
	}
	return time.Time{}
}

// over says that a pod has ended or is about to: its ReplicaSet does not count it any more.
func over(pod *corev1.Pod) bool {
	return ignored(pod) || pod.Status.Phase == corev1.PodSucceeded
}

// serves says that a pod runs and is ready.
func serves(pod *corev1.Pod) bool {
	condition := readyCondition(pod)
	return pod.Status.Phase == corev1.PodRunning && condition != nil && condition.Status == corev1.ConditionTrue
}

func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// failure says why no pod can be measured; nil if at least one can.
func (v *view) failure(c *cohort, m *podMetric) *Failure {
	known := c.count[inReady] + c.count[inUnready] + c.count[inMissing]
	if c.count[inReady] > 0 || c.count[inStray] > 0 && len(v.Pods) > 0 {
		return nil
	}
	f, counts := &Failure{Metric: m.name, Reason: ReasonNoSamples}, c.counts()
	switch {
	case known == 0:
		f.Reason, f.Detail = ReasonNoPods, fmt.Sprintf("no pods to measure (%d being deleted, failed or ended)", c.ignored)
	case v.young():
		f.Reason, f.Detail = ReasonAwaitingSample, fmt.Sprintf("waiting for the first %s sample of %s", m.name, &counts)
	default:
		f.Detail = fmt.Sprintf("no usable %s sample of any pod: %s", m.name, &counts)
		if !c.newest.IsZero() {
			f.Detail += fmt.Sprintf("; the newest is %s old", v.Time.Sub(c.newest).Truncate(time.Second))
		}
	}
	return f
}

// young says that no pod is old enough for a missing sample to be a problem.
func (v *view) young() bool {
	return !slices.ContainsFunc(v.Pods, func(pod *corev1.Pod) bool {
		return !over(pod) && v.Time.Sub(pod.CreationTimestamp.Time) >= sampleGrace
	})
}

// podCounts is how many pods there are of each group.
type podCounts struct {
	// others count as ready without being known to be; strays are samples of pods that do not exist.
	known, others, unready, missing, ignored, strays int
}

func (c *cohort) counts() podCounts {
	n := &c.count
	return podCounts{known: c.known(), others: n[inReady] - c.known(), unready: n[inUnready], missing: n[inMissing], ignored: c.ignored, strays: n[inStray]}
}

// all is how many take part.
func (c *podCounts) all() int { return c.known + c.others + c.unready + c.missing }
