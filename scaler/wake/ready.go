package wake

import "time"

// Settled is how long the controllers of Kubernetes may take to carry out what is asked of them, and others to know of it. For so long after 0 replicas
// were written a pod may be seen ready that has been told to end, or is about to be, whatever was written since.
const Settled = time.Minute

// Ready is since when each pod of a Service has been ready without a break, as one process has seen it. It is a value: the zero value has seen none.
type Ready struct{ since map[string]time.Time }

// After is what is known once these pods were seen ready, which may be named by anything that no two pods have in common. What was seen before doubted
// shows nothing: they count as ready from then on. That is Settled after 0 replicas were written, or after this process began to lead, as it does not know when they were.
func (r Ready) After(now time.Time, pods []string, doubted time.Time) Ready {
	next := Ready{since: make(map[string]time.Time, len(pods))}
	for _, pod := range pods {
		since, known := r.since[pod]
		if !known {
			since = now
		}
		if since.Before(doubted) {
			since = doubted
		}
		next.since[pod] = since
	}
	return next
}

// Since is since when a pod has been ready; it may be in the future. It is zero if none is.
func (r Ready) Since() time.Time {
	var first time.Time
	for _, since := range r.since {
		if first.IsZero() || since.Before(first) {
			first = since
		}
	}
	return first
}
