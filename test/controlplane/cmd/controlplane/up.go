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
)

// The directory of the cluster itself, and the file that appears when it is ready.
const clusterDir, readyFile = "cluster", "ready"

// service is the control plane in the background.
func (a *app) service() *background.Service {
	return &background.Service{Dir: a.dir, Name: "controlplane", ReadyFile: readyFile, Remains: []string{clusterDir}, Grace: 30 * time.Second, // each component takes seconds
		Say: func(text string) { a.say("%s", text) }}
}

func kubeconfig(s *background.Service) string { return s.File(clusterDir + "/kubeconfig") }

// up starts serve in the background unless it runs, and prints the KUBECONFIG to export.
func (a *app) up(ctx context.Context) error {
	s := a.service()
	if err := s.Up(ctx, func() error { return a.start(ctx, s) }); err != nil {
		return err
	}
	return a.print("export KUBECONFIG=%s\n", shellQuote(kubeconfig(s)))
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

func (a *app) down(ctx context.Context) error { return a.service().Down(ctx) }

// serve runs the control plane with its metrics API until ctx ends.
func (a *app) serve(ctx context.Context) error {
	s := a.service()
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
