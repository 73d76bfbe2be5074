package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// TestOfflineEndsWhenItIsToldTo, whatever a command without a cluster is doing.
func TestOfflineEndsWhenItIsToldTo(t *testing.T) {
	for command, args := range map[string][]string{
		"lint":     {"lint", "-"},
		"simulate": {"simulate", "-f", "-", "--load", "burst"},
		"replay":   {"replay", "-"},
	} {
		t.Run(command, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				endless, end := io.Pipe()
				defer end.Close()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan int, 1)
				var messages strings.Builder
				go func() {
					ended <- thisProgram().Run(ctx, args, cli.Streams{In: endless, Out: io.Discard, Err: &messages, Bridge: func(*zap.Logger) {}})
				}()
				synctest.Wait()
				cancel()
				synctest.Wait()
				select {
				case code := <-ended:
					if want := "mini-hpa " + command + ": was told to end before it was done\n"; code != cli.ExitFailure || messages.String() != want {
						t.Errorf("exit code %d, %q", code, messages.String())
					}
				default:
					t.Error("it goes on")
				}
			})
		})
	}
}
