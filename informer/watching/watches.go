package watching

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Watches is what the informers of one process share: whether the API server can be reached, which is told once for all of
// them, and how often each of them has failed. All methods may be called from any goroutine.
type Watches struct {
	server string

	mu       sync.Mutex
	onReach  func(error)
	failures map[Failure]uint64
	lost     time.Time // since when the API server has not answered; zero while it does
	tries    int       // since then
	pause    time.Duration
	next     time.Time // when it is tried again
}

// Failure is a kind of object and what was wrong with its list or watch.
type Failure struct {
	// Resource is its name in the API, such as pods.
	Resource string
	// Reason is one of the Failed constants.
	Reason string
}

// What can be wrong with a list or a watch.
const (
	// FailedUnreachable: the API server gave no answer.
	FailedUnreachable = "unreachable"
	// FailedRefused: it answered with an error, or that it has too much to do.
	FailedRefused = "refused"
	// FailedForbidden: it answered that the right is missing, or did not know who asks.
	FailedForbidden = "forbidden"
	// FailedExpired: it ended the watch at once, because of the version that the watch was to begin with.
	FailedExpired = "expired"
	// FailedSilent: the watch was open, and neither a change nor a bookmark came for too long.
	FailedSilent = "silent"
	// FailedLate: the watch had not told of a version that was known to exist for some time.
	FailedLate = "late"
)

// Reasons are all of them.
func Reasons() []string {
	return []string{FailedUnreachable, FailedRefused, FailedForbidden, FailedExpired, FailedSilent, FailedLate}
}

// How long the API server is left alone when it cannot be reached, after the first try and at most.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// NewWatches makes what informers share. The server is how errors name the API server. The function, which may be nil, is told
// each time when it could not be reached (err says why and when it is tried again), and when it answers again (nil). It is
// called from several goroutines and must return quickly.
func NewWatches(server string, onReach func(err error)) *Watches {
	w := &Watches{server: server, failures: map[Failure]uint64{}}
	w.Tell(onReach)
	return w
}

// Tell replaces the function that was given to NewWatches.
func (w *Watches) Tell(onReach func(err error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onReach = onReach; onReach == nil {
		w.onReach = func(error) {}
	}
}

// Transport wraps that of the clients that list and watch. Where a connection is closed, client-go tries ten times in silence, and
// where it is refused, a reflector waits for up to a minute, which nothing cuts short. Both are told, and nobody is told that
// a connection was refused rather than lost.
func (w *Watches) Transport(next http.RoundTripper) http.RoundTripper { return &transport{next, w} }

type transport struct {
	http.RoundTripper
	watches *Watches
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	switch {
	case err == nil:
		t.watches.reached()
	case r.Context().Err() == nil:
		t.watches.unreached(err)
		if utilnet.IsConnectionRefused(err) {
			err = errors.New(err.Error())
		}
	}
	return response, err
}

// WrappedRoundTripper lets client-go find what is wrapped.
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.RoundTripper }

// Failures is how often what has failed, and 0 for what has not.
func (w *Watches) Failures() map[Failure]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.failures)
}

// expect makes Failures show a kind of object before the first of its failures: how much a counter has grown is not known otherwise.
func (w *Watches) expect(resource string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, reason := range Reasons() {
		w.failures[Failure{resource, reason}] += 0
	}
}

func (w *Watches) count(resource, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures[Failure{resource, reason}]++
}

// Insist makes a request until the API server answers it, be it with an error. The pauses end with the context, as those of a
// reflector do not: it would sleep for up to a minute where a connection is refused, and say nothing of it.
func (w *Watches) Insist(ctx context.Context, resource string, request func() error) error {
	for lost := false; ; lost = true {
		err := request()
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx) // after a connection that was refused a reflector would wait all the same
		case !unanswered(err):
			if lost {
				w.reached()
			}
			return err
		}
		w.count(resource, FailedUnreachable)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(w.unreached(err)):
		}
	}
}

// unanswered says whether an error is that of a request to which nobody answered: no connection, or none that lasted. One that was
// given up is none: others like it may be answered all the same.
func unanswered(err error) bool {
	var transport *url.Error
	return errors.As(err, &transport) && !errors.Is(err, errNoAnswer)
}

// unreached notes that a request got no answer, and returns how long to wait. The first of those that fail together speaks for
// all of them, and all wait for the same moment.
func (w *Watches) unreached(err error) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.next.After(now) {
		return w.next.Sub(now)
	}
	if w.lost.IsZero() {
		w.lost, w.tries, w.pause = now, 0, firstPause/2
	}
	w.pause = min(2*w.pause, lastPause)
	w.tries++
	again := wait.Jitter(w.pause, 0.2).Round(100 * time.Millisecond)
	w.next = now.Add(again)
	w.onReach(fmt.Errorf("no answer from the API server %s (try %d in %s, the next one in %s): %w",
		w.server, w.tries, now.Sub(w.lost).Round(time.Second), again, err))
	return again
}

// reached notes that a request that had got no answer has got one.
func (w *Watches) reached() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lost.IsZero() {
		w.lost, w.next = time.Time{}, time.Time{}
		w.onReach(nil)
	}
}
