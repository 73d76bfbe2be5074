//go:build linux

package story

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTheLoadIsSentAndCounted(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cpu") != "20ms" {
			t.Errorf("asked for %s", r.URL)
		}
		select {
		case asked <- struct{}{}:
		default:
			w.WriteHeader(http.StatusServiceUnavailable) // from the second one on
		}
	}))
	defer server.Close()
	load := &throttle{target: server.URL + "/?cpu=20ms"}
	load.set(1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		load.run(ctx)
		close(ended)
	}()
	for load.answered.Load() == 0 || load.failed.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	<-ended
	if n := load.answered.Load(); n != 1 {
		t.Errorf("%d were answered, want 1", n)
	}
}
