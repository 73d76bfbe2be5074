// Package neighbors is what stands beside a workload and bears on whether mini-hpa can scale it: LimitRanges, other autoscalers,
// VerticalPodAutoscalers, Services and NetworkPolicies, from a cluster or from manifests.
package neighbors

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Neighborhood is what in one area, such as a namespace, bears on whether its workloads can be scaled.
type Neighborhood struct {
	limitRanges map[string]*corev1.LimitRange
	scalers     map[neighbor]*autoscaler
	resizers    map[string]resizer
	services    map[string]*corev1.Service
	policies    map[string]*networkingv1.NetworkPolicy
	// workloads are those of the manifests.
	workloads []*annotations.Workload
	// Hidden is what else than LimitRanges could not be read, for whoever asked; unknown says why those could not.
	Hidden  []error
	unknown string
	// Injection is annotations.Surroundings'.
	Injection string
	// places are where in the manifests the objects are. Those of a cluster have none.
	places map[neighbor]string
	// ranges are, by resource, the LimitRanges that supply requests and limits, in the order of their names; targets is what scales each
	// workload, and resized what changes its requests; their keys have no namespace. They are nil until they are asked for, as network is.
	ranges  map[corev1.ResourceName][]*corev1.LimitRange
	targets map[annotations.Key][]annotations.Autoscaler
	resized map[annotations.Key][]*annotations.Resizer
	network *network
}

// neighbor names an object.
type neighbor struct{ kind, name string }

// autoscaler is one with the workloads that it scales, without a namespace: a neighborhood has one.
type autoscaler struct {
	is      annotations.Autoscaler
	targets []annotations.Key
	// itself says that it was met, and not only what was made for it.
	itself bool
}

// New has nothing yet.
func New() *Neighborhood {
	return &Neighborhood{limitRanges: map[string]*corev1.LimitRange{}, scalers: map[neighbor]*autoscaler{}, resizers: map[string]resizer{},
		services: map[string]*corev1.Service{}, policies: map[string]*networkingv1.NetworkPolicy{}, places: map[neighbor]string{}}
}

