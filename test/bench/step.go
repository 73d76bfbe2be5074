//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// step is what came of a load that changed for many workloads at once.
type step struct {
	// FromSample is the time from the moment at which a sample could be read that asks for more replicas to the write of the scale,
	// FromLoad from the change of the load.
	FromSample, FromLoad spread
	// First is the shortest FromSample: until then the sample has not been read.
	First time.Duration `json:",omitempty"`
	// Controller and APIServer are the CPU seconds that they used from that moment on until all were scaled, and for a period of the samples
	// at least.
	Controller, APIServer float64 `json:",omitempty"`
}

func (s step) String() string {
	return fmt.Sprintf("from the readable sample first %s, %s; from the load %s; CPU: controller %.2f s, API server %.2f s", rounded(s.First), s.FromSample, s.FromLoad, s.Controller, s.APIServer)
}

// delays are those of each workload in a step.
type delays struct{ fromSample, fromLoad []time.Duration }

func (d *delays) add(more delays) {
	d.fromSample, d.fromLoad = append(d.fromSample, more.fromSample...), append(d.fromLoad, more.fromLoad...)
}

func (d *delays) step() step {
	s := step{FromSample: spreadOf(d.fromSample), FromLoad: spreadOf(d.fromLoad)}
	if len(d.fromSample) > 0 {
		s.First = slices.Min(d.fromSample)
	}
	return s
}

// moments are those of a step at which its delays begin.
type moments struct{ changed, readable time.Time }

// rise raises the load of these workloads and returns as soon as a sample can be read that asks for more replicas. The load changes a little
// after a set of samples was published, later in each step, which are counted from 0, but early enough for the next set.
func (a *arena) rise(ctx context.Context, i int, names []types.NamespacedName) (moments, error) {
	last := a.load.LastSample()
	if _, err := a.load.AwaitSample(ctx, last.Timestamp); err != nil {
		return moments{}, err
	}
	if err := pause(ctx, time.Duration(i+1)*period/time.Duration(3*(a.rounds*a.steps+1))); err != nil {
		return moments{}, err
	}
	changed := a.change(names, busy)
	sample, err := a.load.AwaitSample(ctx, a.load.LastSample().Timestamp)
	return moments{changed, sample.Published}, err
}

// scaled waits until all these workloads were.
func (a *arena) scaled(ctx context.Context, names []types.NamespacedName) error {
	return a.fleet.await(ctx, "all workloads are scaled", func() (bool, string) {
		n := 0
		for _, name := range names {
			if _, moved := a.fleet.moved[name]; moved {
				n++
			}
		}
		return n == len(names), fmt.Sprintf("%d of %d", n, len(names))
	})
}

// fall takes the load away again and returns when nothing moves any more.
func (a *arena) fall(ctx context.Context) error {
	a.change(a.fleet.names, calm)
	return a.fleet.atRest(ctx)
}

// change sets the load of these workloads and begins to note whose replicas change.
func (a *arena) change(names []types.NamespacedName, perPod int64) time.Time {
	a.fleet.mu.Lock()
	a.fleet.moved = map[types.NamespacedName]time.Time{}
	a.fleet.mu.Unlock()
	now := time.Now()
	a.fleet.setLoad(names, perPod)
	return now
}

// delays are how long it took until these workloads were scaled.
func (a *arena) delays(names []types.NamespacedName, since moments) delays {
	a.fleet.mu.Lock()
	defer a.fleet.mu.Unlock()
	var d delays
	for _, name := range names {
		at := a.fleet.moved[name]
		d.add(delays{[]time.Duration{at.Sub(since.readable)}, []time.Duration{at.Sub(since.changed)}})
	}
	return d
}

// step is a whole one, on all workloads.
func (a *arena) step(ctx context.Context, p *process, i int) (step, error) {
	since, err := a.rise(ctx, i, a.fleet.names)
	if err != nil {
		return step{}, err
	}
	before, err := a.processors(p)
	if err != nil {
		return step{}, err
	}
	if err := a.scaled(ctx, a.fleet.names); err != nil {
		return step{}, err
	}
	if err := pause(ctx, time.Until(since.readable.Add(period))); err != nil {
		return step{}, err
	}
	after, err := a.processors(p)
	if err != nil {
		return step{}, err
	}
	d := a.delays(a.fleet.names, since)
	s := d.step()
	s.Controller, s.APIServer = after["controller"]-before["controller"], after[string(controlplane.APIServer)]-before[string(controlplane.APIServer)]
	return s, a.fall(ctx)
}
