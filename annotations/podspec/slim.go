package podspec

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// Slim keeps what Request, All and LongRunning read: of the containers their names, resources and what makes a sidecar, and the
// resources and the overhead of the pod as a whole. It is also what may be written into a trace: nothing here can hold a secret.
// Quantities are bounded, see package amount. The result shares memory with what it is made from; nothing is written to.
func Slim(in *corev1.PodSpec) corev1.PodSpec {
	out := corev1.PodSpec{
		Containers:     slimContainers(in.Containers),
		InitContainers: slimContainers(in.InitContainers),
		Overhead:       amount.BoundedList(in.Overhead),
	}
	if in.Resources != nil {
		slim := slimResources(in.Resources)
		out.Resources = &slim
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

// Equal says whether two containers are the same in what Slim keeps of them.
func Equal(a, b corev1.Container) bool {
	return a.Name == b.Name && equalPolicies(a.RestartPolicy, b.RestartPolicy) &&
		EqualResources(&a.Resources, &b.Resources)
}

// EqualResources says whether requests and limits are the same, which may be nil.
func EqualResources(a, b *corev1.ResourceRequirements) bool {
	if a == nil || b == nil {
		return a == b
	}
	return EqualLists(a.Requests, b.Requests) && EqualLists(a.Limits, b.Limits)
}

// EqualLists says whether two lists of bounded quantities are the same, in their formats, too.
func EqualLists(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, equalQuantities)
}

func equalPolicies(a, b *corev1.ContainerRestartPolicy) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// equalQuantities compares what is bounded.
func equalQuantities(a, b resource.Quantity) bool { return a.Format == b.Format && a.Cmp(b) == 0 }
