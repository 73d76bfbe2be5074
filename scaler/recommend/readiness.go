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
