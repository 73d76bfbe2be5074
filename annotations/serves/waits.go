package serves

import (
	"math"
	"slices"
	"time"
)

// Waits counts how long connections were held until a pod took them: a histogram whose counts only grow, and can be added.
type Waits struct {
	// Counts are the waits up to each of WaitBounds and above the one before, and behind them those that were longer. It is nil or has
	// one more than the bounds.
	Counts []uint64 `json:"counts,omitempty"`
	// Seconds is the sum of all waits.
	Seconds float64 `json:"seconds,omitempty"`
}

// WaitBounds are the upper bounds of Waits: from 5 ms to the longest hold, each about one and a half times the one before.
func WaitBounds() []time.Duration {
	return []time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second, 12 * time.Second, 16 * time.Second,
		24 * time.Second, 32 * time.Second, 45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, MaxHold,
	}
}

// Observe counts one wait.
func (w *Waits) Observe(wait time.Duration) {
	bounds := WaitBounds()
	if w.Counts == nil {
		w.Counts = make([]uint64, len(bounds)+1)
	}
	at, _ := slices.BinarySearch(bounds, wait)
	w.Counts[at]++
	w.Seconds += wait.Seconds()
}

// Add adds what another has counted.
func (w *Waits) Add(other Waits) {
	if other.Counts == nil {
		return
	}
	if w.Counts == nil {
		w.Counts = make([]uint64, len(WaitBounds())+1)
	}
	for i := range min(len(w.Counts), len(other.Counts)) {
		w.Counts[i] += other.Counts[i]
	}
	w.Seconds += other.Seconds
}

// Clone is a copy that shares nothing.
func (w Waits) Clone() Waits { return Waits{slices.Clone(w.Counts), w.Seconds} }

// Total is how many waits there were.
func (w Waits) Total() uint64 {
	var n uint64
	for _, count := range w.Counts {
		n += count
	}
	return n
}

// Quantile is an upper bound of the share q of the waits, such as 0.99: the bound of the wait's place in the histogram. It is 0 if there were
// none, and MaxHold if it is longer than all bounds.
func (w Waits) Quantile(q float64) time.Duration {
	bounds := WaitBounds()
	left := uint64(math.Ceil(q * float64(w.Total())))
	for i, count := range w.Counts {
		if count >= left && left > 0 {
			return bounds[min(i, len(bounds)-1)]
		}
		left -= count
	}
	return 0
}
