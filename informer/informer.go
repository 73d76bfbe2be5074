// Package informer knows what the cluster looks like, and when to look again.
//
// It watches workloads and pods, keeps only the fields that a scaling decision reads, and knows which pods belong to which workload.
// Deployments, StatefulSets and ReplicaSets are workloads wherever mini-hpa runs. Kinds are the custom ones that an administrator names beside
// them: each is watched while its CustomResourceDefinition says that it can be scaled. A Set watches the objects themselves.
//
// Whose a pod is, follows from controller references, over any number of links, by name and UID:
//
//	Pod --controller--> ReplicaSet --controller--> Deployment
//
// Labels play no part in that: a pod of another workload that happens to match the selector does not count, and a pod of an old
// ReplicaSet counts as long as the rollout keeps it. A custom resource differs: it may control pods that are not its replicas, such as a
// coordinator. So only those of its pods count that the selector of its scale subresource selects, as with the HPA; without a selector, all
// of them do. If the links between it and its pods are not watched, the selector alone says which pods are its own. If several objects of a
// chain are annotated, the outermost one is the workload. A ReplicaSet that anything controls never is one.
//
// Its handlers only put the key of a workload into one workqueue. Workers take keys from it and call a function that they are given,
// so that this package does not know how decisions are made.
package informer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// Config says what to watch, and what to call when that fails.
type Config struct {
	// Client reads Deployments, StatefulSets, ReplicaSets and Pods. Required.
	Client kubernetes.Interface
	// Reader reads single objects of the built-in kinds, with a deadline for each request. If it is nil, Client does.
	Reader kubernetes.Interface
	// Kinds are the custom kinds that are scaled, too; nil if there are none. Whoever made them starts them, before or after the Set.
	Kinds *Kinds
	// Namespace is the only namespace to watch; empty means all of them.
	Namespace string
	// Class is the class of the workloads that are scaled (annotations.ClassOf). If it is empty, workloads without a class are. Of all others only the
	// names are known.
	Class string
	// Watches is what these informers share with others, such as Neighbors; nil if there are no others.
	Watches *watching.Watches
	// OnError, if set, gets the errors that cannot be returned to a caller: a reconcile that failed or panicked (a conflict is only
	// retried), and a watch that fails (each kind of object at most once a minute). It is called from several goroutines and must
	// return quickly. If it is nil, errors go to klog.
	OnError func(err error)
	// OnNews, if set, gets what is worth a line in the log and no failure: that pods are listed once more, and why.
	OnNews func(news string)
}

// New prepares the informers without contacting the API server. It fails if the client is missing.
func New(c Config) (*Set, error) {
	if c.Client == nil {
		return nil, errors.New("informers need a client")
	}
	s := &Set{client: c.Client, reader: c.Reader, kinds: c.Kinds, namespace: c.Namespace, class: c.Class, watches: c.Watches, templates: newTemplates(),
		onError: c.OnError, tell: c.OnNews, rethink: make(chan struct{}, 1),
		relists: flowcontrol.NewTokenBucketRateLimiter(float32(1/relistPause.Seconds()), relistBurst), filled: make(chan struct{}), terms: make(chan struct{}, 1)}
	if s.reader == nil {
		s.reader = c.Client
	}
	if s.onError == nil {
		s.onError = handleError
	}
	if s.tell == nil {
		s.tell = func(string) {}
	}
	s.served.Store(&map[schema.GroupKind]*workloads{})
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes the informers of the built-in kinds and of pods.
func (s *Set) prepare() error {
	apps, read := s.client.AppsV1(), s.reader.AppsV1()
	builtin := func(of schema.GroupKind) annotations.Kind {
		kind, _ := annotations.BuiltinOf(of)
		return kind
	}
	var err1, err2, err3 error
	s.deployments, err1 = watched(s, &origin[*appsv1.DeploymentList]{kind: builtin(deploymentKind), base: s.client, client: apps.Deployments(s.namespace),
		example: &appsv1.Deployment{}, slim: slimDeployment,
		live: func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error) {
			return read.Deployments(namespace).List(ctx, opts)
		}})
	s.replicaSets, err2 = watched(s, &origin[*appsv1.ReplicaSetList]{kind: builtin(replicaSetKind), base: s.client, client: apps.ReplicaSets(s.namespace),
		example: &appsv1.ReplicaSet{}, slim: slimReplicaSet,
		live: func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error) {
			return read.ReplicaSets(namespace).List(ctx, opts)
		}})
	// A role that was written before StatefulSets were scaled leaves them out, and everything else goes on.
	s.statefulSets, err3 = watched(s, &origin[*appsv1.StatefulSetList]{kind: builtin(statefulSetKind), base: s.client, client: apps.StatefulSets(s.namespace),
		example: &appsv1.StatefulSet{}, slim: slimStatefulSet, isOptional: true,
		live: func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error) {
			return read.StatefulSets(namespace).List(ctx, opts)
		}})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	s.builtin = []*workloads{s.deployments, s.replicaSets, s.statefulSets}
	pods, err := s.newPods(leastWanted())
	if err != nil {
		return err
	}
	s.pods.Store(pods)
	return nil
}

