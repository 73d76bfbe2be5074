//go:build unix

package binaries

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/filelock"
)

func TestParallelBuildsBuildOnce(t *testing.T) {
	pin, cache := tiny(t, greeting), t.TempDir()
	outs := make([]bytes.Buffer, 3)
	var wait sync.WaitGroup
	for i := range outs {
		wait.Go(func() {
			if _, err := (Builder{Cache: cache, Out: &outs[i]}).Build(t.Context(), pin); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	total := 0
	for i := range outs {
		total += builds(outs[i].String())
	}
	if total != 1 {
		t.Errorf("built %d times, want once", total)
	}
}

// waiter is an output that ends the wait which is announced on it.
type waiter struct {
	bytes.Buffer
	end func()
}

func (w *waiter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("waiting for another process")) {
		w.end()
	}
	return w.Buffer.Write(p)
}

func TestBuildSaysThatItWaits(t *testing.T) {
	pin, cache := tiny(t, greeting), t.TempDir()
	lock, err := filelock.Try(filepath.Join(cache, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	out := &waiter{end: func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}}
	if _, err := (Builder{Cache: cache, Out: out}).Build(t.Context(), pin); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "waiting") || builds(out.String()) != 1 {
		t.Errorf("it said\n%s", out)
	}
}

func TestInterruptedWaitEnds(t *testing.T) {
	pin, cache := tiny(t, greeting), t.TempDir()
	lock, err := filelock.Try(filepath.Join(cache, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Builder{Cache: cache, Out: &waiter{end: cancel}}.Build(ctx, pin)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
