//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/internal/filelock"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// readyWord is what serve writes to its ready descriptor.
const readyWord = "ready\n"

// serve runs the control plane until ctx ends.
func (a *app) serve(ctx context.Context) error {
	s, err := openState(a.dir)
	if err != nil {
		return err
	}
	lock, err := s.serving()
	if errors.Is(err, filelock.ErrHeld) {
		return fmt.Errorf("a control plane is already running in %s", s.dir)
	}
	if err != nil {
		return err
	}
	err = a.serveLocked(ctx, s)
	return errors.Join(err, s.clear(), lock.Release())
}

func (a *app) serveLocked(ctx context.Context, s state) error {
	if err := s.clear(); err != nil { // a killed one could not do it
		return fmt.Errorf("remove the remains of an earlier control plane: %w", err)
	}
	if err := os.WriteFile(s.file("pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return fmt.Errorf("write the process id: %w", err)
	}
	ready := a.readyFile()
	defer ready.Close()
	c, err := controlplane.Run(ctx, controlplane.Options{Dir: s.cluster(), Nodes: a.nodes, Audit: a.audit, Out: a.stderr})
	if err != nil {
		return err
	}
	return errors.Join(a.serveMetrics(ctx, c, ready), c.Stop())
}

// serveMetrics runs the metrics API in the cluster until ctx ends.
func (a *app) serveMetrics(ctx context.Context, c *controlplane.Cluster, ready *os.File) error {
	report := func(err error) { a.say("metrics API: %v", err) }
	sim, err := loadsim.Start(ctx, c.Config(), loadsim.Options{Report: report})
	if err != nil {
		return fmt.Errorf("start the metrics API: %w", err)
	}
	a.say("ready: export KUBECONFIG=%s", shellQuote(c.Kubeconfig()))
	if _, err := ready.WriteString(readyWord); err != nil {
		a.say("nobody waits any more: %v", err)
	}
	<-ctx.Done()
	return sim.Close()
}

// readyFile is the descriptor that was handed over, closed in the components so that its end means ours.
func (a *app) readyFile() *os.File {
	if a.readyFD == 0 {
		file, _ := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		return file
	}
	syscall.CloseOnExec(a.readyFD)
	return os.NewFile(uintptr(a.readyFD), "ready")
}
