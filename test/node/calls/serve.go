package calls

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The ports of a pod.
const (
	PortHTTP  = 8080
	PortHTTP2 = 8081
	PortGRPC  = 8082
	PortTCP   = 8083
	// PortHealth answers probes, also while the others refuse connections.
	PortHealth = 8084
)

// grace is how long requests that are under way may take at the end.
const grace = 10 * time.Second

// PathCrash of PortHealth has Serve end at once with an error, whatever is under way.
const PathCrash = "/crash"

// Manner is how requests are served.
type Manner struct {
	// Host is the address of this machine that they come to; empty for all that it has.
	Host string
	// Ledger is the URL of the ledger into which each is entered.
	Ledger string
	// Refuse is for how long connections are refused once a probe has been told that all is well.
	Refuse time.Duration
	// Takes is how long each takes.
	Takes time.Duration
}

func (m *Manner) listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort(m.Host, strconv.Itoa(port)))
}

// take serves the request of a number, but for its answer.
func (m *Manner) take(ctx context.Context, id []byte) error {
	if err := enter(ctx, m.Ledger, id); err != nil {
		return err
	}
	time.Sleep(m.Takes) //nolint:forbidigo // as it was told
	return nil
}

// Serve answers requests of all kinds with what they bring until ctx ends.
func Serve(ctx context.Context, m Manner) error {
	handler := http.NewServeMux()
	handler.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = m.take(r.Context(), []byte(r.URL.Path[1:]))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body) // whoever does not read it has gone
	})
	var both http.Protocols
	both.SetUnencryptedHTTP2(true)
	one, two := &http.Server{Handler: handler, ReadHeaderTimeout: grace}, &http.Server{Handler: handler, Protocols: &both, ReadHeaderTimeout: grace}
	streams := grpc.NewServer()
	streams.RegisterService(description(m), nil)
	bytes := &echo{manner: m}
	failed := make(chan error, 6)
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	go func() { _ = enter(ctx, m.Ledger+pathBegan, []byte(name)) }() // or it is not known when it began
	open := func() error {
		for port, serve := range map[int]func(net.Listener) error{PortHTTP: one.Serve, PortHTTP2: two.Serve, PortGRPC: streams.Serve, PortTCP: bytes.serve} {
			listener, err := m.listen(port)
			if err != nil {
				return err
			}
			go func() { failed <- serve(listener) }()
		}
		return nil
	}
	if m.Refuse == 0 {
		err = open()
	}
	health := &http.Server{ReadHeaderTimeout: grace}
	defer health.Close()
	if probed := m.serveHealth(health, failed); m.Refuse > 0 {
		select {
		case <-probed:
			time.Sleep(m.Refuse) //nolint:forbidigo // as it was told
			err = open()
		case err = <-failed:
		case <-ctx.Done():
			return nil
		}
	}
	if err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var ending sync.WaitGroup
	for _, stop := range []func(context.Context) error{one.Shutdown, two.Shutdown, bytes.shutdown, func(context.Context) error { streams.GracefulStop(); return nil }} {
		ending.Go(func() { _ = stop(end) })
	}
	ending.Wait()
	return nil
}

// serveHealth answers probes, of which the first closes the channel, and has the process crash when it is told to.
func (m *Manner) serveHealth(server *http.Server, failed chan<- error) <-chan struct{} {
	probed := make(chan struct{})
	var first sync.Once
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) { first.Do(func() { close(probed) }) })
	mux.HandleFunc("POST "+PathCrash, func(http.ResponseWriter, *http.Request) { failed <- errors.New("it is told to crash") })
	server.Handler = mux
	go func() {
		listener, err := m.listen(PortHealth)
		if err == nil {
			err = server.Serve(listener)
		}
		failed <- err
	}()
	return probed
}

// method is the one of the gRPC service: a stream of messages, of which the first is the number of the request.
const method = "/calls.Calls/Echo"

func description(m Manner) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: "calls.Calls", Streams: []grpc.StreamDesc{{StreamName: "Echo", ClientStreams: true, ServerStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for first := true; ; first = false {
				message := &wrapperspb.BytesValue{}
				if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if first {
					if err := m.take(stream.Context(), message.Value); err != nil {
						return err
					}
				}
				if err := stream.SendMsg(message); err != nil {
					return err
				}
			}
		}}}}
}

// echo answers connections with their own bytes. The first line is the number of the request.
type echo struct {
	manner   Manner
	mu       sync.Mutex
	listener net.Listener
	serving  sync.WaitGroup
}

func (e *echo) serve(listener net.Listener) error {
	e.mu.Lock()
	e.listener = listener
	e.mu.Unlock()
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		e.serving.Go(func() {
			defer c.Close()
			from := bufio.NewReader(c)
			line, err := from.ReadBytes('\n')
			if err != nil || e.manner.take(context.Background(), line[:len(line)-1]) != nil {
				return
			}
			if _, err := c.Write(line); err == nil {
				_, _ = io.Copy(c, from)
			}
		})
	}
}

func (e *echo) shutdown(ctx context.Context) error {
	e.mu.Lock()
	err := e.listener.Close()
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		e.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return err
}
