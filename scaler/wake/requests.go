package wake

import (
	"errors"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// Requests are those of a workload that activators know of.
type Requests struct {
	// Held wait for a pod, InFlight are at one.
	Held, InFlight int
	// Active says that there are some, or were a moment ago.
	Active bool
	// Waits are how long requests were held.
	Waits serves.Waits
}

// ErrUnknown says that no activator has told yet what goes on there, and that it may in a moment.
var ErrUnknown = errors.New("no activator has told its state yet")

// ErrNobody says that there is no activator.
var ErrNobody = errors.New("no activator tells its state: it is not known what requests there are, and none is held")
