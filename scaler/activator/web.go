package activator

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// maxHeader is how many bytes the headers of a request may have, and headerTime how long they may take.
	maxHeader, headerTime = 16 << 10, 10 * time.Second
	// idleTime is how long a connection may be between two requests. It is longer than proxies and load balancers wait by default, so that
	// they are the ones who end it: a request that is sent while the server ends the connection is lost.
	idleTime = 620 * time.Second
	// maxIdle is how many connections may be there without a request, of all Services together. If there are more, one of the port that has most
	// of them is ended: that which is there for longest.
	maxIdle = maxHeld
	// retryAfter is what is said to those who get no pod, in seconds.
	retryAfter = 5
	// ignoredTime is how long a request that is ignored may look for a pod.
	ignoredTime = 2 * dialTimeout
)

// web passes on HTTP/1.1, request by request.
type web struct {
	server  *http.Server
	proxy   *httputil.ReverseProxy
	clients chan net.Conn // from the doors to the server
	closed  chan struct{}
	close   func()
	streams *streams
	ending  atomic.Bool

	mu      sync.Mutex
	resting map[*port]*list.List // the clients without a request, that which is there for longest first
	idle    int                  // how many those are
	fresh   int                  // how many of those have never had a request
	maxIdle int
}

// client is a connection of HTTP/1.1, with the port at which it came.
type client struct {
	*net.TCPConn
	port *port
	// place is where it rests, nil while it has a request; fresh says that it has never had one. The lock of web is held for both.
	place *list.Element
	fresh bool
}

type clientKey struct{}

func newWeb(s *streams, log *zap.Logger) *web {
	w := &web{clients: make(chan net.Conn), closed: make(chan struct{}), streams: s, resting: map[*port]*list.List{}, maxIdle: maxIdle}
	w.close = sync.OnceFunc(func() { close(w.closed) })
	// What strangers send wrongly is told to them, and at a level that is off by default.
	complaints, _ := zap.NewStdLogAt(log, zap.DebugLevel) // which fails for levels that there are not
	w.server = &http.Server{Handler: w, ErrorLog: complaints, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the pod
		ConnState:                    w.note, ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, clientKey{}, c) }}
	w.proxy = &httputil.ReverseProxy{Rewrite: rewrite, Transport: newRoutes(), FlushInterval: -1, ErrorLog: complaints, BufferPool: &buffers{},
		ModifyResponse: w.sendElsewhere, ErrorHandler: w.fail}
	return w
}

// run serves until shutdown.
func (w *web) run() {
	_ = w.server.Serve(w) // which ends with http.ErrServerClosed
}

// add takes a connection from a door.
func (w *web) add(p *port, c *net.TCPConn) {
	of := &client{TCPConn: c, port: p, fresh: true}
	w.rest(of)
	select {
	case w.clients <- of:
	case <-w.closed:
		w.rise(of)
		reset(c)
	}
}

// Accept is net.Listener's, for the server.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.clients:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (w *web) Close() error {
	w.close()
	return nil
}

// Addr is net.Listener's. The doors are at many addresses.
func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

// note counts the connections that have no request.
func (w *web) note(c net.Conn, state http.ConnState) {
	of, ok := c.(*client)
	if !ok {
		return
	}
	switch state {
	case http.StateNew: // it is there since it was accepted
	case http.StateIdle:
		w.rest(of)
	case http.StateActive, http.StateHijacked, http.StateClosed:
		w.rise(of)
	}
}

// rest notes that a client has no request. If there are too many of them, one has to go.
func (w *web) rest(c *client) {
	w.mu.Lock()
	all := w.resting[c.port]
	if all == nil {
		all = list.New()
		w.resting[c.port] = all
	}
	c.place = all.PushBack(c)
	w.idle++
	if c.fresh {
		w.fresh++
	}
	var goes *client
	if w.idle > w.maxIdle {
		goes = w.longest()
		w.lift(goes)
	}
	w.mu.Unlock()
	switch {
	case goes == nil:
	case goes.fresh:
		goes.port.turnAway()
		reset(goes.TCPConn)
	default:
		_ = goes.Close() // between two requests, as its server may
	}
}

