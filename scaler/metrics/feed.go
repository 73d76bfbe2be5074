package metrics

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

const (
	// defaultResolution is that of metrics-server (--metric-resolution=15s in its manifests and chart).
	defaultResolution = 15 * time.Second
	defaultTimeout    = 5 * time.Second
)

// Config is what a Feed is made of. Only Lister is required. The callbacks are called from the goroutine that lists,
// one at a time, and must not call Refresh; they may call everything else.
type Config struct {
	Lister Lister
	// Resolution is the period at which samples are expected to be published; the real one is learnt. Default 15s.
	Resolution time.Duration
	// Timeout is the deadline of each LIST. Default 5s.
	Timeout time.Duration
	// Keep says whether a pod's samples are kept and reported; nil keeps all. It is asked for each new sample, and at
	// each LIST for pods it turned down. A pod that has become wanted since is known after the next LIST, which Sample asks for at
	// once. A kept pod of two containers takes 0.7 kB of memory, any other 0.3 kB (BenchmarkMemory).
	Keep func(namespace, name string) bool
	// OnSamples is called with the pods whose situation changed: those with a new sample, each sample once, then those
	// that had one and vanished from the list, once. A LIST that changed nothing calls nothing. The slice is the callee's.
	OnSamples func([]types.NamespacedName)
	// OnState is called once per transition: with the reason when two LISTs in a row failed, about a second apart, and
	// with nil at the first good LIST after that, before OnSamples.
	OnState func(err error)
	// OnUnreadable is called once per transition: with the reason when the samples of some pods cannot be read, which then have none,
	// and with nil when all can again.
	OnUnreadable func(err error)
}

// Status is a summary of a feed for telemetry. Times are zero before the first success.
type Status struct {
	// Lists counts the LIST requests made, Failures those of them without a good answer.
	Lists, Failures uint64
	// LastSuccess is the local time at which the newest good answer was complete.
	LastSuccess time.Time
	// Newest is when the newest sample of the newest good answer that was not empty was taken, by the local clock.
	Newest time.Time
	// Period is the publisher's, as learnt; 0 while it is not known.
	Period time.Duration
	// Pods counts the pods of the newest good answer, kept or not, Unreadable those whose samples in it could not be read.
	Pods, Unreadable int
}

// Feed keeps the newest sample of every pod of a scope. Its methods may be called from any goroutine.
type Feed struct {
	config Config
	latest atomic.Pointer[latest]
	// wanted has a token from when a sample was asked for that is not kept, until the next LIST begins.
	wanted chan struct{}
	// turn is held by the one goroutine that lists. It guards schedule and vanished.
	turn     chan struct{}
	schedule schedule
	vanished vanished

	mu     sync.Mutex
	health health
	status Status
}

// NewFeed returns a feed that knows nothing yet: Err wraps ErrPending until the first LIST was answered.
func NewFeed(c Config) *Feed {
	c.Resolution = cmp.Or(max(c.Resolution, 0), defaultResolution)
	c.Timeout = cmp.Or(max(c.Timeout, 0), defaultTimeout)
	if c.Keep == nil {
		c.Keep = func(string, string) bool { return true }
	}
	if c.OnSamples == nil {
		c.OnSamples = func([]types.NamespacedName) {}
	}
	if c.OnState == nil {
		c.OnState = func(error) {}
	}
	if c.OnUnreadable == nil {
		c.OnUnreadable = func(error) {}
	}
	f := &Feed{config: c, turn: make(chan struct{}, 1), wanted: make(chan struct{}, 1), schedule: newSchedule(c.Resolution)}
	f.latest.Store(&latest{})
	return f
}

// Run lists until ctx ends: at once, and then just after each moment at which new samples become readable, or when a sample is wanted
// that is not kept. It may be called again after it returned; the samples are kept, the rhythm is learnt anew.
func (f *Feed) Run(ctx context.Context) {
	wanted := false
	var hurried time.Time // when the last LIST began that was made because a sample was wanted
	for first := true; ctx.Err() == nil; first = false {
		began := time.Now()
		if wanted {
			hurried = began
		}
		wait, _ := f.list(ctx, first, wanted) // what failed was told by OnState
		wanted = f.rest(ctx, wait, pause(observation{sent: began, done: time.Now()}, hurried.Add(fineStep)))
	}
}

// rest waits until the next LIST: as planned, or, if a sample is wanted, after the least pause, which keeps a tenant whose workloads are
// selected one after the other from having everything listed more than once a second. It returns whether a sample is wanted.
func (f *Feed) rest(ctx context.Context, planned, least time.Duration) (wanted bool) {
	due := time.After(planned)
	if planned > least {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(least):
		}
		select {
		case <-ctx.Done():
		case <-f.wanted:
			return true
		case <-due:
		}
		return false
	}
	select {
	case <-ctx.Done():
	case <-due:
	}
	return false
}

