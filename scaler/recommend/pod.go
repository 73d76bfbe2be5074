package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// group is how a pod takes part in a metric (HPA: groupPods).
//
//	being deleted, Failed (and Succeeded)        -> not at all
//	Pending                                      -> unready
//	no sample, or one that is too old            -> missing
//	CPU only: not ready since the sample began   -> unready
//	everything else                              -> ready
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
	// These three have never been ready. For the HPA, neverReady is an unready pod, neverSampled one whose sample is missing, and neverServed
	// a ready one: where the metric is not CPU, it does not ask whether a pod is ready.
	neverReady
	neverSampled
	neverServed
	// turnedUnready is a pod that was ready and is not any more, with a sample.
	turnedUnready
	// unknownReady is a pod with a sample, of which nobody knows whether it is ready; lost is such a pod without a sample, or with one that
	// does not speak for its normal work yet.
	unknownReady
	lost
	// unseen is a pod that the Deployment's status counts and nobody has seen, awaited one that is asked for and not counted there yet.
	unseen
	awaited
	markCount
)

// reading is what is added up of one pod, in milli-units.
type reading struct {
	usage, request int64
	// settled is the usage, or what it would be if the present replicas carried what more of them did in the sample's window.
	settled int64
	// warming says that the sample's window began before the pod's warm-up was over; warmUp is what the pod itself says of that.
	warmUp  warmUp
	warming bool
	group   group
	mark    mark
	// times is how many pods this is, if not one.
	times int32
}

// warmUp is what a pod and its CPU sample tell of the pod's warm-up.
type warmUp struct {
	// after is how long after its start the pod became what it is, ready or not.
	after time.Duration
	// early says that the sample's window began less than mini-hpa/warm-up after that, ready that the pod is.
	early, ready bool
}

// podFacts is all that a decision goes by of one pod, as one metric sees it.
type podFacts struct {
	reading
	// ignored pods take no part, and have no reading.
	ignored bool
	// early says that the sample's window began before the last change.
	early bool
	// taken is when the sample was taken, of a pod that is ready or whose sample is too old.
	taken time.Time
	// fresh is for how long the sample is fresh; 0 if it is not, or never grows stale.
	fresh time.Duration
	// changes is when time alone regroups the pod; zero if it does not.
	changes time.Time
	// omitted is a container that was left out because it has no request.
	omitted string
	repairs Repairs
}

// read is what one metric sees of one pod.
func (v *view) read(n *numbers, f *samples, pod *podspec.Pod) (facts podFacts, failure *Failure) {
	m := f.metric
	if ended := pod.Phase == corev1.PodSucceeded; ignored(pod) || ended && v.repairs(RepairParticipants) {
		f.find(n, pod.Name) // the next one's is after it
		return v.bystander(m, pod)
	}
	what, failure := m.request(n, pod, v.repairs(RepairSidecar))
	if failure != nil {
		return facts, failure
	}
	u := f.of(n, pod, what.omitted != "")
	facts.request, facts.omitted, facts.repairs = what.amount, what.omitted, RepairSidecar.when(what.omitted != "")|u.repairs
	left, fresh := v.fresh(&u)
	switch {
	case pod.Phase == corev1.PodPending:
		facts.group = inUnready
	case !u.found:
		facts.group = inMissing
	case !fresh:
		facts.group, facts.taken = inMissing, u.taken
		facts.repairs |= RepairStale
	default:
		unstarted, repairs := v.unstarted(pod, &u)
		facts.fresh, facts.repairs = left, facts.repairs|repairs
		if unstarted {
			facts.group, facts.changes = inUnready, v.initialized(pod, &u)
			break
		}
		facts.group, facts.usage, facts.settled, facts.taken = inReady, u.value, u.value, u.taken
		facts.warmUp, facts.early = v.warmingUp(pod, &u), v.early(&u)
		if facts.early && v.repairs(RepairSettled) {
			facts.settled = n.scaled(u.value, v.crowd(&u))
		}
	}
	facts.mark = v.mark(pod, facts.group)
	return facts, nil
}

