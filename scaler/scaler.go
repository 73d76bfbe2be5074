// Package scaler is the loop's body: observe what is known of one workload, decide, act, tell.
package scaler

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Traces keeps what was seen, so that it can be decided on again elsewhere.
type Traces interface {
	// Trace takes what a decision is about to be made on; fresh says that nothing is remembered of the workload yet. It
	// must return at once and must not write to what it is given.
	Trace(w *annotations.Workload, s recommend.Snapshot, fresh bool)
}

// Doors keeps the EndpointSlices of mini-hpa, which lead requests to the doors of activators while a workload sleeps.
type Doors interface {
	// Lead makes the EndpointSlices of a workload what they are to be by what is decided, before replicas are written, and says whether 0 may be. An error
	// means that it should be retried.
	Lead(ctx context.Context, w *annotations.Workload, p annotations.Wake, wanted wake.Wanted) (wake.Led, error)
	// Stay keeps them as they are while nothing is decided, but for activators that come and go, and pods that are ready. It returns when to look again; 0 if no time
	// changes anything.
	Stay(ctx context.Context, w *annotations.Workload) (time.Duration, error)
	// Leave takes them away once it is certain that the workload is not there or not scaled any more, and keeps them as they are until then. It returns when to
	// go on; 0 if there is nothing left to do.
	Leave(ctx context.Context, key annotations.Key) (time.Duration, error)
	// Refused is how many requests of a workload were refused since that was asked last.
	Refused(key annotations.Key) uint64
	// Leads are the EndpointSlices by which requests to the Services of a workload are led, by their names, as they were last seen or written. Any goroutine may ask.
	Leads(key annotations.Key) []wake.Lead
	// Forget drops what is known of a workload.
	Forget(key annotations.Key)
}

// Deps is everything that a Scaler works with. Origin, Budget, Traces, Chain and Doors may be nil.
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
	Traces Traces
	// Chain is nil where it is of no interest which annotated objects are not scaled because of others.
	Chain Chain
	// Doors is nil where there are no activators.
	Doors     Doors
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
	chain     Chain
	doors     Doors
	telemetry *Telemetry
	log       *zap.Logger
	memory    memory
	verdicts  verdicts
	namesake  namesake
	chronicle chronicle
	inner     inner
}

// New makes a Scaler that remembers nothing.
func New(d Deps) *Scaler {
	return &Scaler{observer: d.Observer, origin: d.Origin, scales: d.Scales, events: d.Events, budget: d.Budget, traces: d.Traces, chain: d.Chain, doors: d.Doors, telemetry: d.Telemetry, log: d.Log,
		verdicts: newVerdicts()}
}

func (s *Scaler) now() time.Time { return s.observer.Now() }

// recall is memory.recall, counted.
func (s *Scaler) recall(key annotations.Key, w *annotations.Workload) *remembered {
	mem, added := s.memory.recall(key, w)
	if added {
		s.budget.arrive(key)
	}
	return mem
}

// Keys lists the workloads that the Scaler remembers.
func (s *Scaler) Keys() []annotations.Key { return s.memory.keys() }

// Forget drops everything that the Scaler remembers of every workload: another controller has been at work since.
func (s *Scaler) Forget() {
	for _, key := range s.memory.keys() {
		s.forget(key)
	}
	s.namesake.forget()
	s.inner.forget()
}

// Withdraw takes back what is shown of every workload in metrics: this process leads no more, and another one shows them.
func (s *Scaler) Withdraw() { s.telemetry.clear() }

func (s *Scaler) forget(key annotations.Key) {
	if s.memory.forget(key) {
		s.telemetry.forget(key)
		s.budget.leave(key)
		s.chronicle.forget(key)
		if s.doors != nil {
			s.doors.Forget(key)
		}
	}
}
