package informer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// ServicesConfig says what to watch, and what to call when it changes.
type ServicesConfig struct {
	// Client reads Services, EndpointSlices and the activators' pods. Required.
	Client kubernetes.Interface
	// Namespace is the only namespace of which Services and EndpointSlices are watched; empty means all of them.
	Namespace string
	// ActivatorNamespace is where the activators are, Activators selects their pods there. Both are required.
	ActivatorNamespace string
	Activators         labels.Selector
	// Watches is what these informers share with others; nil if there are no others.
	Watches *watching.Watches
	// OnError, if set, gets failures, each kind of object at most once a minute. See Config.OnError.
	OnError func(err error)
	// OnService, if set, gets the Services that change, OnSlice those of which an EndpointSlice does, and OnActivators is called when an activator's pod does. They
	// are called from several goroutines and must return quickly.
	OnService, OnSlice func(service types.NamespacedName)
	OnActivators       func()
}

// Services watches what leads requests to pods: Services, their EndpointSlices, and the pods of the activators, which hold requests. All methods may be called
// from any goroutine. What they return is shared and must not be changed.
type Services struct {
	config                       ServicesConfig
	services, slices, pods       cache.SharedIndexInformer
	awaited                      []*awaited
	running                      sync.WaitGroup
	ofServices, ofSlices, ofPods *awaited
}

// Indexes of EndpointSlices: those of a Service, and those that are mini-hpa's. Of Services: those whose selector has a label, of which it is the last one.
const (
	byService  = "service"
	byManager  = "manager"
	bySelector = "selector"
)

// readyKept is how many ready endpoints of a slice are kept that is not mini-hpa's: it matters that there are any, and for how long one of them has been there.
const readyKept = 4

// NewServices prepares the informers without contacting the API server. It fails if the client, or where the activators are, is missing.
func NewServices(c ServicesConfig) (*Services, error) {
	if c.Client == nil || c.ActivatorNamespace == "" || c.Activators == nil || c.Activators.Empty() {
		return nil, errors.New("the informers of Services need a client, and the namespace and the labels of the activators")
	}
	if c.OnError == nil {
		c.OnError = handleError
	}
	if c.Watches == nil {
		c.Watches = watching.NewWatches("", nil)
	}
	services := watching.New("services", c.Client.CoreV1().Services(c.Namespace), c.Watches, c.OnError)
	endpoints := watching.New("endpointslices", c.Client.DiscoveryV1().EndpointSlices(c.Namespace), c.Watches, c.OnError)
	pods := watching.New("activators", chosen{c.Client, c.ActivatorNamespace, c.Activators.String()}, c.Watches, c.OnError)
	s := &Services{config: c,
		services: services.Informer(c.Client, &corev1.Service{}, cache.Indexers{bySelector: selectorOf}, slimService),
		slices:   endpoints.Informer(c.Client, &discoveryv1.EndpointSlice{}, cache.Indexers{byService: serviceOf, byManager: managerOf}, slimSlice),
		pods:     pods.Informer(c.Client, &corev1.Pod{}, cache.Indexers{}, slimActivator),
	}
	var err1, err2, err3 error
	s.ofServices, err1 = s.waitFor(s.services, services.Failed)
	s.ofSlices, err2 = s.waitFor(s.slices, endpoints.Failed)
	s.ofPods, err3 = s.waitFor(s.pods, pods.Failed)
	if err := errors.Join(err1, err2, err3, s.follow()); err != nil {
		return nil, fmt.Errorf("preparing the informers of Services: %w", err)
	}
	return s, nil
}

// waitFor makes Fill wait for an informer, and has its failures reported.
func (s *Services) waitFor(informer cache.SharedIndexInformer, failed cache.WatchErrorHandlerWithContext) (*awaited, error) {
	first := &awaited{came: informer.HasSyncedChecker().Done(), ended: make(chan struct{})}
	s.awaited = append(s.awaited, first)
	return first, informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		failed(ctx, r, err)
		if withheld(err) {
			first.end()
		}
	})
}

// follow reports what changes.
func (s *Services) follow() error {
	service := func(obj any) (types.NamespacedName, bool) {
		name, err := cache.DeletionHandlingObjectToName(obj)
		return name.AsNamespacedName(), err == nil
	}
	ofSlice := func(obj any) (types.NamespacedName, bool) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		slice, ok := obj.(*discoveryv1.EndpointSlice)
		if !ok {
			return types.NamespacedName{}, false
		}
		return types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}, true
	}
	activator := func(any) (types.NamespacedName, bool) { return types.NamespacedName{}, true }
	tellActivators := func(types.NamespacedName) {
		if s.config.OnActivators != nil {
			s.config.OnActivators()
		}
	}
	return errors.Join(tellChanges(s.services, service, s.config.OnService), tellChanges(s.slices, ofSlice, s.config.OnSlice), tellChanges(s.pods, activator, tellActivators))
}

