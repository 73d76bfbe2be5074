//go:build unix

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/child"
)

// startAttempts is how often a start is tried, each time with other ports: a component that dies as it starts has most likely lost its port
// to somebody else.
const startAttempts = 3

// launchSomehow launches the cluster, with other ports if a component dies over it.
func (c *Cluster) launchSomehow(ctx context.Context, choose func() (ports, error)) error {
	for attempt := 1; ; attempt++ {
		err := c.launch(ctx, choose)
		var fallen *child.FallenError
		if err == nil || attempt == startAttempts || !errors.As(err, &fallen) {
			return err
		}
		_, _ = fmt.Fprintf(c.options.Out, "controlplane: trying again with other ports: %v\n", err)
		c.halt(0)
		if err := os.RemoveAll(c.file("etcd")); err != nil {
			return fmt.Errorf("remove the data of a failed start: %w", err)
		}
	}
}

// launch starts everything on new ports and waits until pods can run.
func (c *Cluster) launch(ctx context.Context, choose func() (ports, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, notInTime())
	defer cancel()
	var err error
	if c.ports, err = choose(); err != nil {
		return err
	}
	if err := c.writeKubeconfigs(); err != nil {
		return err
	}
	if err := c.startAll(ctx); err != nil {
		return fmt.Errorf("start the components: %w", err)
	}
	return c.populate(ctx)
}

// startAll starts the store and the API server, and when these are ready their clients.
func (c *Cluster) startAll(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	clients := []Component{ControllerManager, Scheduler}
	if c.options.Nodes > 0 {
		clients = append(clients, KWOK)
	}
	for _, group := range [][]Component{{Etcd, APIServer}, clients} {
		for _, component := range group {
			if err := c.start(component); err != nil {
				return err
			}
		}
		for _, component := range group {
			if err := untilReady(ctx, c.ready(component), c.all()...); err != nil {
				return err
			}
		}
	}
	return nil
}

// populate creates the nodes and waits until a pod would run, or, without nodes, until it would be admitted.
func (c *Cluster) populate(ctx context.Context) error {
	config := c.Config()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := createNodes(ctx, client, c.options.Nodes); err != nil {
		return err
	}
	return untilReady(ctx, canRunPods(client, c.options.Nodes), c.all()...)
}

// start runs a component; c.mu is held.
func (c *Cluster) start(component Component) error {
	p, err := startProcess(component, c.files[string(component)], c.dir, c.args(component))
	if err != nil {
		return err
	}
	c.processes[component] = p
	return nil
}

func (c *Cluster) all() []*child.Process { return slices.Collect(maps.Values(c.processes)) }

func notInTime() error { return fmt.Errorf("not ready within %s", readyTimeout.Round(time.Second)) }
