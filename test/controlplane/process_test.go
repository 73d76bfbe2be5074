//go:build unix

package controlplane

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// shell runs a script as a component.
func shell(t *testing.T, script string) *child.Process {
	t.Helper()
	p, err := startProcess("shell", "/bin/sh", t.TempDir(), []string{"-c", script})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcessesSeeNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com")
	p := shell(t, "env")
	<-p.Ended()
	if said := p.Tail(); strings.Contains(said, "proxy.example.com") || !strings.Contains(said, "HOME="+os.TempDir()) {
		t.Errorf("its environment is\n%s", said)
	}
}

func TestProgramThatCannotStartIsNamed(t *testing.T) {
	_, err := startProcess(Etcd, "/nonexistent/etcd", t.TempDir(), nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start etcd") {
		t.Errorf("got %v", err)
	}
	if _, err := startProcess(Etcd, "/bin/sh", "/nonexistent", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

func TestAwait(t *testing.T) {
	notYet := errors.New("not yet")
	tests := map[string]struct {
		readyAfter, timeout time.Duration
		want                error
	}{
		"ready at once": {0, time.Second, nil},
		"ready later":   {time.Second, time.Minute, nil},
		"never ready":   {time.Hour, time.Minute, notYet},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), test.timeout, notInTime())
				defer cancel()
				err := untilReady(ctx, func(context.Context) error {
					if time.Since(began) < test.readyAfter {
						return notYet
					}
					return nil
				})
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if err != nil && !strings.Contains(err.Error(), "not ready within 2m0s; the last answer was: not yet") {
					t.Errorf("the error is %v", err)
				}
				if took, most := time.Since(began), min(test.readyAfter, test.timeout)+pollInterval; took > most {
					t.Errorf("it took %s, want at most %s", took, most)
				}
			})
		})
	}
}

func TestAwaitGivesAQuestionItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := untilReady(t.Context(), func(ctx context.Context) error {
			if asked++; asked == 2 {
				return nil
			}
			<-ctx.Done() // a component that hangs
			return ctx.Err()
		})
		if err != nil || asked != 2 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}

func TestAwaitNoticesADeadProcess(t *testing.T) {
	p := shell(t, "exit 5")
	<-p.Ended()
	err := untilReady(t.Context(), func(context.Context) error { return errors.New("connection refused") }, p)
	if !errorIs[*child.FallenError](err) {
		t.Errorf("got %v, want that the process ended", err)
	}
}
