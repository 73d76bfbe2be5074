package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

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

// warm marks the pods whose CPU sample is of their warm-up. Usage that new pods have whatever their load makes more of them, which do the
// same. On the way out they count like the others; if all pods are new, nothing is known of the load. On the way in they count as they are.
//
// A pod warms up once. Its Ready condition knows its last change only, and under an overload that makes readiness flap,
// pods that begin to warm up each time would never scale out. So a pod that is ready late was ready before, unless one that is past its
// warm-up took about as long: pods of one workload start alike. Then there are others whose usage tells of the load.
func (c *cohort) warm(usual time.Duration) {
	quickest := time.Duration(0)
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
