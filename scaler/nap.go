package scaler

import "github.com/mini-hpa/mini-hpa/annotations"

// nap is what this process knows of 0 replicas, beyond what is on record (see annotations.Workload.SignsZero). The zero value is nothing.
type nap struct {
	// ours says that they were written here, or while another autoscaler scaled the workload: it slept, and goes on doing so.
	ours bool
	// signed says that this is on record, tried that there is no point in another try.
	signed, tried bool
	// off says that they were there at a look before, and not ours: somebody has paused the workload, whoever scales it now.
	off bool
}

// seen is what is known after a look; rival says that another autoscaler scales the workload, which may sleep.
func (n nap) seen(w *annotations.Workload, rival bool) nap {
	switch {
	case w.Replicas > 0:
		return nap{}
	case w.ScaledByUs:
		return nap{ours: true, signed: true}
	case w.SetBy != "", n.signed: // a manifest has, or somebody has scaled out and back to 0
		return nap{off: true}
	case rival && !n.off:
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
