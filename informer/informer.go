// Package informer knows what the cluster looks like, and when to look again.
//
// It watches Deployments, ReplicaSets (metadata only) and Pods, keeps only the fields that a scaling decision reads, and knows which
// pods belong to which Deployment:
//
//	Pod --controller UID--> ReplicaSet --controller UID--> Deployment
//
// Labels play no part in that: a pod of another workload that happens to match the selector does not count, and a pod of an old
// ReplicaSet counts as long as the rollout keeps it.
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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// Config says what to watch, and what to call when that fails.
type Config struct {
	// Client reads Deployments and Pods. Required.
	Client kubernetes.Interface
	// Reader reads single Deployments, with a deadline for each request. If it is nil, Client does.
	Reader kubernetes.Interface
	// Metadata reads ReplicaSets, of which only the metadata is needed. Required.
	Metadata metadata.Interface
	// Namespace is the only namespace to watch; empty means all of them.
	Namespace string
	// Watches is what these informers share with others, such as Neighbors; nil if there are no others.
	Watches *watching.Watches
	// OnError, if set, gets the errors that cannot be returned to a caller: a reconcile that failed or panicked (a conflict is only
	// retried), and a watch that fails (each kind of object at most once a minute). It is called from several goroutines and must
	// return quickly. If it is nil, errors go to klog.
	OnError func(err error)
}

// New prepares the informers without contacting the API server. It fails if a client is missing.
func New(c Config) (*Set, error) {
	if c.Client == nil || c.Metadata == nil {
		return nil, errors.New("informers need both a typed client and a metadata client")
	}
	s := &Set{templates: newTemplates(), reader: c.Reader, onError: c.OnError, terms: make(chan struct{}, 1)}
	if s.reader == nil {
		s.reader = c.Client
	}
	if s.onError == nil {
		s.onError = handleError
	}
	deployments := watching.New("deployments", c.Client.AppsV1().Deployments(c.Namespace), c.Watches, s.onError)
	replicaSets := watching.New("replicasets", c.Metadata.Resource(appsv1.SchemeGroupVersion.WithResource("replicasets")).Namespace(c.Namespace), c.Watches, s.onError)
	pods := watching.New("pods", c.Client.CoreV1().Pods(c.Namespace), c.Watches, s.onError)
	s.deployments = cache.NewTypedSharedIndexInformer[*kept](deployments.Informer(c.Client, &appsv1.Deployment{},
		cache.TypedIndexersToIndexers(cache.TypedIndexers[*kept]{bySelection: selection}), s.templates.slimDeployment))
	s.replicaSets = cache.NewTypedSharedIndexInformer[*record](replicaSets.Informer(c.Metadata, &metav1.PartialObjectMetadata{},
		cache.TypedIndexersToIndexers(cache.TypedIndexers[*record]{byController: (*record).controller}), slimReplicaSet))
	s.pods = cache.NewTypedSharedIndexInformer[*keptPod](pods.Informer(c.Client, &corev1.Pod{},
		cache.TypedIndexersToIndexers(cache.TypedIndexers[*keptPod]{byController: (*keptPod).controller}), s.templates.slimPod))
	s.doubtDeployments = deployments.Doubt
	if err := errors.Join(
		s.deployments.SetWatchErrorHandlerWithContext(deployments.Failed),
		s.replicaSets.SetWatchErrorHandlerWithContext(replicaSets.Failed),
		s.pods.SetWatchErrorHandlerWithContext(pods.Failed),
		s.subscribe(),
	); err != nil {
		return nil, fmt.Errorf("preparing the informers: %w", err)
	}
	return s, nil
}

func handleError(err error) {
	utilruntime.HandleErrorWithContext(context.Background(), err, "mini-hpa informers")
}

// Start starts the informers and returns when all caches are filled. They run until ctx ends. It fails if ctx ends before the caches
// are filled, or if it was called before: informers can't be started twice.
func (s *Set) Start(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("the informers were already started")
	}
	for _, run := range []func(context.Context){
		s.deployments.RunWithContext, s.replicaSets.RunWithContext, s.pods.RunWithContext,
	} {
		s.running.Go(func() { run(ctx) })
	}
	if !cache.WaitFor(ctx, "", s.handled...) {
		return fmt.Errorf("filling the caches of deployments, replicasets and pods: %w", context.Cause(ctx))
	}
	return nil
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
	if cache.WaitFor(ctx, "", s.handled...) {
		s.lead(ctx, workers, newTerm(f, s.onError))
	}
}

// lead runs the workers of a term until ctx ends.
func (s *Set) lead(ctx context.Context, workers int, t *term) {
	s.current.Store(t)
	s.EnqueueSelected()
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
	for _, h := range s.handled {
		if !cache.IsDone(h) {
			return false
		}
	}
	return true
}
