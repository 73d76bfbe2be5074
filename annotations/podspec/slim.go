package podspec

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// Slim keeps what a Spec has. The result shares memory with what it is made from; nothing is written to.
func Slim(in *corev1.PodSpec) *Spec {
	out := &Spec{
		Containers:     slimContainers(in.Containers),
		InitContainers: slimContainers(in.InitContainers),
		Overhead:       amount.BoundedList(in.Overhead),
	}
	if in.Resources != nil {
		out.Resources = new(slimResources(in.Resources))
	}
	return out
}

func slimContainers(in []corev1.Container) []corev1.Container {
	if len(in) == 0 {
		return nil
	}
	out := make([]corev1.Container, len(in))
	for i := range in {
		out[i] = corev1.Container{Name: in[i].Name, Resources: slimResources(&in[i].Resources), RestartPolicy: in[i].RestartPolicy}
	}
	return out
}

func slimResources(in *corev1.ResourceRequirements) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: amount.BoundedList(in.Requests), Limits: amount.BoundedList(in.Limits)}
}

// IsEqual says whether two specs are the same.
func (s *Spec) IsEqual(other *Spec) bool {
	return s == other || slices.EqualFunc(s.Containers, other.Containers, equal) && slices.EqualFunc(s.InitContainers, other.InitContainers, equal) &&
		equalLists(s.Overhead, other.Overhead) && equalResources(s.Resources, other.Resources)
}

// equal says whether two containers are the same in what Slim keeps of them.
func equal(a, b corev1.Container) bool {
	return a.Name == b.Name && equalPolicies(a.RestartPolicy, b.RestartPolicy) &&
		equalResources(&a.Resources, &b.Resources)
}

// equalResources says whether requests and limits are the same, which may be nil.
func equalResources(a, b *corev1.ResourceRequirements) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalLists(a.Requests, b.Requests) && equalLists(a.Limits, b.Limits)
}

// equalLists says whether two lists of bounded quantities are the same, in their formats, too.
func equalLists(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, equalQuantities)
}

func equalPolicies(a, b *corev1.ContainerRestartPolicy) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// equalQuantities compares what is bounded.
func equalQuantities(a, b resource.Quantity) bool { return a.Format == b.Format && a.Cmp(b) == 0 }
