package loadsim

import (
	"cmp"
	"slices"
	"time"
)

// Curve is the load of a whole workload in millicores at a time since the load was set. It is called from one goroutine
// at a time, for times that may go back by as much as a window. A negative load counts as none.
type Curve func(since time.Duration) int64

// Constant is the same load at all times, in millicores.
func Constant(load int64) Curve {
	return func(time.Duration) int64 { return load }
}

// Step is a load in millicores that begins some time after the curve was set.
type Step struct {
	At   time.Duration
	Load int64
}

// Steps goes from load to load; before the first step there is none. The steps may come in any order.
func Steps(steps ...Step) Curve {
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return func(since time.Duration) int64 {
		var load int64
		for _, s := range steps {
			if s.At > since {
				break
			}
			load = s.Load
		}
		return load
	}
}

// Burst is a square wave: high for the time on, then low, again after every period. It begins with the burst. A period
// that is not positive is one endless burst.
func Burst(low, high int64, period, on time.Duration) Curve {
	return func(since time.Duration) int64 {
		if period <= 0 || since%period < on {
			return high
		}
		return low
	}
}
