package informer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// NeighborsConfig says what to watch, and what to call when it changes.
type NeighborsConfig struct {
	// Client reads LimitRanges and HorizontalPodAutoscalers, and finds out which of the other resources the cluster has. Required.
	Client kubernetes.Interface
	// Dynamic reads KEDA's ScaledObjects and VerticalPodAutoscalers, if the cluster has them. Required.
	Dynamic dynamic.Interface
	// Namespace is the only namespace to watch; empty means all of them.
	Namespace string
	// NetworkPolicies says that these are watched, too: they bear on whether requests that have waited get to the pods of a workload.
	NetworkPolicies bool
	// Watches is what these informers share with others, such as a Set; nil if there are no others.
	Watches *watching.Watches
	// OnError, if set, gets failures, each kind of object at most once a minute. See Config.OnError.
	OnError func(err error)
	// OnAutoscaler, if set, gets the workloads that an autoscaler begins or ceases to scale, and OnLimitRange the namespaces whose
	// LimitRanges change. Both are called from several goroutines and must return quickly.
	OnAutoscaler func(workloads ...annotations.Key)
	OnLimitRange func(namespace string)
}

// Neighbors watches the surroundings of workloads: the LimitRanges of their namespaces, which supply requests, other autoscalers, and
// VerticalPodAutoscalers, which change requests. All methods may be called from any goroutine.
type Neighbors struct {
	config      NeighborsConfig
	limitRanges cache.SharedIndexInformer
	hpas        cache.SharedIndexInformer
	policies    cache.SharedIndexInformer // nil if they are not watched
	// scaledObjects and resizers are watched if the cluster has them.
	scaledObjects, resizers *extension
	awaited                 []*awaited
	running                 sync.WaitGroup
}

// NewNeighbors prepares the informers without contacting the API server. It fails if a client is missing.
func NewNeighbors(c NeighborsConfig) (*Neighbors, error) {
	if c.Client == nil || c.Dynamic == nil {
		return nil, errors.New("the informers of neighbors need both a typed and a dynamic client")
	}
	if c.OnError == nil {
		c.OnError = handleError
	}
	if c.Watches == nil {
		c.Watches = watching.NewWatches("", nil)
	}
	limitRanges := watching.New("limitranges", c.Client.CoreV1().LimitRanges(c.Namespace), c.Watches, c.OnError)
	hpas := watching.New("horizontalpodautoscalers", c.Client.AutoscalingV2().HorizontalPodAutoscalers(c.Namespace), c.Watches, c.OnError)
	n := &Neighbors{
		config:      c,
		limitRanges: limitRanges.Informer(c.Client, &corev1.LimitRange{}, cache.Indexers{byNamespace: cache.MetaNamespaceIndexFunc}, slimLimitRange),
		hpas:        hpas.Informer(c.Client, &autoscalingv2.HorizontalPodAutoscaler{}, cache.Indexers{byTarget: targetOf}, slimHPA),
	}
	var policiesErr error
	if c.NetworkPolicies {
		policies := watching.New("networkpolicies", c.Client.NetworkingV1().NetworkPolicies(c.Namespace), c.Watches, c.OnError)
		n.policies = policies.Informer(c.Client, &networkingv1.NetworkPolicy{}, cache.Indexers{byNamespace: cache.MetaNamespaceIndexFunc}, slimNetworkPolicy)
		policiesErr = n.waitFor(n.policies, policies.Failed)
	}
	n.scaledObjects = &extension{resource: scaledObjects, slim: slimScaledObject, looked: n.await(nil)}
	n.resizers = &extension{resource: resizers, slim: slimResizer, looked: n.await(nil)}
	if err := errors.Join(n.waitFor(n.limitRanges, limitRanges.Failed), n.waitFor(n.hpas, hpas.Failed),
		policiesErr, n.followLimitRanges(), n.follow(n.hpas)); err != nil {
		return nil, fmt.Errorf("preparing the informers of neighbors: %w", err)
	}
	return n, nil
}

// await adds a kind of object to what Fill waits for.
func (n *Neighbors) await(came <-chan struct{}) *awaited {
	a := &awaited{came: came, ended: make(chan struct{})}
	n.awaited = append(n.awaited, a)
	return a
}

// waitFor makes Fill wait for an informer, and has its failures reported.
func (n *Neighbors) waitFor(informer cache.SharedIndexInformer, failed cache.WatchErrorHandlerWithContext) error {
	first := n.await(informer.HasSyncedChecker().Done())
	return errors.Join(informer.SetWatchErrorHandlerWithContext(
		func(ctx context.Context, r *cache.Reflector, err error) {
			failed(ctx, r, err)
			if withheld(err) {
				first.end()
			}
		}))
}

