package loadsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
)

const (
	// startTimeout bounds Start where its context does not: an API server checks a new API within a second or two.
	startTimeout = time.Minute
	// stopTimeout bounds what Close asks of an API server and of clients that may be gone.
	stopTimeout = 10 * time.Second
)

// Server is a metrics API that serves a cluster. Its methods may be called from several goroutines.
type Server struct {
	api          *api
	watcher      *watcher
	registration *registration
	listener     net.Listener
	http         *http.Server
	connections  http.RoundTripper // to the API server

	lifetime context.Context
	end      context.CancelFunc
	running  sync.WaitGroup
	close    func() error
}

// Start serves the metrics API on a free loopback port, registers it with the API server of config, which must be able
// to reach this machine's loopback, and returns when it is available there. Loads of ConfigMaps are in force by then;
// the first sample set is published one Period later. The server lives until Close, whatever becomes of ctx.
//
// The port asks nobody who they are: the API server has done so, and others can reach it on this machine only.
//
// It fails if the cluster has a metrics API of its own, and if the API does not become available within a minute.
func Start(ctx context.Context, config *rest.Config, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, err := newServer(config, o)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the metrics API: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the metrics API: %w", err), s.Close())
	}
	return s, nil
}

func newServer(config *rest.Config, o Options) (*Server, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{api: &api{simulation: newSimulation(o, time.Now())}}
	s.lifetime, s.end = context.WithCancel(context.Background())
	s.close = sync.OnceValue(s.shutdown)
	if err := s.connect(config); err != nil {
		return nil, err
	}
	return s, s.listen()
}

// connect makes the clients of the API server; they share their connections.
func (s *Server) connect(config *rest.Config) error {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("cannot read the configuration of the API server: %w", err)
	}
	s.connections = client.Transport
	core, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return fmt.Errorf("cannot make a client: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(config), client)
	if err != nil {
		return fmt.Errorf("cannot make a metadata client: %w", err)
	}
	aggregated, err := aggregator.NewForConfigAndClient(config, client)
	if err != nil {
		return fmt.Errorf("cannot make a client of the aggregation layer: %w", err)
	}
	s.registration = &registration{core: core, aggregator: aggregated, versions: versions()}
	s.watcher, err = newWatcher(core, meta, s.api.simulation)
	return err
}

// listen takes a port and makes a certificate for the name under which the API server looks for it.
func (s *Server) listen() error {
	service := serviceName + "." + serviceNamespace + ".svc"
	certificate, key, err := cert.GenerateSelfSignedCertKey(service, []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"})
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("cannot read the certificate just made: %w", err)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("cannot listen on loopback: %w", err)
	}
	s.registration.ca, s.registration.port = certificate, int32(netip.MustParseAddrPort(s.listener.Addr().String()).Port())
	s.http = &http.Server{
		Handler:           s.api.handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: stopTimeout,
		BaseContext:       func(net.Listener) context.Context { return s.lifetime },
		// Broken connections are part of killing and restarting API servers, and nothing to report.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.watcher.start(ctx, s.lifetime); err != nil {
		return err
	}
	s.api.start = time.Now()
	s.running.Go(func() { s.api.run(s.lifetime) })
	s.running.Go(s.serve)
	return s.registration.register(ctx)
}

func (s *Server) serve() {
	if err := s.http.ServeTLS(s.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		s.api.options.Report(fmt.Errorf("the metrics API stopped serving: %w", err))
	}
}

// Close removes the APIService and the Service from the API server, unless another server's have taken their place,
// and stops everything that Start began. The error says what could not be removed, for example because the API server
// is gone; all else is stopped nevertheless. Closing again returns the same error.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	removed := s.registration.remove(ctx)
	s.end()
	// A client that does not end its request in time is cut off.
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	_ = s.listener.Close() // open only if it was never served
	s.watcher.stop()
	s.running.Wait()
	utilnet.CloseIdleConnectionsFor(s.connections)
	return removed
}
