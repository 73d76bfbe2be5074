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

// Watches is what the informers of one process share: whether the API server can be reached, which is reported once for all of them,
// and how often each of them has failed. All methods may be called from any goroutine.
type Watches struct {
	server string

	mu       sync.Mutex
	onReach  func(error)
	failures map[Failure]uint64
	lost     time.Time // since when the API server has not answered; zero while it does
	tries    int       // since lost
	pause    time.Duration
	next     time.Time // when to try again
}

// Failure is the kind of object and the reason of a failed list or watch.
type Failure struct {
	// Resource is its name in the API, such as pods.
	Resource string
	// Reason is one of the Failed constants.
	Reason string
}

// The reasons for which a list or a watch fails.
const (
	// FailedUnreachable: the API server gave no answer.
	FailedUnreachable = "unreachable"
	// FailedRefused: it answered with an error, or that it is too busy.
	FailedRefused = "refused"
	// FailedForbidden: it answered that a right is missing, or that it does not know the client.
	FailedForbidden = "forbidden"
	// FailedExpired: it ended the watch at once, because it no longer has the version with which the watch should begin.
	FailedExpired = "expired"
	// FailedSilent: the watch was open, and neither a change nor a bookmark came for too long.
	FailedSilent = "silent"
	// FailedLate: the watch had not brought a version that was known to exist for some time.
	FailedLate = "late"
)

// Reasons returns all of them.
func Reasons() []string {
	return []string{FailedUnreachable, FailedRefused, FailedForbidden, FailedExpired, FailedSilent, FailedLate}
}

// The pause after the first try to reach the API server, and the longest one.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// NewWatches makes the Watches of a process. The server is the name of the API server in errors. The function, which may be nil, is
// called with an error each time the API server could not be reached (it says why, and when the next try is), and with nil when it
// answers again. It is called from several goroutines and must return quickly.
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

// Transport wraps the transport of the clients that list and watch. If a connection is closed, client-go tries ten times in silence.
// If it is refused, a reflector waits for up to a minute, which nothing cuts short. The wrapper reports both, and hides from the
// reflector that a connection was refused rather than lost.
func (w *Watches) Transport(next http.RoundTripper) http.RoundTripper { return &transport{next, w} }

type transport struct {
	http.RoundTripper
	watches *Watches
}

// RoundTrip implements http.RoundTripper.
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

// WrappedRoundTripper lets client-go find the wrapped transport.
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.RoundTripper }

// Failures returns how often each kind of object has failed for each reason, with 0 for those that have not.
func (w *Watches) Failures() map[Failure]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.failures)
}

// expect makes Failures show a kind of object before its first failure. Otherwise the growth of a counter could not be seen.
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

// Insist repeats a request until the API server answers it, even if with an error. Its pauses end with the context, unlike those of a
// reflector, which sleeps for up to a minute, and in silence, if a connection is refused.
func (w *Watches) Insist(ctx context.Context, resource string, request func() error) error {
	for lost := false; ; lost = true {
		err := request()
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx) // not err: a reflector would wait after a refused connection even now
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

// Within makes a request and gives up if it takes longer than the limit. The error says so, and Insist does not take it for an API
// server that cannot be reached.
func Within(parent context.Context, limit time.Duration, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(parent, limit, fmt.Errorf("%w within %s", errNoAnswer, limit))
	defer cancel()
	return because(ctx, request(ctx))
}

// because adds the cause to the error of a request that its context has ended.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// unanswered says whether an error means that the API server cannot be reached: there is no connection, or it broke. A request that
// was given up does not mean that, because the API server may answer others.
func unanswered(err error) bool {
	var transport *url.Error
	return errors.As(err, &transport) && !errors.Is(err, errNoAnswer)
}

// errNoAnswer is a request that was given up.
var errNoAnswer = errors.New("no answer")

// unreached notes that a request got no answer, and returns how long to wait. If several requests fail at the same time, only the
// first is reported, and all wait for the same moment.
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

// reached notes that the API server has answered.
func (w *Watches) reached() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lost.IsZero() {
		w.lost, w.next = time.Time{}, time.Time{}
		w.onReach(nil)
	}
}
