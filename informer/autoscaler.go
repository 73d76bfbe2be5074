package informer

import (
	"context"
	"errors"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// autoscaler is what is kept of an object that scales something.
type autoscaler struct {
	metav1.ObjectMeta
	is     annotations.Autoscaler
	target Key // the zero Key if it is not a Deployment
}

// says is all that is ever read of it.
func (a *autoscaler) says() string { return fmt.Sprint(a.is, a.target) }

// targetOf is the index by the Deployment that is scaled.
func targetOf(obj any) ([]string, error) {
	a, ok := obj.(*autoscaler)
	if !ok || a.target == (Key{}) {
		return nil, nil
	}
	return []string{a.target.String()}, nil
}

// slim is what is kept of any of them.
func slim(kind string, o metav1.Object, ref autoscalingv2.CrossVersionObjectReference) *autoscaler {
	out := &autoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}}
	var deployment string
	if out.is, deployment = annotations.Scales(kind, o, ref); deployment != "" {
		out.target = Key{Namespace: o.GetNamespace(), Name: deployment}
	}
	return out
}

// slimHPA keeps of a HorizontalPodAutoscaler whom it scales.
func slimHPA(obj any) (any, error) {
	in, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return obj, nil
	}
	return slim(annotations.KindHPA, in, in.Spec.ScaleTargetRef), nil
}

// slimScaledObject keeps of a ScaledObject whom it scales.
func slimScaledObject(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	var ref autoscalingv2.CrossVersionObjectReference
	// A field of another type is as good as none: such an object scales nothing.
	for name, field := range map[string]*string{"apiVersion": &ref.APIVersion, "kind": &ref.Kind, "name": &ref.Name} {
		if value, _, err := unstructured.NestedString(in.Object, "spec", "scaleTargetRef", name); err == nil {
			*field = value
		}
	}
	return slim(annotations.KindScaledObject, in, ref), nil
}

// slimLimitRange leaves out what nobody reads.
func slimLimitRange(obj any) (any, error) {
	in, ok := obj.(*corev1.LimitRange)
	if !ok {
		return obj, nil
	}
	out := &corev1.LimitRange{ObjectMeta: slimMeta(&in.ObjectMeta)}
	for _, item := range in.Spec.Limits {
		for _, list := range []*corev1.ResourceList{&item.Max, &item.Min, &item.Default, &item.DefaultRequest, &item.MaxLimitRequestRatio} {
			*list = annotations.BoundedList(*list)
		}
		out.Spec.Limits = append(out.Spec.Limits, item)
	}
	return out, nil
}

const (
	// lookForKEDA is how often the API server is asked whether it has ScaledObjects by now.
	lookForKEDA = 5 * time.Minute
	// askAgain is how often it is asked while it does not answer.
	askAgain = 10 * time.Second
)

// followScaledObjects watches ScaledObjects for as long as the cluster has them, and looks whether it has them otherwise.
//
//	no such resource --installed--> watch --removed--> no such resource
func (n *Neighbors) followScaledObjects(ctx context.Context) {
	failing := &outage{what: "whether there are scaledobjects", report: n.config.OnError}
	for ctx.Err() == nil {
		served, err := n.servesScaledObjects(ctx)
		if err == nil && served {
			err = n.watchScaledObjects(ctx)
		}
		pause := lookForKEDA
		if err != nil {
			failing.failed(ctx, nil, err)
			pause = askAgain
		}
		if err == nil || withheld(err) {
			n.looked.end()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// scaledObjects is the resource of KEDA 2.
var scaledObjects = schema.GroupVersionResource{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}

func (n *Neighbors) servesScaledObjects(parent context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(parent, askAgain)
	defer cancel()
	list, err := discovery.ToDiscoveryInterfaceWithContext(n.config.Client.Discovery()).ServerResourcesForGroupVersionWithContext(ctx, scaledObjects.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for the resources of %s: %w", scaledObjects.GroupVersion(), err)
	}
	for _, r := range list.APIResources {
		if r.Name == scaledObjects.Resource {
			return true, nil
		}
	}
	return false, nil
}

// watchScaledObjects runs until ctx ends or the resource is gone.
func (n *Neighbors) watchScaledObjects(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	informer, err := n.newScaledObjectInformer(func(err error) {
		if withheld(err) {
			n.looked.end()
		}
		if apierrors.IsNotFound(err) {
			cancel()
		}
	})
	if err != nil {
		return fmt.Errorf("preparing the informer of %s: %w", scaledObjects.Resource, err)
	}
	n.scaledObjects.Store(&informer)
	n.running.Go(func() {
		if cache.WaitFor(ctx, "", informer.HasSyncedChecker()) {
			n.looked.end()
		}
	})
	informer.RunWithContext(ctx)
	n.scaledObjects.Store(nil)
	n.autoscalersChanged(informer.GetStore().List()...)
	return nil
}

// newScaledObjectInformer makes an informer that is told to followers; failed hears of each list or watch that fails.
func (n *Neighbors) newScaledObjectInformer(failed func(error)) (cache.SharedIndexInformer, error) {
	informer := dynamicinformer.NewFilteredDynamicInformer(n.config.Dynamic, scaledObjects, n.config.Namespace, noResync,
		cache.Indexers{byTarget: targetOf}, nil).Informer()
	failing := &outage{what: scaledObjects.Resource, report: n.config.OnError}
	return informer, errors.Join(informer.SetTransform(slimScaledObject), n.follow(informer),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
			failing.failed(ctx, r, err)
			failed(err)
		}))
}