// followLimitRanges reports the namespaces whose LimitRanges change.
func (n *Neighbors) followLimitRanges() error {
	tell := func(obj any) {
		if name, err := cache.DeletionHandlingObjectToName(obj); err == nil && n.config.OnLimitRange != nil {
			n.config.OnLimitRange(name.Namespace)
		}
	}
	_, err := n.limitRanges.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: tell, DeleteFunc: tell, UpdateFunc: func(before, after any) {
		if b, a := typed[*corev1.LimitRange](before), typed[*corev1.LimitRange](after); !equality.Semantic.DeepEqual(&b.Spec, &a.Spec) {
			tell(after)
		}
	}})
	return err
}

// follow reports the targets of autoscalers that are created, deleted or get another target. It ignores updates that change nothing
// else, because the HPA controller writes the status of its objects all the time.
func (n *Neighbors) follow(autoscalers cache.SharedIndexInformer) error {
	_, err := autoscalers.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { n.autoscalersChanged(obj) },
		DeleteFunc: func(obj any) { n.autoscalersChanged(obj) },
		UpdateFunc: func(before, after any) {
			if typed[*autoscaler](before).says() != typed[*autoscaler](after).says() {
				n.autoscalersChanged(before, after)
			}
		},
	})
	return err
}

func (n *Neighbors) autoscalersChanged(objs ...any) {
	if n.config.OnAutoscaler == nil {
		return
	}
	for _, obj := range objs {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if a, ok := obj.(*autoscaler); ok && a.target != (annotations.Key{}) {
			n.config.OnAutoscaler(a.target)
		}
	}
}

// Start starts the informers; they run until ctx ends. It must not be called twice.
func (n *Neighbors) Start(ctx context.Context) {
	n.running.Go(func() { n.limitRanges.RunWithContext(ctx) })
	n.running.Go(func() { n.hpas.RunWithContext(ctx) })
	if n.policies != nil {
		n.running.Go(func() { n.policies.RunWithContext(ctx) })
	}
	for _, x := range []*extension{n.scaledObjects, n.resizers} {
		n.running.Go(func() { n.followExtension(ctx, x) })
		n.running.Go(func() {
			select {
			case <-ctx.Done():
			case <-x.looked.ended:
			case <-time.After(optional):
				x.looked.end()
			}
		})
	}
}

// Fill returns when every kind of object has been listed, or it is known that it cannot be: a role may leave out LimitRanges or
// HorizontalPodAutoscalers, and few clusters have the others. It fails if ctx ends before that.
func (n *Neighbors) Fill(ctx context.Context) error {
	if !fill(ctx, n.awaited) {
		return fmt.Errorf("filling the caches of limitranges and autoscalers: %w", context.Cause(ctx))
	}
	return nil
}

// Filled says whether Fill would return at once.
func (n *Neighbors) Filled() bool {
	for _, a := range n.awaited {
		select {
		case <-a.came:
		case <-a.ended:
		default:
			return false
		}
	}
	return true
}

// Wait returns when everything that Start started has ended, some time after the end of Start's context.
func (n *Neighbors) Wait() { n.running.Wait() }

