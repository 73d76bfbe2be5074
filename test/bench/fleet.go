//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

const (
	// request is each pod's, in millicores; target what both autoscalers hold, in percent of it.
	request, target = 100, 50
	// calm and busy are the usage of a pod at rest and after the step, in millicores: 48 % is within the tolerance of 10 %, 60 % is not.
	calm, busy = 48, 60
	// patience bounds every wait for the cluster.
	patience = 10 * time.Minute
	// hands is how many requests are made at a time while the stage is set.
	hands = 16
)

// fleet is the workloads, and who watches them.
type fleet struct {
	client kubernetes.Interface
	load   *loadsim.Server
	pods   int
	names  []types.NamespacedName
	// bare says that nobody makes pods: a workload is ready as soon as it is there.
	bare bool
	stop context.CancelFunc

	mu    sync.Mutex
	ready map[types.NamespacedName]bool
	size  map[types.NamespacedName]int32
	// moved is when each workload's replicas first changed in the present step.
	moved map[types.NamespacedName]time.Time
	// asleep are those that have had no replicas at any time.
	asleep map[types.NamespacedName]bool
}

func newFleet(client kubernetes.Interface, load *loadsim.Server, size, pods, perNamespace int) *fleet {
	f := &fleet{client: client, load: load, pods: pods, ready: map[types.NamespacedName]bool{}, size: map[types.NamespacedName]int32{},
		moved: map[types.NamespacedName]time.Time{}, asleep: map[types.NamespacedName]bool{}}
	for i := range size {
		f.names = append(f.names, types.NamespacedName{Namespace: fmt.Sprintf("bench-%d", i/perNamespace), Name: fmt.Sprintf("web-%d", i%perNamespace)})
	}
	return f
}

// namespaces are those of the workloads, in order.
func (f *fleet) namespaces() []string {
	var all []string
	for _, name := range f.names {
		if len(all) == 0 || all[len(all)-1] != name.Namespace {
			all = append(all, name.Namespace)
		}
	}
	return all
}

// create makes all workloads and waits until their pods are ready.
func (f *fleet) create(ctx context.Context) error {
	f.watch()
	for _, namespace := range f.namespaces() {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		if _, err := f.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	f.setLoad(f.names, calm)
	err := f.each(func(name types.NamespacedName) error {
		_, err := f.client.AppsV1().Deployments(name.Namespace).Create(ctx, deployment(name, f.pods), metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // an answer that was lost
		}
		return err
	})
	if err != nil {
		return err
	}
	return f.await(ctx, "all pods are ready", func() (bool, string) {
		n := count(f.ready, func(ready bool) bool { return ready })
		return n == len(f.names), fmt.Sprintf("%d of %d workloads", n, len(f.names))
	})
}

func deployment(name types.NamespacedName, pods int) *appsv1.Deployment {
	labels := map[string]string{"app": name.Name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(pods)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "app", Image: "app", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(request, resource.DecimalSI)}}}}}},
		},
	}
}

// each does something for every workload, several at a time, and returns what failed first.
func (f *fleet) each(do func(types.NamespacedName) error) error {
	var group errgroup.Group
	group.SetLimit(hands)
	for _, name := range f.names {
		group.Go(func() error {
			if err := do(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// setLoad sets what each pod of these workloads uses while there are as many as at rest.
func (f *fleet) setLoad(names []types.NamespacedName, perPod int64) {
	for _, name := range names {
		f.load.SetLoad(name.Namespace, name.Name, loadsim.Constant(perPod*int64(f.pods)))
	}
}

func (f *fleet) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	informer := informers.NewSharedInformerFactory(f.client, 0).Apps().V1().Deployments().Informer()
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only after the informer has ended
		AddFunc:    f.see,
		UpdateFunc: func(_, o any) { f.see(o) },
	})
	go informer.RunWithContext(ctx)
}

func (f *fleet) see(object any) {
	d, ok := object.(*appsv1.Deployment)
	if !ok {
		return
	}
	now, name := time.Now(), types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready[name] = f.bare || d.Status.ReadyReplicas == *d.Spec.Replicas && d.Status.Replicas == *d.Spec.Replicas
	if before, known := f.size[name]; known && before != *d.Spec.Replicas {
		if _, moved := f.moved[name]; !moved {
			f.moved[name] = now
		}
	}
	if f.size[name] = *d.Spec.Replicas; f.size[name] == 0 {
		f.asleep[name] = true
	}
}

// allAwake says which workloads have slept.
func (f *fleet) allAwake() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asleep) == 0 {
		return nil
	}
	return fmt.Errorf("%d workloads have slept: %.500s", len(f.asleep), fmt.Sprint(slices.Collect(maps.Keys(f.asleep))))
}

// await waits until something is so of what is watched; told says how far it is.
func (f *fleet) await(ctx context.Context, what string, so func() (done bool, told string)) error {
	return await.Within(ctx, patience, 100*time.Millisecond, func(context.Context) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if done, told := so(); !done {
			return fmt.Errorf("%s: %s", what, told)
		}
		return nil
	})
}

// settle puts every workload back to its size at rest, whatever the autoscaler has made of it, and waits for the pods.
func (f *fleet) settle(ctx context.Context) error {
	f.setLoad(f.names, calm)
	f.mu.Lock()
	var off []types.NamespacedName
	for name, size := range f.size {
		if size != int32(f.pods) {
			off = append(off, name)
		}
	}
	f.mu.Unlock()
	for _, name := range off {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, f.pods)
		if _, err := f.client.AppsV1().Deployments(name.Namespace).Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "scale"); err != nil {
			return err
		}
	}
	return f.atRest(ctx)
}

// atRest waits until every workload has its size at rest again, and ready pods.
func (f *fleet) atRest(ctx context.Context) error {
	return f.await(ctx, "all workloads are at rest", func() (bool, string) {
		n := count(f.size, func(size int32) bool { return size == int32(f.pods) })
		ready := count(f.ready, func(ready bool) bool { return ready })
		return n == len(f.names) && ready == n, fmt.Sprintf("%d of %d have their size, %d are ready", n, len(f.names), ready)
	})
}

func count[V any](m map[types.NamespacedName]V, want func(V) bool) int {
	n := 0
	for _, value := range m {
		if want(value) {
			n++
		}
	}
	return n
}
