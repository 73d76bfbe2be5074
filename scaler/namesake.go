package scaler

import (
	"sync"
	"time"
)

// A second installation in one cluster writes under the same field manager, and decides on the same samples at the same moment, so its
// writes look like those of this process. A write is its own only if this process sent it and got success or no answer. A conflict says
// that somebody else was first, even if with the same number.

// namesake collects evidence of a second installation. The zero value has none.
type namesake struct {
	mu sync.Mutex
	// weight is what was gathered since the first of it.
	weight int
	since  time.Time
	told   bool
}

const (
	// certain is how much has to be gathered within an hour, and what a change weighs that cannot be an own one.
	certain = 3
	// doubtful is what a change weighs that may be an own one after all: a proxy on the way has sent the write twice, and the answer
	// is that to the second try.
	doubtful = 1
	// overlap is how long two controllers of one installation may both be at work: after a change of leaders, whose Lease lasts for
	// 15 s, or while one without an election is replaced.
	overlap = 30 * time.Second
)

// gather adds to the evidence and says whether it is enough for the first time.
func (n *namesake) gather(now time.Time, weight int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.since) > time.Hour {
		n.weight, n.since = 0, now
	}
	n.weight += weight
	enough := n.weight >= certain && now.Sub(n.since) >= overlap && !n.told
	n.told = n.told || enough
	return enough
}

func (n *namesake) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weight, n.since, n.told = 0, time.Time{}, false
}
