package scaler

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// nap is what this process knows of 0 replicas, beyond what is on record (see annotations.Workload.SignsZero). The zero value is nothing.
type nap struct {
	// ours says that they were written here, or while another autoscaler scaled the workload: it slept, and goes on doing so.
	ours bool
	// signed says that this is on record, tried that there is no point in another try.
	signed, tried bool
	// unsigned are tries without a good answer; nil if there was none.
	unsigned *unsigned
	// off says that they were there at a look before, and not ours: somebody has paused the workload, whoever scales it now.
	off bool
}

// unsigned are tries to put a sleep on record.
type unsigned struct {
	pause time.Duration
	until time.Time
}

// The pauses between them: each is twice as long as the one before.
const (
	firstUnsigned = 15 * time.Second
	lastUnsigned  = 10 * time.Minute
)

// signs says whether it is to be put on record now that the workload sleeps.
func (n *nap) signs(now time.Time) bool {
	return n.ours && !n.signed && !n.tried && (n.unsigned == nil || !now.Before(n.unsigned.until))
}

// pauses notes a try without a good answer.
func (n *nap) pauses(now time.Time) {
	if n.unsigned == nil {
		n.unsigned = &unsigned{pause: firstUnsigned / 2}
	}
	n.unsigned.pause = min(2*n.unsigned.pause, lastUnsigned)
	n.unsigned.until = now.Add(n.unsigned.pause)
}

// seen is what is known after a look; another says that the workload, which may sleep, is scaled by another autoscaler.
func (n nap) seen(w *annotations.Workload, another bool) nap {
	switch {
	case w.Replicas > 0:
		return nap{}
	case w.ScaledByUs:
		return nap{ours: true, signed: true}
	case w.SetBy != "", n.signed: // a manifest has, or somebody has scaled out and back to 0
		return nap{off: true}
	case another && !n.off:
		return nap{ours: true}
	}
	n.off = !n.ours
	return n
}

// known is the workload with what this process knows of it.
func (n nap) known(w *annotations.Workload) *annotations.Workload {
	if !n.ours || w.ScaledByUs {
		return w
	}
	own := *w
	own.ScaledByUs = true
	return &own
}