// Refresh makes one LIST now and takes over what it brings as Run does. Its error says why the samples are not current; those
// kept before stay. With Run active it waits for a LIST under way to end first.
func (f *Feed) Refresh(ctx context.Context) error {
	_, err := f.list(ctx, false, false)
	return err
}

// Sample returns the newest sample of a pod and its stamp, both shared, or nil for both if the newest good LIST had none. A stamp without
// a sample means that the sample was not kept, because it was not needed then. Run lists again at once, but for this reason once a
// second at most, and then calls OnSamples.
func (f *Feed) Sample(namespace, name string) (*sample.Pod, *clock.Stamp) {
	e := (*f.latest.Load())[types.NamespacedName{Namespace: namespace, Name: name}]
	if e == nil {
		return nil, nil
	}
	if e.sample == nil {
		select {
		case f.wanted <- struct{}{}:
		default: // it is asked for already
		}
	}
	return e.sample, &e.stamp
}

// Err says why there are no current metrics; nil while the API answers. A single failed LIST after a good one is not told.
// The samples kept are not discarded by an error. Its text is the same as long as the reason is; before the first good
// LIST it is that LIST's failure, or wraps ErrPending.
func (f *Feed) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.health.err()
}

// Status summarises the feed.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// list makes one LIST in its turn, reports what it changed, and returns how long to wait before the next one. relearn makes the schedule
// forget what it has learnt; wanted says that the LIST is made before it is due. The error is the caller's context's or a *failure.
func (f *Feed) list(ctx context.Context, relearn, wanted bool) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, interrupted(ctx)
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	}
	if relearn {
		f.schedule = newSchedule(f.config.Resolution)
	}
	select {
	case <-f.wanted: // what was wanted until now, this LIST brings
	default:
	}
	o := observation{sent: time.Now(), wanted: wanted}
	list, err := f.call(ctx)
	o.done = time.Now()
	if ctx.Err() != nil {
		return 0, interrupted(ctx)
	}
	if err != nil {
		o.failed = true
		return f.plan(o), f.failed(explain(err, f.config.Timeout))
	}
	r := f.take(list.Samples, o)
	o.listed, o.comparable, o.advanced, o.repeated = len(r.next), r.comparable, r.advanced, r.repeated
	wait := f.plan(o)
	f.tell(r.changed, o.done)
	f.tellUnreadable(list)
	return wait, nil
}

// plan takes an observation into the schedule.
func (f *Feed) plan(o observation) (wait time.Duration) {
	f.schedule, wait = f.schedule.next(o)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Period = f.schedule.period()
	return wait
}

// call makes the request. The deadline covers reading and decoding the answer.
func (f *Feed) call(ctx context.Context) (Listing, error) {
	f.mu.Lock()
	f.status.Lists++
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	list, err := f.config.Lister.List(ctx)
	if err != nil && ctx.Err() != nil {
		// client-go's rate limiter and transports wrap or replace the context's error in several ways.
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return list, err
}

func interrupted(ctx context.Context) error {
	return fmt.Errorf("list pod metrics: %w", context.Cause(ctx))
}

// take makes the items of a LIST the newest samples.
func (f *Feed) take(items []sample.Pod, o observation) reading {
	r := reading{
		old: *f.latest.Load(), gone: f.vanished, sent: o.sent, now: o.done, keep: f.config.Keep, began: f.schedule.set.began,
		patience: 2 * max(f.schedule.period(), f.config.Resolution),
	}
	r.read(items)
	f.vanished = r.goneNext
	next := r.next // not &r.next, which would keep the whole reading, and with it the samples before
	f.latest.Store(&next)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Pods = len(r.next)
	if !r.newest.IsZero() {
		f.status.Newest = r.newest
	}
	return r
}

// tell reports a good LIST.
func (f *Feed) tell(changed []types.NamespacedName, now time.Time) {
	f.mu.Lock()
	var recovered bool
	f.health, recovered = f.health.with(nil)
	f.status.LastSuccess = now
	f.mu.Unlock()
	if recovered {
		f.config.OnState(nil)
	}
	if len(changed) > 0 {
		f.config.OnSamples(changed)
	}
}

// failed reports a LIST without an answer and returns its failure, with the text that repetitions of it share.
func (f *Feed) failed(why *failure) error {
	f.mu.Lock()
	var changed bool
	f.health, changed = f.health.with(why)
	f.status.Failures++
	why = f.health.last
	f.mu.Unlock()
	if changed {
		f.config.OnState(why)
	}
	return why
}

// tellUnreadable reports samples that could not be read.
func (f *Feed) tellUnreadable(list Listing) {
	f.mu.Lock()
	before := f.status.Unreadable
	f.status.Unreadable = list.Unreadable
	f.mu.Unlock()
	switch {
	case list.Unreadable > 0 && before == 0:
		f.config.OnUnreadable(fmt.Errorf("the resource metrics API (metrics.k8s.io) has %d samples that cannot be read; the first is that of %w", list.Unreadable, list.Why))
	case list.Unreadable == 0 && before > 0:
		f.config.OnUnreadable(nil)
	}
}
