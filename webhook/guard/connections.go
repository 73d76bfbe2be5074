package guard

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// socketBuffer is what the kernel may keep of a connection that is not being read, in bytes; Linux takes twice that. It counts as
// the container's memory, too, and would grow to megabytes by itself.
const socketBuffer = 32 << 10

// modest is a listener whose connections have small buffers.
type modest struct{ net.Listener }

// Accept is net.Listener's.
func (m modest) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(socketBuffer) // without it, only a bound is missing
	}
	return conn, err
}

// connections bounds how many connections are open. When there is one too many, that one is closed whose client has been waited
// for longest, be it for the handshake, a header or a body, and not the new one refused: an API server sends what it has to say at
// once, so it is not the one that is waited for while somebody opens more and more. Connections that have brought a whole request
// before are the last to be closed: it keeps some of those open without using them.
type connections struct {
	limit   int
	evicted func()

	mu    sync.Mutex
	count uint64 // of the times that a wait began
	open  map[net.Conn]standing
}

// standing is what is known of a connection's client.
type standing struct {
	since  uint64 // the count when the wait for it began; busy while the handler answers
	proven bool   // it has sent a whole request
}

// busy is a connection whose client is not waited for.
const busy = 0

// before says whether this connection is to be closed rather than the other one.
func (s standing) before(other standing) bool {
	if s.proven != other.proven {
		return other.proven
	}
	return s.since < other.since
}

func newConnections(limit int, evicted func()) *connections {
	return &connections{limit: limit, evicted: evicted, open: map[net.Conn]standing{}}
}

// watch has the server tell what becomes of its connections.
func (c *connections) watch(s *http.Server) {
	s.ConnState = c.changed
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
}

// connectionKey finds a request's connection in its context.
type connectionKey struct{}

// spare keeps connections open while the handler answers a request on them.
func (c *connections) spare(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
			c.set(conn, true)
			defer c.set(conn, false)
		}
		handler.ServeHTTP(w, r)
	})
}

// set says that a connection is busy, or that its client is waited for from now on.
func (c *connections) set(conn net.Conn, isBusy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, open := c.open[conn]
	if !open {
		return // it was closed by evict
	}
	w.since, w.proven = busy, w.proven || isBusy
	if !isBusy {
		c.count++
		w.since = c.count
	}
	c.open[conn] = w
}

// changed is http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateActive, http.StateIdle: // a header is complete; an answer was written
		c.set(conn, false)
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
	c.open[conn] = standing{since: c.count}
	if len(c.open) > c.limit {
		c.evict()
	}
}

// evict closes the connection whose client has been waited for longest: the new one, if all others are busy.
func (c *connections) evict() {
	var longest net.Conn
	for conn, w := range c.open {
		if w.since != busy && (longest == nil || w.before(c.open[longest])) {
			longest = conn
		}
	}
	delete(c.open, longest)
	if secure, ok := longest.(*tls.Conn); ok {
		longest = secure.NetConn() // no farewell: writing it could block, and with it the server
	}
	_ = longest.Close() // whatever it says, the connection is of no more use
	c.evicted()
}
