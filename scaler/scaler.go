// Package scaler is the loop's body: observe what is known of one workload, decide, act, tell.
package scaler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Origin is where what is in memory comes from.
type Origin interface {
	// Live asks the API server for the workload; nil if it does not exist.
	Live(ctx context.Context, key annotations.Key) (*annotations.Workload, error)
	// Doubt says that the API server has had a version of a workload for so long that the cache should have it.
	Doubt(key annotations.Key, version string)
}

// ErrNotLeading says that a write was not sent, or its answer not waited for, because another process may lead by now. That process then
// does and tells what there is to do.
var ErrNotLeading = errors.New("this process may no longer write: it has not renewed its lease in time")

// ErrNotSent is the ErrNotLeading of a write that was not sent at all, so that it has certainly not been carried out.
var ErrNotSent = fmt.Errorf("not sent: %w", ErrNotLeading)

// Scales writes the number of replicas.
type Scales interface {
	// Scale sets the replicas of the workload as it was seen and returns the resourceVersion that this has brought about. It fails
	// with a conflict if somebody else has written since, with ErrNotLeading (ErrNotSent where that is certain) if another process may lead, and
	// with another error if something else than these replicas was stored. Of a workload without a Version it matters only that it is still the same and has as many replicas.
	Scale(ctx context.Context, w *annotations.Workload, replicas int32) (version string, err error)
}

// Events tells the users of a workload, as client-go's record.EventRecorder does.
type Events interface {
	// Event records an Event of type Normal or Warning. It returns at once and does not write to the object.
	Event(object runtime.Object, kind, reason, message string)
}

// Traces keeps what was seen, so that it can be decided on again elsewhere.
type Traces interface {
	// Trace takes what a decision is about to be made on; fresh says that nothing is remembered of the workload yet. It
	// must return at once and must not write to what it is given.
	Trace(w *annotations.Workload, s recommend.Snapshot, fresh bool)
}

// Deps is everything that a Scaler works with. Origin, Budget and Traces may be nil.
type Deps struct {
	// Observer gathers what is decided on.
	Observer Observer
	// Origin is nil where nothing is written.
	Origin Origin
	Scales Scales
	Events Events
	// Budget bounds how much is told; if it is nil, nothing is left out.
	Budget *Budget
	// Traces is nil where nothing is to be recorded.
	Traces    Traces
	Telemetry *Telemetry
	Log       *zap.Logger
}

// Scaler reconciles workloads: it observes, decides, acts and tells, and remembers what it needs for the next look. It is safe for concurrent
// use as long as no two calls share a key.
type Scaler struct {
	observer  Observer
	origin    Origin
	scales    Scales
	events    Events
	budget    *Budget
	traces    Traces
	telemetry *Telemetry
	log       *zap.Logger
	memory    memory
	namesake  namesake
}

// New makes a Scaler that remembers nothing.
func New(d Deps) *Scaler {
	return &Scaler{observer: d.Observer, origin: d.Origin, scales: d.Scales, events: d.Events, budget: d.Budget, traces: d.Traces, telemetry: d.Telemetry, log: d.Log}
}

func (s *Scaler) now() time.Time { return s.observer.Now() }

// soon is when a workload is looked at again whose samples are being fetched, if they do not come before.
const soon = time.Second

// Reconcile looks at one workload once and does what has to be done. It returns after how long to look again even if nothing happens until
// then, or 0 if it need not. An error means that the write failed and should be retried; ErrNotLeading means that the process that leads
// should retry it.
func (s *Scaler) Reconcile(ctx context.Context, key annotations.Key) (time.Duration, error) {
	started := s.now()
	w := s.observer.Workloads.Workload(key)
	if w == nil || w.Deleting || !annotations.Selected(w.Annotations) {
		s.forget(key)
		return 0, nil
	}
	st := s.recall(key, w)
	w, wait, err := s.current(ctx, st, w)
	if w == nil {
		return wait, err
	}
	tried := st.attempt
	s.settle(st, w)
	s.witness(st, w, tried)
	policy, ok := s.review(st, w)
	if st.reviewed.hasRival() {
		st.standDown()
	}
	if !ok || policy.Mode == annotations.ModePaused {
		st.stand, st.conflicts = agreed(st.replicas), conflicts{} // the present number stands, and no write is being tried any more
		s.telemetry.observe(outcome{key: key, policy: policy, invalid: !ok, took: s.now().Sub(started)})
		return 0, nil
	}
	seen, complete := s.observer.Observe(w, policy, lastChange(st.history))
	if !complete {
		return soon, nil // the samples of a workload that was selected just now: they bring it back to the queue
	}
	s.tellClocks(w, seen)
	decision := s.decide(st, w, policy, seen)
	s.calm(st, policy, decision)
	err = s.act(ctx, st, w, policy, decision)
	if errors.Is(err, ErrNotLeading) {
		return 0, err
	}
	decision.Next = st.rival.wake(decision.Next, s.now())
	s.tell(st, w, policy, decision)
	s.telemetry.observe(outcome{key: key, policy: policy, decision: &decision, pause: st.rival.shown(policy.SyncPeriod, started), err: err,
		passing: st.conflicts.passing(err, s.now()), took: s.now().Sub(started)})
	next := s.next(key, policy, decision)
	if due := st.dueToTell(); due > 0 {
		next = min(next, due)
	}
	return next, err
}

// decide recommends and remembers.
func (s *Scaler) decide(st *state, w *annotations.Workload, p annotations.Policy, snapshot recommend.Snapshot) recommend.Decision {
	if !st.seen && w.ScaledByUs {
		st.history, st.past.Restored = recommend.Restored(snapshot), true
	}
	if s.traces != nil {
		snapshot.Past = st.past
		s.traces.Trace(w, snapshot, !st.seen)
	}
	st.seen = true
	decision, history := s.observer.Rules.Recommend(p, snapshot, st.history)
	st.history, st.past = history, recommend.Past{Unwritten: decision.Desired != decision.Current}
	return decision
}

// lastChange is when the replicas were last changed; zero if that is not remembered.
func lastChange(h recommend.History) time.Time {
	if len(h.Changes) == 0 {
		return time.Time{}
	}
	return h.Changes[len(h.Changes)-1].Time
}

// next is when to look again: when time alone changes the decision, and at the latest after the sync period. Each key adds its own part of
// a tenth of it, so that workloads are not looked at all at once, and not twice for each set of samples if both periods are equal.
func (s *Scaler) next(key annotations.Key, p annotations.Policy, d recommend.Decision) time.Duration {
	wait := p.SyncPeriod + time.Duration(float64(p.SyncPeriod)*share(key)/10)
	if !d.Next.IsZero() {
		wait = min(wait, max(d.Next.Sub(s.now()), time.Millisecond))
	}
	return wait
}
