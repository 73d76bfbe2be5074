package trace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// backlog is how many observations may wait for the disk. More are dropped: recording never holds up scaling.
const backlog = 1024

// Recorder writes the traces of many workloads into a directory. A file holds one workload's trace and can be replayed by
// itself: when the header changes, when a file is full and when nothing is remembered of the workload any more, the
// next file begins. Every observation is one append, so that a process that is killed leaves at most its last line cut off.
type Recorder struct {
	queue   chan observed
	stop    chan struct{}
	done    chan struct{}
	stopped sync.Once
	dropped atomic.Int64
	// tell hears of a workload whose recording fails, and again (nil) when it works; nothing in between.
	tell    func(workload annotations.Key, err error)
	store   *store
	failing map[annotations.Key]bool
}

// NewRecorder records into a directory, which is made if it does not exist; files are for the process' own user only.
// Both functions are called from another goroutine: exists says whether there still is a workload; tell is called when the recording
// of one begins to fail, with the error, and when it works again, with nil.
func NewRecorder(dir string, limits Limits, exists func(annotations.Key) bool, tell func(annotations.Key, error)) (*Recorder, error) {
	s, err := newStore(dir, limits, exists)
	if err != nil {
		return nil, fmt.Errorf("cannot record into %q: %w", dir, err)
	}
	r := &Recorder{queue: make(chan observed, backlog), stop: make(chan struct{}), done: make(chan struct{}),
		tell: tell, store: s, failing: map[annotations.Key]bool{}}
	go r.run()
	return r, nil
}

// Trace takes one observation of a workload; fresh says that nothing was remembered of it before. It returns at once
// and writes to nothing that it was given, but workload, pods and samples must not be written to afterwards.
func (r *Recorder) Trace(w *annotations.Workload, s recommend.Snapshot, fresh bool) {
	select {
	case r.queue <- observed{workload: w, snapshot: slimSnapshot(s), fresh: fresh}:
	default:
		r.dropped.Add(1)
	}
}

// Close writes what is waiting. The error says that it took longer than ctx lasts. What is recorded afterwards is lost.
func (r *Recorder) Close(ctx context.Context) error {
	r.stopped.Do(func() { close(r.stop) })
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("recording has not ended: %w", context.Cause(ctx))
	}
}

func (r *Recorder) run() {
	defer close(r.done)
	defer r.store.close()
	for {
		select {
		case o := <-r.queue:
			r.write(o)
		case <-r.stop:
			r.drain()
			return
		}
	}
}

func (r *Recorder) drain() {
	for {
		select {
		case o := <-r.queue:
			r.write(o)
		default:
			return
		}
	}
}

func (r *Recorder) write(o observed) {
	key := o.workload.Key
	err := r.store.write(o)
	if lost := r.dropped.Swap(0); lost > 0 {
		err = errors.Join(err, fmt.Errorf("%d observations came faster than they could be written and are lost", lost))
	}
	if failing := err != nil; failing != r.failing[key] {
		r.tell(key, err)
		r.note(key, failing)
	}
}

// note remembers which workloads fail. Now and then it forgets those that were deleted since.
func (r *Recorder) note(key annotations.Key, failing bool) {
	if !failing {
		delete(r.failing, key)
		return
	}
	if r.failing[key] = true; len(r.failing)%1000 == 0 {
		maps.DeleteFunc(r.failing, func(key annotations.Key, _ bool) bool { return !r.store.exists(key) })
	}
}
