package wake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// pause is how long is waited before it is looked again whether pods are ready, or gone.
const pause = time.Second

// waker wakes what sleeps.
type waker struct {
	objects dynamic.Interface
	scales  scaler.Scales
	// namespace is the only one; empty for all.
	namespace string
	kinds     []schema.GroupResource
	// timeout is how long pods are waited for, propagation how long nodes may not know of them.
	timeout, propagation time.Duration
	// tell gets a line for people.
	tell func(format string, args ...any)
}

// sleeper is a workload that is woken.
type sleeper struct {
	kind     annotations.Kind
	workload *annotations.Workload
	replicas int32
}

// run stops the controller, if it is named, wakes what sleeps, waits for the pods, and removes the slices. Where something could not be asked for or written, that is an
// error, and the slices stay: requests of what was not woken would go to pods that are gone. Pods that are not ready in time are only told.
func (w *waker) run(ctx context.Context, controller types.NamespacedName) error {
	if controller.Name != "" {
		if err := w.stop(ctx, controller); err != nil {
			return err
		}
	}
	woken, err := w.wake(ctx)
	if err != nil {
		return err
	}
	if err := w.await(ctx, woken); err != nil {
		return err
	}
	return w.removeSlices(ctx)
}

// wake wakes what sleeps.
func (w *waker) wake(ctx context.Context) (woken []sleeper, err error) {
	sleepers, err := w.sleepers(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, s := range sleepers {
		isWoken, err := w.wakeOne(ctx, s)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("cannot wake %s: %w", s.workload.Title(), err))
		case isWoken:
			w.tell("woke %s: %s", s.workload.Title(), cli.Plural(int(s.replicas), "replica"))
			woken = append(woken, s)
		}
	}
	return woken, errors.Join(failed...)
}

// wakeOne returns false if the workload sleeps no more, or is gone. Only the version of its Scale says that the replicas are still 0, which a Scale omits, and whatever
// is written to the workload makes it another one: it is looked at again then.
func (w *waker) wakeOne(ctx context.Context, s sleeper) (bool, error) {
	deadline := time.Now().Add(w.timeout)
	for {
		_, err := w.scales.Scale(ctx, s.workload, s.replicas)
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case !apierrors.IsConflict(err) || !time.Now().Before(deadline):
			return err == nil, err
		}
		if err := rest(ctx, time.Duration(rand.Int64N(int64(pause/10)))); err != nil { // others write at intervals, too
			return false, err
		}
		o, err := w.read(ctx, s.kind, s.workload.NamespacedName())
		if o == nil || err != nil {
			return false, err
		}
		if s.workload = s.kind.Read(o); s.workload.Replicas > 0 {
			return false, nil
		}
	}
}

// stop scales the controller to 0, and returns when its pods are gone: until then it may put something to sleep.
func (w *waker) stop(ctx context.Context, name types.NamespacedName) error {
	kind, _ := annotations.BuiltinOf(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	object, err := w.read(ctx, kind, name)
	if err != nil {
		return err
	}
	if object == nil {
		w.tell("there is no controller: Deployment %s", name)
		return nil
	}
	controller := kind.Read(object)
	if controller.Replicas > 0 {
		controller.Version = "" // that somebody changes a label of it meanwhile does not matter
		if _, err := w.scales.Scale(ctx, controller, 0); err != nil {
			return fmt.Errorf("cannot stop Deployment %s: %w", name, err)
		}
		w.tell("stopped the controller: Deployment %s", name)
	}
	selector, _, err := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
	if err != nil {
		return fmt.Errorf("cannot read the selector of Deployment %s: %w", name, err)
	}
	pods := w.objects.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(name.Namespace)
	deadline := time.Now().Add(w.timeout)
	for {
		left, err := pods.List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: selector}), Limit: 1})
		if err != nil {
			return fmt.Errorf("cannot list the pods of Deployment %s: %w", name, err)
		}
		if len(left.Items) == 0 {
			return nil
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("pods of Deployment %s are still there after %s", name, cli.Short(w.timeout))
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
}

