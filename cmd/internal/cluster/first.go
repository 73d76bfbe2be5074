package cluster

import (
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// firstAlone lets the first request connect while the others wait until it has a connection, or has failed. net/http opens one for each
// request that finds none, as it cannot know yet that the server speaks HTTP/2: of the handshakes that a dozen first lists would make at
// once, all but one would be for nothing. One firstAlone is for all clients of a Target.
type firstAlone struct {
	begun     atomic.Bool
	connected chan struct{}
	once      sync.Once
}

func newFirstAlone() *firstAlone { return &firstAlone{connected: make(chan struct{})} }

// transport wraps that of a client.
func (f *firstAlone) transport(next http.RoundTripper) http.RoundTripper {
	return orderly{RoundTripper: next, first: f}
}

// open lets the others go.
func (f *firstAlone) open() { f.once.Do(func() { close(f.connected) }) }

type orderly struct {
	http.RoundTripper
	first *firstAlone
}

// RoundTrip implements http.RoundTripper.
func (o orderly) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.first.begun.CompareAndSwap(false, true) {
		defer o.first.open()
		connected := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { o.first.open() }}
		return o.RoundTripper.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), connected)))
	}
	select {
	case <-o.first.connected:
		return o.RoundTripper.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// WrappedRoundTripper lets client-go find what is wrapped.
func (o orderly) WrappedRoundTripper() http.RoundTripper { return o.RoundTripper }
