package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ignored pods are on their way out (HPA: ignoredPods).
func ignored(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed
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

// unknown says that the kubelet of the pod's node has not been heard of for a while.
func unknown(pod *corev1.Pod) bool {
	condition := readyCondition(pod)
	return condition != nil && condition.Status == corev1.ConditionUnknown
}

func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// neverReady says that a pod has never been ready, as far as its conditions tell (HPA: groupPods, for pods past their start).
func (r *Rules) neverReady(pod *corev1.Pod) bool {
	condition := readyCondition(pod)
	if pod.Status.Phase == corev1.PodPending || condition == nil || pod.Status.StartTime == nil {
		return true
	}
	return condition.Status == corev1.ConditionFalse && pod.Status.StartTime.Add(r.InitialReadinessDelay).After(condition.LastTransitionTime.Time)
}

// unstarted says whether a pod's sample does not speak for its normal work yet, at this moment. Only CPU depends on that. It repairs "a node's clock is not ours": sample, moment and the pod's life are put on one
// clock. Where that of the node is minutes ahead or behind, the HPA looks at the wrong time of a pod's life.
func (v *view) unstarted(pod *corev1.Pod, u *usage) (bool, Repairs) {
	if !u.cpu {
		return false, 0
	}
	plain := v.unready(pod, u, v.Time)
	if u.at.Equal(u.taken) {
		return plain, 0 // the clocks agree
	}
	ahead := u.kubeletAhead(pod)
	onNode := usage{at: u.taken.Add(ahead), window: u.window}
	if right := v.unready(pod, &onNode, v.Time.Add(ahead)); right != plain && v.repairs(RepairClock) {
		return right, RepairClock
	}
	return plain, 0
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