// tellChanges reports what an object is about when it comes, goes, or changes in more than its version.
func tellChanges(informer cache.SharedIndexInformer, about func(obj any) (types.NamespacedName, bool), tell func(types.NamespacedName)) error {
	if tell == nil {
		return nil
	}
	one := func(obj any) {
		if name, ok := about(obj); ok {
			tell(name)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: one, DeleteFunc: one, UpdateFunc: func(before, after any) {
		if !sameContent(before, after) {
			one(before)
			one(after)
		}
	}})
	return err
}

// sameContent says whether two versions of an object differ in their version alone.
func sameContent(before, after any) bool {
	b, isObject := before.(runtime.Object)
	a, isToo := after.(runtime.Object)
	if !isObject || !isToo {
		return false
	}
	b = b.DeepCopyObject()
	was, ok := b.(metav1.Object)
	is, too := a.(metav1.Object)
	if !ok || !too {
		return false
	}
	was.SetResourceVersion(is.GetResourceVersion())
	return equality.Semantic.DeepEqual(b, a)
}

// Start starts the informers; they run until ctx ends. It must not be called twice.
func (s *Services) Start(ctx context.Context) {
	for _, informer := range []cache.SharedIndexInformer{s.services, s.slices, s.pods} {
		s.running.Go(func() { informer.RunWithContext(ctx) })
	}
}

// Fill returns when everything has been listed, or it is known that it cannot be, because a role leaves it out. It fails if ctx ends before that.
func (s *Services) Fill(ctx context.Context) error {
	if !fill(ctx, s.awaited) {
		return fmt.Errorf("filling the caches of Services and EndpointSlices: %w", context.Cause(ctx))
	}
	return nil
}

// Wait returns when everything that Start started has ended, some time after the end of Start's context.
func (s *Services) Wait() { s.running.Wait() }

// Err says what could not be listed yet; nil if all was.
func (s *Services) Err() error {
	for what, a := range map[string]*awaited{"Services": s.ofServices, "EndpointSlices": s.ofSlices, "the pods of the activators": s.ofPods} {
		if !isDone(a.came) {
			return fmt.Errorf("%s could not be listed yet", what)
		}
	}
	return nil
}

// Service returns a Service, or nil if there is none of that name.
func (s *Services) Service(name types.NamespacedName) *corev1.Service {
	return named[*corev1.Service](s.services.GetStore(), cache.NamespacedNameAsObjectName(name))
}

// Serving returns, of the Services of a workload's namespace, those of these names or, without names, those that select its pods, sorted by name. A namespace may have
// thousands: those are looked at whose selectors have a label of the pods as their last one.
func (s *Services) Serving(w *annotations.Workload, names []string) (found []*corev1.Service) {
	for _, name := range names {
		if service := s.Service(types.NamespacedName{Namespace: w.Namespace, Name: name}); service != nil {
			found = append(found, service)
		}
	}
	if len(names) > 0 {
		return sorted(found)
	}
	for key, value := range w.PodLabels() {
		for _, service := range indexed[*corev1.Service](s.services.GetIndexer(), bySelector, labelled(w.Namespace, key, value)) {
			if annotations.Selects(service, w) {
				found = append(found, service)
			}
		}
	}
	return sorted(found)
}

// Slices returns the EndpointSlices of a Service, whoever manages them, by name. Of those that are not mini-hpa's only ready endpoints are kept, and of
// these a few.
func (s *Services) Slices(service types.NamespacedName) []*discoveryv1.EndpointSlice {
	return sorted(indexed[*discoveryv1.EndpointSlice](s.slices.GetIndexer(), byService, service.String()))
}

// OwnSlices returns all EndpointSlices whose label says that mini-hpa manages them, by namespace and name.
func (s *Services) OwnSlices() []*discoveryv1.EndpointSlice {
	return sorted(indexed[*discoveryv1.EndpointSlice](s.slices.GetIndexer(), byManager, annotations.FieldManager))
}

// OwnSlice returns an EndpointSlice by its name, or nil if there is none.
func (s *Services) OwnSlice(name types.NamespacedName) *discoveryv1.EndpointSlice {
	return named[*discoveryv1.EndpointSlice](s.slices.GetStore(), cache.NamespacedNameAsObjectName(name))
}

// Activators returns the pods of the activators, by name.
func (s *Services) Activators() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, obj := range s.pods.GetStore().List() {
		pods = append(pods, typed[*corev1.Pod](obj))
	}
	return sorted(pods)
}

func sorted[T metav1.Object](all []T) []T {
	slices.SortFunc(all, func(a, b T) int {
		if c := strings.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
			return c
		}
		return strings.Compare(a.GetName(), b.GetName())
	})
	return all
}

