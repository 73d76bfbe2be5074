package doors

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// settling is how soon a workload is looked at again while its requests are more or fewer than they were on average, where it is held at a number of them.
const settling = 500 * time.Millisecond

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
	if present := k.presentLocked(); present.begins {
		for uid := range present.pods {
			if r := k.reports[uid]; r == nil || !r.synced {
				return wake.ErrUnknown
			}
		}
	}
	for _, r := range k.reports {
		if !r.synced && !r.lost.IsZero() && now.Sub(r.lost) < wake.Settled {
			return wake.ErrMissing
		}
	}
	return nil
}

// statesLocked yields what each activator says of the ports of a workload's Services.
func (k *Keeper) statesLocked(s *sleeper, yield func(by *report, state *serves.State)) {
	for _, name := range s.services {
		known := k.services[name]
		if known == nil {
			continue
		}
		for family, st := range known.stored {
			slice := types.NamespacedName{Namespace: name.Namespace, Name: serves.SliceName(name.Name, family)}
			for _, port := range st.says.Ports {
				for _, r := range k.reports {
					if state := r.ports[portKey{slice, port.Name}]; state != nil {
						yield(r, state)
					}
				}
			}
		}
	}
}
