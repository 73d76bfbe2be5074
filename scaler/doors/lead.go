package doors

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Lead makes the slices of a workload what they are to be, by what is decided, and says whether 0 replicas may be written. It is called before replicas are
// written. An error says what could not be written; it is to be tried again.
func (k *Keeper) Lead(ctx context.Context, w *annotations.Workload, p annotations.Wake, wanted wake.Wanted) (wake.Led, error) {
	if !p.Requests && k.hasNone(w.Key) {
		return wake.Led{}, nil
	}
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
	k.mu.Lock()
	defer k.mu.Unlock()
	led := wake.Led{State: plan.view.State(), Next: plan.next}
	if s := k.sleepers[w.Key]; s != nil {
		s.state = led.State
		stranded := plan.view.Stranded()
		if stranded != "" && s.stranded == "" {
			led.Next = soonKnown
		}
		s.stranded = stranded
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

// hasNone says whether a workload has no slices, and forgets it then.
func (k *Keeper) hasNone(key annotations.Key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.of[key]) > 0 {
		return false
	}
	delete(k.sleepers, key)
	return true
}

// Stay keeps the slices of a workload on which nothing is decided: what leads to the activators goes on, to those that are there, until a pod is ready. What
// this process has not led yet is taken from the slices themselves. It returns when to look again; 0 if no time changes anything.
func (k *Keeper) Stay(ctx context.Context, w *annotations.Workload) (time.Duration, error) {
	k.mu.Lock()
	s := k.sleepers[w.Key]
	k.mu.Unlock()
	var p annotations.Wake
	if s != nil {
		p = s.wake
	} else if p = k.asWritten(w.Key); !p.Requests {
		return 0, nil
	}
	led, err := k.Lead(ctx, w, p, wake.Wanted{Desired: w.Replicas, Stays: true})
	return led.Next, err
}

// Leave takes away the slices of a workload that is there no more, or scaled no more. While it is not known whether it is, because its kind, or that of what controls
// it, cannot be listed at present, they stay as they are. It returns when to go on; 0 if there is nothing left to do.
func (k *Keeper) Leave(ctx context.Context, key annotations.Key) (time.Duration, error) {
	if k.Cluster.Err() != nil {
		return 0, nil //nolint:nilerr // who looks at the cluster says so, and nothing is done until it is known again
	}
	own := k.slicesOf(key)
	switch doubtful := k.Workloads.Doubtful(key); {
	case doubtful == nil:
		k.Forget(key)
	case len(own) == 0:
		return 0, nil
	default:
		return k.Stay(ctx, doubtful)
	}
	var next time.Duration
	for _, slices := range own {
		for _, s := range slices {
			rest := k.missingFor(s.name())
			if rest == 0 {
				var err error
				if rest, err = k.release(ctx, s); err != nil {
					return 0, fmt.Errorf("taking away the EndpointSlices of %s: %w", key.Title(), err)
				}
			}
			next = sooner(next, rest)
		}
	}
	return next, nil
}

// Leads are the slices by which requests to the Services of a workload are led, or that are to go, by their names: as they were written last, or as they were seen.
func (k *Keeper) Leads(key annotations.Key) []wake.Lead {
	leads := map[string]wake.Lead{}
	for _, all := range k.slicesOf(key) {
		for _, s := range all {
			leads[s.object.Name] = wake.LeadOf(&s.says)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.sleepers[key]; s != nil {
		for _, name := range s.services {
			if known := k.services[name]; known != nil {
				for _, says := range known.says() {
					leads[says.Name()] = wake.LeadOf(says)
				}
			}
		}
	}
	var all []wake.Lead
	for _, name := range slices.Sorted(maps.Keys(leads)) {
		all = append(all, leads[name])
	}
	return all
}

// Stranded is why requests cannot wake a workload any more that sleeps, as of its last look; empty if they can, or were never to.
func (k *Keeper) Stranded(key annotations.Key) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.sleepers[key]; s != nil {
		return s.stranded
	}
	return ""
}
