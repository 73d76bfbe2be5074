package annotations

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// Surroundings are what else in the cluster bears on whether a workload can be scaled.
type Surroundings struct {
	// LimitRanges are those of the workload's namespace, in the order in which they count. They are only read.
	LimitRanges []*corev1.LimitRange
	// Autoscalers are others that scale the workload, sorted by kind and name.
	Autoscalers []Autoscaler
	// Resizers change the requests of its pods, sorted by name. They are only read.
	Resizers []*Resizer
	// Unknown says why the LimitRanges could not be read; empty if they could.
	Unknown string
	// Injection says that containers may be put into the pods of the workload that its template does not announce, as by a label of its
	// namespace; empty if that is not so, or not known.
	Injection string
	// Containers are those that the pods of the workload have, as far as that is known; see RunningIn.
	Containers []string
	// Where says in which file one of these objects is, by its kind and name, or nothing for one that is in the cluster. It is nil where
	// all are.
	Where func(kind, name string) string
	// WhereRange is Where for a LimitRange; of those there may be two of one name.
	WhereRange func(*corev1.LimitRange) string
	// Sources is what the administrator has listed for mini-hpa/sources; nil where that is not known, so that its lines are not held to it.
	Sources *catalog.Catalog
	// Services are those of the workload's namespace, sorted by name, or of them those that mini-hpa/wake names and those that select the workload's pods.
	// NetworkPolicies are its policies, or of them those about the workload's pods. They are nil where they are not known, so that nothing is said of them. They are only read.
	Services        []*corev1.Service
	NetworkPolicies []*networkingv1.NetworkPolicy
	// Beside are workloads of its namespace that these Services select, as far as they are known, with itself or without; of thousands a few are enough. There may
	// be others, too.
	Beside []*Workload
	// Activator is what holds requests and passes them on; nil where nothing is known of it.
	Activator *Activator
	// Now is the moment of the review; at the zero time it is not looked at which dates are over.
	Now time.Time
	// Earlier says that this is an earlier form of the workload. More findings about its requests are made then, so that an update which
	// repairs some of them is not blamed for others that were there before.
	Earlier bool
}

// Activator is what holds requests and passes them on, as its pods look to others.
type Activator struct {
	// Off says that there is none, because the administrator has not switched it on.
	Off bool
	// Namespace is where its pods are, and Labels are theirs; nil where they are not known.
	Namespace string
	Labels    map[string]string
	// Propagation is how long it may take until every node knows of a change (--activator-propagation); 0 is 10 s.
	Propagation time.Duration
}

// Autoscaler is an object that scales a workload.
type Autoscaler struct {
	// Kind is HorizontalPodAutoscaler or ScaledObject; Name is the object's name, in the workload's namespace.
	Kind, Name string
	// Paused says that it does not scale until it is resumed.
	Paused bool
}

// Resizer is a VerticalPodAutoscaler: it changes the requests of a workload's pods, not of its template.
type Resizer struct {
	// Name is the object's name, in the workload's namespace.
	Name string
	// Policies say what it changes, by container; "*" is any other. Without one it changes CPU and memory.
	Policies map[string]ResizePolicy
}

// ResizePolicy is what is done about one container.
type ResizePolicy struct {
	// Off says that its requests stay as they are.
	Off bool
	// Resources are those whose requests change; CPU and memory if it is nil.
	Resources []corev1.ResourceName
}

// title is an object as messages name it.
func (s Surroundings) title(kind, name string) string {
	place := ""
	if s.Where != nil {
		place = s.Where(kind, name)
	}
	return titleAt(kind, name, place)
}

// titleOf is title for a LimitRange.
func (s Surroundings) titleOf(r *corev1.LimitRange) string {
	place := ""
	if s.WhereRange != nil {
		place = s.WhereRange(r)
	}
	return titleAt("LimitRange", r.Name, place)
}

func titleAt(kind, name, place string) string {
	title := fmt.Sprintf("%s %q", kind, clean(name, shownName))
	if place != "" {
		title += " (" + place + ")"
	}
	return title
}
