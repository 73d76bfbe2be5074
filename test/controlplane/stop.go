//go:build unix

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Stop ends all components, each before what it depends on, and removes a temporary directory. It returns when no process is left;
// the error names components that had ended by themselves before. A second call does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	again, fallen := c.stopped, anyFallen(c.all())
	c.stopped = true
	c.mu.Unlock()
	if again {
		return nil
	}
	return errors.Join(fallen, c.release(stopGrace))
}

// release ends the components and gives up whatever the cluster has taken.
func (c *Cluster) release(grace time.Duration) error {
	c.halt(grace)
	return c.home.close()
}

// halt ends all components.
func (c *Cluster) halt(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, group := range [][]Component{{KWOK, Scheduler, ControllerManager}, {APIServer}, {Etcd}} {
		var wait sync.WaitGroup
		for _, component := range group {
			if p := c.processes[component]; p != nil {
				wait.Go(func() { p.Stop(grace) })
			}
		}
		wait.Wait()
	}
	clear(c.processes)
}

// Kill ends a component with SIGKILL and returns when it is gone. Its data stay for Restart.
func (c *Cluster) Kill(component Component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[component]
	if p == nil || !p.Alive() {
		return fmt.Errorf("kill: %w", c.notRunning(component))
	}
	p.Kill()
	return nil
}

// Restart starts a component that was killed, or ends it and starts it again, with the same ports and the same data. It returns
// when the component is ready, and after etcd also the API server, if that runs.
func (c *Cluster) Restart(component Component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[component]
	if p == nil {
		return fmt.Errorf("restart: %w", c.notRunning(component))
	}
	p.Stop(stopGrace)
	if err := c.start(component); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyTimeout, notInTime())
	defer cancel()
	if err := untilReady(ctx, c.ready(component), c.processes[component]); err != nil {
		return err
	}
	if server := c.processes[APIServer]; component == Etcd && server.Alive() {
		return untilReady(ctx, c.ready(APIServer), server)
	}
	return nil
}
