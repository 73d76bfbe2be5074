package annotations

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// isWhole says whether the pod has resources as a whole: then the API server sets its request of every resource that the pod
// or any container has a request or limit of (defaultPodRequests), and that is what the HPA controller reads.
func isWhole(pod *corev1.PodSpec) bool {
	return pod.Resources != nil && len(pod.Resources.Requests)+len(pod.Resources.Limits) > 0
}

// requestOf is the request that a container brings: its own, else its limit.
func requestOf(container *corev1.Container, name corev1.ResourceName) (resource.Quantity, bool) {
	if q, ok := container.Resources.Requests[name]; ok {
		return q, true
	}
	q, ok := container.Resources.Limits[name]
	return q, ok
}

// defaultRequest is the request above zero that a LimitRange gives to a container that has none, and the LimitRange's name.
func defaultRequest(ranges []*corev1.LimitRange, name corev1.ResourceName) (string, resource.Quantity, bool) {
	for _, r := range ranges {
		for i := range r.Spec.Limits {
			if amount, ok := defaultOf(&r.Spec.Limits[i], name); ok && amount.Sign() > 0 {
				return r.Name, amount, true
			}
		}
	}
	return "", resource.Quantity{}, false
}

// defaultOf is the default request of one item. What stands in for one that is not set is the API server's choice
// (SetDefaults_LimitRangeItem), which a manifest does not show yet.
func defaultOf(item *corev1.LimitRangeItem, name corev1.ResourceName) (resource.Quantity, bool) {
	if item.Type != corev1.LimitTypeContainer {
		return resource.Quantity{}, false
	}
	for _, list := range [...]corev1.ResourceList{item.DefaultRequest, item.Default, item.Max, item.Min} {
		if amount, ok := list[name]; ok {
			return amount, true
		}
	}
	return resource.Quantity{}, false
}

// containerLists are the two lists of containers with their paths.
func containerLists(spec *corev1.PodSpec) iter.Seq2[*field.Path, []corev1.Container] {
	return func(yield func(*field.Path, []corev1.Container) bool) {
		at := field.NewPath("spec", "template", "spec")
		if yield(at.Child("containers"), spec.Containers) {
			yield(at.Child("initContainers"), spec.InitContainers)
		}
	}
}

// longRunning are the containers that run as long as the pod, with their paths: the ordinary ones and the sidecars (KEP-753).
func longRunning(spec *corev1.PodSpec) iter.Seq2[*field.Path, *corev1.Container] {
	return func(yield func(*field.Path, *corev1.Container) bool) {
		for list, containers := range containerLists(spec) {
			for i := range containers {
				container := &containers[i]
				sidecar := container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
				if (list.String() == "spec.template.spec.containers" || sidecar) && !yield(list.Index(i), container) {
					return
				}
			}
		}
	}
}
