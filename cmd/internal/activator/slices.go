package activator

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler/activator"
)

// served is who is told what there is to serve.
type served interface {
	Serve(slice serves.Slice)
	Drop(slice types.NamespacedName)
	Pods(slice types.NamespacedName, ready map[string][]netip.AddrPort)
}

type slicesConfig struct {
	client    kubernetes.Interface
	namespace string // the only one; empty for all
	watches   *watching.Watches
	server    served
	own       map[netip.Addr]bool // the addresses of this process' pod
	log       *zap.Logger
}

// endpointSlices are the EndpointSlices of the cluster: those of mini-hpa say what is served, the others which pods are ready. Of the others little is kept, but
// of all: when a Service begins to be served, its pods are known without a list.
type endpointSlices struct {
	slicesConfig
	informer cache.SharedIndexInformer
	events   cache.ResourceEventHandlerRegistration
	named    atomic.Bool // a slice names this process as an activator

	// The rest only the informer's goroutine uses.

	// known are mini-hpa's slices that are there, by Service, and those for which somebody may be held yet.
	known map[types.NamespacedName]map[types.NamespacedName]known
	// gone are the latter, in the order in which they have gone.
	gone []goneSlice
	// activators are the addresses that slices name as activators, and how often.
	activators map[netip.Addr]int
	// pairs are those of the slices' ports, and how often.
	pairs map[int32]int
}

// goneSlice is a slice that is not there any more.
type goneSlice struct {
	service, key types.NamespacedName
	until        time.Time
}

// known is what was read of a slice of mini-hpa's.
type known struct {
	// slice is what it said when it could be read last; nil if it never could.
	slice *serves.Slice
	// problem is why it cannot be read; empty if it can. Each is told once.
	problem string
	// until is when it is forgotten, if it is not there any more; zero if it is.
	until time.Time
}

// byService is the index of all slices of a Service.
const byService = "service"

func newSlices(c slicesConfig) (*endpointSlices, error) {
	s := &endpointSlices{slicesConfig: c, known: map[types.NamespacedName]map[types.NamespacedName]known{}, activators: map[netip.Addr]int{}, pairs: map[int32]int{}}
	source := watching.New("endpointslices", c.client.DiscoveryV1().EndpointSlices(c.namespace), c.watches, func(err error) { c.log.Warn("will try again", zap.Error(err)) })
	s.informer = source.Informer(c.client, &discoveryv1.EndpointSlice{}, cache.Indexers{byService: indexService}, slim)
	if err := s.informer.SetWatchErrorHandlerWithContext(source.Failed); err != nil {
		return nil, err
	}
	look := func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
			s.look(serviceOf(slice))
		}
	}
	var err error
	s.events, err = s.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: look, DeleteFunc: look, UpdateFunc: func(before, after any) {
		if is, ok := before.(*discoveryv1.EndpointSlice); ok && serviceOf(is) != serviceOfAny(after) {
			look(before)
		}
		look(after)
	}})
	return s, err
}

// run watches until ctx ends.
func (s *endpointSlices) run(ctx context.Context) { s.informer.RunWithContext(ctx) }

// filled says whether all that was there at the start is served.
func (s *endpointSlices) filled() bool { return s.events.HasSynced() }

// look tells the server of one Service.
func (s *endpointSlices) look(service types.NamespacedName) {
	objects, err := s.informer.GetIndexer().ByIndex(byService, service.String())
	if err != nil {
		return // there is no such index
	}
	s.forget(time.Now())
	before, now := s.known[service], map[types.NamespacedName]known{}
	for _, object := range objects {
		if slice, ok := object.(*discoveryv1.EndpointSlice); ok && isOurs(slice) {
			key := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Name}
			now[key] = s.read(slice, before[key])
		}
	}
	for key, k := range before {
		if _, is := now[key]; !is && k.slice != nil {
			now[key] = s.drop(service, key, k)
		}
	}
	if s.known[service] = now; len(now) == 0 {
		delete(s.known, service)
	}
	isNew := s.countActivators(before, now)
	for key, k := range now {
		if k.slice == nil {
			continue
		}
		if k.problem == "" && k.until.IsZero() {
			s.server.Serve(*k.slice)
		}
		s.server.Pods(key, s.readyPods(k.slice, objects))
	}
	if isNew { // which others may have taken for a pod
		for _, other := range slices.Collect(maps.Keys(s.known)) {
			s.look(other)
		}
	}
}

// drop ends serving a slice, if it is served. Those that are held for it hear of its pods until nobody can be left.
func (s *endpointSlices) drop(service, key types.NamespacedName, k known) known {
	if k.until.IsZero() {
		s.server.Drop(key)
		k.until = time.Now().Add(activator.Lasting)
		s.gone = append(s.gone, goneSlice{service, key, k.until})
	}
	return k
}

// forget forgets slices that have gone and for which nobody is held any more.
func (s *endpointSlices) forget(now time.Time) {
	for len(s.gone) > 0 && !now.Before(s.gone[0].until) {
		first := s.gone[0]
		s.gone = s.gone[1:]
		if of := s.known[first.service]; of[first.key].until.Equal(first.until) {
			if delete(of, first.key); len(of) == 0 {
				delete(s.known, first.service)
			}
		}
	}
}

// countActivators notes who is named as an activator by the slices of a Service, before and now, and where activators listen. It says
// whether one is named that was not.
func (s *endpointSlices) countActivators(before, now map[types.NamespacedName]known) (isNew bool) {
	for _, k := range now {
		isNew = s.countNamed(k, +1) || isNew
	}
	for _, k := range before {
		s.countNamed(k, -1)
	}
	named := false
	for address := range s.own {
		named = named || s.activators[address] > 0
	}
	s.named.Store(named)
	return isNew
}

