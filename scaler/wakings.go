package scaler

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// RequestsShown is what is known of the requests of a workload that they wake.
type RequestsShown struct {
	// Unknown is why nothing is known of those of this moment; empty if it is.
	Unknown string `json:"unknown,omitempty"`
	// Held wait for a pod, InFlight are at one. AtATime is how many they are on average, where all requests go through the activators.
	Held     int      `json:"held"`
	InFlight int      `json:"inFlight"`
	AtATime  *float64 `json:"atATime,omitempty"`
	// Reaction is from the arrival of the request that has waited for longest to the answer of the write that has woken the workload, Start from there to the
	// first ready pod, and First from there to the beginning of the first answer. Held is how long each request was held that came while no pod was ready. All
	// of them are of the time since this process leads, the last two since the activators run.
	Reaction Times `json:"reaction,omitzero"`
	Start    Times `json:"start,omitzero"`
	First    Times `json:"first,omitzero"`
	Wait     Times `json:"wait,omitzero"`
}

// Times is how long something has taken that has happened several times.
type Times struct {
	Count uint64 `json:"count"`
	// P50 and P99 are upper bounds of the median and of what 1 of 100 exceeds.
	P50 metav1.Duration `json:"p50"`
	P99 metav1.Duration `json:"p99"`
}

func timesOf(w wake.Histogram) Times {
	return Times{w.Total(), metav1.Duration{Duration: w.Quantile(0.5)}, metav1.Duration{Duration: w.Quantile(0.99)}}
}

// reacted notes how long the one has waited who has waited for longest, when a write has woken the workload for requests.
func (s *Scaler) reacted(mem *remembered, key annotations.Key) {
	if s.observer.Requests == nil {
		return
	}
	if all, err := s.observer.Requests.Requests(key); err == nil && all.Held > 0 {
		s.telemetry.reacting.Observe(all.Waiting.Seconds())
		mem.glance.woken(func(w *wakings) { w.reactions.Observe(all.Waiting) })
	}
}

// requestsShown is what is known of the requests of a workload; nil if they do not wake it.
func (s *Scaler) requestsShown(mem *remembered, key annotations.Key, p annotations.Policy) *RequestsShown {
	if s.observer.Requests == nil || !p.Wake.Requests {
		return nil
	}
	w := mem.glance.wakes()
	shown := &RequestsShown{Reaction: timesOf(w.reactions), Start: timesOf(w.starts)}
	all, err := s.observer.Requests.Requests(key)
	if err != nil {
		shown.Unknown = err.Error()
	}
	shown.Held, shown.InFlight, shown.AtATime = all.Held, all.InFlight, all.Average
	shown.First, shown.Wait = timesOf(all.Firsts), timesOf(all.Waits)
	return shown
}
