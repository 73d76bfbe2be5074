//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

// How long the background process may take to end.
const (
	downGrace = sandbox.Grace + 20*time.Second // after SIGTERM
	killGrace = 20 * time.Second               // after SIGKILL
)

// up starts serve in the background unless it runs, and prints how to use it; standard output is for a shell to evaluate.
func (a *app) up(ctx context.Context) error {
	s := a.state
	if err := s.make(); err != nil {
		return err
	}
	running, err := s.running()
	if err != nil {
		return err
	}
	files, err := binaries.EnsureNode(ctx, a.stderr) // in sight of the user
	if err != nil {
		return err
	}
	if running {
		a.say("it is already running")
	} else if err := a.start(ctx); err != nil {
		return err
	}
	a.say("ready; helm is %s", files["helm"])
	_, err = fmt.Fprintf(a.stdout, "export KUBECONFIG='%s'\nexport PATH='%s':\"$PATH\"\n", s.kubeconfig(), filepath.Dir(files["kubectl"]))
	return err
}

// start starts the background process and waits until it is ready.
func (a *app) start(ctx context.Context) error {
	if missing := sandbox.Missing(); len(missing) > 0 {
		return impossible(missing)
	}
	s := a.state
	if err := s.clear(); err != nil {
		return fmt.Errorf("remove the remains of an earlier node: %w", err)
	}
	served, err := s.detach(ctx)
	if err != nil {
		return fmt.Errorf("start the background process: %w", err)
	}
	a.say("starting, which takes a minute or so; %s tells how far it is", s.log())
	ended := make(chan error, 1)
	go func() { ended <- served.Wait() }()
	err = await(ctx, func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("the node did not start (%w), saying:\n%s", err, child.Tail(s.log()))
		default:
		}
		_, err := os.Stat(s.kubeconfig())
		return err == nil, nil
	})
	if ctx.Err() != nil {
		_ = served.Process.Signal(syscall.SIGTERM) // it cleans up
	}
	return err
}

// detach starts serve in a session of its own, so that neither the terminal's end nor its interrupts reach it.
func (s state) detach(ctx context.Context) (*exec.Cmd, error) {
	program, err := s.keepProgram()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, "serve", "--dir="+s.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}

// keepProgram is the running program's file. `go run` removes it when we end, which a process does not mind once it runs; but serve
// starts itself again.
func (s state) keepProgram() (string, error) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return "", err
	}
	path := s.file("node")
	_ = os.Remove(path) // a running one's file cannot be written
	return path, os.WriteFile(path, program, 0o700)
}

// down ends the background process; that none runs is as good.
func (a *app) down(ctx context.Context) error {
	s := a.state
	if err := s.make(); err != nil {
		return err
	}
	running, err := s.running()
	if err != nil {
		return err
	}
	if !running {
		a.say("none is running")
		return s.clear()
	}
	pid, err := s.pid()
	if err != nil {
		return err
	}
	err = s.end(ctx, pid, syscall.SIGTERM, downGrace)
	if errors.Is(err, context.DeadlineExceeded) {
		a.say("it does not end; killing it")
		err = s.end(ctx, pid, syscall.SIGKILL, killGrace)
	}
	if err != nil {
		return err
	}
	a.say("stopped")
	return s.clear()
}

// end signals the process and waits until its lock is free, which it is when the process is gone.
func (s state) end(ctx context.Context, pid int, signal syscall.Signal, grace time.Duration) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := await(ctx, func() (bool, error) {
		running, err := s.running()
		return !running, err
	})
	if err != nil {
		return fmt.Errorf("wait for process %d to end: %w", pid, err)
	}
	return nil
}
