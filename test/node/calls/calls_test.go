package calls

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
)

// TestCalls: each kind of request is served once, and one that is made twice shows.
func TestCalls(t *testing.T) {
	const host = "127.0.33.9" // of its own, as other programs may have the same ports
	ledger := &Ledger{}
	book := httptest.NewServer(ledger)
	t.Cleanup(book.Close)
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := Serve(ctx, Manner{Host: host, Ledger: book.URL}); err != nil {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer cancel()
	addresses := map[string]string{}
	for name, port := range map[string]int{"http": PortHTTP, "http2": PortHTTP2, "grpc": PortGRPC, "tcp": PortTCP} {
		addresses[name] = fmt.Sprint(host, ":", port)
		if err := await.Within(ctx, time.Minute, 10*time.Millisecond, func(context.Context) error {
			c, err := net.Dial("tcp", addresses[name])
			if err == nil {
				c.Close()
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	kinds, err := Kinds(addresses, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range kinds {
		for n := range 3 {
			if err := kind.Call(ctx, fmt.Sprintf("%d-%d", i, n)); err != nil {
				t.Errorf("%s: %v", kind.Name, err)
			}
		}
	}
	if served, twice := ledger.Entries(); served != 3*len(kinds) || len(twice) > 0 {
		t.Errorf("%d were served, and more than once %v", served, twice)
	}
	if err := kinds[0].Call(ctx, "0-0"); err != nil {
		t.Error(err)
	}
	if _, twice := ledger.Entries(); len(twice) != 1 || twice[0] != "0-0" {
		t.Errorf("served more than once: %v", twice)
	}
}
