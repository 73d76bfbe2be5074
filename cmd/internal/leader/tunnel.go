package leader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// tunnel is a port-forward to one port of a pod, as that of kubectl, but without a port on this host: whoever else works here could read by it what
// only this user may.
type tunnel struct {
	config          *rest.Config
	namespace, name string
	port            int

	mu         sync.Mutex
	connection httpstream.Connection // nil before the first dial
	requests   int
}

func newTunnel(config *rest.Config, namespace, name string, port int) *tunnel {
	return &tunnel{config: config, namespace: namespace, name: name, port: port}
}

// dialer upgrades a request to the API server: to a WebSocket, and to SPDY where a server or a proxy knows no WebSocket.
func (t *tunnel) dialer() (httpstream.Dialer, error) {
	config := rest.CopyConfig(t.config)
	config.GroupVersion, config.APIPath, config.NegotiatedSerializer = &corev1.SchemeGroupVersion, "/api", scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	where := client.Post().Resource("pods").Namespace(t.namespace).Name(t.name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, where)
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(where, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// dial opens one connection to the port. The dialers of client-go know no context, so that one that hangs is left behind.
func (t *tunnel) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		conn, err := t.open()
		done <- dialled{conn, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, fmt.Errorf("cannot forward a port to pod %s/%s: %w", t.namespace, t.name, d.err)
		}
		return d.conn, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot forward a port to pod %s/%s: %w", t.namespace, t.name, context.Cause(ctx))
	}
}

// open makes the two streams of one connection: one for the data, and one by which the other side says what went wrong.
func (t *tunnel) open() (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		dialer, err := t.dialer()
		if err != nil {
			return nil, err
		}
		if t.connection, _, err = dialer.Dial(portforward.PortForwardProtocolV1Name); err != nil {
			t.connection = nil
			return nil, err
		}
	}
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(t.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(t.requests))
	t.requests++
	complaints, err := t.connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	if err := complaints.Close(); err != nil { // nothing is written to it
		return nil, err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.connection.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	c := &streamConn{Stream: data, complained: make(chan string, 1)}
	go func() {
		const longest = 1 << 10
		said, _ := io.ReadAll(io.LimitReader(complaints, longest)) // it ends with the connection
		c.complained <- strings.TrimSpace(string(said))
	}()
	return c, nil
}

// Close ends all connections.
func (t *tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return nil
	}
	return t.connection.Close()
}

// streamConn is a stream as a connection. It has no deadlines: each request has one of its own.
type streamConn struct {
	httpstream.Stream
	// complained has what the other side says when it cannot go on.
	complained chan string
}

// Read says why nothing comes, where the other side says so.
func (c *streamConn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	if !errors.Is(err, io.EOF) || n > 0 {
		return n, err
	}
	select {
	case said := <-c.complained:
		if said != "" {
			return 0, fmt.Errorf("the pod answers: %s", said)
		}
	case <-time.After(time.Second):
	}
	return 0, io.EOF
}

// Close ends both directions.
func (c *streamConn) Close() error { return c.Reset() }

// LocalAddr is net.Conn's.
func (c *streamConn) LocalAddr() net.Addr { return address{} }

// RemoteAddr is net.Conn's.
func (c *streamConn) RemoteAddr() net.Addr { return address{} }

// SetDeadline is net.Conn's.
func (c *streamConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is net.Conn's.
func (c *streamConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is net.Conn's.
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

// address is that of a stream, which has none.
type address struct{}

// Network is net.Addr's.
func (address) Network() string { return "portforward" }

// String is net.Addr's.
func (address) String() string { return "pod" }
