package neighbors

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// label is one that pods have, or that a selector asks for.
type label struct{ key, value string }

// selecting are objects that select pods, each under a label that it asks for. Of several it is the one that the fewest objects ask for: all of a
// namespace may ask for "tier: front", beside another label that is their own. Those that ask for no label by its value are under none.
type selecting[T any] map[label][]T

// selectingOf files the objects, in whose order they are found again.
func selectingOf[T any](all []T, asks func(T) map[string]string) selecting[T] {
	times := map[label]int{}
	for _, one := range all {
		for key, value := range asks(one) {
			times[label{key, value}]++
		}
	}
	filed := selecting[T]{}
	for _, one := range all {
		rarest := label{}
		for key, value := range asks(one) {
			if is := (label{key, value}); times[rarest] == 0 || times[is] < times[rarest] {
				rarest = is
			}
		}
		filed[rarest] = append(filed[rarest], one)
	}
	return filed
}

// of are those that may select pods with these labels: no other one does. Those without a label are among them.
func (s selecting[T]) of(pods labels.Set) []T {
	found := slices.Clone(s[label{}])
	for key, value := range pods {
		found = append(found, s[label{key, value}]...)
	}
	return found
}

// byName are the objects, sorted by their names; nil if there are none.
func byName[T any](objects map[string]T) (sorted []T) {
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		sorted = append(sorted, objects[name])
	}
	return sorted
}

// network is what bears on how requests reach pods. Named are the Services by name. It is prepared once: each workload of thousands has a Service of its own.
type network struct {
	named    map[string]*corev1.Service
	services selecting[*corev1.Service]
	policies selecting[*networkingv1.NetworkPolicy]
	// selectors are those of the policies. One that cannot be read selects nothing.
	selectors map[*networkingv1.NetworkPolicy]labels.Selector
	// awake and sleeping are workloads by each label of their pods: those that no request wakes, and those that requests do. Places are where they
	// are among all.
	awake, sleeping map[label][]*annotations.Workload
	places          map[*annotations.Workload]int
	// beside are the workloads that each Service selects, as far as it was asked for.
	beside map[*corev1.Service][]*annotations.Workload
}

func networkOf(services map[string]*corev1.Service, policies map[string]*networkingv1.NetworkPolicy, workloads []*annotations.Workload) *network {
	n := &network{named: services,
		services:  selectingOf(slices.DeleteFunc(byName(services), selectsNothing), func(s *corev1.Service) map[string]string { return s.Spec.Selector }),
		policies:  selectingOf(byName(policies), func(p *networkingv1.NetworkPolicy) map[string]string { return p.Spec.PodSelector.MatchLabels }),
		selectors: map[*networkingv1.NetworkPolicy]labels.Selector{},
		awake:     map[label][]*annotations.Workload{}, sleeping: map[label][]*annotations.Workload{}, places: map[*annotations.Workload]int{},
		beside: map[*corev1.Service][]*annotations.Workload{},
	}
	for _, p := range policies {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil {
			selector = labels.Nothing()
		}
		n.selectors[p] = selector
	}
	for i, w := range workloads {
		into := n.awake
		if _, wakes := w.Annotations[annotations.WakeKey]; wakes {
			into = n.sleeping
		}
		for key, value := range w.PodLabels() {
			into[label{key, value}] = append(into[label{key, value}], w)
		}
		n.places[w] = i
	}
	return n
}

func selectsNothing(s *corev1.Service) bool { return len(s.Spec.Selector) == 0 }

// servicesFor are the Services that could wake a workload, sorted by name: those that it names or, without names, those that select its pods. They are nil if
// there are no Services at all: those of manifests may be elsewhere.
func (n *network) servicesFor(w *annotations.Workload) []*corev1.Service {
	if len(n.named) == 0 {
		return nil
	}
	found := []*corev1.Service{}
	names := w.WakingServices()
	for _, name := range names {
		if s := n.named[name]; s != nil {
			found = append(found, s)
		}
	}
	if len(names) == 0 {
		found = append(found, slices.DeleteFunc(n.services.of(w.PodLabels()), func(s *corev1.Service) bool { return !annotations.Selects(s, w) })...)
	}
	slices.SortFunc(found, func(a, b *corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// policiesFor are the NetworkPolicies about the pods of a workload, sorted by name; nil if there are no policies at all.
func (n *network) policiesFor(w *annotations.Workload) []*networkingv1.NetworkPolicy {
	if len(n.selectors) == 0 {
		return nil
	}
	pods := w.PodLabels()
	found := append([]*networkingv1.NetworkPolicy{}, slices.DeleteFunc(n.policies.of(pods), func(p *networkingv1.NetworkPolicy) bool { return !n.selectors[p].Matches(pods) })...)
	slices.SortFunc(found, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// besideOf is Neighborhood.Beside.
func (n *network) besideOf(services []*corev1.Service) []*annotations.Workload {
	var found []*annotations.Workload
	for _, service := range services {
		found = append(found, n.selectedBy(service)...)
	}
	slices.SortFunc(found, func(a, b *annotations.Workload) int { return n.places[a] - n.places[b] })
	return slices.Compact(found)
}

// mostBeside is how many workloads of each sort are known of a Service: the one that is asked about, and eight others.
const mostBeside = 9

func (n *network) selectedBy(service *corev1.Service) []*annotations.Workload {
	if known, ok := n.beside[service]; ok {
		return known
	}
	var found []*annotations.Workload
	for _, pods := range []map[label][]*annotations.Workload{n.awake, n.sleeping} {
		var fewest []*annotations.Workload
		isFirst := true
		for key, value := range service.Spec.Selector {
			if with := pods[label{key, value}]; isFirst || len(with) < len(fewest) {
				fewest, isFirst = with, false
			}
		}
		most := len(found) + mostBeside
		for _, w := range fewest {
			if len(found) == most {
				break
			}
			if annotations.Selects(service, w) {
				found = append(found, w)
			}
		}
	}
	n.beside[service] = found
	return found
}
