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

// after is the load as of a look, and says in all what it is on average. While there are no pods, all who wait count, and the average begins anew: it is of no use
// how few there were while it slept.
func (s *sleeper) after(now time.Time, counters map[string]float64, all *wake.Requests) load {
	next := s.load
	if next.unsettled = false; !s.wake.Always {
		return next
	}
	if s.replicas == 0 {
		next.average = wake.Average{}.After(now, counters)
		return next
	}
	next.average = next.average.After(now, counters)
	average, known := next.average.Requests()
	next.unsettled = s.wake.Targeted && (!known || math.Abs(float64(all.Held+all.InFlight)-average) > 0.1*average)
	if known {
		all.Average = &average
	}
	return next
}

// partialLocked says why these requests must not count as all: an activator that tells nothing may have more. They count if they are as many as they were when
// all were known, so that they may ask for more pods, and wake a workload that sleeps; but nothing is scaled in by them.
func (k *Keeper) partialLocked(s *sleeper, all *wake.Requests, why error) error {
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