// bystander is a pod that does not take part. It repairs "only the pods that take part need requests": the HPA fails the whole metric for
// a pod without a request that is being deleted. Pods that have Succeeded take part in the HPA, without a sample, and hold
// whichever way it would go (kubernetes/kubernetes#141298).
func (v *view) bystander(m *podMetric, pod *podspec.Pod) (podFacts, *Failure) {
	facts := podFacts{ignored: true, repairs: RepairParticipants.when(!ignored(pod))}
	_, failure := m.request(&numbers{}, pod, false)
	if failure != nil && v.repairs(RepairParticipants) {
		facts.repairs, failure = RepairParticipants, nil
	}
	return facts, failure
}

// mark is what the repairs know of a pod of that group.
func (v *view) mark(pod *podspec.Pod, g group) mark {
	never := v.neverReady(pod)
	switch {
	case never && v.repairs(RepairNever):
		return [groupCount]mark{inReady: neverServed, inUnready: neverReady, inMissing: neverSampled}[g]
	case g == inReady && !never && pod.Ready.Is(corev1.ConditionFalse) && v.repairs(RepairUnready):
		return turnedUnready
	case !unknown(pod) || !v.repairs(RepairUnknown):
		return unmarked
	case g == inReady:
		return unknownReady
	}
	return lost
}

// unstarted says whether a pod's sample does not speak for its normal work yet, at this moment. Only CPU depends on that.
//
// It repairs "a node's clock is not ours": the sample, this moment and the pod's life are put on one clock, the node's. Where that is
// minutes ahead or behind, the HPA looks at the wrong time of a pod's life.
func (v *view) unstarted(pod *podspec.Pod, u *usage) (bool, Repairs) {
	if !u.cpu {
		return false, 0
	}
	plain := v.unready(pod, u.at, u.window, v.initial)
	if u.ahead == 0 {
		return plain, 0 // the clocks agree
	}
	if right := v.unready(pod, u.taken.Add(u.kubelet), u.window, v.initial.Add(u.kubelet)); right != plain && v.repairs(RepairClock) {
		return right, RepairClock
	}
	return plain, 0
}

// initialized is when a pod leaves the period in which its CPU usage is looked at more closely; zero if it has.
func (v *view) initialized(pod *podspec.Pod, u *usage) time.Time {
	if pod.Started.IsZero() {
		return time.Time{}
	}
	end := pod.Started.Add(v.CPUInitializationPeriod)
	if v.repairs(RepairClock) {
		end = end.Add(-u.kubelet)
	}
	if end.After(v.Time) {
		return end
	}
	return time.Time{}
}

// warmingUp is what is known of one pod's warm-up. The sample is asked, not the clock: a pod warms up until there is a sample from after its
// warm-up, so that time alone changes nothing.
//
//	start ---- ready ---- warm-up ---->|
//	                [ warming  ]   [ warming ]   [ past ]      samples
func (v *view) warmingUp(pod *podspec.Pod, u *usage) warmUp {
	if v.policy.WarmUp == 0 || !u.cpu || pod.Ready.Is("") || pod.Started.IsZero() {
		return warmUp{}
	}
	began := u.taken.Add(u.kubelet - u.window)
	if u.at.IsZero() {
		began = v.Time
	}
	return warmUp{after: pod.Ready.Since.Sub(pod.Started), early: began.Before(pod.Ready.Since.Add(v.policy.WarmUp)), ready: pod.Ready.Is(corev1.ConditionTrue)}
}

// fresh says whether a sample is, and for how long; 0 if for ever. It repairs "a stale sample is a sample": one that is older than two of
// its windows plus the publishing period is missing. The HPA takes it at face value and may scale in on load that is long past.
func (v *view) fresh(u *usage) (left time.Duration, fresh bool) {
	if !v.repairs(RepairStale) || u.at.IsZero() {
		return 0, true
	}
	left = u.lasts() - v.Time.Sub(u.taken)
	return left, left > 0
}

// early says that a sample's window began before the last change of the replicas.
func (v *view) early(u *usage) bool {
	changes := v.history.Changes
	return len(changes) > 0 && !u.at.IsZero() && changes[len(changes)-1].Time.After(u.taken.Add(-u.window))
}

// crowd is by how many replicas the load was carried in a sample's window, as a multiple of those of now. Each of n replicas uses the
// n-th part of a steady load, so that the mean of several numbers is the harmonic one. Fewer than now count as if they were as many.
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
	changes := v.history.Changes
	for i := len(changes) - 1; i >= 0 && changes[i].Time.After(begin); i-- {
		until(changes[i].Time)
		then = float64(changes[i].From)
	}
	until(begin)
	return window.Seconds() / share
}
