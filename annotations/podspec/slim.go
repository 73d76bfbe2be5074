package podspec

import (
	"iter"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// Spec is what is kept of a pod spec: of the containers their names, resources and what makes a sidecar, and the resources and the overhead
// of the pod as a whole. It is also what may be written into a trace: nothing here can hold a secret. Quantities are bounded, see package
// amount. A corev1.PodSpec has many more fields, which take six times the memory.
type Spec struct {
	Containers, InitContainers []corev1.Container
	Overhead                   corev1.ResourceList
	Resources                  *corev1.ResourceRequirements
}

// All yields all containers with their places, the ordinary ones first.
func (s *Spec) All(yield func(Place, *corev1.Container) bool) {
	for i := range s.Containers {
		if !yield(Place{Containers, i}, &s.Containers[i]) {
			return
		}
	}
	for i := range s.InitContainers {
		if !yield(Place{InitContainers, i}, &s.InitContainers[i]) {
			return
		}
	}
}

// LongRunning returns what the function of that name does.
func (s *Spec) LongRunning() iter.Seq2[Place, *corev1.Container] {
	return func(yield func(Place, *corev1.Container) bool) {
		for i := range s.Containers {
			if !yield(Place{Containers, i}, &s.Containers[i]) {
				return
			}
		}
		for i := range s.InitContainers {
			if c := &s.InitContainers[i]; IsSidecar(c) && !yield(Place{InitContainers, i}, c) {
				return
			}
		}
	}
}

// Core is the spec as the API's type, with which it shares memory.
func (s *Spec) Core() corev1.PodSpec {
	return corev1.PodSpec{Containers: s.Containers, InitContainers: s.InitContainers, Overhead: s.Overhead, Resources: s.Resources}
}

// View is a pod spec as a Spec, which has the same containers.
func View(in *corev1.PodSpec) *Spec {
	return &Spec{Containers: in.Containers, InitContainers: in.InitContainers, Overhead: in.Overhead, Resources: in.Resources}
}

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
