// Package endpoint is what processes that run on show of themselves: the ports of metrics and probes, and what is common to both.
package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Flags say where a process answers.
type Flags struct {
	// Metrics is where /metrics is served, and Probes where /healthz and /readyz are; cli.NoAddress serves none.
	Metrics, Probes string
	// Secure says that metrics are served by TLS, and only to those who may get them. CertFile and KeyFile are the certificate; without them one is made that
	// nobody can verify.
	Secure            bool
	CertFile, KeyFile string
}

// DefaultFlags are those of all processes.
func DefaultFlags() Flags { return Flags{Metrics: ":8080", Probes: ":8081"} }

// Declare adds the flags to f.
func (s *Flags) Declare(f *pflag.FlagSet) {
	f.Var(cli.Address(&s.Metrics), "metrics-bind-address", "where /metrics is served, for Prometheus; 0 serves none")
	f.BoolVar(&s.Secure, "metrics-secure", false, "serve /metrics by TLS, and only to those whose token the API server knows (TokenReview) and who may get the URL /metrics (SubjectAccessReview)")
	f.StringVar(&s.CertFile, "metrics-cert-file", "", "`path` of the certificate for --metrics-secure, which is read for each connection; without it one is made that nobody can verify")
	f.StringVar(&s.KeyFile, "metrics-private-key-file", "", "`path` of the private key of --metrics-cert-file")
	f.Var(cli.Address(&s.Probes), "health-probe-bind-address", "where /healthz and /readyz are served, for the kubelet; 0 serves none")
}

// Endpoint is one HTTP server whose port is open already, so that a port that is taken shows before anything else starts.
type Endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
	log      *zap.Logger
}

// Listen opens the port. It returns nil for the address 0. The error names the flag.
func Listen(flag, address string, h http.Handler, log *zap.Logger) (*Endpoint, error) {
	return ListenTLS(flag, address, nil, h, log)
}

// ListenTLS is Listen for HTTPS, unless the configuration is nil.
func ListenTLS(flag, address string, config *tls.Config, h http.Handler, log *zap.Logger) (*Endpoint, error) {
	if address == cli.NoAddress {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve --%s=%s: %w", flag, address, err)
	}
	log.Info("listening", zap.String("flag", flag), zap.Stringer("address", listener.Addr()))
	level := zapcore.WarnLevel
	if config != nil {
		listener, level = tls.NewListener(listener, config), zapcore.DebugLevel // anybody can fail to shake hands, again and again
	}
	complaints, err := zap.NewStdLogAt(log.Named("http"), level)
	if err != nil {
		return nil, fmt.Errorf("cannot log for --%s: %w", flag, err)
	}
	// Answers are small and made from memory: whoever takes longer holds a connection open on purpose. One who writes for longer moves the
	// deadline.
	server := &http.Server{Handler: h, ErrorLog: complaints, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	return &Endpoint{name: flag, listener: listener, server: server, log: log}, nil
}

// Serve answers until ctx ends, then lets requests that are under way finish for a moment.
func (e *Endpoint) Serve(ctx context.Context) {
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		e.end()
	})
	if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		e.log.Error("no longer serving", zap.String("flag", e.name), zap.Error(err))
		return
	}
	<-closed
}

// Address is where it listens.
func (e *Endpoint) Address() net.Addr { return e.listener.Addr() }

// Close closes the port of an endpoint that has not served.
func (e *Endpoint) Close() {
	if err := e.listener.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		e.log.Warn("cannot close a port", zap.String("flag", e.name), zap.Error(err))
	}
}

func (e *Endpoint) end() {
	const grace = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := e.server.Shutdown(ctx); err != nil {
		e.log.Warn("requests were cut off", zap.String("flag", e.name), zap.Error(errors.Join(err, e.server.Close())))
	}
}