// Start starts the informers and returns when all caches are filled. They run until ctx ends. It fails if ctx ends before the caches
// are filled, or if it was called before: informers can't be started twice.
func (s *Set) Start(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("the informers were already started")
	}
	if !s.fill(ctx) {
		return fmt.Errorf("filling the caches of workloads and pods: %w", context.Cause(ctx))
	}
	close(s.filled)
	s.running.Go(func() { s.keepPods(ctx) })
	return nil
}

// fill starts the informers and returns true when all caches are filled. Pods come last: it depends on the workloads what is kept of them.
func (s *Set) fill(ctx context.Context) bool {
	var first []*awaited
	for _, c := range s.builtin {
		s.running.Go(func() { c.informer.RunWithContext(ctx) })
		first = append(first, c.first)
	}
	if s.kinds != nil && fill(ctx, s.kinds.awaited()) {
		first = append(first, s.followKinds(ctx)...)
	}
	if !fill(ctx, first) {
		return false
	}
	pods, err := s.newPods(s.wanted())
	if err != nil {
		s.onError(err)
		return false
	}
	if !s.fillPods(ctx, pods) {
		return false
	}
	w := s.wanted()
	for key := range s.lonely() {
		w.labels[key.Namespace] = true
	}
	s.exchangePods(ctx, w)
	return ctx.Err() == nil
}

// Run is one term of leadership. It waits until the caches are filled, enqueues every selected workload, and calls f for each
// enqueued key in up to the given number of goroutines (at least one). When ctx ends, it lets running calls of f return, drops the
// rest of the queue, and returns. It may be called again and begins with an empty queue then. If two calls overlap, the second waits
// for the end of the first.
func (s *Set) Run(ctx context.Context, workers int, f ReconcileFunc) {
	select {
	case s.terms <- struct{}{}:
		defer func() { <-s.terms }()
	case <-ctx.Done():
		return
	}
	select {
	case <-s.filled:
		s.lead(ctx, workers, newTerm(f, s.onError))
	case <-ctx.Done():
	}
}

// lead runs the workers of a term until ctx ends.
func (s *Set) lead(ctx context.Context, workers int, t *term) {
	s.current.Store(t)
	s.EnqueueSelected()
	s.enqueueObscured()
	var working sync.WaitGroup
	working.Go(func() { t.work(ctx, max(workers, 1)) })
	<-ctx.Done()
	s.current.Store(nil)
	t.ShutDown()
	working.Wait()
	t.wakeups.stop()
}

// Wait returns when everything that Start started has ended, some time after the end of Start's context.
func (s *Set) Wait() { s.running.Wait() }

// Synced says whether all caches have been filled. It never becomes false again: during an outage of the API server, the caches keep
// what was last seen.
func (s *Set) Synced() bool {
	return isDone(s.filled)
}
