package podspec

import (
	"iter"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Origin is where a request comes from.
type Origin uint8

const (
	// None says that nothing requests the resource.
	None Origin = iota
	// Own is the request of the container or the pod itself.
	Own
	// Limit is its limit, which the API server copies into the request of each pod that it stores.
	Limit
	// Summed is what the containers need together. It is the request of a pod that has requests as a whole, but none for this resource.
	Summed
)

// Given returns the request that the resources of a container, or of a pod as a whole, have in a template: the request, or else the
// limit, which the API server makes the request (SetDefaults_Pod).
func Given(r *corev1.ResourceRequirements, name corev1.ResourceName) (resource.Quantity, Origin) {
	if q, ok := r.Requests[name]; ok {
		return q, Own
	}
	if q, ok := r.Limits[name]; ok {
		return q, Limit
	}
	return resource.Quantity{}, None
}

// Stored is a pod spec with the requests that the API server fills in when a pod is created (SetDefaults_Pod). The request
// of a container without one is its limit. The request of a pod with resources as a whole is the sum of its containers' requests, or
// else its limit; that is done for CPU and memory only.
func Stored(given *corev1.PodSpec) *Spec {
	spec := Slim(given.DeepCopy())
	for _, c := range spec.All {
		fill(&c.Resources, c.Resources.Limits)
	}
	if spec.Resources == nil {
		return spec
	}
	sums := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if q, origin := spec.together(name); origin != None {
			sums[name] = q
		}
	}
	fill(spec.Resources, sums)
	fill(spec.Resources, spec.Resources.Limits)
	return spec
}

// fill adds the requests that are not there.
func fill(r *corev1.ResourceRequirements, from corev1.ResourceList) {
	for name, q := range from {
		if _, ok := r.Requests[name]; ok {
			continue
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[name] = q.DeepCopy()
	}
}

// Part is one of the amounts that a pod's request of a resource is the sum of.
type Part struct {
	// Container is the one that requests it; nil if it is the pod as a whole.
	Container *corev1.Container
	// Quantity is zero where the Origin is None. That of a pod as a whole includes the overhead of its RuntimeClass.
	resource.Quantity
	Origin Origin
}

// Request returns the amounts that add up to what a pod requests of a resource, as the HPA controller reads it from a pod that the API
// server has stored (calculatePodLevelRequests and calculatePodRequestsFromContainers; KEP-753 and KEP-2837). A container without a
// request is a Part of Origin None.
//
//	of a container                            its request; no Part if the pod has no such container that runs as long as the pod
//	of a pod that has requests as a whole     its request, or else what the scheduler adds up for its containers; and the overhead
//	of any other pod                          the requests of all containers that run as long as the pod
func (s *Spec) Request(name corev1.ResourceName, container string) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		if container == "" && s.isWhole() {
			yield(s.whole(name))
			return
		}
		for _, c := range s.LongRunning() {
			if container != "" && container != c.Name {
				continue
			}
			part := Part{Container: c}
			if q, ok := c.Resources.Requests[name]; ok {
				part.Quantity, part.Origin = q, Own
			}
			if !yield(part) || container != "" {
				return
			}
		}
	}
}

// isWhole says whether the pod as a whole has a request, be it for another resource (component-helpers: IsPodLevelRequestsSet).
func (s *Spec) isWhole() bool {
	if s.Resources == nil {
		return false
	}
	for name := range s.Resources.Requests {
		if ofPods(name) {
			return true
		}
	}
	return false
}

// ofPods says whether a pod as a whole can have such a resource (component-helpers: IsSupportedPodLevelResource).
func ofPods(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// whole is the request of a pod that has requests as a whole (component-helpers: PodRequests).
func (s *Spec) whole(name corev1.ResourceName) Part {
	part := Part{Origin: Own}
	q, ok := s.Resources.Requests[name]
	if !ok || !ofPods(name) {
		q, part.Origin = s.together(name)
	}
	if overhead, ok := s.Overhead[name]; ok {
		q = q.DeepCopy()
		q.Add(overhead)
		part.Origin = max(part.Origin, Own)
	}
	part.Quantity = q
	return part
}

// together is what the scheduler counts for the containers: the sum of those that run together, or more while an init container needs
// more than that beside the sidecars before it (component-helpers: AggregateContainerRequests; KEP-753).
func (s *Spec) together(name corev1.ResourceName) (resource.Quantity, Origin) {
	var total, sidecars, most resource.Quantity
	origin := None
	for at, c := range s.All {
		q, ok := c.Resources.Requests[name]
		if !ok {
			continue
		}
		origin = Summed
		if at.List == Containers {
			total.Add(q)
			continue
		}
		beside := sidecars.DeepCopy()
		beside.Add(q)
		if isSidecar(c) {
			total.Add(q)
			sidecars = beside
		}
		if beside.Cmp(most) > 0 {
			most = beside
		}
	}
	if most.Cmp(total) > 0 {
		total = most
	}
	return total, origin
}