// selectorOf is the last label of a Service's selector, by its key: Helm's app.kubernetes.io/instance, which whole releases have in common, comes before
// app.kubernetes.io/name.
func selectorOf(obj any) (last []string, _ error) {
	service := typed[*corev1.Service](obj)
	for key, value := range service.Spec.Selector {
		if is := labelled(service.Namespace, key, value); last == nil || is > last[0] {
			last = []string{is}
		}
	}
	return last, nil
}

func labelled(namespace, key, value string) string { return namespace + "/" + key + "=" + value }

func serviceOf(obj any) ([]string, error) {
	slice := typed[*discoveryv1.EndpointSlice](obj)
	return []string{slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]}, nil
}

func managerOf(obj any) ([]string, error) {
	return []string{typed[*discoveryv1.EndpointSlice](obj).Labels[discoveryv1.LabelManagedBy]}, nil
}

// slimService keeps what says to whom a Service leads, and at which ports.
func slimService(obj any) (any, error) {
	in, ok := obj.(*corev1.Service)
	if !ok {
		return obj, nil
	}
	out := &corev1.Service{ObjectMeta: slimMeta(&in.ObjectMeta), Spec: corev1.ServiceSpec{
		Type: in.Spec.Type, ClusterIP: in.Spec.ClusterIP, IPFamilies: in.Spec.IPFamilies, Selector: sharedPairs(in.Spec.Selector),
		InternalTrafficPolicy: in.Spec.InternalTrafficPolicy, ExternalTrafficPolicy: in.Spec.ExternalTrafficPolicy, SessionAffinity: in.Spec.SessionAffinity,
		PublishNotReadyAddresses: in.Spec.PublishNotReadyAddresses}}
	out.Annotations, out.DeletionTimestamp = ownAnnotations(in.Annotations), in.DeletionTimestamp
	for _, port := range in.Spec.Ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{Name: one(port.Name), Protocol: port.Protocol, AppProtocol: port.AppProtocol, Port: port.Port, TargetPort: port.TargetPort})
	}
	return out, nil
}

// slimSlice keeps an EndpointSlice of mini-hpa's as it is, and of others the names of some ready endpoints.
func slimSlice(obj any) (any, error) {
	in, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return obj, nil
	}
	out := &discoveryv1.EndpointSlice{ObjectMeta: slimMeta(&in.ObjectMeta), AddressType: in.AddressType}
	if in.Labels[discoveryv1.LabelManagedBy] == annotations.FieldManager {
		out.Labels, out.Annotations, out.OwnerReferences, out.CreationTimestamp = in.Labels, in.Annotations, in.OwnerReferences, in.CreationTimestamp
		out.Endpoints, out.Ports = in.Endpoints, in.Ports
		return out, nil
	}
	out.Labels = pairs(in.Labels, func(key string) bool { return key == discoveryv1.LabelServiceName || key == discoveryv1.LabelManagedBy })
	for i := range in.Endpoints {
		if e := &in.Endpoints[i]; len(out.Endpoints) < readyKept && e.Conditions.Ready != nil && *e.Conditions.Ready && len(e.Addresses) > 0 {
			kept := discoveryv1.Endpoint{Addresses: e.Addresses[:1], Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}
			if e.TargetRef != nil {
				kept.TargetRef = &corev1.ObjectReference{UID: e.TargetRef.UID}
			}
			out.Endpoints = append(out.Endpoints, kept)
		}
	}
	return out, nil
}

// slimActivator keeps where an activator is, whether it is ready, and whether it is to end.
func slimActivator(obj any) (any, error) {
	in, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	out := &corev1.Pod{ObjectMeta: slimMeta(&in.ObjectMeta), Spec: corev1.PodSpec{NodeName: in.Spec.NodeName},
		Status: corev1.PodStatus{Phase: in.Status.Phase, PodIP: in.Status.PodIP, PodIPs: in.Status.PodIPs}}
	out.Labels = pairs(in.Labels, func(key string) bool { return key == corev1.LabelTopologyZone })
	out.DeletionTimestamp = in.DeletionTimestamp
	for i := range in.Status.Conditions {
		if c := &in.Status.Conditions[i]; c.Type == corev1.PodReady {
			out.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	for i := range in.Spec.Containers {
		for _, port := range in.Spec.Containers[i].Ports {
			if port.Name != "" {
				out.Spec.Containers = append(out.Spec.Containers, corev1.Container{Ports: []corev1.ContainerPort{{Name: port.Name, ContainerPort: port.ContainerPort}}})
			}
		}
	}
	return out, nil
}

// chosen lists and watches the pods of a namespace that a selector chooses.
type chosen struct {
	client              kubernetes.Interface
	namespace, selector string
}

// List lists them.
func (c chosen) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	opts.LabelSelector = c.selector
	return c.client.CoreV1().Pods(c.namespace).List(ctx, opts)
}

// Watch watches them.
func (c chosen) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.LabelSelector = c.selector
	return c.client.CoreV1().Pods(c.namespace).Watch(ctx, opts)
}
