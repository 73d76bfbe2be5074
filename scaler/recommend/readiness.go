package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// ignored pods are on their way out (HPA: ignoredPods).
func ignored(pod *podspec.Pod) bool {
	return !pod.Deleted.IsZero() || pod.Phase == corev1.PodFailed
}

// over says that a pod has ended or is about to: its ReplicaSet does not count it any more.
func over(pod *podspec.Pod) bool {
	return ignored(pod) || pod.Phase == corev1.PodSucceeded
}

// serves says that a pod runs and is ready.
func serves(pod *podspec.Pod) bool {
	return pod.Phase == corev1.PodRunning && pod.Ready.Is(corev1.ConditionTrue)
}

// unknown says that the kubelet of the pod's node has not been heard of for a while.
func unknown(pod *podspec.Pod) bool { return pod.Ready.Is(corev1.ConditionUnknown) }

// neverReady says that a pod has never been ready, as far as its conditions tell (HPA: groupPods, for pods past their start).
func (r *Rules) neverReady(pod *podspec.Pod) bool {
	if pod.Phase == corev1.PodPending || pod.Ready.Is("") || pod.Started.IsZero() {
		return true
	}
	return pod.Ready.Is(corev1.ConditionFalse) && pod.Started.Add(r.InitialReadinessDelay).After(pod.Ready.Since)
}

// unready says whether a CPU sample of that time and window does not speak for the pod's normal work yet. Pods that have started after
// initial are in their CPUInitializationPeriod.
//
//	start ----- CPUInitializationPeriod -----|------------------------------>
//	  unready: Ready is False, or the         unready: Ready is False and was
//	  sample began before it became ready     never True for longer than
//	                                          InitialReadinessDelay after start
func (r *Rules) unready(pod *podspec.Pod, at time.Time, window time.Duration, initial time.Time) bool {
	if pod.Ready.Is("") || pod.Started.IsZero() {
		return true
	}
	notReady := pod.Ready.Is(corev1.ConditionFalse)
	if pod.Started.After(initial) {
		return notReady || at.Before(pod.Ready.Since.Add(window))
	}
	return notReady && pod.Started.Add(r.InitialReadinessDelay).After(pod.Ready.Since)
}
