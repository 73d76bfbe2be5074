package doors

import (
	"context"
	"fmt"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Lead makes the slices of a workload what they are to be, by what is decided, and says whether 0 replicas may be written. It is called before replicas are
// written. An error says what could not be written; it is to be tried again.
func (k *Keeper) Lead(ctx context.Context, w *annotations.Workload, p annotations.Wake, wanted wake.Wanted) (wake.Led, error) {
	if err := k.Cluster.Err(); err != nil {
		return wake.Led{Closed: &wake.Closed{Because: err.Error(), Lasts: true}}, nil
	}
	plan := k.plan(w, p, wanted)
	var err error
	for i := range plan.services {
		if err == nil {
			err = k.keep(ctx, plan, i)
		}
	}
	if err == nil {
		err = k.releaseOthers(ctx, w.Key, plan)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	led := wake.Led{State: plan.view.State(), Next: plan.next}
	if s := k.sleepers[w.Key]; s != nil {
		s.state = led.State
	}
	if err != nil {
		led.Closed = &wake.Closed{Because: "its EndpointSlices could not be written"}
		return led, fmt.Errorf("leading requests of %s: %w", w.Title(), err)
	}
	if wanted.Desired == 0 && w.Replicas > 0 {
		if led.Closed = plan.waits.Gate(&plan.view); led.Closed != nil && led.Closed.For > 0 {
			led.Next = sooner(led.Next, led.Closed.For)
		}
	}
	return led, nil
}

// Stay makes the slices of a workload on which nothing is decided lead to the activators that are there, and leaves them as they are otherwise. If it is off,
// they lead nowhere. Of a workload that this process has not led yet nothing is known.
func (k *Keeper) Stay(ctx context.Context, w *annotations.Workload, off bool) error {
	k.mu.Lock()
	s := k.sleepers[w.Key]
	k.mu.Unlock()
	if s == nil {
		return nil
	}
	_, err := k.Lead(ctx, w, s.wake, wake.Wanted{Desired: w.Replicas, Off: off})
	return err
}
