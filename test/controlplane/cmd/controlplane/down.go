//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/internal/filelock"
)

// The background process ends its components in turn, each within seconds.
const (
	downGrace = 30 * time.Second // after SIGTERM
	killGrace = 5 * time.Second  // after SIGKILL
)

// down ends the background control plane; that none runs is as good.
func (a *app) down(ctx context.Context) error {
	s, err := openState(a.dir)
	if err != nil {
		return err
	}
	running, err := s.running()
	if err != nil {
		return err
	}
	if !running {
		a.say("no control plane is running in %s", s.dir)
		return s.clear()
	}
	return a.stop(ctx, s, downGrace)
}

// stop asks the background process to end, and kills it after the grace period: its components die with it.
func (a *app) stop(ctx context.Context, s state, grace time.Duration) error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	err = end(ctx, s, pid, syscall.SIGTERM, grace)
	if errors.Is(err, context.DeadlineExceeded) {
		a.say("it does not end; killing it")
		err = end(ctx, s, pid, syscall.SIGKILL, killGrace)
	}
	if err != nil {
		return err
	}
	a.say("stopped")
	return s.clear()
}

// end signals the process and waits until its lock is free, which it is when the process is gone.
func end(ctx context.Context, s state, pid int, signal syscall.Signal, grace time.Duration) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	lock, err := filelock.Acquire(ctx, s.file("serve.lock"), func() {})
	if err != nil {
		return fmt.Errorf("wait for process %d to end: %w", pid, err)
	}
	return lock.Release()
}