// Scaler is what an HPA of any version and a ScaledObject have in common.
type Scaler struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		ScaleTargetRef autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`
	} `json:"spec"`
}

// AddLimitRange adds one that is in a place of the manifests, or in the cluster if that is empty.
func (n *Neighborhood) AddLimitRange(limits *corev1.LimitRange, place string) {
	n.limitRanges[limits.Name] = limits
	n.places[neighbor{KindLimitRange, limits.Name}] = place
}

// KindLimitRange is the kind of LimitRanges.
const KindLimitRange = "LimitRange"

// resizer is a VerticalPodAutoscaler and the workload whose requests it changes, without a namespace; the zero Key if none.
type resizer struct {
	is     *annotations.Resizer
	target annotations.Key
}

// AddResizer adds a VerticalPodAutoscaler by its fields.
func (n *Neighborhood) AddResizer(name string, fields map[string]any, place string) {
	is, target := annotations.ReadResizer("", name, fields)
	n.resizers[name], n.places[neighbor{annotations.KindResizer, name}] = resizer{is, target}, place
}

// AddScaler adds an object that scales something. One that scales something else takes the place of one in the cluster, too. A ScaledObject and
// the HorizontalPodAutoscaler that KEDA has made for it are one, whichever comes first, and not paused for as long as both are there.
func (n *Neighborhood) AddScaler(kind string, s Scaler, place string) {
	is, target := annotations.Scales(kind, &s.Metadata, s.Spec.ScaleTargetRef)
	name := neighbor{is.Kind, is.Name}
	known, ok := n.scalers[name]
	if !ok {
		known = &autoscaler{is: is}
		n.scalers[name], n.places[name] = known, place
	}
	if kind == is.Kind && !known.itself {
		known.itself, n.places[name] = true, place
	}
	known.is.Paused = known.is.Paused && is.Paused
	if target.Namespace = ""; target != (annotations.Key{}) {
		known.targets = append(known.targets, target)
	}
}

// AddService adds a Service, and AddNetworkPolicy a policy, as AddLimitRange does.
func (n *Neighborhood) AddService(service *corev1.Service, place string) {
	n.services[service.Name], n.places[neighbor{annotations.KindService, service.Name}] = service, place
}

// AddNetworkPolicy adds a policy.
func (n *Neighborhood) AddNetworkPolicy(policy *networkingv1.NetworkPolicy, place string) {
	n.policies[policy.Name], n.places[neighbor{annotations.KindNetworkPolicy, policy.Name}] = policy, place
}

// AddWorkload adds a workload of the manifests: others may have the same Service.
func (n *Neighborhood) AddWorkload(w *annotations.Workload, place string) {
	n.workloads, n.places[neighbor{w.Kind.Kind, w.Name}] = append(n.workloads, w), place
}

// Take adds what another neighborhood has and this one has not.
func (n *Neighborhood) Take(other *Neighborhood) {
	if other == nil {
		return
	}
	addMissing(n.limitRanges, other.limitRanges)
	addMissing(n.scalers, other.scalers)
	addMissing(n.resizers, other.resizers)
	addMissing(n.services, other.services)
	addMissing(n.policies, other.policies)
	n.workloads = append(n.workloads, other.workloads...)
	addMissing(n.places, other.places)
	n.unknown, n.Injection = cmp.Or(n.unknown, other.unknown), cmp.Or(n.Injection, other.Injection)
}

func addMissing[K comparable, V any](to, from map[K]V) {
	for key, value := range from {
		if _, ok := to[key]; !ok {
			to[key] = value
		}
	}
}

// Of is what the neighborhood is for one workload. All that is in it must have been added.
func (n *Neighborhood) Of(w *annotations.Workload) annotations.Surroundings {
	if n.targets == nil {
		n.sort()
	}
	key := annotations.Key{Kind: w.Kind, Name: w.Name}
	s := annotations.Surroundings{Unknown: n.unknown, Injection: n.Injection, LimitRanges: n.rangesFor(w), Autoscalers: n.targets[key], Resizers: n.resized[key],
		Where: n.Place}
	if w.Annotations[annotations.WakeKey] != "" {
		s.Services, s.NetworkPolicies = n.network.servicesFor(w), n.network.policiesFor(w)
		s.Beside = n.Beside(s.Services)
	}
	return s
}

// Beside are workloads of the neighborhood whose pods one of the Services selects, in the order in which they were added. Of thousands there are a few, of
// those that requests wake and of the others: that there are any matters.
func (n *Neighborhood) Beside(services []*corev1.Service) []*annotations.Workload {
	if n.targets == nil {
		n.sort()
	}
	return n.network.besideOf(services)
}

// Place is where in the manifests an object is; empty for one of a cluster, and for one that is not there.
func (n *Neighborhood) Place(kind, name string) string { return n.places[neighbor{kind, name}] }

// Has says whether an object of this kind and name is in the neighborhood.
func (n *Neighborhood) Has(kind, name string) bool {
	_, is := n.places[neighbor{kind, name}]
	return is
}

// rangesFor are the LimitRanges that could matter to a workload: those that supply a resource which is measured, so that
// thousands of others take no time. What its list of metrics names is one of its words.
func (n *Neighborhood) rangesFor(w *annotations.Workload) []*corev1.LimitRange {
	names := strings.FieldsFunc(w.Annotations[annotations.Metrics], func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._/", r)
	})
	var found []*corev1.LimitRange
	for _, name := range append(names, string(corev1.ResourceCPU), string(corev1.ResourceMemory)) {
		for _, r := range n.ranges[corev1.ResourceName(name)] {
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *corev1.LimitRange) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// sort prepares what is needed for each workload. Of LimitRanges that supply the same, the first one counts.
func (n *Neighborhood) sort() {
	n.ranges = map[corev1.ResourceName][]*corev1.LimitRange{}
	requests, limits := map[corev1.ResourceName]bool{}, map[corev1.ResourceName]bool{}
	for _, key := range slices.Sorted(maps.Keys(n.limitRanges)) {
		for name, part := range partsOf(n.limitRanges[key]) {
			_, hasRequest := annotations.DefaultRequest(part, name)
			_, hasLimit := annotations.DefaultLimit(part, name)
			if hasRequest && !requests[name] || hasLimit && !limits[name] {
				n.ranges[name] = append(n.ranges[name], part)
			}
			requests[name], limits[name] = requests[name] || hasRequest, limits[name] || hasLimit
		}
	}
	n.resized = map[annotations.Key][]*annotations.Resizer{}
	for _, name := range slices.Sorted(maps.Keys(n.resizers)) {
		r := n.resizers[name]
		n.resized[r.target] = append(n.resized[r.target], r.is)
	}
	n.targets = map[annotations.Key][]annotations.Autoscaler{}
	for _, s := range n.scalers {
		for _, target := range sets.New(s.targets...).UnsortedList() {
			n.targets[target] = append(n.targets[target], s.is)
		}
	}
	n.network = networkOf(n.services, n.policies, n.workloads)
	for _, all := range n.targets {
		slices.SortFunc(all, func(a, b annotations.Autoscaler) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
		})
	}
}

// partsOf returns, by resource, what a LimitRange supplies: the first item that counts of possibly thousands.
func partsOf(r *corev1.LimitRange) map[corev1.ResourceName]*corev1.LimitRange {
	parts := map[corev1.ResourceName]*corev1.LimitRange{}
	for i := range r.Spec.Limits {
		one := &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: r.Spec.Limits[i : i+1]}}
		for name := range resourcesOf(&r.Spec.Limits[i]) {
			request, hasRequest := annotations.DefaultRequest(one, name)
			limit, hasLimit := annotations.DefaultLimit(one, name)
			if parts[name] == nil {
				nothing := corev1.ResourceList{name: {}} // and not what stands in for one that is not set
				parts[name] = &corev1.LimitRange{ObjectMeta: r.ObjectMeta, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
					{Type: corev1.LimitTypeContainer, DefaultRequest: nothing, Default: corev1.ResourceList{}}}}}
			}
			part := &parts[name].Spec.Limits[0]
			if known := part.DefaultRequest[name]; hasRequest && known.IsZero() {
				part.DefaultRequest[name] = request
			}
			if _, known := part.Default[name]; hasLimit && !known {
				part.Default[name] = limit
			}
		}
	}
	return parts
}

// resourcesOf are the resources about which an item of a LimitRange says something.
func resourcesOf(item *corev1.LimitRangeItem) map[corev1.ResourceName]bool {
	names := map[corev1.ResourceName]bool{}
	for _, list := range []corev1.ResourceList{item.DefaultRequest, item.Default, item.Max, item.Min} {
		for name := range list {
			names[name] = true
		}
	}
	return names
}
