package guard

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// socketBuffer is what the kernel may buffer of a connection that is not being read, in bytes; Linux takes twice that. Such
// buffers count as the container's memory, and without a limit they grow to megabytes.
const socketBuffer = 32 << 10

// smallBuffers is a listener whose connections have small buffers.
type smallBuffers struct{ net.Listener }

// Accept implements net.Listener.
func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(socketBuffer) // if it fails, only this bound is missing
	}
	return conn, err
}

// connections bounds how many connections are open. When there is one too many, the server does not refuse the new one but
// closes the one whose client it has waited for longest, be it for the handshake, a header or a body. An API server sends at
// once what it has to say, so it is not the client that is waited for while somebody opens more and more connections.
// Connections that have brought a whole request before are closed last, because API servers keep some open without using them.
type connections struct {
	limit   int
	evicted func()

	mu    sync.Mutex
	count uint64 // how many waits have begun
	open  map[net.Conn]client
}

// client is what is known of the client of a connection.
type client struct {
	since  uint64 // the count when the wait for it began; busy while the handler answers
	proven bool   // it has sent a whole request
}

// busy marks a connection whose client the server does not wait for.
const busy = 0

// before says whether this client's connection is closed before the other's.
func (c client) before(other client) bool {
	if c.proven != other.proven {
		return other.proven
	}
	return c.since < other.since
}

func newConnections(limit int, evicted func()) *connections {
	return &connections{limit: limit, evicted: evicted, open: map[net.Conn]client{}}
}

// track has the server report every change of its connections.
func (c *connections) track(s *http.Server) {
	s.ConnState = c.changed
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
}

// connectionKey finds a request's connection in its context.
type connectionKey struct{}

// keepBusy keeps a connection from being evicted while the handler answers a request on it.
func (c *connections) keepBusy(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
			c.setBusy(conn, true)
			defer c.setBusy(conn, false)
		}
		handler.ServeHTTP(w, r)
	})
}

// setBusy notes that a connection is busy, or that the server waits for its client from now on.
func (c *connections) setBusy(conn net.Conn, isBusy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, open := c.open[conn]
	if !open {
		return // it was closed by evict
	}
	known.since, known.proven = busy, known.proven || isBusy
	if !isBusy {
		c.count++
		known.since = c.count
	}
	c.open[conn] = known
}

// changed is the http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateActive, http.StateIdle: // a header is complete; an answer was written
		c.setBusy(conn, false)
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
	}
}

func (c *connections) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.open[conn] = client{since: c.count}
	if len(c.open) > c.limit {
		c.evict()
	}
}

// evict closes the connection whose client has been waited for longest: the new one, if all others are busy.
func (c *connections) evict() {
	var longest net.Conn
	for conn, waiting := range c.open {
		if waiting.since != busy && (longest == nil || waiting.before(c.open[longest])) {
			longest = conn
		}
	}
	delete(c.open, longest)
	if secure, ok := longest.(*tls.Conn); ok {
		longest = secure.NetConn() // no close_notify: writing it could block, and with it the server
	}
	_ = longest.Close() // an error changes nothing: the connection is given up
	c.evicted()
}
