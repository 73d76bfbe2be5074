package scaler

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	recordutil "k8s.io/client-go/tools/record/util"
	"k8s.io/client-go/tools/reference"
	"k8s.io/client-go/util/workqueue"

	"github.com/mini-hpa/mini-hpa/annotations"
)

const (
	// writers is how many Events are written at a time, each of another namespace.
	writers = 16
	// mostWaiting is how many Events may wait: a load step on all workloads of a big cluster is as many as it has workloads. Each
	// takes 0.2 kB and its message, which is 0.2 kB as a rule and never more than 1.
	mostWaiting = 20_000
	// tries is how often the API server is asked to take an Event while it cannot be reached or has too much to do, over two
	// minutes or so.
	tries = 12
	// longestPause is the longest time between two of them, whatever the API server asks for: an Event that comes after an hour is of no use.
	longestPause = 10 * time.Second
	// flushTimeout leaves time for the rest of a graceful end within the usual 30 s (terminationGracePeriodSeconds).
	flushTimeout = 5 * time.Second
)

// eventWriter writes Events in the background. client-go's has one queue for all, which keeps a thousand, drops what comes then, and
// writes one after the other. Here namespaces take turns:
//
//	Event --> waiting, by namespace --> turns, a queue of namespaces --> writer --> correlator --> API server
//
// The queue hands a namespace to one writer at a time. So the Events of a workload are written in order, and a namespace with slow writes
// or thousands of Events keeps no other waiting. If a write fails, the namespace pauses before the next try, and the writer goes on with
// another one.
type eventWriter struct {
	client     typedcorev1.EventsGetter
	correlator *record.EventCorrelator
	budget     *Budget
	turns      *workqueue.Typed[string]
	working    sync.WaitGroup

	mu        sync.Mutex
	lines     map[string]*line // by namespace, while there is something in it
	unwritten int              // of those that wait, and those that are being written
	ending    bool
	written   chan struct{} // closed in the end, when nothing is unwritten
}

// line is what waits of one namespace.
type line struct {
	waiting []telling
	// first is the Event that is being written, until it is written or given up; nil if there is none.
	first *attemptedEvent
	// pausing says that it is to be tried again later.
	pausing bool
}

// attemptedEvent is an Event that is being written. Only the writer that has the namespace's turn uses it.
type attemptedEvent struct {
	telling
	// correlated is what there is to send. It is made once, as making it counts the Event.
	correlated *record.EventCorrelateResult
	tries      int
}

// telling is an Event that waits. It is smaller than an Event.
type telling struct {
	about                 *corev1.ObjectReference
	kind, reason, message string
	at                    time.Time
}

// NewEventWriter writes Events as component "mini-hpa": namespaces take turns, and Events of one workload are written in order. A repeated
// Event increases the count of the first one, and more than ten similar Events within ten minutes become one. Events that are not
// written are counted in the budget, which may be nil. The returned function ends the writer, after it has written what was recorded
// before, or after a few seconds.
func NewEventWriter(client typedcorev1.EventsGetter, budget *Budget) (Events, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &eventWriter{client: client, budget: budget, lines: map[string]*line{}, written: make(chan struct{}),
		turns: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{}),
		// The correlator silently drops what it takes for spam. Here the budget bounds how much is told instead.
		correlator: record.NewEventCorrelatorWithOptions(record.CorrelatorOptions{BurstSize: math.MaxInt32,
			SpamKeyFunc: func(*corev1.Event) string { return "" }})}
	for range writers {
		r.working.Go(func() { r.write(ctx) })
	}
	return r, func() { r.end(cancel) }
}

// Event records an Event of type Normal or Warning.
func (r *eventWriter) Event(object runtime.Object, kind, reason, message string) {
	about, err := reference.GetReference(scheme.Scheme, object)
	if err != nil {
		r.budget.lose("", notStored, 1, err)
		return
	}
	namespace := about.Namespace
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		r.budget.lose(namespace, overFull, 1, errEnding)
		return
	}
	l := r.lines[namespace]
	if l == nil {
		l = &line{}
		r.lines[namespace] = l
	}
	l.waiting = append(l.waiting, telling{about, kind, reason, message, time.Now()})
	if r.unwritten++; r.unwritten > mostWaiting {
		r.dropOne()
	}
	r.turns.Add(namespace)
}

var (
	errEnding = errors.New("the process is ending")
	errFull   = errors.New("too many Events are waiting")
)

// dropOne drops the last Event of the namespace that has the most of them.
func (r *eventWriter) dropOne() {
	longest, most := "", 0
	for namespace, l := range r.lines {
		if len(l.waiting) > most {
			longest, most = namespace, len(l.waiting)
		}
	}
	l := r.lines[longest] // there is one: what was recorded just now waits
	l.waiting = l.waiting[:most-1]
	r.unwritten--
	r.budget.lose(longest, overFull, 1, errFull)
}

