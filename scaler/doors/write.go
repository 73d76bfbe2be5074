package doors

import (
	"context"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// keep makes the slices of one Service of a plan what they are to be.
func (k *Keeper) keep(ctx context.Context, p *plan, at int) error {
	about, pl := &p.view.Services[at], &p.services[at]
	if pl.known == nil {
		return k.part(ctx, p, at)
	}
	if err := k.drop(ctx, p, pl.leaving); err != nil {
		return err
	}
	face, after := p.waits.Face(&p.view, about)
	p.next = sooner(p.next, after)
	// Before it goes to sleep it must be known that the slice is what the watch says, which may be late.
	confirm := face == wake.Active && p.view.Replicas > 0 && p.view.Desired == 0
	since := about.Since
	for _, family := range families(pl.object) {
		k.mu.Lock()
		have := pl.known.stored[family]
		k.mu.Unlock()
		want := k.want(p, pl, face, family)
		if have.goesOn(face) {
			want.Since = have.says.Since
		}
		object := want.Object()
		if have != nil && sameSlice(object, have.object) && (!confirm || !have.written.IsZero()) {
			k.accept(have)
			continue
		}
		leads := have == nil || have.edited || have.isBad || have.written.IsZero() || have.says.Face != face
		made, err := k.put(ctx, have, object)
		if err != nil {
			k.forget(pl, family)
			return err
		}
		now := k.Now()
		next := storedOf(made)
		next.written, next.awaited = now, true
		k.mu.Lock()
		pl.known.stored[family] = next
		if !about.Withheld.IsZero() && have.mayTell() { // activators could not know before it was written
			pl.known.withheld, about.Withheld = now, now
		}
		if known := next.leads(have, now); leads {
			since = now
		} else if face == wake.Active && known.After(since) {
			since = known
		}
		pl.known.settle(now)
		pl.known.since = since
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	about.Face, about.Since = pl.known.face, pl.known.since
	return nil
}

// goesOn says whether a slice leads all requests to the activators, and is to do so still.
func (s *stored) goesOn(face wake.Face) bool {
	return s != nil && s.says.Face == wake.Active && face == wake.Active && !s.isBad
}

// drop releases the slices of an address family that a Service of a plan has no more.
func (k *Keeper) drop(ctx context.Context, p *plan, leaving []*written) error {
	for _, s := range leaving {
		rest, err := k.release(ctx, s)
		if err != nil {
			return err
		}
		p.next = sooner(p.next, rest)
	}
	return nil
}

// accept takes a slice for what it was to be, whoever has made it that.
func (k *Keeper) accept(s *stored) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.edited = false
}

// forget drops what is known of a slice, whose write has failed: what the watch says counts.
func (k *Keeper) forget(pl *planned, family discoveryv1.AddressType) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(pl.known.stored, family)
	pl.known.withheld = time.Time{}
}

// want is the slice of a Service for one address family.
func (k *Keeper) want(p *plan, pl *planned, face wake.Face, family discoveryv1.AddressType) *serves.Slice {
	s := &serves.Slice{Namespace: pl.name.Namespace, Service: pl.name.Name, ServiceUID: pl.object.UID, Family: family, Serves: servesOf(p.workload, p.wake, pl), Ports: pl.ports, Face: face}
	if pl.backends != nil {
		s.Backends = pl.backends[family]
	}
	if face != wake.Out {
		s.Activators = pl.activators[family]
	}
	if face == wake.Active {
		s.Since = p.view.Now
	}
	return s
}

// servesOf is what a slice tells the activators of its workload.
func servesOf(w *annotations.Workload, p annotations.Wake, pl *planned) serves.Serves {
	s := serves.Serves{Kind: w.Kind.Kind, Group: w.Kind.Group, Name: w.Name, Protocol: map[string]serves.Protocol{}, Hold: metav1.Duration{Duration: p.Hold},
		Limit: p.Limit, PerPod: p.PerPod, Ignore: p.Ignore, IgnoreAgents: p.IgnoreAgents}
	if p.HoldUnready {
		s.HoldOn = serves.HoldOnUnready
	}
	if p.Always {
		s.Path = serves.PathAlways
	}
	for _, port := range pl.ports {
		s.Protocol[port.Name] = protocolOf(port)
	}
	return s
}

// asWritten is what the slices of a workload say of how requests wake it, and of which Services. They wake nothing if there are none.
func (k *Keeper) asWritten(key annotations.Key) annotations.Wake {
	var p annotations.Wake
	for service, all := range k.slicesOf(key) {
		s := all[0].says.Serves.Defaulted()
		p = annotations.Wake{Requests: true, Services: append(p.Services, service.Name), Hold: s.Hold.Duration, Limit: s.Limit, PerPod: s.PerPod,
			Ignore: s.Ignore, IgnoreAgents: s.IgnoreAgents, Always: s.Path == serves.PathAlways, HoldUnready: s.HoldOn == serves.HoldOnUnready}
	}
	slices.Sort(p.Services)
	return p
}

// protocolOf is HTTP/1.1 where the Service says so, by its appProtocol or, without one, the name of the port as Istio reads it.
func protocolOf(port serves.Port) serves.Protocol {
	said := port.Name
	if port.AppProtocol != nil {
		said = *port.AppProtocol
	}
	if said = strings.ToLower(said); said == "http" || port.AppProtocol == nil && strings.HasPrefix(said, "http-") {
		return serves.HTTP1
	}
	return serves.TCP
}
