package doors

import (
	"fmt"
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
	known  *service
	ports  []serves.Port
	// activators are those that listen, by address family.
	activators map[discoveryv1.AddressType][]serves.Activator
}

// soonKnown is when a workload is looked at again after its first look, in which it was not known yet which requests are its own.
const soonKnown = 10 * time.Millisecond

// plan gathers what is known.
func (k *Keeper) plan(w *annotations.Workload, p annotations.Wake, wanted wake.Wanted) *plan {
	objects := k.servicesOf(w, p)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Now()
	made := &plan{workload: w, wake: p, waits: k.waitsLocked(now), view: wake.Workload{Now: now, Replicas: w.Replicas, Desired: wanted.Desired, Off: wanted.Off}}
	s := k.sleepers[w.Key]
	if s == nil {
		s = &sleeper{replicas: w.Replicas}
		k.sleepers[w.Key] = s
		made.next = soonKnown
	}
	if w.Replicas == 0 && s.replicas > 0 {
		s.zeroed = now
	}
	s.replicas, s.services, s.wake = w.Replicas, nil, p
	doubted := later(k.began, s.zeroed).Add(wake.Settled)
	for _, object := range objects {
		pl := planned{name: types.NamespacedName{Namespace: object.Namespace, Name: object.Name}, object: object}
		about := wake.Service{Name: object.Name, Quiet: wake.Out, Hindrance: hindrance(object, p)}
		if p.HoldUnready {
			about.Quiet = wake.Standby
		}
		if about.Hindrance == "" {
			if about.Hindrance = k.claimLocked(&pl, w.Key); about.Hindrance != "" {
				pl.known = nil
			}
		}
		if about.Hindrance == "" {
			s.services = append(s.services, pl.name)
			pl.known.ready = pl.known.ready.After(now, k.readyPods(pl.name), doubted)
			about.Face, about.Since, about.Ready = pl.known.face, pl.known.since, pl.known.ready.Since()
			pl.activators = k.listeningLocked(&pl)
			about.Listening = !slices.ContainsFunc(families(object), func(f discoveryv1.AddressType) bool { return len(pl.activators[f]) == 0 })
		}
		made.services, made.view.Services = append(made.services, pl), append(made.view.Services, about)
	}
	for _, about := range missing(p, objects) {
		made.services, made.view.Services = append(made.services, planned{}), append(made.view.Services, about)
	}
	return made
}

// missing are the Services that there are not: as long as nothing can lead to the activators, the workload stays awake.
func missing(p annotations.Wake, there []*corev1.Service) []wake.Service {
	var all []wake.Service
	for _, name := range p.Services {
		if !slices.ContainsFunc(there, func(s *corev1.Service) bool { return s.Name == name }) {
			all = append(all, wake.Service{Name: name, Hindrance: fmt.Sprintf("there is no Service %q", name)})
		}
	}
	if p.Requests && len(p.Services) == 0 && len(there) == 0 {
		all = append(all, wake.Service{Hindrance: "there is no Service that selects its pods"})
	}
	return all
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
		if port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
			continue
		}
		pair, ok := k.pairs.get(k.Range, place{pl.name, port.Name}, k.Now())
		if !ok {
			return fmt.Sprintf("no port of the activators is left for Service %q: all of %s are taken", pl.name.Name, k.Range)
		}
		pl.ports = append(pl.ports, serves.Port{Name: port.Name, Pair: pair, AppProtocol: port.AppProtocol})
	}
	for _, family := range families(pl.object) {
		name := types.NamespacedName{Namespace: pl.name.Namespace, Name: serves.SliceName(pl.name.Name, family)}
		if why := known.refresh(family, k.Cluster.OwnSlice(name), pl.object.UID, k.Now()); why != "" {
			return why
		}
	}
	known.settle(k.Now())
	return ""
}

// servicesOf are the Services whose requests wake a workload: those that are named, or all whose selector fits its pods.
func (k *Keeper) servicesOf(w *annotations.Workload, p annotations.Wake) []*corev1.Service {
	var all []*corev1.Service
	if !p.Requests {
		return nil
	}
	for _, s := range k.Cluster.Services(w.Namespace) {
		named := slices.Contains(p.Services, s.Name)
		if s.DeletionTimestamp == nil && (named || len(p.Services) == 0 && fits(s, w)) {
			all = append(all, s)
		}
	}
	return all
}

// fits says whether a Service selects the pods of a workload, by their template.
func fits(s *corev1.Service, w *annotations.Workload) bool {
	if len(s.Spec.Selector) == 0 || w.Template == nil {
		return false
	}
	for key, value := range s.Spec.Selector {
		if got, has := w.Template.Labels[key]; !has || got != value {
			return false
		}
	}
	return true
}

// hindrance is why a Service cannot have a slice of mini-hpa's; empty if it can.
func hindrance(s *corev1.Service, p annotations.Wake) string {
	isTCP := func(port corev1.ServicePort) bool { return port.Protocol == corev1.ProtocolTCP || port.Protocol == "" }
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return fmt.Sprintf("Service %q is of type ExternalName, which leads out of the cluster", s.Name)
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return fmt.Sprintf("Service %q is headless: clients would dial the activators at the port of the pods", s.Name)
	case !slices.ContainsFunc(s.Spec.Ports, isTCP):
		return fmt.Sprintf("Service %q has no TCP port", s.Name)
	case p.Always:
		return fmt.Sprintf("all requests to Service %q are to go through the activators (path=always), which this version cannot do", s.Name)
	case len(s.Spec.Selector) == 0:
		return fmt.Sprintf("Service %q has no selector", s.Name)
	case s.Spec.PublishNotReadyAddresses:
		return fmt.Sprintf("Service %q has publishNotReadyAddresses: it leads to pods that do not accept requests yet", s.Name)
	}
	return ""
}

// families are the address families of a Service.
func families(s *corev1.Service) []discoveryv1.AddressType {
	var all []discoveryv1.AddressType
	for _, family := range s.Spec.IPFamilies {
		all = append(all, discoveryv1.AddressType(family))
	}
	if len(all) == 0 {
		return []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4}
	}
	return all
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

// listeningLocked are the activators that listen on all ports of a Service, by address family.
func (k *Keeper) listeningLocked(pl *planned) map[discoveryv1.AddressType][]serves.Activator {
	all := map[discoveryv1.AddressType][]serves.Activator{}
	untold := k.untoldLocked()
	for _, family := range families(pl.object) {
		slice := types.NamespacedName{Namespace: pl.name.Namespace, Name: serves.SliceName(pl.name.Name, family)}
		for _, r := range k.reports {
			if a, ok := r.endpoint(family); ok && r.listensOn(slice, pl.ports) {
				all[family] = append(all[family], a)
			}
		}
		if st := pl.known.stored[family]; st != nil && st.says.Face == wake.Active {
			for _, a := range st.says.Activators {
				if untold[a.UID] {
					all[family] = append(all[family], a)
				}
			}
		}
		slices.SortFunc(all[family], func(a, b serves.Activator) int {
			return strings.Compare(a.Pod+" "+string(a.UID), b.Pod+" "+string(b.UID))
		})
	}
	return all
}
