//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// step is what came of a load that changed for all workloads at once.
type step struct {
	// FromSample is the time from the moment at which a sample could be read that asks for more replicas to the write of the scale,
	// FromLoad from the change of the load.
	FromSample, FromLoad spread
}

func (s step) String() string {
	return fmt.Sprintf("from the readable sample %s; from the load %s", s.FromSample, s.FromLoad)
}

// step changes the load a little after a set of samples was published, later in each round, but early enough for the next set to
// ask for more replicas.
func (a *arena) step(ctx context.Context, round int) (step, error) {
	last := a.load.LastSample()
	if _, err := a.load.AwaitSample(ctx, last.Timestamp); err != nil {
		return step{}, err
	}
	if err := pause(ctx, time.Duration(round+1)*period/time.Duration(3*(a.rounds+1))); err != nil {
		return step{}, err
	}
	changed := a.change(busy)
	sample, err := a.load.AwaitSample(ctx, a.load.LastSample().Timestamp)
	if err != nil {
		return step{}, err
	}
	if err := a.allMoved(ctx); err != nil {
		return step{}, err
	}
	s := a.reaction(changed, sample.Published)
	a.change(calm)
	if err := a.fleet.atRest(ctx); err != nil {
		return s, err
	}
	return s, a.quiet(ctx)
}

// change sets the load of all workloads and begins to note whose replicas change.
func (a *arena) change(perPod int64) time.Time {
	a.fleet.mu.Lock()
	a.fleet.moved = map[types.NamespacedName]time.Time{}
	a.fleet.mu.Unlock()
	now := time.Now()
	a.fleet.setLoad(perPod)
	return now
}

func (a *arena) allMoved(ctx context.Context) error {
	return a.fleet.await(ctx, "all workloads are scaled", func() (bool, string) {
		return len(a.fleet.moved) == a.size, fmt.Sprintf("%d of %d", len(a.fleet.moved), a.size)
	})
}

func (a *arena) reaction(changed, readable time.Time) step {
	a.fleet.mu.Lock()
	defer a.fleet.mu.Unlock()
	var fromSample, fromLoad []time.Duration
	for _, at := range a.fleet.moved {
		fromSample, fromLoad = append(fromSample, at.Sub(readable)), append(fromLoad, at.Sub(changed))
	}
	return step{FromSample: spreadOf(fromSample), FromLoad: spreadOf(fromLoad)}
}
