package scaler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// lead leads the requests of a workload where they are to go by a decision, and returns why 0 replicas must not be written. Where they are to go nowhere,
// nothing is written but what takes its slices away.
func (s *Scaler) lead(ctx context.Context, w *annotations.Workload, p annotations.Policy, d recommend.Decision) (wake.Led, error) {
	if s.doors == nil || s.observer.Rules.Compat {
		return wake.Led{}, nil
	}
	wanted := wake.Wanted{Desired: d.Desired, Off: d.Active == recommend.ActiveDisabled}
	switch {
	case p.Mode != annotations.ModeObserve:
	case p.Wake.Always: // its Services have no other way to its pods
		wanted.Desired = w.Replicas
	default:
		p.Wake.Requests = false // it writes nothing but what takes its slices away
	}
	return s.doors.Lead(ctx, w, p.Wake, wanted)
}

// leads are where requests to the Services of a workload go.
func (s *Scaler) leads(key annotations.Key) []wake.Lead {
	if s.doors == nil {
		return nil
	}
	return s.doors.Leads(key)
}

// stranded says why requests cannot wake a sleeping workload any more, though its annotations can be followed: something around it has changed. Nothing is
// decided on such a workload. But it is woken first, because requests would find nobody; once it is awake, its replicas stay as they are.
func (s *Scaler) stranded(mem *remembered, w *annotations.Workload) (annotations.Policy, string) {
	p, _, problems := s.observer.Defaults.Parse(w.Annotations)
	if s.doors == nil || w.Replicas > 0 || len(problems) > 0 || !p.Wake.Requests || p.Mode != annotations.ModeAuto || mem.reviewed.underAnother() {
		return annotations.Policy{}, ""
	}
	return p, mem.reviewed.verdict.Problems[0].Detail
}

// stay keeps the EndpointSlices of a workload on which nothing is decided. It returns after how long to look again: next, which may be 0 for never, or
// sooner because of them.
func (s *Scaler) stay(ctx context.Context, w *annotations.Workload, next time.Duration) (time.Duration, error) {
	if s.doors == nil {
		return next, nil
	}
	again, err := s.doors.Stay(ctx, w)
	if next == 0 || again > 0 && again < next {
		next = again
	}
	return next, err
}

// leave takes the EndpointSlices of a workload away that is scaled no more, and says when to go on.
func (s *Scaler) leave(ctx context.Context, key annotations.Key) (time.Duration, error) {
	if s.doors == nil {
		return 0, nil
	}
	return s.doors.Leave(ctx, key)
}

// refusals is how often requests that were refused are told.
const refusals = 5 * time.Minute

// tellDoors tells why a workload that has nothing to do is not put to sleep, and that requests were refused.
func (s *Scaler) tellDoors(mem *remembered, w *annotations.Workload, p annotations.Policy, d recommend.Decision) {
	if s.doors == nil || !p.Wake.Requests {
		return
	}
	held := ""
	if d.Desired == 0 && d.Current > 0 && mem.closed != nil && mem.closed.Lasts {
		held = mem.closed.Because
	}
	if mem.news(topicGate, held) {
		s.event(w, corev1.EventTypeWarning, EventNotPutToSleep, fmt.Sprintf("there is nothing to do, and it stays awake: %s", held))
	}
	if s.now().Sub(mem.refusedTold) < refusals {
		return
	}
	if n := s.doors.Refused(w.Key); n > 0 {
		mem.refusedTold = s.now()
		s.event(w, corev1.EventTypeWarning, EventRequestsRefused, fmt.Sprintf("activators have refused %d requests: no pod was ready in time, or too many waited already. "+
			"hold and limit of %s say for how long, and how many", n, annotations.WakeKey))
	}
}
