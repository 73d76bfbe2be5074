package doors

import (
	"net/netip"
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// portKey is one port of a slice of ours.
type portKey struct {
	slice types.NamespacedName
	port  string
}

// report is what an activator has told last.
type report struct {
	activator
	start    string
	draining bool
	// leaving says that its pod is to end, gone that it is not there any more: nobody is led there, and what the activator still holds counts. Broken says that it
	// tells nothing at present.
	leaving, gone, broken bool
	// given says that it was given up and has told nothing since, and that slices were looked at because of that, after the start.
	given bool
	// synced says that it has told everything at least once.
	synced bool
	ports  map[portKey]*serves.State
	// lost is when it was given up last, or when this process began to lead if slices led there then; zero if it never was and none did.
	lost time.Time
	// next is what is told anew, until it is complete; nil otherwise.
	next *report
}

// change is what a line changes.
type change struct {
	slice types.NamespacedName
	// listens says that it listens there now and did not before, or the other way round.
	listens bool
	// came says that requests have come, moved that some have come or gone; lately says that one came by the active door.
	came, lately, moved bool
	// refused is how many were refused.
	refused uint64
	// age is how long ago the last connection came by the active door.
	age time.Duration
}

// begin makes the report take what is told anew.
func (r *report) begin() {
	r.next = &report{activator: r.activator, ports: map[portKey]*serves.State{}}
}

// take takes a line, and returns what it changes. While everything is told anew, what was told before holds.
func (r *report) take(line serves.Line) []change {
	switch {
	case r.next != nil && line.Synced:
		return r.replace()
	case r.next != nil:
		r.next.put(line)
		return nil
	case line.Process != nil && line.Process.Draining != r.draining:
		r.put(line)
		return r.all()
	case line.Port != nil:
		key := portKey{line.Port.Key(), line.Port.Name}
		before := r.ports[key]
		r.put(line)
		return []change{changeOf(key.slice, before, r.ports[key])}
	}
	return nil
}

func (r *report) put(line serves.Line) {
	switch p := line.Port; {
	case line.Process != nil:
		r.start, r.draining = line.Process.Start, line.Process.Draining
	case p == nil:
	case p.Gone: // a port that was there before may have had the name, with another pair
		if key := (portKey{p.Key(), p.Name}); r.ports[key] != nil && r.ports[key].Pair == p.Pair {
			delete(r.ports, key)
		}
	default:
		r.ports[portKey{p.Key(), p.Name}] = p
	}
}

// replace puts what was told anew in the place of what was told before. Counters begin again with another process.
func (r *report) replace() []change {
	next := r.next
	same := r.synced && r.start == next.start
	var changes []change
	for key, now := range next.ports {
		var before *serves.State
		if same {
			before = r.ports[key]
		} else if was := r.ports[key]; was != nil {
			before = &serves.State{Listening: was.Listening, Pair: was.Pair}
		}
		if before == nil && !r.synced {
			before = &serves.State{Total: now.Total, Refused: now.Refused, Active: now.Active}
		}
		changes = append(changes, changeOf(key.slice, before, now))
	}
	for key, was := range r.ports {
		if next.ports[key] == nil {
			changes = append(changes, changeOf(key.slice, was, nil))
		}
	}
	turned := r.draining != next.draining
	r.start, r.draining, r.ports, r.synced, r.given, r.next = next.start, next.draining, next.ports, true, false, nil
	if turned {
		return r.all()
	}
	return changes
}

// all says of every slice that something may be different.
func (r *report) all() []change {
	var changes []change
	for key := range r.ports {
		changes = append(changes, change{slice: key.slice, listens: true})
	}
	return changes
}

// changeOf compares two states of a port, either of which may be nil.
func changeOf(slice types.NamespacedName, before, now *serves.State) change {
	if before == nil {
		before = &serves.State{}
	}
	if now == nil {
		return change{slice: slice, listens: before.Listening}
	}
	c := change{slice: slice, listens: before.Listening != now.Listening || before.Pair != now.Pair}
	c.came = now.Total > before.Total || now.Held+now.InFlight > before.Held+before.InFlight
	c.moved = c.came || now.Held+now.InFlight != before.Held+before.InFlight
	if c.lately = now.Active.Connections > before.Active.Connections; c.lately {
		c.age = time.Duration(now.Active.Age * float64(time.Second))
	}
	if now.Refused > before.Refused {
		c.refused = now.Refused - before.Refused
	}
	return c
}

// endpoint is an activator as a slice names it, if it has an address of the family and others may be sent there.
func (r *report) endpoint(family discoveryv1.AddressType) (serves.Activator, bool) {
	if !r.synced || r.draining || r.leaving {
		return serves.Activator{}, false
	}
	for _, address := range r.addresses {
		ip, err := netip.ParseAddr(address)
		if err == nil && ip.Is4() == (family == discoveryv1.AddressTypeIPv4) {
			return serves.Activator{Namespace: r.namespace, Pod: r.name, UID: r.uid, Address: address, Node: r.node, Zone: r.zone}, true
		}
	}
	return serves.Activator{}, false
}

// answer is what an activator says of a port.
type answer int

const (
	unheard answer = iota // it does not know of it yet
	yes
	no
)

// listens says whether an activator listens on a port of a slice.
func (r *report) listens(slice types.NamespacedName, port serves.Port) answer {
	switch said := r.ports[portKey{slice, port.Name}]; {
	case said == nil || said.Pair != port.Pair:
		return unheard
	case said.Listening:
		return yes
	}
	return no
}

// listensOn says whether an activator listens on all ports of a slice.
func (r *report) listensOn(slice types.NamespacedName, ports []serves.Port) bool {
	return len(ports) > 0 && !slices.ContainsFunc(ports, func(port serves.Port) bool { return r.listens(slice, port) != yes })
}

// follows says whether an activator listens on some ports of a slice, and lacks none that others have but those that it does not know of yet.
func (r *report) follows(slice types.NamespacedName, ports []serves.Port, heard map[string]bool) bool {
	if r.draining || r.leaving {
		return false
	}
	some := false
	for _, port := range ports {
		said := r.listens(slice, port)
		if some = some || said == yes; said == no && heard[port.Name] {
			return false
		}
	}
	return some
}
