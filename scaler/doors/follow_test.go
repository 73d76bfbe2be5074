package doors

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

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
