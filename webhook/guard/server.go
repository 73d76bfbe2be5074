// Package guard is an HTTPS server that strangers cannot exhaust. Anyone who reaches the port of an admission webhook may send
// anything, as slowly as he likes. docs/security.md lists the threats and names the part of this package that answers each.
//
//	connection ---> header ---> body ---------> turn ----> handler
//	connections.go  guard.go    memory.go       guard.go
//	1000 open; the  404 to 413  8 + 24 MiB for  64 small,
//	longest waited              all bodies;     2 large
//	for is closed               429, 408        at a time
//
// Small and large requests have memory and turns of their own, so that neither has to wait for the other. A request may take
// 5 seconds in all. Refusals are counted by reason; the log gets each kind at most ten times a minute.
package guard

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/webhook/sampled"
)

const (
	// idleTimeout is how long a connection may wait for a request. It is longer than the 90 s after which the API server's client
	// closes a connection that it does not use (IdleConnTimeout of http.DefaultTransport, which client-go takes over). If the
	// server closed it first or at the same time, a request could be on its way, and a POST is not sent twice. That client also
	// opens connections in advance, so the first request may take as long as the others. A stranger who occupies connections
	// this way loses them first when there are too many.
	idleTimeout = 3 * time.Minute
	// maxExchange is the time from the end of a request's header to the end of the answer; net/http gives the TLS handshake as much.
	maxExchange = 2 * maxTime
	// maxHeader is in bytes. The API server's headers take less than one KiB.
	maxHeader = 16 << 10
	// maxConnections is far more than all API servers of a cluster use: each keeps at most 25 idle ones (client-go's
	// idleConnsPerHost). A connection takes about 40 KiB.
	maxConnections = 1000
	// maxShutdown is how long the end waits for requests that are being answered.
	maxShutdown = 2 * maxTime
)

// Config says what a Server is made of.
type Config struct {
	// Address is where it listens: host:port, or :port for all addresses. Required.
	Address string
	// Paths are those that are answered, no others. Required.
	Paths []string
	// Handler gets requests whose body has arrived in full, with a deadline in their context. It may be called from 66 goroutines
	// at a time; a panic is answered with status 500. Required.
	Handler http.Handler
	// GetCertificate returns the certificate at each handshake (see tls.Config). Required.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Drain is how long the server goes on after it was told to end: at least until the cluster has stopped sending requests here.
	Drain time.Duration
	// Log gets each kind of failure at most ten times a minute. Nil logs nothing.
	Log *zap.Logger
	// OnRefused, if set, is called for each request that does not get to the Handler or panics there, and for each connection that
	// fails or is closed because there are too many. The reason is one of some fifteen words. It is called from several
	// goroutines and must return quickly.
	OnRefused func(reason string)
	// longest is how long a request may take from its header to its answer. 0, as it is except in tests, stands for maxTime.
	longest time.Duration
}

// Server is the HTTPS server of an admission webhook: TLS 1.3 and HTTP/1.1, which API servers speak to webhooks. It bounds the
// time, memory and connections that a stranger can make it spend, and when it ends, no request is lost.
type Server struct {
	listener net.Listener
	http     *http.Server
	drain    time.Duration
	after    func(time.Duration) <-chan time.Time // time.After, except in tests
	draining atomic.Bool
	log      *zap.Logger
}

// Listen opens the port at once, so that a port that is in use is noticed before anything else starts. Serve answers requests;
// if it is never called, Close must close the port.
func Listen(c Config) (*Server, error) {
	if c.Handler == nil || c.GetCertificate == nil || len(c.Paths) == 0 {
		return nil, errors.New("the webhook server needs a path, a handler and a certificate")
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.OnRefused == nil {
		c.OnRefused = func(string) {}
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the webhook: %w", err)
	}
	s := &Server{listener: smallBuffers{listener}, drain: c.Drain, after: time.After, log: c.Log}
	c.Log = sampled.Logger(c.Log)
	open := newConnections(maxConnections, func() { c.OnRefused("connections") })
	c.Handler = open.keepBusy(c.Handler)
	s.http = newHTTPServer(&c, s.closeWhileDraining(newGuard(&c)))
	open.track(s.http)
	return s, nil
}

func newHTTPServer(c *Config, h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:   h,
		Protocols: protocols, // without HTTP/2 there are no streams to be opened and reset by the thousand (CVE-2023-44487)
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: c.GetCertificate},
		ErrorLog:  connectionErrors{log: c.Log, refused: c.OnRefused}.logger(),
		// No ReadTimeout, which would begin before the header does: the guard gives each body its own deadline.
		ReadHeaderTimeout: idleTimeout, IdleTimeout: idleTimeout, WriteTimeout: maxExchange, MaxHeaderBytes: maxHeader,
	}
}

// newGuard fills in the usual bounds.
func newGuard(c *Config) *guard {
	return &guard{
		paths: c.Paths, next: c.Handler, longest: cmp.Or(c.longest, maxTime), refused: c.OnRefused, log: c.Log,
		small: newLane(smallMemory, smallAnswers, oldest),
		large: newLane(largeMemory, largeAnswers, youngest),
	}
}

// closeWhileDraining asks clients to send their next request elsewhere. Disabling the server's keep-alives would do the same, but
// it would also close idle connections at once, and a request may be on its way to one.
func (s *Server) closeWhileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until ctx ends, and then for a while longer, because clients learn of the end later than the server:
//
//	ctx ends               Drain                       at most 10 s
//	   |---------------------------------------------|--------------|
//	   accepts and answers everything; each answer    answers what is
//	   asks the client to close its connection        under way
//
// It returns nil after that, or an error if the server fails before.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.ServeTLS(s.listener, "", "") }()
	s.log.Info("the webhook is listening", zap.Stringer("address", s.Addr()))
	err := s.untilDrained(ctx, failed)
	s.shutdown()
	if err == nil {
		err = <-failed
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve the webhook any longer: %w", err)
}

// untilDrained returns nil when the time to drain is over, or why the server failed.
func (s *Server) untilDrained(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("the webhook is ending", zap.Duration("drain", s.drain))
	select {
	case err := <-failed:
		return err
	case <-s.after(s.drain):
		return nil
	}
}

// shutdown ends the server and closes idle connections at once. A request that is sent on one of them at that very moment is
// lost; there is no other gap.
func (s *Server) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), maxShutdown)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests to the webhook were cut off", zap.Error(errors.Join(err, s.http.Close())))
	}
}

// Close closes the port of a server on which Serve was never called.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil {
		return fmt.Errorf("cannot close the port of the webhook: %w", err)
	}
	return nil
}
