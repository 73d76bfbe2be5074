package informer

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"

	"github.com/mini-hpa/mini-hpa/annotations"
)

const (
	// queueName is the label of the queue in client-go's workqueue metrics.
	queueName = "mini-hpa"
	// firstRetry is long enough for the watch to bring the version with which a write conflicted.
	firstRetry = 100 * time.Millisecond
	// lastRetry caps the backoff at the sync period of the HPA (15 s), so that a workload that fails is looked at as
	// often as one that does not.
	lastRetry = 15 * time.Second
	// contended is about the longest pause between conflicts: if others write often, waiting longer does not avoid conflicts.
	contended = time.Second
)

// ReconcileFunc looks at one workload. It is never called for the same key from two goroutines at once. A next above zero asks for
// another look after that time, unless something else causes one before. After an error next is ignored, and the workload is looked at
// again with growing pauses. The workload may no longer exist: that is a normal end, and the moment to forget it.
type ReconcileFunc func(ctx context.Context, key annotations.Key) (next time.Duration, err error)

// term is one period of leadership, with a queue of its own and the planned moments of further looks.
type term struct {
	workqueue.TypedRateLimitingInterface[annotations.Key]
	limiter   workqueue.TypedRateLimiter[annotations.Key]
	wakeups   wakeups
	reconcile ReconcileFunc
	onError   func(error)
}

func newTerm(f ReconcileFunc, onError func(error)) *term {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[annotations.Key](firstRetry, lastRetry)
	return &term{
		limiter: limiter,
		TypedRateLimitingInterface: workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
			workqueue.TypedRateLimitingQueueConfig[annotations.Key]{DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(
				workqueue.TypedDelayingQueueConfig[annotations.Key]{Name: queueName, Queue: workqueue.NewTypedWithConfig(
					workqueue.TypedQueueConfig[annotations.Key]{Name: queueName, Queue: newFairQueue()})})},
		),
		wakeups:   wakeups{timers: map[annotations.Key]*time.Timer{}},
		reconcile: f,
		onError:   onError,
	}
}

// work takes keys until the queue is shut down and empty, and looks at up to so many workloads at a time. Each look has a goroutine of its
// own: a hundred that wait for a key would keep as many stacks as large as their last look needed.
func (t *term) work(ctx context.Context, workers int) {
	var looking sync.WaitGroup
	defer looking.Wait()
	for turns := make(chan struct{}, workers); ; {
		turns <- struct{}{}
		key, shutdown := t.Get()
		if shutdown {
			return
		}
		looking.Go(func() {
			t.process(ctx, key)
			t.Done(key)
			<-turns
		})
	}
}

// process looks at one workload, and plans when to look again.
func (t *term) process(ctx context.Context, key annotations.Key) {
	if ctx.Err() != nil {
		return // The term is over. The queue is emptied only so that its depth metric returns to zero.
	}
	t.wakeups.cancel(key) // This look takes the place of the planned one.
	next, err := t.guarded(ctx, key)
	if err != nil {
		t.retry(ctx, key, err)
		return
	}
	t.Forget(key)
	if next > 0 {
		t.wakeups.set(key, next, func() { t.Add(key) })
	}
}

// WorkloadError says why a look at a workload failed. Of failures in a row only the first, second, fourth, eighth and so on are
// reported, with their number.
type WorkloadError struct {
	Key annotations.Key
	// Failures is the number of failures in a row, this one included.
	Failures int
	Err      error
}

// Error names the workload.
func (e *WorkloadError) Error() string {
	return fmt.Sprintf("reconciling %s (failure %d in a row): %v", e.Key.Title(), e.Failures, e.Err)
}

// Unwrap returns the error of the look.
func (e *WorkloadError) Unwrap() error { return e.Err }

// retry enqueues the key again after a pause. If another look succeeds in the meantime, this causes one look too many, which costs less
// than keeping track of retries beside the queue.
func (t *term) retry(ctx context.Context, key annotations.Key, err error) {
	if ctx.Err() != nil {
		return // The look failed because the term has ended.
	}
	t.AddAfter(key, t.pause(key, err))
	if n := t.NumRequeues(key); n&(n-1) == 0 && !apierrors.IsConflict(err) {
		t.onError(&WorkloadError{Key: key, Failures: n, Err: err})
	}
}

// pause is how long to wait after one more failure of the key. If the API server asks to come again later, the pause is that long, but
// not longer than lastRetry: the answer may be wrong, and the load does not wait.
func (t *term) pause(key annotations.Key, err error) time.Duration {
	pause := t.limiter.When(key)
	if apierrors.IsConflict(err) {
		return min(pause, wait.Jitter(contended*3/4, 2./3))
	}
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return max(pause, min(time.Duration(seconds)*time.Second, lastRetry))
}

// guarded turns a panic into an error, so that a bug in the look at one workload does not stop the others.
func (t *term) guarded(ctx context.Context, key annotations.Key) (next time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			next, err = 0, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.reconcile(ctx, key)
}

// wakeups holds at most one planned look for each key. The queue's own AddAfter cannot replace a planned moment: a workload that is
// looked at because of new samples, and each time plans a later look, would be looked at again at every earlier moment as well. It
// would also count each of them as a retry.
type wakeups struct {
	mu     sync.Mutex
	timers map[annotations.Key]*time.Timer
}

// set plans a look at the key after the given time, in place of the one planned before.
func (w *wakeups) set(key annotations.Key, after time.Duration, wake func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.timers[key]; old != nil {
		old.Stop()
	}
	w.timers[key] = time.AfterFunc(after, wake)
}

// cancel drops the planned look at the key, if any.
func (w *wakeups) cancel(key annotations.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.timers[key]; old != nil {
		old.Stop()
		delete(w.timers, key)
	}
}

// stop drops all planned looks.
func (w *wakeups) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, timer := range w.timers {
		timer.Stop()
		delete(w.timers, key)
	}
}
