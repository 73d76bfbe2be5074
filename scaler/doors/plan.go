package doors

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// plan is what is to be done for a workload at one look.
type plan struct {
	workload *annotations.Workload
	wake     annotations.Wake
	view     wake.Workload
	waits    wake.Waits
	services []planned
	next     time.Duration
}

// planned is a Service of a plan, as view.Services has it at the same place.
type planned struct {
	name   types.NamespacedName
	object *corev1.Service
	// known is nil if the Service is hindered or leaving.
	known *service
	ports []serves.Port
	// activators are those that its slices are to lead to, by address family.
	activators map[discoveryv1.AddressType][]serves.Activator
	// leaving are slices that are to go.
	leaving []*written
	// backends are the pods that activators are told of, by address family; nil where they know them from Kubernetes' own slices, or stay as they are told.
	backends map[discoveryv1.AddressType][]serves.Backends
}

// soonKnown is when a workload is looked at again after its first look, in which it was not known yet which requests are its own, and after the one that has
// found it stranded.
const soonKnown = 10 * time.Millisecond

// plan gathers what is known.
func (k *Keeper) plan(w *annotations.Workload, p annotations.Wake, wanted wake.Wanted) *plan {
	objects, own := k.servicesOf(w, p), k.slicesOf(w.Key)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Now()
	made := &plan{workload: w, wake: p, waits: k.waitsLocked(now), view: wake.Workload{Now: now, Replicas: w.Replicas, Desired: wanted.Desired, Off: wanted.Off, Stays: wanted.Stays}}
	s := k.sleepers[w.Key]
	if s == nil {
		s = newSleeper(w.Replicas)
		k.sleepers[w.Key] = s
		made.next = soonKnown
	}
	if w.Replicas == 0 && s.replicas > 0 {
		s.zeroed = now
	}
	s.replicas, s.services, s.slices, s.wake = w.Replicas, nil, map[types.NamespacedName]bool{}, p
	g := &gathering{k, s, w.Key, now, later(k.began, s.zeroed).Add(wake.Settled), k.presentLocked(), w, made.view.Tells()}
	for _, object := range objects {
		pl, about := g.service(object, p, own)
		made.services, made.view.Services = append(made.services, pl), append(made.view.Services, about)
		delete(own, pl.name)
	}
	for _, name := range slices.SortedFunc(maps.Keys(own), func(a, b types.NamespacedName) int { return strings.Compare(a.Name, b.Name) }) {
		pl, about := planned{name: name}, wake.Service{Name: name.Name, Quiet: wake.Out, Leaving: true}
		g.depart(&pl, &about, own[name])
		made.services, made.view.Services = append(made.services, pl), append(made.view.Services, about)
	}
	lacking, rest := g.lacking(p, objects, made.waits.BeforeOut)
	if made.next = sooner(made.next, rest); s.unsettled && !wanted.Stays && w.Replicas > 0 && k.isToldLocked() {
		made.next = sooner(made.next, settling)
	}
	made.services, made.view.Services = append(made.services, make([]planned, len(lacking))...), append(made.view.Services, lacking...)
	return made
}

// gathering is what a plan is made with, while the Keeper is locked.
type gathering struct {
	*Keeper
	sleeper *sleeper
	key     annotations.Key
	now     time.Time
	// doubted is until when a pod that is seen ready may be one that ends.
	doubted time.Time
	present present
	// workload is what the plan is of; tells says that activators are told of its pods, where they know of them by mini-hpa alone.
	workload *annotations.Workload
	tells    bool
}

