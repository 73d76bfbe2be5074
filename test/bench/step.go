//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// step is what came of a load that changed for many workloads at once.
type step struct {
	// FromSample is the time from the moment at which a sample could be read that asks for more replicas to the write of the scale,
	// FromLoad from the change of the load.
	FromSample, FromLoad spread
}

func (s step) String() string {
	return fmt.Sprintf("from the readable sample %s; from the load %s", s.FromSample, s.FromLoad)
}

// delays are those of each workload in a step.
type delays struct{ fromSample, fromLoad []time.Duration }

func (d *delays) add(more delays) {
	d.fromSample, d.fromLoad = append(d.fromSample, more.fromSample...), append(d.fromLoad, more.fromLoad...)
}

func (d *delays) step() step {
	return step{FromSample: spreadOf(d.fromSample), FromLoad: spreadOf(d.fromLoad)}
}

// moments are those of a step at which its delays begin.
type moments struct{ changed, readable time.Time }

// rise raises the load of these workloads and returns when all of them were scaled. The load changes a little after a set of samples
// was published, later in each round, which are counted from 0, but early enough for the next set to ask for more replicas.
func (a *arena) rise(ctx context.Context, round int, names []types.NamespacedName) (moments, error) {
	last := a.load.LastSample()
	if _, err := a.load.AwaitSample(ctx, last.Timestamp); err != nil {
		return moments{}, err
	}
	if err := pause(ctx, time.Duration(round+1)*period/time.Duration(3*(a.rounds+1))); err != nil {
		return moments{}, err
	}
	changed := a.change(names, busy)
	sample, err := a.load.AwaitSample(ctx, a.load.LastSample().Timestamp)
	if err != nil {
		return moments{}, err
	}
	return moments{changed, sample.Published}, a.fleet.await(ctx, "all workloads are scaled", func() (bool, string) {
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
func (a *arena) step(ctx context.Context, round int) (step, error) {
	since, err := a.rise(ctx, round, a.fleet.names)
	if err != nil {
		return step{}, err
	}
	d := a.delays(a.fleet.names, since)
	return d.step(), a.fall(ctx)
}
