package wake

import (
	"maps"
	"time"
)

// Average is how many requests there were at a time: the larger one of the averages over the last second, so that more of them show at once, and over the last
// ten, so that a moment without any does not. It goes by counters that add up how long requests have lasted: one that
// grows by 20 s within 10 s has had two at a time. So requests that begin and end between two looks count as well as others. It is a value; the zero value
// knows nothing.
type Average struct {
	// counted are the counters as they were last.
	counted map[string]float64
	// sums are how much all counters have grown together since the first look, oldest first.
	sums []sum
}

type sum struct {
	at      time.Time
	seconds float64
}

// How far back averages go, or less far where less is known.
const (
	// Averaged is how far back an average goes.
	Averaged = 10 * time.Second
	// Lately is how far back the short one does.
	Lately = time.Second
)

// sumsKept is into how many parts that time is divided at most, however often it is looked.
const sumsKept = 20

// After is the average after one more look. Each counter has a name of its own, which a process that begins again does not share; one that is new counts from then
// on, and one that is gone, or has been set back, has not grown.
func (a Average) After(now time.Time, counters map[string]float64) Average {
	grown := 0.0
	for name, seconds := range counters {
		if before, known := a.counted[name]; known {
			grown += max(seconds-before, 0)
		}
	}
	if n := len(a.sums); n > 0 {
		grown += a.sums[n-1].seconds
	}
	next := Average{counted: maps.Clone(counters)}
	for i, s := range a.sums {
		// What is before the span is of use only if nothing else is at its beginning.
		if old := now.Sub(s.at) > Averaged && i+1 < len(a.sums) && now.Sub(a.sums[i+1].at) >= Averaged; !old {
			next.sums = append(next.sums, s)
		}
	}
	if n := len(next.sums); n > 1 && now.Sub(next.sums[n-2].at) < Averaged/sumsKept {
		next.sums = next.sums[:n-1] // the last one was a moment ago
	}
	next.sums = append(next.sums, sum{now, grown})
	return next
}

// Requests is the average, and false if it is not known yet: that takes two looks.
func (a Average) Requests() (average float64, known bool) {
	lately, known := a.over(Lately)
	long, _ := a.over(Averaged)
	return max(lately, long), known
}

// enough is the part of a span that says as much as a time that is more than twice as long as the span.
const enough = 0.25

// over is the average over the shortest time that is known and not shorter than a span, or over all that is known. After a time without looks that would be
// an average over all of it, in which requests that have come since are few: then it is over what is known of the span alone, if that is enough.
func (a Average) over(span time.Duration) (average float64, known bool) {
	n := len(a.sums)
	if n < 2 {
		return 0, false
	}
	at, last := 0, a.sums[n-1]
	for i, s := range a.sums {
		if last.at.Sub(s.at) >= span {
			at = i
		}
	}
	if within := a.sums[at+1]; last.at.Sub(a.sums[at].at) > 2*span && last.at.Sub(within.at).Seconds() >= enough*span.Seconds() {
		at++
	}
	first := a.sums[at]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0, false
	}
	return (last.seconds - first.seconds) / took, true
}
