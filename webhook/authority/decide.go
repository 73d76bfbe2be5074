package authority

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Moments in the life of a CA and of a leaf, as fractions of it.
const (
	nextAt      = 1. / 2   // a next CA is made
	promoteAt   = 2. / 3   // the next CA signs
	deadlineAt  = 19. / 20 // a CA signs and is served even if it had too little time to propagate
	renewAt     = 2. / 3   // a leaf is renewed
	renewWithin = 1. / 12  // and replicas spread over this much after it
)

const (
	// propagationFraction of a CA's life is how long it has to be in the caBundles before a leaf depends on it.
	propagationFraction = 1. / 10
	// longestPropagation bounds that time: an API server sees a change of the configuration at once, or after it has noticed that its watch
	// is dead, which takes minutes and not weeks.
	longestPropagation = 10 * time.Minute
	// resync is the longest time between two looks at the objects, whatever is planned: timers stand still while a machine sleeps.
	resync = time.Hour
	// mostPrevious former CAs are kept, so that a Secret that is deleted again and again does not fill the caBundle.
	mostPrevious = 16
)

// observed is all that is known at one moment: the input of decide.
type observed struct {
	now           time.Time
	secret        *secret              // nil if it could not be read
	configuration *configuration       // as last read; nil if it never was
	trustedSince  map[string]time.Time // of each CA that every caBundle holds now, when it was first seen there
	known         rotation             // the last good content of the Secret
	leaf          *leaf                // what is served
	prepared      *ca                  // a CA that was made because decide asked for one; nil most of the time
	jitter        float64              // in [0, 1), a replica's own

	bundleWritten bool // the caBundles were written since the configuration was read; once is enough
}

// plan is what to do, in this order. What comes later is worth doing if what comes before failed.
type plan struct {
	prepare  bool      // make a CA: nothing else could be decided without one
	write    *rotation // write this to the Secret, because of reason
	issue    *ca       // serve a new leaf of this CA
	bundle   []byte    // write this into the caBundles
	reason   string    // why write
	expiring string    // what to warn of: a CA that ends without a successor
	known    rotation  // what the Secret holds, or last held
	recheck  time.Time // when to reconcile again, if nothing happens before
}

// decide says what to do. It changes nothing of what it is given.
func decide(s observed) plan {
	want, reason, ok := s.desired()
	if !ok {
		return plan{prepare: true, known: s.known, recheck: s.now}
	}
	p := plan{known: want}
	if s.secret != nil && s.secret.differs(want) {
		p.write, p.reason, p.known = &want, reason, s.known
	}
	p.issue = s.issuer(p.known)
	// A CA is written to the Secret before it is written to a caBundle. A replica reads the caBundles first and the Secret second, so each CA
	// that it has found in a caBundle is in the Secret that it reads, unless the CA was given up. So no replica removes what another
	// one has just added.
	if s.secret != nil && p.write == nil && !s.bundleWritten && s.configuration.managed() && !s.configuration.isWritten(want.bundle()) {
		p.bundle = want.bundle()
	}
	p.expiring = s.expiring(p.known)
	p.recheck = s.recheck(p.known)
	return p
}

// desired is what the Secret should hold, and why if it holds something else. It is not ok if a CA has to be made first.
func (s observed) desired() (want rotation, reason string, ok bool) {
	switch {
	case s.secret == nil:
		return s.known, "", true
	case s.secret.current == nil:
		want, reason = s.recovered()
	default:
		want, reason = s.rotated()
	}
	if want.current == nil || reason == needsCA {
		return rotation{}, "", false
	}
	want.previous = s.formerCAs(want)
	return want, reason, true
}

// needsCA is the reason of a change for which a CA has to be made first.
const needsCA = "a CA has to be made"

