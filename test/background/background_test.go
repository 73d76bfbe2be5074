//go:build unix

package background

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
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
	s := &Service{Dir: dir, Name: "service", Remains: []string{"ready"}, Grace: time.Minute, Say: func(string) {}}
	s.Ready = func() bool {
		_, err := os.Stat(s.File("ready"))
		return err == nil
	}
	return s
}

func opened(t *testing.T, name string) *Service {
	t.Helper()
	s := service(filepath.Join(t.TempDir(), name))
	if err := s.Open(); err != nil {
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
		told := ""
		s.Say = func(text string) { told = text }
		if err := s.Start(t.Context(), "serve", s.Dir); err != nil {
			t.Fatal(err)
		}
		if running, err := s.Running(); !running || err != nil {
			t.Errorf("%s: running: %v, %v", name, running, err)
		}
		if err := s.Serve(func() error { return nil }); err == nil || !strings.Contains(err.Error(), "already running") {
			t.Errorf("%s: a second one: %v", name, err)
		}
		if stopped, err := s.Stop(t.Context()); !stopped || err != nil || (told != "") != (name == "stubborn") {
			t.Errorf("%s: stopped: %v, %v, told %q", name, stopped, err, told)
		}
		if stopped, err := s.Stop(t.Context()); stopped || err != nil || s.Ready() {
			t.Errorf("%s: again: %v, %v, ready: %v", name, stopped, err, s.Ready())
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
		if _, err := s.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "read the process id") {
			t.Errorf("%s: %v", name, err)
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
}
