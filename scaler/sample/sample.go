// Package sample has what one pod used at one moment: one noun from the LIST to the decision.
package sample

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is a sample of one pod. It is made once, where it is read, then shared and never changed. Its JSON form is the PodMetrics of
// metrics.k8s.io. It takes a third of the memory of a PodMetrics, which has a map for each container and labels that are not read.
type Pod struct {
	Namespace, Name string
	// Time is the end of the Window in which the usage was measured, by the publisher's clock.
	Time   time.Time
	Window time.Duration
	// Containers are those that were measured, which need not be all.
	Containers []Container
}

// Container is what one of the pod's containers used.
type Container struct {
	Name  string
	Usage Usage
}

// Usage is an amount for each resource that was measured. They are few: looking through them is faster than a map.
type Usage []Amount

// Amount is how much of one resource: the average over the window of what is used up (CPU), the last value of what is held (memory).
type Amount struct {
	Resource corev1.ResourceName
	Quantity resource.Quantity
}

// UsageOf is the usage that a list of the API says, in the order of the resources' names; nil stays nil.
func UsageOf(list corev1.ResourceList) Usage {
	if list == nil {
		return nil
	}
	u := make(Usage, 0, len(list))
	for name, quantity := range list {
		u = append(u, Amount{Resource: name, Quantity: quantity})
	}
	slices.SortFunc(u, func(a, b Amount) int { return cmp.Compare(a.Resource, b.Resource) })
	return u
}

// Of is how much of a resource was used; nil if that was not measured. It is shared: read-only.
func (u Usage) Of(name corev1.ResourceName) *resource.Quantity {
	for i := range u {
		if u[i].Resource == name {
			return &u[i].Quantity
		}
	}
	return nil
}

// list is what the API says for it; nil stays nil.
func (u Usage) list() corev1.ResourceList {
	if u == nil {
		return nil
	}
	list := make(corev1.ResourceList, len(u))
	for i := range u {
		list[u[i].Resource] = u[i].Quantity
	}
	return list
}

// podMetrics is the PodMetrics of metrics.k8s.io/v1beta1 in JSON.
type podMetrics struct {
	metav1.ObjectMeta `json:"metadata"`
	Timestamp         metav1.Time        `json:"timestamp"`
	Window            metav1.Duration    `json:"window"`
	Containers        []containerMetrics `json:"containers"`
}

type containerMetrics struct {
	Name  string              `json:"name"`
	Usage corev1.ResourceList `json:"usage"`
}

// MarshalJSON writes a PodMetrics, as the API does.
func (p Pod) MarshalJSON() ([]byte, error) {
	out := podMetrics{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		Timestamp: metav1.NewTime(p.Time), Window: metav1.Duration{Duration: p.Window}}
	if p.Containers != nil {
		out.Containers = make([]containerMetrics, len(p.Containers))
	}
	for i, c := range p.Containers {
		out.Containers[i] = containerMetrics{Name: c.Name, Usage: c.Usage.list()}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a PodMetrics. It trusts the writer: a quantity may be made to take hours, which package trace does not let it.
func (p *Pod) UnmarshalJSON(text []byte) error {
	var in podMetrics
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*p = Pod{Namespace: in.Namespace, Name: in.Name, Time: in.Timestamp.Time, Window: in.Window.Duration}
	if in.Containers != nil {
		p.Containers = make([]Container, len(in.Containers))
	}
	for i, c := range in.Containers {
		p.Containers[i] = Container{Name: c.Name, Usage: UsageOf(c.Usage)}
	}
	return nil
}