// rotated moves a good Secret on through the phases of a rotation.
func (s observed) rotated() (rotation, string) {
	r := s.secret.rotation
	switch {
	case r.next == nil && reached(s.now, at(r.current.cert, nextAt)) && s.prepared == nil:
		return r, needsCA
	case r.next == nil && reached(s.now, at(r.current.cert, nextAt)):
		r.next = s.prepared
		return r, "half of the CA's life is over: the next one is made known"
	case r.next != nil && s.promotes(r):
		previous := append(slices.Clone(r.previous), r.current.cert)
		return rotation{current: r.next, previous: previous}, "the next CA is known: it signs from now on"
	}
	if len(s.secret.faults) > 0 {
		return r, s.because("it is dropped")
	}
	return r, "the list of former CAs is brought up to date"
}

// promotes says whether the next CA may sign.
func (s observed) promotes(r rotation) bool {
	switch {
	case reached(s.now, at(r.current.cert, deadlineAt)) && (s.configuration.trusts(r.next.cert) || s.unmanaged()):
		return true
	case !reached(s.now, promotion(r)):
		return false
	}
	return s.unmanaged() || s.isPropagated(r.next.cert)
}

// promotion is the earliest moment at which the next CA may sign: at two thirds of the current CA's life, if the next one was made on
// schedule. One that was made at another moment replaces a lost Secret, or is late: it may sign as soon as it had time to propagate.
func promotion(r rotation) time.Time {
	made, half := created(r.next.cert), at(r.current.cert, nextAt)
	known := made.Add(propagation(r.next.cert))
	scheduled := at(r.current.cert, promoteAt)
	isScheduled := !made.Before(half.Truncate(time.Second)) && !made.After(half.Add(propagation(r.current.cert)))
	if isScheduled && scheduled.After(known) {
		return scheduled
	}
	return known
}

// propagation is how long a CA has to be in the caBundles before leaves depend on it.
func propagation(c *x509.Certificate) time.Duration {
	return min(time.Duration(propagationFraction*float64(life(c))), longestPropagation)
}

// isPropagated says whether a CA has been in every caBundle for so long that every API server has seen it.
func (s observed) isPropagated(c *x509.Certificate) bool {
	since, ok := s.trustedSince[string(c.Raw)]
	return ok && reached(s.now, since.Add(propagation(c)))
}

// unmanaged says whether it is known that there are no caBundles to keep.
func (s observed) unmanaged() bool { return s.configuration != nil && !s.configuration.managed() }

// expiring tells of a CA that comes to its end without a successor.
func (s observed) expiring(r rotation) string {
	if r.current == nil || !reached(s.now, at(r.current.cert, deadlineAt)) {
		return ""
	}
	return fmt.Sprintf("the webhook CA ends at %s, and no other one could be made known to the API server",
		r.current.cert.NotAfter.Format(time.RFC3339))
}

// recheck is the next moment at which something may be due.
func (s observed) recheck(r rotation) time.Time {
	soonest := s.now.Add(resync)
	for _, moment := range append(s.leafMoments(r), s.moments(r)...) {
		if moment.After(s.now) && moment.Before(soonest) {
			soonest = moment
		}
	}
	return soonest
}

// moments are those at which a CA changes its part.
func (s observed) moments(r rotation) []time.Time {
	var all []time.Time
	for _, c := range r.all() {
		all = append(all, c.NotAfter)
	}
	if r.current != nil {
		all = append(all, at(r.current.cert, nextAt), at(r.current.cert, deadlineAt))
	}
	if r.next != nil {
		all = append(all, promotion(r), s.propagatedAt(r.next.cert))
	}
	return all
}

// propagatedAt is when a CA will have been in the caBundles for long enough; zero while it is not in all of them.
func (s observed) propagatedAt(c *x509.Certificate) time.Time {
	since, ok := s.trustedSince[string(c.Raw)]
	if !ok {
		return time.Time{}
	}
	return since.Add(propagation(c))
}

// recovered is what to write where the Secret has no CA to sign with: it is missing, empty, expired or garbage. What this
// process knows goes first, because leaves of it are served and trusted.
func (s observed) recovered() (rotation, string) {
	next := s.secret.next
	switch {
	case s.known.current.isValid(s.now):
		if next == nil || next.is(s.known.current) {
			next = s.prepared
		}
		if next == nil {
			return rotation{}, needsCA
		}
		return rotation{current: s.known.current, next: next, previous: s.secret.previous}, s.because("the known CA is restored, and a next one made known")
	case next != nil:
		return rotation{current: next, previous: s.secret.previous}, s.because("the next CA signs from now on")
	case s.known.next.isValid(s.now):
		return rotation{current: s.known.next, previous: s.secret.previous}, s.because("the known next CA signs from now on")
	}
	return rotation{current: s.prepared, previous: s.secret.previous}, s.because("a CA is made")
}

