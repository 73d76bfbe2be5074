package informer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// autoscaler is what a cache holds of an object that scales something.
type autoscaler struct {
	metav1.ObjectMeta
	is     annotations.Autoscaler
	target annotations.Key // the zero Key if it does not scale a Deployment
	// resizer is nil unless the object scales vertically.
	resizer *annotations.Resizer
}

// GetObjectKind implements runtime.Object. The kind of the object is in its other fields.
func (a *autoscaler) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. It shares the resizer, which is never changed.
func (a *autoscaler) DeepCopyObject() runtime.Object {
	return &autoscaler{ObjectMeta: *a.ObjectMeta.DeepCopy(), is: a.is, target: a.target, resizer: a.resizer}
}

// says returns everything that is read of an autoscaler, for a comparison.
func (a *autoscaler) says() string {
	if a.resizer != nil {
		return fmt.Sprint(*a.resizer, a.target)
	}
	return fmt.Sprint(a.is, a.target)
}

// targetOf indexes autoscalers by the Deployment that they scale.
func targetOf(obj any) ([]string, error) {
	a, ok := obj.(*autoscaler)
	if !ok || a.target == (annotations.Key{}) {
		return nil, nil
	}
	return []string{a.target.NamespacedName().String()}, nil
}

// slim makes what a cache holds of an object of any kind.
func slim(kind string, o metav1.Object, ref autoscalingv2.CrossVersionObjectReference) *autoscaler {
	out := &autoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}}
	var deployment string
	if out.is, deployment = annotations.Scales(kind, o, ref); deployment != "" {
		out.target = annotations.DeploymentKey(o.GetNamespace(), deployment)
	}
	return out
}

// slimHPA keeps the target of a HorizontalPodAutoscaler.
func slimHPA(obj any) (any, error) {
	in, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return obj, nil
	}
	return slim(annotations.KindHPA, in, in.Spec.ScaleTargetRef), nil
}

// slimScaledObject keeps the target of a ScaledObject.
func slimScaledObject(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	var ref autoscalingv2.CrossVersionObjectReference
	// A field of a wrong type counts as missing: such an object scales nothing.
	for name, field := range map[string]*string{"apiVersion": &ref.APIVersion, "kind": &ref.Kind, "name": &ref.Name} {
		if value, _, err := unstructured.NestedString(in.Object, "spec", "scaleTargetRef", name); err == nil {
			*field = value
		}
	}
	return slim(annotations.KindScaledObject, in, ref), nil
}

// slimResizer keeps the target of a VerticalPodAutoscaler, and which requests it changes.
func slimResizer(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	out := &autoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: in.GetNamespace(), Name: in.GetName(), UID: in.GetUID(), ResourceVersion: in.GetResourceVersion()}}
	var deployment string
	if out.resizer, deployment = annotations.ReadResizer(in.GetName(), in.Object); deployment != "" {
		out.target = annotations.DeploymentKey(in.GetNamespace(), deployment)
	}
	return out, nil
}

// slimLimitRange keeps the limits, with quantities of bounded size.
func slimLimitRange(obj any) (any, error) {
	in, ok := obj.(*corev1.LimitRange)
	if !ok {
		return obj, nil
	}
	out := &corev1.LimitRange{ObjectMeta: slimMeta(&in.ObjectMeta)}
	for _, item := range in.Spec.Limits {
		for _, list := range []*corev1.ResourceList{&item.Max, &item.Min, &item.Default, &item.DefaultRequest, &item.MaxLimitRequestRatio} {
			*list = amount.BoundedList(*list)
		}
		out.Spec.Limits = append(out.Spec.Limits, item)
	}
	return out, nil
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

// of returns the objects of the extension whose target is the Deployment.
func (x *extension) of(deployment annotations.Key) []*autoscaler {
	informer := x.informer.Load()
	if informer == nil {
		return nil
	}
	return indexed[*autoscaler]((*informer).GetIndexer(), byTarget, deployment.NamespacedName().String())
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
