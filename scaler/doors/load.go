package doors

import (
	"math"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// settling is how soon a workload is looked at again while its requests are more or fewer than they were on average, where it is held at a number of them.
const settling = 500 * time.Millisecond

// load is how many requests a workload has at a time.
type load struct {
	average wake.Average
	// unsettled says that they are more or fewer than on average, and that a look at the workload is on its way.
	unsettled bool
	// whole is how many there were when each activator had told of its own; infinite before that.
	whole float64
}

func newSleeper(replicas int32) *sleeper {
	return &sleeper{replicas: replicas, load: load{whole: math.Inf(1)}}
}

// followLocked brings the average up to date, and says in all what it is. While there are no pods, all who wait count.
func (k *Keeper) followLocked(s *sleeper, all *wake.Requests, now time.Time) {
	if !s.wake.Always {
		return
	}
	counters := map[string]float64{}
	k.statesLocked(s, func(r *report, state *serves.State) {
		counters[string(r.uid)+" "+r.start+" "+state.Slice+" "+state.Name] = state.SecondsAt(now)
	})
	s.average = s.average.After(now, counters)
	average, known := s.average.Requests()
	if s.unsettled = false; s.replicas == 0 {
		return
	}
	s.unsettled = s.wake.Targeted && (!known || math.Abs(float64(all.Held+all.InFlight)-average) > 0.1*average)
	if known {
		all.Average = &average
	}
}

// wholeLocked says why these requests must not count as all: an activator that tells nothing may have more. They count if they are as many as they were when
// all were known, so that they may ask for more pods, and wake a workload that sleeps; but nothing is scaled in by them.
func (k *Keeper) wholeLocked(s *sleeper, all *wake.Requests, now time.Time) error {
	why := k.missingLocked(now)
	if why == nil {
		s.whole = all.AtATime()
		return nil
	}
	if s.replicas == 0 || all.Active && (!s.wake.Targeted || all.AtATime() >= s.whole) {
		return nil
	}
	return why
}

// missingLocked is why the requests at some activator are not known; nil if they are. One that was given up a while ago counts no more: Services have ceased to
// lead there.
func (k *Keeper) missingLocked(now time.Time) error {
	if len(k.untoldLocked()) > 0 {
		return wake.ErrUnknown
	}
	for _, r := range k.reports {
		if !r.synced && !r.lost.IsZero() && now.Sub(r.lost) < wake.Settled {
			return wake.ErrMissing
		}
	}
	return nil
}
