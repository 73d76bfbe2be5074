package watching

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What client-go and a reflector try again in silence is told where it happens.
func TestTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		w := NewWatches("https://10.0.0.1:6443", func(err error) { told = append(told, fmt.Sprint(err)) })
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://10.0.0.1:6443/api/v1/pods?watch=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		var answer *http.Response
		var failure error
		transport := w.Transport(roundTripper(func(*http.Request) (*http.Response, error) { return answer, failure }))
		ask := func() error {
			response, err := transport.RoundTrip(request)
			if err == nil {
				return response.Body.Close()
			}
			return err
		}
		failure = io.EOF
		if err := ask(); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want the one that it was", err)
		}
		failure = fmt.Errorf("dial tcp 10.0.0.1:6443: connect: %w", syscall.ECONNREFUSED)
		time.Sleep(5 * time.Second)
		if err := ask(); err == nil || utilnet.IsConnectionRefused(err) || err.Error() != failure.Error() {
			t.Errorf("error %v, want one in the same words by which a reflector cannot tell that a connection was refused", err)
		}
		answer, failure = &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody}, nil
		if err := ask(); err != nil {
			t.Error(err)
		}
		cancel()
		answer, failure = nil, context.Canceled
		if err := ask(); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if len(told) == 3 {
			told[0], told[1] = told[0][:56], told[1][:56]
		}
		check(t, "told", told, []string{"no answer from the API server https://10.0.0.1:6443 (try", "no answer from the API server https://10.0.0.1:6443 (try", "<nil>"})
	})
}
