package stage

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

const (
	// ownPeriod is how often loadsim samples: three times as often as metrics-server does, so that the story stays short.
	ownPeriod = 5 * time.Second
	// wholeCPU is what a simulated pod requests, in millicores. It costs nothing.
	wholeCPU = 1000
)

// Own makes a control plane of its own on loopback, with loadsim as its metrics API. What programs are missing are built first.
func Own(ctx context.Context, out io.Writer) (*Stage, error) {
	began := time.Now()
	say(out, "Starting a Kubernetes control plane on loopback (what is missing of it is built first, which takes some minutes once) ...")
	cluster, err := controlplane.Run(ctx, controlplane.Options{Out: out})
	if err != nil {
		return nil, fmt.Errorf("could not start a control plane: %w", err)
	}
	s, err := own(ctx, cluster, out)
	if err != nil {
		return nil, closed(err, cluster.Stop)
	}
	say(out, "Kubernetes %s runs at %s, after %s.", s.Version, cluster.Config().Host, time.Since(began).Round(100*time.Millisecond))
	return s, nil
}

// own sets up the stage in the cluster, which it stops when it is closed.
func own(ctx context.Context, cluster *controlplane.Cluster, out io.Writer) (*Stage, error) {
	s, err := connect(cluster.Config())
	if err != nil {
		return nil, err
	}
	s.Kubeconfig, s.Kubectl = cluster.Kubeconfig(), cluster.Kubectl()
	s.Period, s.Request, s.Simulated = ownPeriod, wholeCPU, true
	s.Pace = story.Simulated(s.Period)
	simulation, err := simulate(ctx, cluster.Config(), s.Period, out)
	if err != nil {
		return nil, err
	}
	if err := s.furnish(ctx); err != nil {
		return nil, closed(err, simulation.Close)
	}
	s.later(func(context.Context) error { return cluster.Stop() })
	s.later(func(context.Context) error { return simulation.Close() })
	s.actors = &scripted{client: s.Client, namespace: s.Namespace, request: s.Request}
	return s, nil
}

func simulate(ctx context.Context, config *rest.Config, period time.Duration, out io.Writer) (*loadsim.Server, error) {
	report := func(err error) { say(out, "   the simulated metrics API says: %v", err) }
	server, err := loadsim.Start(ctx, config, loadsim.Options{Period: period, Window: period, Report: report})
	if err != nil {
		return nil, fmt.Errorf("could not start the simulated metrics API: %w", err)
	}
	return server, nil
}

// furnish makes the namespace and asks for the cluster's version.
func (s *Stage) furnish(ctx context.Context) error {
	version, err := s.Client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("could not ask the API server for its version: %w", err)
	}
	s.Version = version.GitVersion
	return s.createNamespace(ctx)
}
