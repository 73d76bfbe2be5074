package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
)

// What one request may take. An honest one takes milliseconds and some kilobytes.
const (
	// maxBody is where controller-runtime refuses a body (maxRequestSize in pkg/webhook/admission/http.go): two objects of
	// 3 MiB, which is twice what etcd stores, and what is around them. The guard refuses it before it is read.
	maxBody = 7 << 20
	// smallBody is the size up to which a body counts as small. Honest bodies nearly always are.
	smallBody = 256 << 10
	// maxTime is how long a request may take from its header to its answer; the API server may ask for less.
	maxTime = 5 * time.Second
)

// What all requests together may take. The memory for bodies is only a part of it: while a request is answered, decoding its
// body takes several times its size again.
const (
	smallMemory  = 8 << 20  // 512 requests, or 32 of the largest small ones
	largeMemory  = 24 << 20 // three of the largest
	smallAnswers = 64
	largeAnswers = 2
)

// guard stands in front of the handler. It lets only those requests through that an API server would send, reads them within
// bounds of time and memory, and hands them over complete.
type guard struct {
	paths        []string
	next         http.Handler
	longest      time.Duration
	small, large lane
	refused      func(reason string)
	log          *zap.Logger
}

// lane has the memory and the turns of small requests, or those of large ones, so that neither has to wait for the other.
type lane struct {
	memory *pool
	turns  chan struct{} // as many as requests that may be answered at the same time
}

func newLane(bytes, answers int, v victim) lane {
	return lane{memory: newPool(bytes, v), turns: make(chan struct{}, answers)}
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	no := g.check(r)
	if no == nil {
		no = g.answer(w, r)
	}
	if no != nil {
		g.refuse(w, *no)
	}
}

// check judges a request by its header.
func (g *guard) check(r *http.Request) *refusal {
	switch {
	case !slices.Contains(g.paths, r.URL.Path):
		return &noSuchPath
	case r.Method != http.MethodPost:
		return &wrongMethod
	case r.Header.Get("Content-Type") != "application/json": // the API server says exactly this
		return &wrongType
	case r.ContentLength < 0: // the API server always gives it
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
	ctx, cancel := context.WithTimeout(r.Context(), g.timeLimit(r))
	defer cancel()
	lane := g.small
	if r.ContentLength > smallBody {
		lane = g.large
	}
	incoming, err := receive(ctx, w, lane.memory)
	if err != nil {
		return &brokenOff
	}
	defer incoming.release()
	body, no := incoming.read(r)
	if no != nil {
		return no // the memory is released before the refusal is written, which may take a moment
	}
	select {
	case <-ctx.Done():
		return &tooBusy
	case lane.turns <- struct{}{}:
		defer func() { <-lane.turns }()
	}
	complete := r.WithContext(ctx)
	complete.Body = io.NopCloser(&body)
	return g.call(w, complete)
}

// timeLimit is how long the API server waits for the answer (the webhook's timeoutSeconds, sent as "?timeout=10s"), but at most
// longest.
func (g *guard) timeLimit(r *http.Request) time.Duration {
	asked, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || asked <= 0 {
		return g.longest
	}
	return min(asked, g.longest)
}

// incomingBody is a body that is being received.
type incomingBody struct{ *reservation }

// receive gives the body until the context's deadline to arrive. It fails if the connection is gone.
func receive(ctx context.Context, w http.ResponseWriter, memory *pool) (incomingBody, error) {
	connection := http.NewResponseController(w)
	deadline, _ := ctx.Deadline()
	if err := connection.SetReadDeadline(deadline); err != nil {
		return incomingBody{}, err
	}
	// A deadline that has passed ends a read at once.
	interrupt := func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) }
	return incomingBody{memory.reserve(interrupt)}, nil
}

// read returns the body, or the refusal if it did not arrive.
func (b incomingBody) read(r *http.Request) (net.Buffers, *refusal) {
	body, err := b.fill(r)
	// The last byte may arrive just as the body is dropped. Its read deadline has passed then, so it is refused all the same.
	if !b.complete() {
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

// fill reads the body in chunks, which it does not join: that would take twice the memory.
func (b incomingBody) fill(r *http.Request) (net.Buffers, error) {
	var body net.Buffers
	for missing := r.ContentLength; missing > 0; {
		if !b.grow() {
			return nil, nil // complete returns false then
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

// call calls the handler. A panic in it costs one request, not all that are under way.
func (g *guard) call(w http.ResponseWriter, r *http.Request) (no *refusal) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler: // not a bug: net/http aborts the answer
			panic(cause)
		default:
			g.log.Error("a request could not be answered because of a bug", zap.Any("panic", cause), zap.Stack("stack"))
			no = &panicked
		}
	}()
	g.next.ServeHTTP(w, r)
	return nil
}

// refusal is an answer that the guard gives without the handler. It repeats nothing of the request.
type refusal struct {
	reason string // the value of the metric's label
	status int
	text   string
}

// The refusals. Those with status 429 carry Retry-After. The API server's client then asks again a second later, until the
// webhook's timeout (client-go, rest/with_retry.go), and on a new connection, which may lead to another replica.
var (
	noSuchPath   = refusal{"path", http.StatusNotFound, "there is nothing here"}
	wrongMethod  = refusal{"method", http.StatusMethodNotAllowed, "only POST is answered"}
	wrongType    = refusal{"content-type", http.StatusUnsupportedMediaType, "the Content-Type must be application/json"}
	noLength     = refusal{"length", http.StatusLengthRequired, "the Content-Length must be given"}
	emptyBody    = refusal{"empty", http.StatusBadRequest, "the request has no body"}
	tooLargeBody = refusal{"too-large", http.StatusRequestEntityTooLarge, fmt.Sprintf("the body must be smaller than %d MiB", maxBody>>20)}
	tooSlow      = refusal{"slow", http.StatusRequestTimeout, "the body did not arrive in time"}
	brokenOff    = refusal{"broken-off", http.StatusBadRequest, "the body could not be read to its end"}
	noMemory     = refusal{"memory", http.StatusTooManyRequests, "too much is being received at the moment"}
	tooBusy      = refusal{"busy", http.StatusTooManyRequests, "too many requests are being answered at the moment"}
	panicked     = refusal{"panic", http.StatusInternalServerError, "the request could not be answered because of a bug"}
)

// lingerTimeout is how long the server goes on reading a refused body, so that a client that writes before it reads sees the
// answer and not a reset connection. net/http reads 256 KiB of it at most.
const lingerTimeout = time.Second

// refuse writes the refusal and has the connection closed.
func (g *guard) refuse(w http.ResponseWriter, no refusal) {
	g.refused(no.reason)
	h := w.Header()
	h.Set("Connection", "close")
	switch no.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1") // seconds
	}
	// This fails only if the connection is gone. Then the answer fails as well, which is not worth a log line.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTimeout))
	http.Error(w, no.text, no.status)
}
