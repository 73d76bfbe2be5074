package replay

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

func notReady(pod *corev1.Pod) bool {
	return !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func deleted(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil }

func whole(pod *corev1.Pod) bool { return pod.Spec.Resources != nil }

func initial(pod *corev1.Pod) bool { return len(pod.Spec.InitContainers) > 0 }
