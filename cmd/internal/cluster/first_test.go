package cluster

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// TestAFirstRequestHoldsNobodyUp: who waits for it may give up meanwhile, and goes on by itself when it has failed, or takes long.
func TestAFirstRequestHoldsNobodyUp(t *testing.T) {
	failed := errors.New("no route")
	other := roundTrip(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: http.StatusTeapot}, nil })
	for name, fails := range map[string]bool{"it fails": true, "it does not connect": false} {
		synctest.Test(t, func(t *testing.T) {
			first, fail, ended := newFirstAlone(), make(chan struct{}), make(chan error)
			go func() {
				_, err := first.transport(roundTrip(func(*http.Request) (*http.Response, error) {
					<-fail
					return nil, failed
				})).RoundTrip(request(t.Context(), nil)) //nolint:bodyclose // there is none
				ended <- err
			}()
			synctest.Wait()

			impatient, cancel := context.WithCancel(t.Context())
			cancel()
			body := &closeable{}
			if _, err := first.transport(other).RoundTrip(request(impatient, body)); !errors.Is(err, context.Canceled) || !body.closed { //nolint:bodyclose // there is none
				t.Errorf("%s: a request whose time is over meanwhile ends with %v, its body closed: %t", name, err, body.closed)
			}
			if fails {
				close(fail)
				if err := <-ended; !errors.Is(err, failed) {
					t.Errorf("the first request ends with %v", err)
				}
			}
			began := time.Now()
			if response, err := first.transport(other).RoundTrip(request(t.Context(), nil)); err != nil || response.StatusCode != http.StatusTeapot { //nolint:bodyclose // there is none
				t.Errorf("%s: another request ends with %v, %v", name, response, err)
			}
			if waited := time.Since(began); waited > longestAlone || fails && waited > 0 {
				t.Errorf("%s: another request has waited %v", name, waited)
			}
			if !fails {
				close(fail)
				<-ended
			}
		})
	}
}

// closeable is a body.
type closeable struct {
	strings.Reader
	closed bool
}

func (c *closeable) Close() error {
	c.closed = true
	return nil
}

func request(ctx context.Context, body io.ReadCloser) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://api.example", nil)
	r.Body = body
	return r
}
