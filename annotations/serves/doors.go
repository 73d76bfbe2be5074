package serves

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// The ports that an activator listens on for one port of a Service are a pair: an even number, the standby door, and the one above it,
// the active door. Two numbers tell it why somebody came, and no data plane sees an address turn from terminating to ready, which
// Cilium took wrongly (cilium#28094).

// PairOf is the pair of which a door is one: the number of its standby door.
func PairOf(door int32) int32 { return door &^ 1 }

// ActiveDoor is the active door of a pair.
func ActiveDoor(pair int32) int32 { return pair | 1 }

// isActiveDoor says which of its pair a door is.
func isActiveDoor(door int32) bool { return door&1 == 1 }

// The ports from which a range may be: those that need no right to listen on.
const firstPort, lastPort = 1024, 65535

// isPair says whether doors may be there.
func isPair(pair int32) bool { return pair >= firstPort && pair < lastPort && pair == PairOf(pair) }

// Range is the ports that are handed out, both ends included.
type Range struct{ First, Last int32 }

// DefaultRange is that of --activator-ports: 20000-29999.
func DefaultRange() Range { return Range{20000, 29999} }

// ParseRange reads a range such as 20000-29999. It begins with an even port and ends with an odd one, so that it holds whole pairs.
func ParseRange(text string) (Range, error) {
	wrong := func() (Range, error) {
		return Range{}, fmt.Errorf("%.40q must be two ports between %d and %d, an even one and a larger odd one, such as %s", text, firstPort, lastPort, DefaultRange())
	}
	first, last, _ := strings.Cut(text, "-")
	var r Range
	for _, end := range []struct {
		text string
		port *int32
	}{{first, &r.First}, {last, &r.Last}} {
		port, err := strconv.ParseUint(end.text, 10, 16)
		if err != nil || strconv.FormatUint(port, 10) != end.text {
			return wrong()
		}
		*end.port = int32(port)
	}
	if r.First < firstPort || r.First > r.Last || isActiveDoor(r.First) || !isActiveDoor(r.Last) {
		return wrong()
	}
	return r, nil
}

// String is the range as ParseRange reads it.
func (r Range) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

// Pairs is how many pairs there are.
func (r Range) Pairs() int { return int(r.Last-r.First+1) / 2 }

// Has says whether a pair is in the range.
func (r Range) Has(pair int32) bool { return pair >= r.First && pair < r.Last && pair == PairOf(pair) }

// Free is a pair for one port of a Service that is not taken, and false if all are. Each port has a place of its own in the range where the
// search begins: a Service that comes back finds the pair that it had, and one that is new seldom finds the pair that another has just left.
func (r Range) Free(namespace, service, port string, taken func(pair int32) bool) (pair int32, ok bool) {
	hash := fnv.New32a()
	_, _ = fmt.Fprintf(hash, "%s/%s/%s", namespace, service, port) // a hash returns no error
	pairs := r.Pairs()
	if pairs < 1 {
		return 0, false
	}
	start := int(hash.Sum32() % uint32(pairs))
	for i := range pairs {
		pair := r.First + 2*int32((start+i)%pairs)
		if !taken(pair) {
			return pair, true
		}
	}
	return 0, false
}
