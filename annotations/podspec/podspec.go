// Package podspec reads a pod spec as the scheduler and the HPA controller do: which containers run as long as the pod, what it requests,
// and which of its fields that takes.
package podspec

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Place is where a container is in a pod spec.
type Place struct {
	// List is the field: Containers or InitContainers.
	List  string
	Index int
}

// The lists of containers, as they are called in JSON.
const (
	Containers     = "containers"
	InitContainers = "initContainers"
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
			if c := &s.InitContainers[i]; isSidecar(c) && !yield(Place{InitContainers, i}, c) {
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

// All returns all containers with their places, the ordinary ones first.
func All(spec *corev1.PodSpec) iter.Seq2[Place, *corev1.Container] { return View(spec).All }

// LongRunning returns the containers that run as long as the pod does, with their places: the ordinary ones and, after them, the
// sidecars.
func LongRunning(spec *corev1.PodSpec) iter.Seq2[Place, *corev1.Container] {
	return View(spec).LongRunning()
}

// isSidecar says whether an init container runs as long as the pod does: whether its restartPolicy is Always (KEP-753).
func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// At returns the container at a place, or nil if there is none.
func At(spec *corev1.PodSpec, at Place) *corev1.Container {
	list := spec.Containers
	if at.List == InitContainers {
		list = spec.InitContainers
	}
	if at.Index < 0 || at.Index >= len(list) {
		return nil
	}
	return &list[at.Index]
}

// Has says whether a pod has a container of that name, whichever it is.
func Has(spec *corev1.PodSpec, name string) bool {
	isIt := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(spec.Containers, isIt) || slices.ContainsFunc(spec.InitContainers, isIt)
}
