package loadsim

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// watcher keeps the simulation up to date with the cluster.
type watcher struct {
	objects  informers.SharedInformerFactory
	controls informers.SharedInformerFactory
	metadata metadatainformer.SharedInformerFactory
	synced   []cache.InformerSynced
	report   func(error)
}

// newWatcher prepares the informers: pods in full, what owns them and nodes by their metadata, and the ConfigMaps that
// set loads.
func newWatcher(client kubernetes.Interface, meta metadata.Interface, s *simulation) (*watcher, error) {
	w := &watcher{
		objects: informers.NewSharedInformerFactory(client, 0),
		controls: informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(
			func(o *metav1.ListOptions) {
				o.FieldSelector = fields.OneTermEqualSelector("metadata.name", ControlName).String()
			})),
		metadata: metadatainformer.NewSharedInformerFactory(meta, 0),
		report:   s.options.Report,
	}
	c := &control{
		texts:  map[types.NamespacedName]string{},
		report: s.options.Report,
		set:    func(name types.NamespacedName, curve Curve) { s.setLoad(time.Now(), name, curve) },
	}
	replicaSets := w.metadata.ForResource(appsv1.SchemeGroupVersion.WithResource("replicasets")).Informer()
	nodes := w.metadata.ForResource(corev1.SchemeGroupVersion.WithResource("nodes")).Informer()
	return w, errors.Join(
		follow(w, w.controls.Core().V1().ConfigMaps().Informer(), c.apply, c.gone),
		follow(w, replicaSets, s.setReplicaSet, s.dropReplicaSet),
		follow(w, nodes, s.setNode, s.dropNode),
		follow(w, w.objects.Core().V1().Pods().Informer(),
			func(p *corev1.Pod) { s.setPod(time.Now(), p) },
			func(p *corev1.Pod) { s.dropPod(time.Now(), p) }),
	)
}

// follow calls set for every object that is added or changed and drop for every one that is deleted.
func follow[T any](w *watcher, informer cache.SharedIndexInformer, set, drop func(T)) error {
	if err := informer.SetWatchErrorHandlerWithContext(w.failed); err != nil {
		return fmt.Errorf("cannot prepare the informer of %T: %w", *new(T), err)
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { with(object, set) },
		UpdateFunc: func(_, object any) { with(object, set) },
		DeleteFunc: func(object any) { with(object, drop) },
	})
	if err != nil {
		return fmt.Errorf("cannot follow %T: %w", *new(T), err)
	}
	w.synced = append(w.synced, registration.HasSynced)
	return nil
}

// with looks into the tombstone of an object whose deletion was missed.
func with[T any](object any, f func(T)) {
	if tombstone, missed := object.(cache.DeletedFinalStateUnknown); missed {
		object = tombstone.Obj
	}
	if typed, ok := object.(T); ok {
		f(typed)
	}
}

// failed reports a watch that broke; the informer begins again by itself.
func (w *watcher) failed(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() == nil {
		w.report(fmt.Errorf("a watch ended and is begun again: %w", err))
	}
}

// start begins to watch, until lifetime ends, and returns when all handlers have seen what there is, or ctx ends.
func (w *watcher) start(ctx, lifetime context.Context) error {
	w.objects.StartWithContext(lifetime)
	w.controls.StartWithContext(lifetime)
	w.metadata.Start(lifetime.Done())
	if !cache.WaitForCacheSync(ctx.Done(), w.synced...) {
		return fmt.Errorf("cannot read the cluster's pods and what owns them: %w", context.Cause(ctx))
	}
	return nil
}

// stop waits for the informers; their lifetime must have ended.
func (w *watcher) stop() {
	w.objects.Shutdown()
	w.controls.Shutdown()
	w.metadata.Shutdown()
}
