package doors

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// heard is what a follower passes on.
type heard struct {
	lines chan string
	ended chan error
}

// followed follows what a handler tells.
func followed(t *testing.T, handler http.HandlerFunc) *heard {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return follow(t, server)
}

// follow follows what a server tells.
func follow(t *testing.T, server *httptest.Server) *heard {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	h := &heard{lines: make(chan string, 100), ended: make(chan error, 100)}
	f := &follower{activator: activator{uid: "u", name: "a1", addresses: []string{host}, port: int32(number)},
		begins: func(types.UID) { h.lines <- "begins" },
		says:   func(_ types.UID, line serves.Line) { h.lines <- string(serves.AppendLine(nil, line)) },
		breaks: func(types.UID) bool { return true },
		ends:   func(_ types.UID, why error) { h.ended <- why }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return h
}

func (h *heard) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.TrimSpace(<-h.lines); got != want {
		t.Fatalf("heard %s; want %s", got, want)
	}
}

// TestFollowing: each line is passed on as it comes, and what breaks off begins anew.
func TestFollowing(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	h := followed(t, func(out http.ResponseWriter, r *http.Request) {
		if r.URL.String() != serves.StatePath+"?watch=1" {
			t.Errorf("asked for %s", r.URL)
		}
		n := tries.Add(1)
		if n == 2 {
			out.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(out, "{\"process\":{\"start\":\"%d\"}}\n{\"synced\":true}\n", n)
		out.(http.Flusher).Flush()
		if n > 2 {
			<-r.Context().Done()
		}
	})
	for _, start := range []string{"1", "3"} {
		h.want(t, "begins")
		h.want(t, `{"process":{"start":"`+start+`"}}`)
		h.want(t, `{"synced":true}`)
	}
}

// TestWhatCannotBeRead ends a connection, and is not passed on.
func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	h := followed(t, func(out http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			fmt.Fprintln(out, "<html>")
			return
		}
		fmt.Fprintln(out, `{"synced":true}`)
		out.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	h.want(t, "begins")
	h.want(t, "begins")
	h.want(t, `{"synced":true}`)
}

// TestARedirectIsNotFollowed: an activator says where nobody else is.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked elsewhere") }))
	t.Cleanup(elsewhere.Close)
	h := followed(t, func(out http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			http.Redirect(out, r, elsewhere.URL, http.StatusFound)
			return
		}
		fmt.Fprintln(out, `{"synced":true}`)
		out.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	h.want(t, "begins")
	h.want(t, `{"synced":true}`)
}

// TestAProcessThatHasEnded is known at once: nobody listens at its port any more.
func TestAProcessThatHasEnded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(out, `{"synced":true}`)
		out.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	h := follow(t, server)
	h.want(t, "begins")
	h.want(t, `{"synced":true}`)
	server.CloseClientConnections()
	server.Listener.Close()
	if err := <-h.ended; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("ended because %v", err)
	}
	server.Close()
}

// TestHasEnded: who has never answered may be about to begin, and a network that does not work does not refuse.
func TestHasEnded(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("cannot ask: %w", syscall.ECONNREFUSED)
	for name, c := range map[string]struct {
		why      error
		answered bool
		silent   time.Duration
		want     bool
	}{
		"refused":                   {refused, true, 0, true},
		"refused, as ever":          {refused, false, time.Second, false},
		"refused for long, as ever": {refused, false, lost, true},
		"no answer":                 {context.DeadlineExceeded, true, lost - 1, false},
		"no answer for long":        {context.DeadlineExceeded, true, lost, true},
	} {
		if got := hasEnded(c.why, c.answered, c.silent); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