// sleepers are the workloads that are at 0 because there was nothing to do, by namespace, kind and name. One that an annotated one controls, if only through
// others, is not scaled in its place, such as a ReplicaSet, to which the annotations of its Deployment are copied. Workloads with a class are another
// installation's, and that has no activators.
func (w *waker) sleepers(ctx context.Context) ([]sleeper, error) {
	var found []sleeper
	all := map[types.UID]controlled{}
	kinds, err := w.scaled(ctx)
	if err != nil {
		return nil, err
	}
	defaults := annotations.DefaultDefaults()
	for _, kind := range kinds {
		err := w.each(ctx, kind.GroupVersionResource(), metav1.ListOptions{}, func(o *unstructured.Unstructured) error {
			workload := kind.Read(o)
			all[workload.UID] = controlled{by: workload.Owner, annotated: annotations.Selected(workload.Annotations)}
			policy, _, problems := defaults.Parse(workload.Annotations)
			if len(problems) > 0 || !sleeps(workload, policy) {
				return nil
			}
			now := policy.At(time.Now())
			if now.Max > 0 {
				found = append(found, sleeper{kind, workload, min(max(now.Min, now.WakeReplicas, 1), now.Max)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	found = slices.DeleteFunc(found, func(s sleeper) bool { return isInner(all, s.workload.Owner) })
	slices.SortFunc(found, func(a, b sleeper) int { return cmp.Compare(a.workload.Key.String(), b.workload.Key.String()) })
	return found, nil
}

// controlled is an object of a kind that is scaled, and what controls it.
type controlled struct {
	by        *metav1.OwnerReference
	annotated bool
}

// isInner says whether the owner, or what controls it in turn, is annotated. References in a circle end where they began.
func isInner(all map[types.UID]controlled, owner *metav1.OwnerReference) bool {
	for seen := map[types.UID]bool{}; owner != nil && !seen[owner.UID]; owner = all[owner.UID].by {
		if seen[owner.UID] = true; all[owner.UID].annotated {
			return true
		}
	}
	return false
}

// sleeps says whether requests would wake the workload: not if it has replicas or a class, and not if somebody else than mini-hpa has set it to 0.
func sleeps(w *annotations.Workload, p annotations.Policy) bool {
	fewest, most := p.Widest()
	return annotations.ClassOf(w.Annotations) == "" && p.Wake.Requests && p.Mode == annotations.ModeAuto && w.Replicas == 0 && fewest == 0 && most > 0 && !w.Deleting && (w.ScaledByUs || w.SleepsUnsigned())
}

// scaled are the kinds of workloads: those that are built in, and the custom resources that were named.
func (w *waker) scaled(ctx context.Context) ([]annotations.Kind, error) {
	kinds := annotations.Builtin()
	definitions := w.objects.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, name := range w.kinds {
		all, err := definitions.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name.String()})
		if err != nil {
			return nil, fmt.Errorf("cannot read CustomResourceDefinition %s: %w", cli.Quote(name.String()), err)
		}
		for i := range all.Items {
			if all.Items[i].GetName() != name.String() {
				continue
			}
			kind, err := annotations.ReadKind(all.Items[i].Object)
			if err != nil {
				return nil, fmt.Errorf("kind %s: %w", cli.Quote(name.String()), err)
			}
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// each lists objects, page by page.
func (w *waker) each(ctx context.Context, resource schema.GroupVersionResource, options metav1.ListOptions, visit func(*unstructured.Unstructured) error) error {
	client := w.objects.Resource(resource).Namespace(w.namespace)
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return client.List(ctx, o) })
	err := pages.EachListItem(ctx, options, func(o runtime.Object) error {
		if object, ok := o.(*unstructured.Unstructured); ok {
			return visit(object)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot list %s: %w", resource.GroupResource(), err)
	}
	return nil
}

// await returns when each has a pod that is ready and every node knows it, or when the time is over.
func (w *waker) await(ctx context.Context, woken []sleeper) error {
	if len(woken) == 0 {
		return nil
	}
	deadline := time.Now().Add(w.timeout)
	for left := woken; ; {
		var err error
		if left, err = w.unready(ctx, left); err != nil {
			return err
		}
		if len(left) == 0 {
			break
		}
		if !time.Now().Before(deadline) {
			for _, s := range left {
				w.tell("%s has no pod that is ready after %s", s.workload.Title(), cli.Short(w.timeout))
			}
			break
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
	return rest(ctx, w.propagation)
}

// unready are those of the woken that have no pod that is ready.
func (w *waker) unready(ctx context.Context, woken []sleeper) (waiting []sleeper, err error) {
	for _, s := range woken {
		ready, err := w.isReady(ctx, s)
		if err != nil {
			return nil, err
		}
		if !ready {
			waiting = append(waiting, s)
		}
	}
	return waiting, nil
}

// isReady says whether a workload has a pod that is ready, by its status. One that is gone needs none. Of a kind without such a field it is
// known only that it has pods.
func (w *waker) isReady(ctx context.Context, s sleeper) (bool, error) {
	o, err := w.read(ctx, s.kind, s.workload.NamespacedName())
	if err != nil {
		return false, err
	}
	if o == nil {
		return true, nil
	}
	ready, known, err := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
	if err == nil && known {
		return ready > 0, nil
	}
	_, builtin := annotations.BuiltinOf(s.kind.GroupKind())
	return !builtin && s.kind.Read(o).StatusReplicas > 0, nil
}

// read returns an object, or nil if there is none. It is a list of one, as the controller's account has no right to get workloads.
func (w *waker) read(ctx context.Context, kind annotations.Kind, name types.NamespacedName) (*unstructured.Unstructured, error) {
	all, err := w.objects.Resource(kind.GroupVersionResource()).Namespace(name.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name.Name})
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %s: %w", strings.ToLower(kind.Kind), name, err)
	}
	for i := range all.Items {
		if all.Items[i].GetName() == name.Name {
			return &all.Items[i], nil
		}
	}
	return nil, nil
}

// removeSlices removes the EndpointSlices that lead to activators.
func (w *waker) removeSlices(ctx context.Context) error {
	resource := discoveryv1.SchemeGroupVersion.WithResource("endpointslices")
	removed := 0
	err := w.each(ctx, resource, metav1.ListOptions{LabelSelector: serves.Ours().String()}, func(o *unstructured.Unstructured) error {
		err := w.objects.Resource(resource).Namespace(o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("cannot delete %s: %w", types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}, err)
		}
		removed++
		return nil
	})
	if removed > 0 {
		w.tell("removed %s", cli.Plural(removed, "EndpointSlice"))
	}
	return err
}

// rest waits, or says why it ended before.
func rest(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