// write writes Events, one of a namespace in its turn, until there are no more turns.
func (r *eventWriter) write(ctx context.Context) {
	for {
		namespace, over := r.turns.Get()
		if over || ctx.Err() != nil {
			return
		}
		if e := r.next(namespace); e != nil {
			if err := r.try(ctx, e); !again(err) || e.tries == tries || ctx.Err() != nil {
				r.done(namespace, err)
			} else {
				asked, _ := apierrors.SuggestsClientDelay(err)
				r.pause(namespace, wait.Jitter(min(max(time.Second<<(e.tries-1), time.Duration(asked)*time.Second), longestPause), 0.5))
			}
		}
		r.turns.Done(namespace)
	}
}

// next returns the next Event of a namespace, or nil if there is none.
func (r *eventWriter) next(namespace string) *attemptedEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[namespace]
	switch {
	case l == nil || l.pausing:
		return nil
	case l.first == nil && len(l.waiting) == 0: // it was dropped
		delete(r.lines, namespace)
		return nil
	case l.first == nil:
		l.first = &attemptedEvent{telling: l.waiting[0]}
		l.waiting = l.waiting[1:]
	}
	return l.first
}

// pause keeps a namespace's first Event for later. Events that are recorded meanwhile wait behind it.
func (r *eventWriter) pause(namespace string, lasts time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[namespace]
	l.pausing = true
	time.AfterFunc(lasts, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		l.pausing = false
		r.turns.Add(namespace)
	})
}

// done ends with a namespace's first Event, which was written or could not be. If there are more, the namespace has another turn.
func (r *eventWriter) done(namespace string, err error) {
	if err != nil {
		r.budget.lose(namespace, notStored, 1, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[namespace]
	if l.first = nil; len(l.waiting) > 0 {
		r.turns.Add(namespace)
	} else {
		delete(r.lines, namespace)
	}
	if r.unwritten--; r.unwritten == 0 && r.ending {
		close(r.written)
	}
}

// try asks the API server once to store an Event, or to count it in one that says the same.
func (r *eventWriter) try(ctx context.Context, e *attemptedEvent) (err error) {
	if e.correlated == nil {
		if e.correlated, err = r.correlator.EventCorrelate(e.event()); err != nil {
			e.tries = tries
			return err
		}
	}
	e.tries++
	stored, err := r.send(ctx, e.correlated)
	switch {
	case err == nil:
		r.correlator.UpdateState(stored)
	case apierrors.IsAlreadyExists(err): // by an earlier try whose answer was lost
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause): // there will be no reader
		return nil
	}
	return err
}

// again says whether to try an Event again later: not after a refusal, but after an error, or if the API server is too busy.
func again(err error) bool {
	return err != nil && (!refused(err) || apierrors.IsTooManyRequests(err))
}

// send makes one request. An Event that is gone, after an hour as a rule, is written anew.
func (r *eventWriter) send(ctx context.Context, c *record.EventCorrelateResult) (*corev1.Event, error) {
	events := r.client.Events(c.Event.Namespace)
	if c.Patch != nil {
		stored, err := events.Patch(ctx, c.Event.Name, types.StrategicMergePatchType, c.Patch, metav1.PatchOptions{})
		if !apierrors.IsNotFound(err) {
			return stored, err
		}
	}
	c.Event.ResourceVersion = ""
	return events.Create(ctx, c.Event, metav1.CreateOptions{})
}

// event is what is stored. Its name is made as client-go's is, of the object's and the time.
func (t telling) event() *corev1.Event {
	at := metav1.NewTime(t.at)
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: t.about.Namespace, Name: recordutil.GenerateEventName(t.about.Name, t.at.UnixNano())},
		InvolvedObject: *t.about, Type: t.kind, Reason: t.reason, Message: t.message,
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
		Source: corev1.EventSource{Component: annotations.FieldManager}, ReportingController: annotations.FieldManager,
	}
}

// end waits until all that was recorded before is written, but not for ever.
func (r *eventWriter) end(cancel func()) {
	r.mu.Lock()
	if r.ending = true; r.unwritten == 0 {
		close(r.written)
	}
	r.mu.Unlock()
	select {
	case <-r.written:
	case <-time.After(flushTimeout):
	}
	cancel()
	r.turns.ShutDown()
	r.working.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for namespace, l := range r.lines {
		left := len(l.waiting)
		if l.first != nil {
			left++
		}
		r.budget.lose(namespace, overFull, left, errEnding)
	}
}
