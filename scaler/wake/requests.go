package wake

import (
	"errors"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// Requests are those of a workload that activators know of.
type Requests struct {
	// Held wait for a pod, InFlight are at one.
	Held, InFlight int
	// Active says that there are some, or were a moment ago.
	Active bool
	// Average is how many there were at a time of late, where all requests are seen; nil where that is not known.
	Average *float64
	// Waiting is how long the one has waited who has waited for longest; 0 if nobody waits.
	Waiting time.Duration
	// Waits are how long those were held who came while no pod was ready, and Firsts how long after one was the first of them was answered, each time.
	Waits, Firsts Histogram
}

// Histogram counts how long somebody has waited.
type Histogram = serves.Waits

// AtATime is how many there are at a time: of late, or else at this moment.
func (r *Requests) AtATime() float64 {
	if r.Average != nil {
		return *r.Average
	}
	return float64(r.Held + r.InFlight)
}

// ErrUnknown says that no activator has told yet what goes on there, and that it may in a moment.
var ErrUnknown = errors.New("no activator has told its state yet")

// ErrNobody says that there is no activator.
var ErrNobody = errors.New("no activator tells its state: it is not known what requests there are, and none is held")

// ErrMissing says that an activator is there that tells nothing any more, and that without it there are fewer requests than there were.
var ErrMissing = errors.New("an activator has not told its state for a while: it is not known how many requests it has")