// Surroundings returns the surroundings of a workload. They are shared and must not be changed.
func (n *Neighbors) Surroundings(workload annotations.Key) annotations.Surroundings {
	var s annotations.Surroundings
	if !n.limitRanges.HasSynced() {
		s.Unknown = "LimitRanges cannot be read"
	}
	if scope := n.config.Namespace; scope != "" && scope != workload.Namespace {
		s.Unknown = "only namespace " + scope + " is watched"
	}
	s.LimitRanges = indexed[*corev1.LimitRange](n.limitRanges.GetIndexer(), byNamespace, workload.Namespace)
	slices.SortFunc(s.LimitRanges, func(a, b *corev1.LimitRange) int { return strings.Compare(a.Name, b.Name) })
	if n.policies != nil {
		s.NetworkPolicies = indexed[*networkingv1.NetworkPolicy](n.policies.GetIndexer(), byNamespace, workload.Namespace)
		slices.SortFunc(s.NetworkPolicies, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	}
	found := indexed[*autoscaler](n.hpas.GetIndexer(), byTarget, workload.String())
	found = append(found, n.scaledObjects.of(workload)...)
	for _, a := range found {
		s.Autoscalers = append(s.Autoscalers, a.is)
	}
	slices.SortFunc(s.Autoscalers, func(a, b annotations.Autoscaler) int { return strings.Compare(a.Kind+" "+a.Name, b.Kind+" "+b.Name) })
	s.Autoscalers = slices.Compact(s.Autoscalers) // a ScaledObject and the HorizontalPodAutoscaler that KEDA made for it
	for _, a := range n.resizers.of(workload) {
		s.Resizers = append(s.Resizers, a.resizer)
	}
	slices.SortFunc(s.Resizers, func(a, b *annotations.Resizer) int { return strings.Compare(a.Name, b.Name) })
	return s
}

const (
	// lookForExtensions is how often to ask the API server whether it has such objects by now.
	lookForExtensions = 5 * time.Minute
	// askAgain is how often to ask while it does not answer.
	askAgain = 10 * time.Second
)

// extension is a kind of autoscaler that few clusters have.
type extension struct {
	resource schema.GroupVersionResource
	slim     cache.TransformFunc
	// informer is nil while the cluster does not have the resource.
	informer atomic.Pointer[cache.SharedIndexInformer]
	// looked ends when it is known whether there are such objects.
	looked *awaited
}

// The resources of KEDA 2 and of the VerticalPodAutoscaler.
var (
	scaledObjects = schema.GroupVersionResource{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}
	resizers      = schema.GroupVersionResource{Group: annotations.GroupResizer, Version: "v1", Resource: "verticalpodautoscalers"}
)

// of returns the objects of the extension whose target is the workload.
func (x *extension) of(workload annotations.Key) []*autoscaler {
	informer := x.informer.Load()
	if informer == nil {
		return nil
	}
	return indexed[*autoscaler]((*informer).GetIndexer(), byTarget, workload.String())
}

// followExtension watches the resource while the cluster has it, and otherwise asks now and then whether it does.
//
//	no such resource --installed--> watch --removed--> no such resource
func (n *Neighbors) followExtension(ctx context.Context, x *extension) {
	failing := n.config.Watches.Reporter(x.resource.Resource, n.config.OnError)
	failing.What = "whether there are " + x.resource.Resource
	for ctx.Err() == nil {
		var served bool
		err := n.config.Watches.Insist(ctx, x.resource.Resource, func() error {
			var err error
			served, err = n.serves(ctx, x.resource)
			return err
		})
		if err == nil && served {
			err = n.watchExtension(ctx, x)
		}
		pause := lookForExtensions
		if err != nil {
			failing.Failed(ctx, nil, err)
			pause = askAgain
		}
		if err == nil || withheld(err) {
			x.looked.end()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (n *Neighbors) serves(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	var list *metav1.APIResourceList
	// If one extension API hangs, that does not mean that the API server cannot be reached.
	err := watching.Within(ctx, askAgain, func(ctx context.Context) (err error) {
		list, err = discovery.ToDiscoveryInterfaceWithContext(n.config.Client.Discovery()).ServerResourcesForGroupVersionWithContext(ctx, resource.GroupVersion().String())
		return err
	})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for the resources of %s: %w", resource.GroupVersion(), err)
	}
	for _, r := range list.APIResources {
		if r.Name == resource.Resource {
			return true, nil
		}
	}
	return false, nil
}

// watchExtension watches until ctx ends or the resource is gone.
func (n *Neighbors) watchExtension(parent context.Context, x *extension) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	informer, err := n.newExtensionInformer(x, func(err error) {
		if withheld(err) {
			x.looked.end()
		}
		if apierrors.IsNotFound(err) {
			cancel()
		}
	})
	if err != nil {
		return fmt.Errorf("preparing the informer of %s: %w", x.resource.Resource, err)
	}
	x.informer.Store(&informer)
	n.running.Go(func() {
		if cache.WaitFor(ctx, "", informer.HasSyncedChecker()) {
			x.looked.end()
		}
	})
	informer.RunWithContext(ctx)
	x.informer.Store(nil)
	n.autoscalersChanged(informer.GetStore().List()...)
	return nil
}

// newExtensionInformer makes an informer whose changes are reported to OnAutoscaler; failed is called for each failed list or watch.
func (n *Neighbors) newExtensionInformer(x *extension, failed func(error)) (cache.SharedIndexInformer, error) {
	s := watching.New(x.resource.Resource, n.config.Dynamic.Resource(x.resource).Namespace(n.config.Namespace), n.config.Watches, n.config.OnError)
	informer := s.Informer(n.config.Dynamic, &unstructured.Unstructured{}, cache.Indexers{byTarget: targetOf}, x.slim)
	return informer, errors.Join(n.follow(informer),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
			s.Failed(ctx, r, err)
			failed(err)
		}))
}
