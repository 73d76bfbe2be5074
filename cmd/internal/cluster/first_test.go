package cluster

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// TestFirstRequestsShareAConnection: many clients ask at once, as at a start, and the API server sees one handshake.
func TestFirstRequestsShareAConnection(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	target := newTarget(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}, cli.Build{}, "", "")
	var all sync.WaitGroup
	for range 20 {
		client, err := rest.HTTPClientFor(rest.CopyConfig(target.Config))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			response, err := client.Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})
	}
	all.Wait()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for requests of one process, want 1", n)
	}
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAFirstRequestHoldsNobodyUp: who waits for it may give up meanwhile, and goes on by itself when it has failed.
func TestAFirstRequestHoldsNobodyUp(t *testing.T) {
	begun, failed := make(chan struct{}), errors.New("no route")
	fail := make(chan struct{})
	first := newFirstAlone()
	stuck := first.transport(roundTrip(func(*http.Request) (*http.Response, error) {
		close(begun)
		<-fail
		return nil, failed
	}))
	other := first.transport(roundTrip(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: http.StatusTeapot}, nil }))
	ended := make(chan error)
	go func() {
		_, err := stuck.RoundTrip(request(t.Context()))
		ended <- err
	}()
	<-begun

	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := other.RoundTrip(request(impatient)); !errors.Is(err, context.Canceled) {
		t.Errorf("a request whose time is over while the first connects ends with %v", err)
	}
	close(fail)
	if err := <-ended; !errors.Is(err, failed) {
		t.Errorf("the first request ends with %v", err)
	}
	if response, err := other.RoundTrip(request(t.Context())); err != nil || response.StatusCode != http.StatusTeapot {
		t.Errorf("after the first has failed another ends with %v, %v", response, err)
	}
}

func request(ctx context.Context) *http.Request {
	return httptest.NewRequestWithContext(ctx, http.MethodGet, "https://api.example", nil)
}