// because says what was wrong before it says what is done.
func (s observed) because(done string) string {
	switch {
	case s.secret.object == nil:
		return "there is no Secret: " + done
	case len(s.secret.faults) == 0:
		return "the Secret has no CA: " + done
	}
	return strings.Join(s.secret.faults, ", ") + ": " + done
}

// formerCAs are the CAs to trust beside the two that a rotation has: each that may have signed a leaf which is still served somewhere.
//
// Where the Secret was damaged, or lost the CA that was known to sign because somebody put another one there, the live
// caBundles tell which those are. Otherwise only the Secret counts, so that a former CA can be given up by removing it from
// there, and so that nobody gets a CA into the Secret by writing it into a caBundle.
func (s observed) formerCAs(want rotation) []*x509.Certificate {
	all := slices.Clone(want.previous)
	lost := s.known.current.isValid(s.now) && !contains(s.secret.all(), s.known.current.cert)
	if lost || s.secret.current == nil || len(s.secret.faults) > 0 {
		all = slices.Concat(all, s.known.all(), s.configuration.cas())
	}
	if s.leaf != nil {
		all = append(all, s.leaf.by.cert)
	}
	all = slices.DeleteFunc(sorted(all), func(c *x509.Certificate) bool {
		return reached(s.now, c.NotAfter) || c.Equal(want.current.cert) || want.next != nil && c.Equal(want.next.cert)
	})
	return all[max(0, len(all)-mostPrevious):]
}

// issuer is the CA to sign a new leaf with; nil if the one that is served will do.
func (s observed) issuer(r rotation) *ca {
	switch {
	case s.leaf != nil && (r.current.is(s.leaf.by) || !s.changes(r)):
		if reached(s.now, s.leaf.renewal(s.jitter)) && s.leaf.by.isValid(s.now) {
			return s.leaf.by
		}
	case r.current.isValid(s.now):
		return r.current
	}
	return nil
}

// changes says whether to replace the served leaf by one of the CA that signs now. After a rotation that is done at once, because the
// new CA has propagated before. If the CA was replaced in any other way, the leaf stays until the new CA has propagated, or
// until there is nothing to lose.
func (s observed) changes(r rotation) bool {
	switch {
	case r.current == nil:
		return false
	case !s.leaf.by.isValid(s.now), s.unmanaged(), s.isPropagated(r.current.cert):
		return true
	case s.configuration == nil:
		return false
	case !s.configuration.trusts(s.leaf.by.cert):
		return true
	}
	return s.configuration.trusts(r.current.cert) && reached(s.now, s.leaf.deadline())
}

// renewal is when a leaf is due for another one of the same CA. One that ends with its CA never is: another one would end
// at the same moment.
func (l *leaf) renewal(jitter float64) time.Time {
	if !l.served.Leaf.NotAfter.Before(l.by.cert.NotAfter) {
		return l.by.cert.NotAfter
	}
	return at(l.served.Leaf, renewAt+renewWithin*jitter)
}

// deadline is when a leaf of a new CA is served even if that CA had too little time to propagate: the old CA comes to its end, and no leaf of
// it can be renewed any longer.
func (l *leaf) deadline() time.Time { return l.by.cert.NotAfter.Add(-propagation(l.by.cert) / 2) }

// leafMoments are those at which the leaf may have to change.
func (s observed) leafMoments(r rotation) []time.Time {
	if s.leaf == nil {
		return nil
	}
	all := []time.Time{s.leaf.renewal(s.jitter), s.leaf.by.cert.NotAfter}
	if r.current != nil && !r.current.is(s.leaf.by) {
		all = append(all, s.propagatedAt(r.current.cert), s.leaf.deadline())
	}
	return all
}