// longest is the client that rests for longest at the port where most do.
func (w *web) longest() *client {
	var most *list.List
	for _, all := range w.resting {
		if most == nil || all.Len() > most.Len() {
			most = all
		}
	}
	c, _ := most.Front().Value.(*client) // nothing else is in the lists
	return c
}

// rise notes that a client has a request, or has gone.
func (w *web) rise(c *client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lift(c)
	c.fresh = false
}

// lift takes a client from where it rests, if it does.
func (w *web) lift(c *client) {
	if c.place == nil {
		return
	}
	all := w.resting[c.port]
	all.Remove(c.place)
	if all.Len() == 0 {
		delete(w.resting, c.port)
	}
	c.place = nil
	w.idle--
	if c.fresh {
		w.fresh--
	}
}

// has says whether clients of a port have no request, and could send one.
func (w *web) has(p *port) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resting[p] != nil
}

// reading is how many clients are there that have not sent a request yet.
func (w *web) reading() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fresh
}

// closeIdle ends the connections of a port that are between two requests.
func (w *web) closeIdle(p *port) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if all := w.resting[p]; all != nil {
		for at := all.Front(); at != nil; at = at.Next() {
			if c, ok := at.Value.(*client); ok && !c.fresh {
				_ = c.Close() // the server notices, and has it taken from here
			}
		}
	}
}

// shutdown has connections end with the request that they have. What it returns says whether all have.
func (w *web) shutdown() (over func() bool) {
	var ended atomic.Bool
	go func() {
		_ = w.server.Shutdown(context.Background()) // which ends at the latest when the server is closed
		ended.Store(true)
	}()
	return ended.Load
}

// ServeHTTP holds a request until a pod is ready, and passes it on.
func (w *web) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(clientKey{}).(*client)
	if !ok {
		http.Error(answer, "not a connection of a Service", http.StatusInternalServerError)
		return
	}
	if r.ProtoMajor == 2 {
		w.serveHTTP2(answer, c)
		return
	}
	if rules := c.port.current(); rules.serves.Ignores(r.URL.Path, r.UserAgent()) {
		w.serveIgnored(answer, r, c.port)
		return
	}
	t, err := c.port.enter()
	if err != nil {
		refuse(answer, err)
		return
	}
	watched := c.TCPConn
	if r.ContentLength == 0 {
		watched = nil // the server itself reads on, and ends the request's context
	}
	h := newHold(r.Context(), t, c.port.current().serves.Hold.Duration, watched, false)
	defer h.end()
	w.pass(answer, r.WithContext(h.ctx), h)
}

// errand is what a request goes on: it is handed to the transport.
type errand struct {
	*hold
	unreached error // why no pod took it
}

type errandKey struct{}

// pass waits for a pod before the reverse proxy has the request, so that one that waits takes little memory.
func (w *web) pass(answer http.ResponseWriter, r *http.Request, h *hold) {
	e := &errand{hold: h}
	defer func() { h.ticket.leave(e.unreached) }() // also when the proxy panics because an answer has broken off
	if _, e.unreached = h.wait(); e.unreached != nil {
		refuse(answer, e.unreached)
		return
	}
	w.proxy.ServeHTTP(answer, r.WithContext(context.WithValue(h.ctx, errandKey{}, e)))
}

// serveIgnored answers a request that wakes nobody: a pod does if there is one.
func (w *web) serveIgnored(answer http.ResponseWriter, r *http.Request, p *port) {
	if t := p.enterIgnored(); t != nil {
		h := newHold(r.Context(), t, ignoredTime, nil, false)
		defer h.end()
		w.pass(answer, r.WithContext(h.ctx), h)
		return
	}
	if w.ending.Load() {
		refuse(answer, errClosed)
		return
	}
	answer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	answer.Header().Set("Connection", "close") // the next may find a pod
	_, _ = io.WriteString(answer, "asleep\n")  // whoever does not read it has gone
}

// serveHTTP2 passes on a connection that turns out to be of HTTP/2, as bytes.
func (w *web) serveHTTP2(answer http.ResponseWriter, c *client) {
	_, buffer, err := http.NewResponseController(answer).Hijack()
	if err != nil {
		http.Error(answer, "HTTP/2 is not passed on", http.StatusHTTPVersionNotSupported)
		return
	}
	read := []byte("PRI * HTTP/2.0\r\n\r\n")
	rest, _ := buffer.Reader.Peek(buffer.Reader.Buffered()) // which has them
	w.streams.serve(c.port, c.TCPConn, append(read, rest...))
}