// service is what is known and planned of a Service whose requests wake the workload.
func (g *gathering) service(object *corev1.Service, p annotations.Wake, own map[types.NamespacedName][]*written) (planned, wake.Service) {
	pl := planned{name: types.NamespacedName{Namespace: object.Namespace, Name: object.Name}, object: object}
	about := wake.Service{Name: object.Name, Quiet: wake.Out, Always: p.Always, Hindrance: hindrance(object, g.workload, p)}
	if p.HoldUnready {
		about.Quiet = wake.Standby
	}
	if about.Hindrance == "" {
		about.Hindrance = g.claimLocked(&pl, g.key)
	}
	if about.Hindrance != "" {
		pl.known = nil
		g.depart(&pl, &about, own[pl.name])
		return pl, about
	}
	g.sleeper.services, pl.known.departs = append(g.sleeper.services, pl.name), time.Time{}
	if p.Always {
		g.always(&pl, &about)
	} else {
		g.ready(pl.known, pl.name)
	}
	about.Face, about.Since, about.Ready = pl.known.face, pl.known.since, pl.known.ready.Since()
	about.Listening, pl.activators = true, map[discoveryv1.AddressType][]serves.Activator{}
	for _, family := range families(object) {
		name := types.NamespacedName{Namespace: pl.name.Namespace, Name: serves.SliceName(pl.name.Name, family)}
		var says *serves.Slice
		if st := pl.known.stored[family]; st != nil && !st.isBad {
			says = &st.says
		}
		to, all := g.present.listening(name, family, pl.ports, says)
		pl.activators[family], about.Listening = to, about.Listening && all
		g.sleeper.slices[name] = true
		delete(g.missing, name)
		delete(g.leaving, name) // should it go again, it goes from then on
	}
	for _, s := range own[pl.name] {
		if !slices.Contains(families(object), s.says.Family) {
			pl.leaving, g.sleeper.slices[s.name()] = append(pl.leaving, s), true
		}
	}
	return pl, about
}

// always is service for one whose requests all go through the activators. While it is not known which pods there are, they go to those that are written.
func (g *gathering) always(pl *planned, about *wake.Service) {
	if g.workload.UID == "" {
		pl.backends = pl.known.told()
		return
	}
	var ready []string
	pl.backends, ready = g.backends(pl.object, g.workload, g.tells)
	pl.known.ready = pl.known.ready.After(g.now, ready, g.doubted)
	about.Withheld = pl.known.withhold(!g.tells, g.now)
}

// depart plans that the slices of a Service go, unless another workload has it by now.
func (g *gathering) depart(pl *planned, about *wake.Service, own []*written) {
	known := g.services[pl.name]
	switch {
	case len(own) == 0 || known != nil && known.workload != g.key:
		return
	case known == nil:
		known = &service{workload: g.key}
		g.services[pl.name] = known
	}
	known.stored, known.face, known.since = map[discoveryv1.AddressType]*stored{}, wake.Out, time.Time{}
	pl.leaving, pl.activators = own, map[discoveryv1.AddressType][]serves.Activator{}
	for _, s := range own {
		about.Face, about.Always = max(about.Face, s.says.Face), about.Always || s.says.Serves.Path == serves.PathAlways
		pl.activators[s.says.Family], _ = g.present.listening(s.name(), s.says.Family, s.says.Ports, &s.says)
		g.sleeper.slices[s.name()] = true
		if g.workload.UID != "" {
			delete(g.missing, s.name())
		}
	}
	if known.departs.IsZero() {
		known.departs = g.now
	}
	service := g.Cluster.Service(pl.name)
	if !about.Always || g.workload.UID == "" || service == nil {
		g.ready(known, pl.name)
		about.Ready = known.ready.Since()
		return
	}
	var ready []string
	pl.backends, ready = g.backends(service, g.workload, g.workload.Replicas > 0)
	known.ready = known.ready.After(g.now, ready, g.doubted)
	if about.Ready = known.ready.Since(); !about.Ready.IsZero() { // it goes for longer than a moment, as when a port is renamed here and there
		about.Ready = later(about.Ready, known.departs)
	}
}

// ready notes which pods of a Service are ready.
func (g *gathering) ready(known *service, name types.NamespacedName) {
	known.ready = known.ready.After(g.now, g.readyPods(name), g.doubted)
}

// lacking are the Services that there are not: as long as nothing can lead to the activators, the workload stays awake. One that sleeps is not woken for one that
// is away for a moment, as when it is replaced or renamed: rest is how much longer it may be.
func (g *gathering) lacking(p annotations.Wake, there []*corev1.Service, moment time.Duration) (all []wake.Service, rest time.Duration) {
	for _, name := range p.Services {
		if !slices.ContainsFunc(there, func(s *corev1.Service) bool { return s.Name == name }) {
			all = append(all, wake.Service{Name: name, Hindrance: fmt.Sprintf("there is no Service %q", name)})
		}
	}
	if p.Requests && len(p.Services) == 0 && len(there) == 0 {
		all = append(all, wake.Service{Hindrance: "there is no Service that selects its pods"})
	}
	s := g.sleeper
	switch {
	case len(all) == 0:
		s.lacks = time.Time{}
		return nil, 0
	case s.lacks.IsZero():
		s.lacks = g.now
	}
	if rest = s.lacks.Add(moment).Sub(g.now); rest > 0 && s.replicas == 0 {
		return nil, rest
	}
	return all, 0
}

