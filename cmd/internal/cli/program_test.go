package cli

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, exited := make(chan os.Signal), 0
		ctx := untilSignal(context.Background(), signals, func(code int) { exited = code })
		synctest.Wait()
		if ctx.Err() != nil || exited != 0 {
			t.Errorf("ended without a signal: %v, %d", ctx.Err(), exited)
		}
		signals <- syscall.SIGTERM
		synctest.Wait()
		if ctx.Err() == nil || exited != 0 {
			t.Errorf("after one signal: %v, %d; want a graceful end", ctx.Err(), exited)
		}
		signals <- syscall.SIGTERM
		synctest.Wait()
		if exited != ExitFailure {
			t.Errorf("after two signals: exit code %d", exited)
		}
	})
}