// sendElsewhere has the client come back on a new connection, which finds a pod without the activator: there is one, because it has answered.
func (w *web) sendElsewhere(answer *http.Response) error {
	e := errandOf(answer.Request)
	e.ticket.answers()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		e.ticket.settle()
		return nil
	}
	if rules := e.ticket.port.current(); !rules.always() || w.ending.Load() {
		answer.Header.Set("Connection", "close")
	}
	return nil
}

// fail answers for a pod that did not.
func (w *web) fail(answer http.ResponseWriter, r *http.Request, _ error) {
	e := errandOf(r)
	if why := context.Cause(r.Context()); e.unreached == nil && errors.Is(why, errTooLong) {
		e.unreached = why // the hold has ended between the pod's connection and its use
	}
	if e.unreached != nil {
		refuse(answer, e.unreached)
		return
	}
	if r.Context().Err() != nil { // the client has gone, and the pod is not to blame
		panic(http.ErrAbortHandler)
	}
	e.ticket.fail()
	answer.Header().Set("Connection", "close")
	answer.WriteHeader(http.StatusBadGateway)
}

// refuse says why there is no pod. Of a client that has gone the connection is cut off: it may read yet, and an answer that nobody gave is none.
func refuse(answer http.ResponseWriter, why error) {
	if errors.Is(why, errGone) || errors.Is(why, context.Canceled) {
		panic(http.ErrAbortHandler)
	}
	answer.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	answer.Header().Set("Connection", "close")
	http.Error(answer, "mini-hpa: "+why.Error(), http.StatusServiceUnavailable)
}

// rewrite leaves a request as it is: the pod must not see that it came another way. ReverseProxy has taken away what proxies say of the client.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.RawQuery, r.Out.Host = "http", r.In.URL.RawQuery, r.In.Host
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if said, ok := r.In.Header[header]; ok {
			r.Out.Header[header] = said
		}
	}
	// HTTP/2 can be asked for only with settings that belong to one connection, which the reverse proxy has taken away.
	if strings.EqualFold(r.Out.Header.Get("Upgrade"), "h2c") {
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
	}
}

// routes sends requests to the pods that their errands are given.
type routes struct {
	// kept keeps connections for those requests that net/http sends again when a pod has ended a connection that it kept; once is for all
	// others, of which a pod might have seen a part.
	kept, once *http.Transport
}

func newRoutes() *routes {
	r := &routes{kept: newTransport(), once: newTransport()}
	r.once.DisableKeepAlives = true
	return r
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:        func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address) },
		DisableCompression: true, MaxIdleConns: 1000, MaxIdleConnsPerHost: 100, IdleConnTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: 1 << 20,
	}
}

// RoundTrip is http.RoundTripper's.
func (r *routes) RoundTrip(request *http.Request) (answer *http.Response, err error) {
	e := errandOf(request)
	by := r.once
	if request.Body == nil && (request.Method == http.MethodGet || request.Method == http.MethodHead || request.Method == http.MethodOptions) {
		by = r.kept
	}
	err = e.reach(request.Context(), func(ctx context.Context, pod netip.AddrPort) (err error) {
		attempt := request.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { e.hold.pass() }}))
		attempt.URL.Host = pod.String()
		if request.Body != nil {
			attempt.Body = io.NopCloser(request.Body) // which the transport closes when it cannot connect
		}
		answer, err = by.RoundTrip(attempt) //nolint:bodyclose // ReverseProxy does
		return err
	})
	if err != nil && !e.ticket.hasPassed() {
		e.unreached = err
	}
	return answer, err
}

func errandOf(r *http.Request) *errand {
	e, ok := r.Context().Value(errandKey{}).(*errand)
	if !ok {
		panic("a request without an errand") // which pass gives to each
	}
	return e
}

// buffers are what answers are copied with.
type buffers struct{ pool sync.Pool }

// Get is httputil.BufferPool's.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put is httputil.BufferPool's.
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
