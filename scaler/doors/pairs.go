package doors

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// keptFree is for how long a pair is given to nobody else after its Service is gone: a node that is late would send what is meant for the one to the other.
const keptFree = 10 * time.Minute

// place is a port of a Service. Its slices of both address families have the same pair.
type place struct {
	service types.NamespacedName
	port    string
}

// pairs are which ports of the activators are whose. It is not kept anywhere: the slices say it, and are read when a process begins to lead.
type pairs struct {
	of    map[place]int32
	taken map[int32]place
	// free is until when a pair is kept that was returned.
	free map[int32]time.Time
}

func newPairs() *pairs {
	return &pairs{of: map[place]int32{}, taken: map[int32]place{}, free: map[int32]time.Time{}}
}

// note takes what a slice says, unless another one has said it before: then the port gets another pair.
func (p *pairs) note(at place, pair int32) {
	if _, known := p.of[at]; known {
		return
	}
	if _, taken := p.taken[pair]; !taken {
		p.of[at], p.taken[pair] = pair, at
	}
}

// get is the pair of a port; it is given one if it has none. It is false if all are taken.
func (p *pairs) get(within serves.Range, at place, now time.Time) (int32, bool) {
	if pair, known := p.of[at]; known && within.Has(pair) {
		return pair, true
	}
	p.drop(at, now)
	pair, ok := within.Free(at.service.Namespace, at.service.Name, at.port, func(pair int32) bool {
		_, taken := p.taken[pair]
		return taken || now.Before(p.free[pair])
	})
	if ok {
		p.of[at], p.taken[pair] = pair, at
	}
	return pair, ok
}

// drop gives the pair of a port back.
func (p *pairs) drop(at place, now time.Time) {
	pair, known := p.of[at]
	if !known {
		return
	}
	delete(p.of, at)
	delete(p.taken, pair)
	for other, until := range p.free {
		if !now.Before(until) {
			delete(p.free, other)
		}
	}
	p.free[pair] = now.Add(keptFree)
}

// dropAll gives all pairs of a Service back.
func (p *pairs) dropAll(service types.NamespacedName, now time.Time) {
	for at := range p.of {
		if at.service == service {
			p.drop(at, now)
		}
	}
}
