package cluster

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// firstAlone lets the first request connect while the others wait until it has a connection, or has failed. net/http opens one for each
// request that finds none, as it cannot know yet that the server speaks HTTP/2: of the handshakes that the first lists of a process would
// make at once, all but one would be for nothing. One firstAlone is for all clients of a Target.
type firstAlone struct {
	begun   atomic.Bool
	settled chan struct{}
	once    sync.Once
}

// longestAlone is how long the others wait at most: the first may have come upon an API server that does not answer, among others that do.
const longestAlone = 250 * time.Millisecond

func newFirstAlone() *firstAlone { return &firstAlone{settled: make(chan struct{})} }

// transport wraps that of a client.
func (f *firstAlone) transport(next http.RoundTripper) http.RoundTripper {
	return orderly{RoundTripper: next, first: f}
}

// settle lets the others go.
func (f *firstAlone) settle() { f.once.Do(func() { close(f.settled) }) }

type orderly struct {
	http.RoundTripper
	first *firstAlone
}

// RoundTrip implements http.RoundTripper.
func (o orderly) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.first.begun.CompareAndSwap(false, true) {
		defer o.first.settle()
		timer := time.AfterFunc(longestAlone, o.first.settle)
		defer timer.Stop()
		connected := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { o.first.settle() }}
		return o.RoundTripper.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), connected)))
	}
	select {
	case <-o.first.settled:
		return o.RoundTripper.RoundTrip(r)
	case <-r.Context().Done():
		if r.Body != nil {
			_ = r.Body.Close() // as every RoundTripper has to
		}
		return nil, context.Cause(r.Context())
	}
}

// WrappedRoundTripper lets client-go find what is wrapped.
func (o orderly) WrappedRoundTripper() http.RoundTripper { return o.RoundTripper }
