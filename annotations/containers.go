package annotations

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// requestKind is where the request of a container comes from.
type requestKind int

const (
	noRequest  requestKind = iota
	ownRequest             // its request
	ownLimit               // its limit, which Kubernetes copies into the request of each pod (SetDefaults_Pod)
)

// list is the field that holds it.
func (k requestKind) list() string {
	if k == ownLimit {
		return "limits"
	}
	return "requests"
}

// requestOf is the request that a container brings.
func requestOf(container *corev1.Container, name corev1.ResourceName) (resource.Quantity, requestKind) {
	if q, ok := container.Resources.Requests[name]; ok {
		return q, ownRequest
	}
	if q, ok := container.Resources.Limits[name]; ok {
		return q, ownLimit
	}
	return resource.Quantity{}, noRequest
}

// defaultRequest is the request above zero that a container gets if it has none, and the LimitRange that gives it.
func defaultRequest(ranges []*corev1.LimitRange, name corev1.ResourceName) (*corev1.LimitRange, resource.Quantity, bool) {
	for _, r := range ranges {
		if amount, ok := DefaultRequest(r, name); ok {
			return r, amount, true
		}
	}
	return nil, resource.Quantity{}, false
}

// DefaultRequest is the request above zero that a LimitRange gives to a container that has none.
func DefaultRequest(r *corev1.LimitRange, name corev1.ResourceName) (resource.Quantity, bool) {
	for i := range r.Spec.Limits {
		if amount, ok := defaultOf(&r.Spec.Limits[i], name); ok && amount.Sign() > 0 {
			return amount, true
		}
	}
	return resource.Quantity{}, false
}

// DefaultLimit is the limit above zero that a LimitRange gives to a container that has none.
func DefaultLimit(r *corev1.LimitRange, name corev1.ResourceName) (resource.Quantity, bool) {
	for i := range r.Spec.Limits {
		item := &r.Spec.Limits[i]
		for _, list := range [...]corev1.ResourceList{item.Default, item.Max} { // SetDefaults_LimitRangeItem
			if amount, ok := list[name]; ok && item.Type == corev1.LimitTypeContainer && amount.Sign() > 0 {
				return amount, true
			}
		}
	}
	return resource.Quantity{}, false
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

// place is where a container is in the template.
type place struct {
	list  string
	index int
}

// path is made only where there is something to say.
func (p place) path() *field.Path {
	return field.NewPath("spec", "template", "spec").Child(p.list).Index(p.index)
}

const (
	ordinaryList = "containers"
	initList     = "initContainers"
)

// everyContainer are all containers with their places, the ordinary ones first.
func everyContainer(spec *corev1.PodSpec) iter.Seq2[place, *corev1.Container] {
	return func(yield func(place, *corev1.Container) bool) {
		for i := range spec.Containers {
			if !yield(place{ordinaryList, i}, &spec.Containers[i]) {
				return
			}
		}
		for i := range spec.InitContainers {
			if !yield(place{initList, i}, &spec.InitContainers[i]) {
				return
			}
		}
	}
}

// longRunning are the containers that run as long as the pod: the ordinary ones and the sidecars (KEP-753).
func longRunning(spec *corev1.PodSpec) iter.Seq2[place, *corev1.Container] {
	return func(yield func(place, *corev1.Container) bool) {
		for at, container := range everyContainer(spec) {
			sidecar := container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
			if (at.list == ordinaryList || sidecar) && !yield(at, container) {
				return
			}
		}
	}
}
