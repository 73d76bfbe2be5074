package rig

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync"
)

// condition is the state of a wire.
type condition int

const (
	whole  condition = iota
	dead             // packets vanish
	broken           // connections are closed
)

// wire is a listener whose condition applies to all its connections, including open ones.
type wire struct {
	net.Listener

	mu      sync.Mutex
	is      condition
	changed chan struct{} // closed when the condition changes
	open    map[*plug]struct{}
}

func newWire(listener net.Listener) *wire {
	return &wire{Listener: listener, changed: make(chan struct{}), open: map[*plug]struct{}{}}
}

func (w *wire) set(to condition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.is = to
	close(w.changed)
	w.changed = make(chan struct{})
	if to == broken {
		for end := range w.open {
			_ = end.Conn.Close() // broken is what it is to be
		}
	}
}

// Accept accepts connections; if the wire is broken, it closes them at once.
func (w *wire) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	end := &plug{Conn: conn, wire: w, closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[end] = struct{}{}
	if w.is == broken {
		_ = conn.Close()
	}
	return end, nil
}

// plug is the proxy's end of one connection.
type plug struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
}

// Read reads from the wire. What comes over a dead wire waits, as if TCP sent it again and again.
func (p *plug) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.pass()
	return n, err
}

// Write writes over the wire.
func (p *plug) Write(b []byte) (int, error) {
	p.pass()
	return p.Conn.Write(b)
}

// Close closes the connection; its first error counts.
func (p *plug) Close() error {
	p.once.Do(func() { close(p.closed) })
	p.wire.mu.Lock()
	delete(p.wire.open, p)
	p.wire.mu.Unlock()
	return p.Conn.Close()
}

// pass waits until the wire is not dead.
func (p *plug) pass() {
	for {
		p.wire.mu.Lock()
		is, changed := p.wire.is, p.wire.changed
		p.wire.mu.Unlock()
		if is != dead {
			return
		}
		select {
		case <-changed:
		case <-p.closed:
			return
		}
	}
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
