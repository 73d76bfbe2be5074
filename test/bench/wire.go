//go:build linux

package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is what mini-hpa reaches a server by. It notes when the server answers, and can be slow or cut.
type wire struct {
	mu   sync.Mutex
	slow time.Duration // by which each answer is late
	cut  bool          // connections are closed, and new ones at once
	open map[net.Conn]struct{}
	said []time.Time // when the server has said something
	gets int         // requests of HTTP
}

// listen is net.Listen by the wire.
func (w *wire) listen(network, address string) (net.Listener, error) {
	listener, err := net.Listen(network, address)
	return &wired{listener, w}, err
}

// before puts the wire before a server of another process, and returns its address.
func (w *wire) before(to string) (string, error) {
	listener, err := w.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(from, to)
		}
	}()
	return listener.Addr().String(), nil
}

func relay(from net.Conn, address string) {
	defer func() { _ = from.Close() }()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from)
}

// set makes it slow or cut, or neither.
func (w *wire) set(slow time.Duration, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow, w.cut = slow, cut; cut {
		for connection := range w.open {
			_ = connection.Close() // which is what is wanted
		}
	}
}

// answer waits while an answer is late, and notes it.
func (w *wire) answer() {
	w.mu.Lock()
	slow := w.slow
	w.mu.Unlock()
	<-time.After(slow)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, time.Now())
}

// wired is a listener by a wire.
type wired struct {
	net.Listener
	wire *wire
}

// Accept is that of the listener.
func (l *wired) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := l.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = connection.Close() // which is what is wanted
	}
	if w.open == nil {
		w.open = map[net.Conn]struct{}{}
	}
	w.open[connection] = struct{}{}
	return &end{connection, w}, nil
}

// end is a server's end of a connection.
type end struct {
	net.Conn
	wire *wire
}

// Write is what the server says.
func (e *end) Write(p []byte) (int, error) {
	e.wire.answer()
	return e.Conn.Write(p)
}

// Read is what mini-hpa asks. One request of HTTP comes in one piece.
func (e *end) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if strings.HasPrefix(string(p[:min(n, 4)]), "GET ") {
		e.wire.mu.Lock()
		e.wire.gets++
		e.wire.mu.Unlock()
	}
	return n, err
}

// Close is that of the connection.
func (e *end) Close() error {
	e.wire.mu.Lock()
	delete(e.wire.open, e.Conn)
	e.wire.mu.Unlock()
	return e.Conn.Close()
}
