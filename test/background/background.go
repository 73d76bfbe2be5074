//go:build unix

// Package background runs a program that serves beyond the shell that has started it: there is one for each directory.
//
//	DIR/lock      held by the running one for all its life: a pid alone could be anybody's
//	DIR/pid       of the running one
//	DIR/NAME.log  what it says
package background

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/filelock"
)

// killGrace is how long the kernel may take to end what was killed.
const killGrace = 20 * time.Second

// interval is how often it is looked at what is waited for.
const interval = 100 * time.Millisecond

// Service is what serves, or not, from a directory.
type Service struct {
	Dir, Name string
	ReadyFile string        // appears in Dir when it serves
	Remains   []string      // other files and directories in Dir that one leaves that was killed; not its log
	Say       func(string)  // tells people
	Grace     time.Duration // how long it may take to end after SIGTERM
}

// DefaultDir is one place per user, so that what serves is found again from any working directory.
func DefaultDir(name string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "mini-hpa", name)
}

// File is the path of a file of the service.
func (s *Service) File(name string) string { return filepath.Join(s.Dir, name) }

// Log is the path of its log.
func (s *Service) Log() string { return s.File(s.Name + ".log") }

// open makes the directory. The path becomes absolute, because it is printed for other shells.
func (s *Service) open() (err error) {
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return fmt.Errorf("find the directory %.64q: %w", s.Dir, err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	return nil
}

// Running says whether one serves.
func (s *Service) Running() (bool, error) {
	if err := s.open(); err != nil {
		return false, err
	}
	lock, err := filelock.Try(s.File("lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Release()
}

// Serve serves in this process, unless another one does, and removes what is left at the end.
func (s *Service) Serve(serve func() error) error {
	if err := s.open(); err != nil {
		return err
	}
	lock, err := filelock.Try(s.File("lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return fmt.Errorf("one is already running in %s", s.Dir)
	}
	if err != nil {
		return err
	}
	if err := s.clear(); err != nil { // a killed one could not do it
		return errors.Join(fmt.Errorf("remove the remains of an earlier one: %w", err), lock.Release())
	}
	if err := os.WriteFile(s.File("pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return errors.Join(fmt.Errorf("write the process id: %w", err), lock.Release())
	}
	return errors.Join(serve(), s.clear(), lock.Release())
}

func (s *Service) clear() error {
	var errs []error
	for _, name := range append([]string{"pid", s.ReadyFile}, s.Remains...) {
		errs = append(errs, os.RemoveAll(s.File(name)))
	}
	return errors.Join(errs...)
}

// Up calls start, which is to call Start, unless one serves already.
func (s *Service) Up(ctx context.Context, start func() error) error {
	if err := s.open(); err != nil {
		return err
	}
	lock, err := filelock.Acquire(ctx, s.File("up.lock"), func() { s.Say("waiting for another one that starts it") })
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	running, err := s.Running()
	if err != nil {
		return err
	}
	if running {
		s.Say("it is already running; its directory is " + s.Dir)
		return nil
	}
	return start()
}

// Start runs this program with other arguments, in a session of its own, so that neither the terminal's end nor its interrupts reach it, and
// waits until it is ready. An end of ctx ends it.
func (s *Service) Start(ctx context.Context, args ...string) error {
	if err := s.clear(); err != nil {
		return fmt.Errorf("remove the remains of an earlier one: %w", err)
	}
	program, err := s.keepProgram()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the background process: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !s.ready() {
		select {
		case err := <-ended:
			return fmt.Errorf("the %s did not start (%w), saying:\n%s", s.Name, err, child.Tail(s.Log()))
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM) // it cleans up
			return errors.Join(errors.New("interrupted"), <-ended)
		case <-tick.C:
		}
	}
	return nil
}

// keepProgram is a copy of the running program. `go run` removes its own when we end, and one that serves may start itself again.
func (s *Service) keepProgram() (string, error) {
	running, err := os.Executable()
	if err != nil {
		return "", err
	}
	program, err := os.ReadFile(running)
	if err != nil {
		return "", err
	}
	path := s.File("program")
	_ = os.Remove(path) // a running one's file cannot be written
	return path, os.WriteFile(path, program, 0o700)
}

func (s *Service) ready() bool {
	_, err := os.Stat(s.File(s.ReadyFile))
	return err == nil
}

// Down ends the one that serves; that none does is as good.
func (s *Service) Down(ctx context.Context) error {
	stopped, err := s.stop(ctx)
	if err != nil {
		return err
	}
	if stopped {
		s.Say("stopped")
	} else {
		s.Say("none is running in " + s.Dir)
	}
	return nil
}

// stop says whether there was one.
func (s *Service) stop(ctx context.Context) (bool, error) {
	running, err := s.Running()
	if err != nil || !running {
		return false, errors.Join(err, s.clear())
	}
	content, err := os.ReadFile(s.File("pid"))
	if err != nil {
		return true, fmt.Errorf("read the process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return true, fmt.Errorf("read the process id: %s holds %.64q", s.File("pid"), content)
	}
	err = s.end(ctx, pid, syscall.SIGTERM, s.Grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Say("it does not end; killing it")
		err = s.end(ctx, pid, syscall.SIGKILL, killGrace)
	}
	if err != nil {
		return true, err
	}
	return true, s.clear()
}

// end signals the process and waits until its lock is free, which it is when the process is gone.
func (s *Service) end(ctx context.Context, pid int, signal syscall.Signal, grace time.Duration) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	lock, err := filelock.Acquire(ctx, s.File("lock"), func() {})
	if err != nil {
		return fmt.Errorf("wait for process %d to end: %w", pid, err)
	}
	return lock.Release()
}
