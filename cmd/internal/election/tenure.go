package election

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Tenure is for how long this process may write: for the renew deadline after the last renewal of its lease was sent. Nobody else
// can have the lease before the lease duration has passed since, which is longer.
//
//	renewal sent          stored         renew deadline       lease expires
//	|---------------------|--------------|~~~~~~~~~~~~~~~~~~~~|-- another may lead
//	|<-------- may write, seconds ------>|
//
// The leader election ends a term at the same moment, but not when the process did not run: one that was stopped goes on wherever
// it was, with what it has in memory, before the election looks at the clock. So each write looks at it, just before it is sent.
type Tenure struct {
	always bool // without an election
	lasts  time.Duration
	Clock  func() moment

	mu      sync.Mutex
	renewed moment
	over    bool
}

// moment is one moment by two clocks.
type moment struct {
	// wall is set by others, so it jumps; but it goes on while a virtual machine is suspended.
	wall time.Time
	// steady never jumps, and does not count suspensions. A process that is stopped goes by both.
	steady time.Time
}

// now is the present moment.
func now() moment {
	t := time.Now()
	return moment{wall: t.Round(0), steady: t} // without its monotonic reading a time goes by the wall
}

// since is how much later m is, by the clock that says more.
func (m moment) since(earlier moment) time.Duration {
	return max(m.wall.Sub(earlier.wall), m.steady.Sub(earlier.steady))
}

// NewTenure is one that begins with the first renewal, or that lasts for ever if there is no election.
func NewTenure(e Flags) *Tenure {
	return &Tenure{always: !e.Enabled, lasts: e.RenewDeadline, Clock: now, over: true}
}

// Renew is told of a renewal that the API server has confirmed, and when it was sent.
func (t *Tenure) Renew(sent moment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed, t.over = sent, false
}

// end says that the lease is given up, or somebody else's.
func (t *Tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// left is for how long this process may still write; nothing or less where it may not.
func (t *Tenure) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.always:
		return t.lasts
	case t.over:
		return 0
	}
	return t.lasts - t.Clock().since(t.renewed)
}

// Check fails where this process may not write.
func (t *Tenure) Check() error {
	if t.left() > 0 {
		return nil
	}
	return scaler.ErrNotLeading
}

// Scales writes replicas within the tenure only.
func (t *Tenure) Scales(s scaler.Scales) scaler.Scales { return leased{s, t} }

// leased writes within the tenure only.
type leased struct {
	scaler.Scales
	tenure *Tenure
}

// Scale ends with the tenure at the latest, even if the answer is still to come. The error is scaler.ErrNotLeading then,
// and scaler.ErrNotSent where it had ended before.
func (l leased) Scale(ctx context.Context, w *annotations.Workload, replicas int32) (string, error) {
	if l.tenure.Check() != nil {
		return "", scaler.ErrNotSent
	}
	ctx, cancel := context.WithTimeout(ctx, l.tenure.left())
	defer cancel()
	version, err := l.Scales.Scale(ctx, w, replicas)
	if err != nil && l.tenure.Check() != nil {
		return "", fmt.Errorf("%w: %w", scaler.ErrNotLeading, err)
	}
	return version, err
}

// Guard lets requests that change something pass within the tenure only. It is asked at each try of the client to send them, and
// once more when the body is read, which is after a connection was found or made.
func (t *Tenure) Guard(next http.RoundTripper) http.RoundTripper { return guarded{next, t} }

type guarded struct {
	next   http.RoundTripper
	tenure *Tenure
}

// WrappedRoundTripper is what client-go looks for to cancel a request; where it finds nothing, it tells the log so of each one that takes too long.
func (g guarded) WrappedRoundTripper() http.RoundTripper { return g.next }

// RoundTrip is http.RoundTripper's.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return g.next.RoundTrip(r)
	}
	if err := g.tenure.Check(); err != nil {
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		return nil, err
	}
	if r.Body == nil || r.Body == http.NoBody {
		return g.next.RoundTrip(r)
	}
	checked := r.Clone(r.Context())
	checked.Body = body{r.Body, g.tenure}
	if again := r.GetBody; again != nil { // the transport sends a request again where a connection ended before it was read
		checked.GetBody = func() (io.ReadCloser, error) {
			b, err := again()
			return body{b, g.tenure}, err
		}
	}
	return g.next.RoundTrip(checked)
}

// body is that of a request.
type body struct {
	io.ReadCloser
	tenure *Tenure
}

// Read fails where this process may no longer write, which ends the request.
func (b body) Read(p []byte) (int, error) {
	if err := b.tenure.Check(); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}
