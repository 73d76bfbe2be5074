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

// life is a pod and what its conditions say of its life; they are looked through once.
type life struct {
	*corev1.Pod
	// ready is the condition of that name, scheduled the one that says when a node was chosen; nil if the pod has none.
	ready, scheduled *corev1.PodCondition
}

func lifeOf(pod *corev1.Pod) life {
	l := life{Pod: pod}
	for i := range pod.Status.Conditions {
		switch c := &pod.Status.Conditions[i]; {
		case c.Type == corev1.PodReady && l.ready == nil:
			l.ready = c
		case c.Type == corev1.PodScheduled && l.scheduled == nil && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero():
			l.scheduled = c
		}
	}
	return l
}

// serves says that a pod runs and is ready.
func (l *life) serves() bool {
	condition := l.ready
	return l.Status.Phase == corev1.PodRunning && condition != nil && condition.Status == corev1.ConditionTrue
}

// unknown says that the kubelet of the pod's node has not been heard of for a while.
func (l *life) unknown() bool {
	condition := l.ready
	return condition != nil && condition.Status == corev1.ConditionUnknown
}

// neverReady says that a pod has never been ready, as far as its conditions tell (HPA: groupPods, for pods past their start).
func (r *Rules) neverReady(l *life) bool {
	condition := l.ready
	if l.Status.Phase == corev1.PodPending || condition == nil || l.Status.StartTime == nil {
		return true
	}
	return condition.Status == corev1.ConditionFalse && l.Status.StartTime.Add(r.InitialReadinessDelay).After(condition.LastTransitionTime.Time)
}

// unready says whether a CPU sample of that time and window does not speak for the pod's normal work yet. Pods that have started after
// initial are in their CPUInitializationPeriod.
//
//	start ----- CPUInitializationPeriod -----|------------------------------>
//	  unready: Ready is False, or the         unready: Ready is False and was
//	  sample began before it became ready     never True for longer than
//	                                          InitialReadinessDelay after start
func (r *Rules) unready(l *life, at time.Time, window time.Duration, initial time.Time) bool {
	condition, start := l.ready, l.Status.StartTime
	if condition == nil || start == nil {
		return true
	}
	since := &condition.LastTransitionTime
	notReady := condition.Status == corev1.ConditionFalse
	if start.After(initial) {
		return notReady || at.Before(since.Add(window))
	}
	return notReady && start.Add(r.InitialReadinessDelay).After(since.Time)
}
