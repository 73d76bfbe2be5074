package wake

import (
	"slices"
	"time"
)

const (
	// remembered is for how long it counts that a node was late.
	remembered = time.Hour
	// margin is how many times as long as the latest node is waited for.
	margin = 2
	// LongestPropagation is the longest wait, however late a node was.
	LongestPropagation = 2 * time.Minute
	// tooLate is from when on a connection shows no node that is late, but somebody who dials an activator by himself.
	tooLate = 10 * time.Minute
	// grain is what lateness is rounded up to. It bounds how much is remembered.
	grain = 100 * time.Millisecond
)

// Propagation is how long it takes until every node knows of a change of a slice, as far as it shows: an activator sees new connections at the
// active door of a Service that leads to pods again. It is a value: the zero value has seen no node that was late.
type Propagation struct {
	// late are the latest connections, in the order in which they came, none as late as the one before it.
	late []late
}

type late struct {
	at time.Time
	by time.Duration
}

// After is what is known after a connection came at a moment, so long after the Service led elsewhere.
func (p Propagation) After(at time.Time, by time.Duration) Propagation {
	if by > tooLate {
		return p
	}
	by = (min(by, LongestPropagation) + grain - 1).Truncate(grain)
	kept := make([]late, 0, len(p.late)+1)
	for _, l := range p.late {
		if l.by > by && at.Sub(l.at) < remembered {
			kept = append(kept, l)
		}
	}
	return Propagation{append(kept, late{at, by})}
}

// Latest is how late a node has been at most within an hour, up to LongestPropagation; 0 if none was.
func (p Propagation) Latest(now time.Time) time.Duration {
	i := slices.IndexFunc(p.late, func(l late) bool { return now.Sub(l.at) < remembered })
	if i < 0 {
		return 0
	}
	return p.late[i].by
}

// Wait is how long to wait where an administrator says how long it takes at least.
func (p Propagation) Wait(now time.Time, least time.Duration) time.Duration {
	return max(least, min(margin*p.Latest(now), LongestPropagation))
}
