//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/mini-hpa/mini-hpa/test/background"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/filelock"
)

// The directory of the cluster itself, and the file that appears when it is ready.
const clusterDir, readyFile = "cluster", "ready"

// open is the control plane in the background.
func (a *app) open() (*background.Service, error) {
	s := &background.Service{Dir: a.dir, Name: "controlplane", Remains: []string{readyFile, clusterDir}, Grace: 30 * time.Second, // each component takes seconds
		Say: func(text string) { a.say("%s", text) }}
	s.Ready = func() bool {
		_, err := os.Stat(s.File(readyFile))
		return err == nil
	}
	return s, s.Open()
}

func kubeconfig(s *background.Service) string { return s.File(clusterDir + "/kubeconfig") }

// up starts serve in the background unless it runs, and prints the KUBECONFIG to export.
func (a *app) up(ctx context.Context) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	lock, err := filelock.Acquire(ctx, s.File("up.lock"), func() { a.say("waiting for another `controlplane up`") })
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	running, err := s.Running()
	if err != nil {
		return err
	}
	if running {
		a.say("it is already running; its directory is %s", s.Dir)
	} else if err := a.start(ctx, s); err != nil {
		return err
	}
	return a.printExports(export{"KUBECONFIG", kubeconfig(s)})
}

// start builds in sight of the user, then starts the background process.
func (a *app) start(ctx context.Context, s *background.Service) error {
	files, err := binaries.Ensure(ctx, a.stderr)
	if err != nil {
		return err
	}
	a.say("starting in %s", s.Dir)
	if err := s.Start(ctx, "serve", "--dir="+s.Dir, "--nodes="+strconv.Itoa(a.nodes), "--audit="+strconv.FormatBool(a.audit)); err != nil {
		return err
	}
	a.say("ready; kubectl is %s, `controlplane env` puts it into PATH", files["kubectl"])
	return nil
}

// down ends the background control plane; that none runs is as good.
func (a *app) down(ctx context.Context) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	stopped, err := s.Stop(ctx)
	if err == nil && stopped {
		a.say("stopped")
	} else if err == nil {
		a.say("no control plane is running in %s", s.Dir)
	}
	return err
}

// serve runs the control plane with its metrics API until ctx ends.
func (a *app) serve(ctx context.Context) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	return s.Serve(func() error {
		c, err := controlplane.Run(ctx, controlplane.Options{Dir: s.File(clusterDir), Nodes: a.nodes, Audit: a.audit, Out: a.stderr})
		if err != nil {
			return err
		}
		return errors.Join(a.serveMetrics(ctx, c, s), c.Stop())
	})
}

func (a *app) serveMetrics(ctx context.Context, c *controlplane.Cluster, s *background.Service) error {
	sim, err := loadsim.Start(ctx, c.Config(), loadsim.Options{Report: func(err error) { a.say("metrics API: %v", err) }})
	if err != nil {
		return fmt.Errorf("start the metrics API: %w", err)
	}
	a.say("ready: export KUBECONFIG=%s", shellQuote(c.Kubeconfig()))
	if err := os.WriteFile(s.File(readyFile), nil, 0o600); err != nil {
		return errors.Join(err, sim.Close())
	}
	<-ctx.Done()
	return sim.Close()
}