// countNamed counts what one slice names so many times more. It says whether an activator was not named before.
func (s *endpointSlices) countNamed(k known, n int) (isNew bool) {
	if k.slice == nil || !k.until.IsZero() {
		return false
	}
	for _, port := range k.slice.Ports {
		count(s.pairs, port.Pair, n)
	}
	for _, a := range k.slice.Activators {
		if address, err := netip.ParseAddr(a.Address); err == nil {
			isNew = isNew || s.activators[address] == 0
			count(s.activators, address, n)
		}
	}
	return isNew
}

// count counts n more of something, and forgets what is not there any more.
func count[K comparable](all map[K]int, what K, n int) {
	if all[what] += n; all[what] == 0 {
		delete(all, what)
	}
}

// read reads a slice of mini-hpa's. One that cannot be read is served as before, and its pods come and go.
func (s *endpointSlices) read(slice *discoveryv1.EndpointSlice, before known) known {
	read, err := serves.Read(slice)
	if err == nil {
		return known{slice: &read}
	}
	if before.problem != err.Error() {
		s.log.Error("a slice is not served as it says", zap.Error(err))
	}
	return known{slice: before.slice, problem: err.Error()}
}

// readyPods are the pods behind a slice of mini-hpa's, by the names of the Service's ports: those that Kubernetes' own slices of its family say are ready.
// A door of an activator is none, whatever a slice says: it would be asked again and again for one request.
func (s *endpointSlices) readyPods(of *serves.Slice, objects []any) map[string][]netip.AddrPort {
	ready := map[string][]netip.AddrPort{}
	add := func(addresses []string, ports map[string]int32) {
		for _, text := range addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				continue
			}
			for name, port := range ports {
				if !s.mayBePod(address, port) {
					continue
				}
				ready[name] = append(ready[name], netip.AddrPortFrom(address, uint16(port)))
			}
		}
	}
	for _, b := range of.Backends {
		add(b.Addresses, b.Ports)
	}
	for _, object := range objects {
		slice, ok := object.(*discoveryv1.EndpointSlice)
		if !ok || isOurs(slice) || slice.AddressType != of.Family || of.Backends != nil {
			continue
		}
		b := backendsOf(slice)
		add(b.Addresses, b.Ports)
	}
	for name, addresses := range ready {
		slices.SortFunc(addresses, netip.AddrPort.Compare) // so that one who looks twice sees the same
		ready[name] = slices.Compact(addresses)
	}
	return ready
}

// backendsOf are the pods of a slice that is slim.
func backendsOf(slice *discoveryv1.EndpointSlice) serves.Backends {
	b := serves.Backends{Ports: map[string]int32{}}
	for _, port := range slice.Ports {
		b.Ports[*port.Name] = *port.Port
	}
	for _, e := range slice.Endpoints {
		b.Addresses = append(b.Addresses, e.Addresses...)
	}
	return b
}

// mayBePod says whether a pod may be there. Nobody is to make the activator ask itself, or its node.
func (s *endpointSlices) mayBePod(address netip.Addr, port int32) bool {
	return address.IsGlobalUnicast() && !address.Is4In6() && !s.isDoor(address, port)
}

// isDoor says whether activators listen there, or may. At an address of this process that no slice names as an activator's, pods may be, too: those of a node's network.
func (s *endpointSlices) isDoor(address netip.Addr, port int32) bool {
	pair := serves.PairOf(port)
	return s.activators[address] > 0 || s.own[address] && (s.pairs[pair] > 0 || serves.DefaultRange().Has(pair))
}

// slim keeps of a slice what is read of it: all of mini-hpa's own, of others the ports and the addresses that are ready, as one endpoint. What it
// has kept it keeps again: an informer that is sent its first list by a watch makes each object slim twice.
func slim(object any) (any, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return nil, fmt.Errorf("%T is not an EndpointSlice", object)
	}
	slice.ManagedFields = nil
	if isOurs(slice) {
		return slice, nil
	}
	kept := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: slice.Namespace, Name: slice.Name, UID: slice.UID, ResourceVersion: slice.ResourceVersion,
			Labels: map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}},
		AddressType: slice.AddressType,
	}
	for _, port := range slice.Ports {
		if port.Port == nil || *port.Port < 1 || *port.Port > 65535 {
			continue // all ports, or none: nothing could be dialled
		}
		name := ""
		if port.Name != nil {
			name = *port.Name
		}
		kept.Ports = append(kept.Ports, discoveryv1.EndpointPort{Name: &name, Port: new(*port.Port)})
	}
	var ready []string
	for _, e := range slice.Endpoints {
		// A pod of which nothing is said is not taken for ready (KubeElasti#350), and one that ends is not, whatever a Service publishes.
		if c := e.Conditions; c.Ready != nil && *c.Ready && (c.Terminating == nil || !*c.Terminating) {
			ready = append(ready, e.Addresses...)
		}
	}
	if len(ready) > 0 {
		kept.Endpoints = []discoveryv1.Endpoint{{Addresses: ready, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}}
	}
	return kept, nil
}

func isOurs(slice *discoveryv1.EndpointSlice) bool {
	return slice.Labels[discoveryv1.LabelManagedBy] == serves.Manager
}

func serviceOf(slice *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
}

// serviceOfAny is serviceOf, and of nothing else.
func serviceOfAny(object any) types.NamespacedName {
	if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
		return serviceOf(slice)
	}
	return types.NamespacedName{}
}

func indexService(object any) ([]string, error) { return []string{serviceOfAny(object).String()}, nil }
