package loadsim

import (
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// grain is the step in which a curve is integrated. Steps lie at multiples of it since the load was set, where the
// edges of square curves lie too, so that these are integrated exactly.
const grain = 50 * time.Millisecond

// span is a stretch of time; a zero to has not ended.
type span struct{ from, to time.Time }

func (s span) covers(part span) bool {
	return !s.from.After(part.from) && (s.to.IsZero() || !s.to.Before(part.to))
}

// load is a curve in force from a moment on; a nil curve is no load.
type load struct {
	from  time.Time
	curve Curve
}

func (l load) at(t time.Time) float64 {
	if l.curve == nil {
		return 0
	}
	return max(0, float64(l.curve(t.Sub(l.from))))
}

// consumer is a pod that takes its part of a load while it is ready, at most limit millicores of it.
type consumer struct {
	uid   types.UID
	ready []span
	limit float64
}

// divide gives every consumer its part of the load within w, in millicore seconds. Loads are ordered by time.
//
//	load    ______------------______
//	pod a   |======================|      the window falls into parts with the same load and the same ready pods;
//	pod b         |======|                in each of them the load is divided evenly
//	parts   |     |      |   |     |
func divide(loads []load, consumers []consumer, w span) map[types.UID]float64 {
	used := make(map[types.UID]float64, len(consumers))
	for _, part := range parts(loads, consumers, w) {
		l, ready := inForce(loads, part.from), readyIn(consumers, part)
		shares := map[float64]float64{}
		for _, c := range ready {
			if _, known := shares[c.limit]; !known {
				shares[c.limit] = l.share(part, len(ready), c.limit)
			}
			used[c.uid] += shares[c.limit]
		}
	}
	return used
}

// parts cuts w wherever the load or the number of ready pods may change.
func parts(loads []load, consumers []consumer, w span) []span {
	edges := []time.Time{w.from, w.to}
	for _, l := range loads {
		edges = append(edges, l.from)
	}
	for _, c := range consumers {
		for _, s := range c.ready {
			edges = append(edges, s.from, s.to)
		}
	}
	edges = slices.DeleteFunc(edges, func(t time.Time) bool { return t.Before(w.from) || t.After(w.to) })
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	spans := make([]span, 0, len(edges))
	for i := 1; i < len(edges); i++ {
		spans = append(spans, span{edges[i-1], edges[i]})
	}
	return spans
}

func inForce(loads []load, t time.Time) load {
	var l load
	for _, next := range loads {
		if next.from.After(t) {
			break
		}
		l = next
	}
	return l
}

func readyIn(consumers []consumer, part span) []consumer {
	var ready []consumer
	for _, c := range consumers {
		if slices.ContainsFunc(c.ready, func(s span) bool { return s.covers(part) }) {
			ready = append(ready, c)
		}
	}
	return ready
}

// share is what one of n ready pods with that limit uses of the load in part, in millicore seconds.
func (l load) share(part span, n int, limit float64) float64 {
	if l.curve == nil {
		return 0
	}
	var used float64
	for from := part.from; from.Before(part.to); {
		to := l.from.Add(from.Sub(l.from).Truncate(grain) + grain)
		if to.After(part.to) {
			to = part.to
		}
		width := to.Sub(from)
		used += min(l.at(from.Add(width/2))/float64(n), limit) * width.Seconds()
		from = to
	}
	return used
}

// unlimited is the limit of a container without one.
const unlimited = math.MaxFloat64
