package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"
)

// What one request may take. An honest one takes milliseconds and some kilobytes.
const (
	// maxBody is where controller-runtime refuses a body (maxRequestSize in pkg/webhook/admission/http.go): two objects of
	// 3 MiB, which is twice what etcd stores, and what is around them. The guard refuses it before it is read.
	maxBody = 7 << 20
	// smallBody is the size up to which a body counts as small; honest ones nearly always are.
	smallBody = 256 << 10
	// maxTime is all that a request has, from its header to its answer; the API server may ask for less.
	maxTime = 5 * time.Second
)

// What all requests together may take. Bodies are a part of it only: decoding one costs several times its size again, for as
// long as it is being answered.
const (
	smallReserve = 8 << 20  // 512 requests, or 32 of the largest small ones
	largeReserve = 24 << 20 // three of the largest
	smallAnswers = 64
	largeAnswers = 2
)

// guard stands in front of the handler: it lets through what an API server would send, reads it within bounds of time and
// memory, and hands it over complete.
type guard struct {
	path         string
	next         http.Handler
	small, large lane
	refused      func(reason string)
	log          *zap.Logger
}

// lane is the way of small requests, or that of large ones, so that neither has to wait for the other.
type lane struct {
	reserve *reserve
	answers chan struct{} // one place for each request that may be answered at the same time
}

func newLane(bytes, answers int, v victim) lane {
	return lane{reserve: newReserve(bytes, v), answers: make(chan struct{}, answers)}
}

// newGuard fills in the usual bounds.
func newGuard(c *Config) *guard {
	return &guard{
		path: c.Path, next: c.Handler, refused: c.OnRefused, log: c.Log,
		small: newLane(smallReserve, smallAnswers, oldest),
		large: newLane(largeReserve, largeAnswers, youngest),
	}
}

// ServeHTTP is http.Handler's.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	no := g.check(r)
	if no == nil {
		no = g.answer(w, r)
	}
	if no != nil {
		g.refuse(w, *no)
	}
}

// check looks at the header.
func (g *guard) check(r *http.Request) *refusal {
	switch {
	case r.URL.Path != g.path:
		return &noSuchPath
	case r.Method != http.MethodPost:
		return &wrongMethod
	case r.Header.Get("Content-Type") != "application/json": // exactly this is what the API server says, and what the handler wants
		return &wrongType
	case r.ContentLength < 0: // the API server always knows it
		return &noLength
	case r.ContentLength == 0:
		return &emptyBody
	case r.ContentLength >= maxBody:
		return &tooLargeBody
	}
	return nil
}

// answer receives the body, waits for its turn and has the request answered.
func (g *guard) answer(w http.ResponseWriter, r *http.Request) *refusal {
	ctx, cancel := context.WithTimeout(r.Context(), timeLimit(r))
	defer cancel()
	lane := g.small
	if r.ContentLength > smallBody {
		lane = g.large
	}
	incoming, err := receive(ctx, w, lane.reserve)
	if err != nil {
		return &brokenOff
	}
	defer incoming.settle()
	body, no := incoming.read(r)
	if no != nil {
		return no // what was received is given back before the refusal is written, which may take a moment
	}
	select {
	case <-ctx.Done():
		return &tooBusy
	case lane.answers <- struct{}{}:
		defer func() { <-lane.answers }()
	}
	complete := r.WithContext(ctx)
	complete.Body = io.NopCloser(&body)
	return g.call(w, complete)
}

// timeLimit is what the API server says it waits for an answer (the webhook's timeoutSeconds, sent as "?timeout=10s"), and
// maxTime if that is less.
func timeLimit(r *http.Request) time.Duration {
	asked, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || asked <= 0 {
		return maxTime
	}
	return min(asked, maxTime)
}

// arrival is a body on its way.
type arrival struct{ *loan }

// receive gives the body until the context's deadline to arrive. It fails if the connection is gone.
func receive(ctx context.Context, w http.ResponseWriter, from *reserve) (arrival, error) {
	connection := http.NewResponseController(w)
	deadline, _ := ctx.Deadline()
	if err := connection.SetReadDeadline(deadline); err != nil {
		return arrival{}, err
	}
	// A deadline that has passed ends a read at once.
	interrupt := func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) }
	return arrival{from.open(interrupt)}, nil
}

// read returns the body, or why there is none.
func (a arrival) read(r *http.Request) (net.Buffers, *refusal) {
	body, err := a.fill(r)
	// The last byte and the decision to drop the body can meet. The deadline has passed then, so it is dropped all the same.
	if !a.complete() {
		return nil, &noMemory
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &tooSlow
	case err != nil:
		return nil, &brokenOff
	}
	return body, nil
}

// fill reads the body chunk by chunk. They stay as they are: joining them would take twice the memory.
func (a arrival) fill(r *http.Request) (net.Buffers, error) {
	var body net.Buffers
	for missing := r.ContentLength; missing > 0; {
		if !a.grow() {
			return nil, nil // complete tells
		}
		chunk := make([]byte, min(missing, chunkSize))
		if _, err := io.ReadFull(r.Body, chunk); err != nil {
			return nil, err
		}
		body = append(body, chunk)
		missing -= int64(len(chunk))
	}
	return body, nil
}

// call has the request answered. A bug in the handler costs one request, not all that are under way.
func (g *guard) call(w http.ResponseWriter, r *http.Request) (no *refusal) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler: // meant so
			panic(cause)
		default:
			g.log.Error("a request could not be answered because of a bug", zap.Any("panic", cause), zap.Stack("stack"))
			no = &panicked
		}
	}()
	g.next.ServeHTTP(w, r)
	return nil
}
