//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
)

// up starts serve in the background unless it runs, and prints the KUBECONFIG to export.
func (a *app) up(ctx context.Context) error {
	s, err := openState(a.dir)
	if err != nil {
		return err
	}
	release, err := s.exclusive(ctx, a)
	if err != nil {
		return err
	}
	defer release()
	running, err := s.running()
	if err != nil {
		return err
	}
	if running {
		a.say("it is already running; its directory is %s", s.dir)
	} else if err := a.startServing(ctx, s); err != nil {
		return err
	}
	return a.printExports(export{"KUBECONFIG", s.kubeconfig()})
}

// startServing builds in sight of the user, then starts the background process and waits for its word.
func (a *app) startServing(ctx context.Context, s state) error {
	files, err := binaries.Ensure(ctx, a.stderr)
	if err != nil {
		return err
	}
	a.say("starting in %s", s.dir)
	child, ready, err := a.detach(s)
	if err != nil {
		return fmt.Errorf("start the background process: %w", err)
	}
	defer ready.Close()
	if err := a.awaitReady(ctx, s, child, ready); err != nil {
		return err
	}
	a.say("ready; kubectl is %s, `controlplane env` puts it into PATH", files["kubectl"])
	return nil
}

// detach starts serve in a session of its own, so that neither the terminal's end nor its interrupts reach it.
func (a *app) detach(s state) (*exec.Cmd, *os.File, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	ready, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer write.Close() // the child has its own
	cmd := exec.Command(program, "serve", "--dir="+s.dir, "--nodes="+strconv.Itoa(a.nodes),
		"--audit="+strconv.FormatBool(a.audit), "--ready-fd=3")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{write} // becomes descriptor 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, ready.Close())
	}
	return cmd, ready, nil
}

// awaitReady returns when the child is ready; a child that ends before, or that nobody waits for any more, is an error.
func (a *app) awaitReady(ctx context.Context, s state, child *exec.Cmd, ready *os.File) error {
	word := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(ready).ReadString('\n') // an end without the word tells enough
		word <- line
	}()
	interrupted := context.AfterFunc(ctx, func() { _ = child.Process.Signal(syscall.SIGTERM) })
	defer interrupted()
	if <-word == readyWord {
		return child.Process.Release()
	}
	ended := child.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	said, _ := os.ReadFile(s.log())
	return fmt.Errorf("the control plane did not start (%w), saying:\n%s", ended, said)
}
