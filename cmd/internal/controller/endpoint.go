package controller

import (
	"context"
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

// serveFlags say where the controller answers.
type serveFlags struct{ metrics, probes string }

func defaultServeFlags() serveFlags { return serveFlags{metrics: ":8080", probes: ":8081"} }

func (s *serveFlags) declare(f *pflag.FlagSet) {
	f.Var(cli.Address(&s.metrics), "metrics-bind-address", "where /metrics is served, for Prometheus; 0 serves none")
	f.Var(cli.Address(&s.probes), "health-probe-bind-address", "where /healthz and /readyz are served, for the kubelet; 0 serves none")
}

// endpoint is one HTTP server whose port is open already, so that a port that is taken shows before anything else starts.
type endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
	log      *zap.Logger
}

// listen opens the port. It returns nil for the address 0.
func listen(flag, address string, h http.Handler, log *zap.Logger) (*endpoint, error) {
	if address == cli.NoAddress {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve --%s=%s: %w", flag, address, err)
	}
	complaints, err := zap.NewStdLogAt(log.Named("http"), zapcore.WarnLevel)
	if err != nil {
		return nil, fmt.Errorf("cannot log for --%s: %w", flag, err)
	}
	// Answers are small and made from memory: whoever takes longer holds a connection open on purpose.
	server := &http.Server{Handler: h, ErrorLog: complaints, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	log.Info("listening", zap.String("flag", flag), zap.Stringer("address", listener.Addr()))
	return &endpoint{name: flag, listener: listener, server: server, log: log}, nil
}

// serve answers until ctx ends, then lets requests that are under way finish for a moment.
func (e *endpoint) serve(ctx context.Context) {
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		e.close()
	})
	if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		e.log.Error("no longer serving", zap.String("flag", e.name), zap.Error(err))
		return
	}
	<-closed
}

func (e *endpoint) close() {
	const grace = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := e.server.Shutdown(ctx); err != nil {
		e.log.Warn("requests were cut off", zap.String("flag", e.name), zap.Error(errors.Join(err, e.server.Close())))
	}
}
