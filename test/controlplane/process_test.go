//go:build unix

package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shell runs a script as a component. The script says when it is ready.
func shell(t *testing.T, script string) *process {
	t.Helper()
	s := newSpawner()
	p, err := s.startProcess("shell", "/bin/sh", t.TempDir(), []string{"-c", script})
	if err != nil {
		s.close()
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(); s.close() })
	return p
}

func hasSaid(p *process, word string) check {
	return func(context.Context) error {
		if !strings.Contains(tail(p.log), word) {
			return errors.New("it has not said " + word)
		}
		return nil
	}
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		script string
		grace  time.Duration
		want   string
	}{
		"ends when asked":          {"trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done", testTimeout, "exit status 3"},
		"is killed if it does not": {"trap '' TERM; echo up; while :; do sleep 0.01; done", 10 * time.Millisecond, "signal: killed"},
		"had ended":                {"echo up", testTimeout, "exit status 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := shell(t, test.script)
			eventually(t, hasSaid(p, "up"))
			p.stop(test.grace)
			if p.alive() {
				t.Error("it is alive")
			}
			if got := p.cmd.ProcessState.String(); got != test.want {
				t.Errorf("it ended with %q, want %q", got, test.want)
			}
			if err := p.fallen(); err != nil {
				t.Errorf("it was asked to end, but: %v", err)
			}
		})
	}
}

func TestFallenSaysWhyAndWhat(t *testing.T) {
	p := shell(t, "echo no such flag; exit 4")
	<-p.ended
	err := p.fallen()
	if want := "shell ended by itself (exit status 4), saying last:\nno such flag"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFallenCarriesTheEndOfALongLog(t *testing.T) {
	p := shell(t, "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; exit 1")
	<-p.ended
	text := p.fallen().Error()
	if len(text) > endOfLog+100 || !strings.HasSuffix(text, "line 999") {
		t.Errorf("%d bytes, ending with %q", len(text), text[max(0, len(text)-20):])
	}
}

func TestProcessesSeeNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com")
	p := shell(t, "env")
	<-p.ended
	if said := tail(p.log); strings.Contains(said, "proxy.example.com") || !strings.Contains(said, "HOME="+filepath.Dir(p.log)) {
		t.Errorf("its environment is\n%s", said)
	}
}

func TestProgramThatCannotStartIsNamed(t *testing.T) {
	s := newSpawner()
	defer s.close()
	_, err := s.startProcess(Etcd, "/nonexistent/etcd", t.TempDir(), nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start etcd") {
		t.Errorf("got %v", err)
	}
	if _, err := s.startProcess(Etcd, "/bin/sh", "/nonexistent", nil); !errors.Is(err, os.ErrNotExist) {
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
				err := await(ctx, func(context.Context) error {
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
		err := await(t.Context(), func(ctx context.Context) error {
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
	<-p.ended
	err := await(t.Context(), func(context.Context) error { return errors.New("connection refused") }, p)
	if !errorIs[*fallenError](err) {
		t.Errorf("got %v, want that the process ended", err)
	}
}
