//go:build unix

package background

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/filelock"
)

// TestMain plays what serves, in a copy of the test.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		s := service(os.Args[2])
		err := s.Serve(func() error {
			if filepath.Base(s.Dir) == "broken" {
				return fmt.Errorf("this disk is on fire")
			}
			asked := make(chan os.Signal, 1)
			signal.Notify(asked, syscall.SIGTERM)
			_ = os.WriteFile(s.File("ready"), nil, 0o600)
			if filepath.Base(s.Dir) == "stubborn" {
				time.Sleep(time.Hour)
			}
			<-asked
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func service(dir string) *Service {
	return &Service{Dir: dir, Name: "service", ReadyFile: "ready", Grace: time.Minute, Say: func(string) {}}
}

func opened(t *testing.T, name string) *Service {
	t.Helper()
	s := service(filepath.Join(t.TempDir(), name))
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestItServesUntilItIsStopped(t *testing.T) {
	for _, name := range []string{"good", "stubborn"} {
		s := opened(t, name)
		if name == "stubborn" {
			s.Grace = 10 * time.Millisecond
		}
		var told []string
		s.Say = func(text string) { told = append(told, text) }
		start := func() error { return s.Start(t.Context(), "serve", s.Dir) }
		if err := s.Up(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		if running, err := s.Running(); !running || err != nil {
			t.Errorf("%s: running: %v, %v", name, running, err)
		}
		if err := s.Serve(func() error { return nil }); err == nil || !strings.Contains(err.Error(), "already running") {
			t.Errorf("%s: a second one: %v", name, err)
		}
		if err := s.Up(t.Context(), func() error { return errors.New("a second one") }); err != nil {
			t.Errorf("%s: up while it runs: %v", name, err)
		}
		for range 2 {
			if err := s.Down(t.Context()); err != nil || s.ready() {
				t.Errorf("%s: down: %v, ready: %v", name, err, s.ready())
			}
		}
		want := []string{"it is already running; its directory is " + s.Dir, "stopped", "none is running in " + s.Dir}
		if name == "stubborn" {
			want = slices.Insert(want, 1, "it does not end; killing it")
		}
		if !slices.Equal(told, want) {
			t.Errorf("%s: it told %q, want %q", name, told, want)
		}
	}
}

func TestOneThatDoesNotStartSaysWhy(t *testing.T) {
	s := opened(t, "broken")
	err := s.Start(t.Context(), "serve", s.Dir)
	if want := "the service did not start (exit status 1), saying:\nthis disk is on fire"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestStrangersAreNotKilled(t *testing.T) {
	for name, content := range map[string]string{"nonsense": "x", "everybody": "-1", "init": "1"} {
		s := opened(t, "x")
		lock, err := filelock.Try(s.File("lock")) // as if it ran
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.File("pid"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Down(t.Context()); err == nil || !strings.Contains(err.Error(), "read the process id") {
			t.Errorf("%s: %v", name, err)
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
}