// claimLocked makes a Service the workload's, with a pair for each of its ports, and brings what is stored up to date. It returns why that cannot be.
func (k *Keeper) claimLocked(pl *planned, key annotations.Key) (hindrance string) {
	known := k.services[pl.name]
	if known == nil {
		known = &service{workload: key, stored: map[discoveryv1.AddressType]*stored{}}
		k.services[pl.name] = known
	}
	if known.workload != key {
		if other := k.Workloads.Workload(known.workload); other != nil && other.Annotations[annotations.WakeKey] != "" {
			return fmt.Sprintf("requests to Service %q wake %s, too", pl.name.Name, known.workload.Title())
		}
		known.workload = key
	}
	pl.known = known
	for _, port := range pl.object.Spec.Ports {
		if !isTCP(&port) {
			continue
		}
		pair, ok := k.pairs.get(k.Range, place{pl.name, port.Name}, k.Now())
		if !ok {
			return fmt.Sprintf("no port of the activators is left for Service %q: all of %s are taken", pl.name.Name, k.Range)
		}
		pl.ports = append(pl.ports, serves.Port{Name: port.Name, Pair: pair, AppProtocol: port.AppProtocol})
	}
	maps.DeleteFunc(known.stored, func(family discoveryv1.AddressType, _ *stored) bool {
		return !slices.Contains(families(pl.object), family)
	})
	for _, family := range families(pl.object) {
		name := types.NamespacedName{Namespace: pl.name.Namespace, Name: serves.SliceName(pl.name.Name, family)}
		if why := known.refresh(family, k.Cluster.OwnSlice(name), pl.name.Name, k.Now()); why != "" {
			return why
		}
	}
	known.settle(k.Now())
	k.returnLocked(pl)
	return ""
}

// returnLocked gives the pairs of those ports back that the slices of a Service still have and the Service has not.
func (k *Keeper) returnLocked(pl *planned) {
	for _, st := range pl.known.stored {
		for _, had := range st.says.Ports {
			if !slices.ContainsFunc(pl.ports, func(port serves.Port) bool { return port.Name == had.Name }) {
				k.pairs.drop(place{pl.name, had.Name}, k.Now())
			}
		}
	}
}

// servicesOf are the Services whose requests wake a workload: those that are named, or all whose selector fits its pods.
func (k *Keeper) servicesOf(w *annotations.Workload, p annotations.Wake) []*corev1.Service {
	var all []*corev1.Service
	if !p.Requests {
		return nil
	}
	for _, s := range k.Cluster.Serving(w, p.Services) {
		if s.DeletionTimestamp == nil {
			all = append(all, s)
		}
	}
	return all
}

// hindrance is why a Service cannot have a slice of mini-hpa's; empty if it can.
func hindrance(s *corev1.Service, w *annotations.Workload, p annotations.Wake) string {
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return fmt.Sprintf("Service %q is of type ExternalName, which leads out of the cluster", s.Name)
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return fmt.Sprintf("Service %q is headless: clients would dial the activators at the port of the pods", s.Name)
	case !slices.ContainsFunc(s.Spec.Ports, func(port corev1.ServicePort) bool { return isTCP(&port) }):
		return fmt.Sprintf("Service %q has no TCP port", s.Name)
	case p.Always:
		return hindranceAlways(s, w)
	case len(s.Spec.Selector) == 0:
		return fmt.Sprintf("Service %q has no selector", s.Name)
	case s.Spec.PublishNotReadyAddresses:
		return fmt.Sprintf("Service %q has publishNotReadyAddresses: it leads to pods that do not accept requests yet", s.Name)
	}
	return ""
}

// readyPods are the pods that are ready in the slices that are not mini-hpa's.
func (k *Keeper) readyPods(name types.NamespacedName) []string {
	var pods []string
	for _, slice := range k.Cluster.Slices(name) {
		if slice.Labels[discoveryv1.LabelManagedBy] == serves.Manager {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if e.Conditions.Ready == nil || !*e.Conditions.Ready || len(e.Addresses) == 0 {
				continue
			}
			pod := e.Addresses[0]
			if e.TargetRef != nil && e.TargetRef.UID != "" {
				pod = string(e.TargetRef.UID)
			}
			pods = append(pods, pod)
		}
	}
	return pods
}
