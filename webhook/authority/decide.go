package authority

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Moments in the life of a CA and of a leaf, as fractions of it.
const (
	nextAt      = 1. / 2   // a next CA is made
	promoteAt   = 2. / 3   // the next CA signs
	lastCallAt  = 19. / 20 // what could not be made known for long enough will have to do
	renewAt     = 2. / 3   // a leaf is renewed
	renewWithin = 1. / 12  // and replicas spread over this much after it
)

const (
	// leadFraction of a CA's life is how long it has to be known before a leaf depends on it.
	leadFraction = 1. / 10
	// longestLead is the most that this may take: an API server sees a change of the configuration at once, or after it found that its watch is
	// dead, but not after weeks.
	longestLead = 10 * time.Minute
	// longestWait is when everything is looked at again whatever is planned: timers stand still while a machine sleeps.
	longestWait = time.Hour
	// mostPrevious former CAs are kept, so that a Secret that is deleted again and again does not fill the caBundle.
	mostPrevious = 16
)

// sight is all that is known at one moment.
type sight struct {
	now    time.Time
	secret *secret              // nil if it could not be read
	target *target              // as last read; nil if it never was
	since  map[string]time.Time // since when the target was seen to hold a CA; none that it does not hold
	known  vault                // the last good content of the Secret
	leaf   *leaf                // what is served
	spare  *signer              // a CA that was just made, to be used if one is needed
	jitter float64              // in [0, 1), a replica's own

	published bool // the caBundles were written since the target was read; once is enough
}

// plan is what to do, in this order. What comes later is worth doing if what comes before failed.
type plan struct {
	spare  bool      // make a CA: nothing else was decided, for want of one
	write  *vault    // write this to the Secret, because of reason
	issue  *signer   // serve a new leaf of this CA
	bundle []byte    // write this into the caBundles
	reason string    // why write
	danger string    // what will break if nothing changes
	known  vault     // what the Secret means, or last meant
	again  time.Time // when to look again, if nothing happens before
}

// decide says what to do. It changes nothing of what it is given.
func decide(s sight) plan {
	want, reason, ok := s.wanted()
	if !ok {
		return plan{spare: true, known: s.known, again: s.now}
	}
	p := plan{known: want}
	if s.secret != nil && s.secret.differs(want) {
		p.write, p.reason, p.known = &want, reason, s.known
	}
	p.issue = s.issuer(p.known)
	// A CA is in the Secret before it is in a bundle: who finds a CA in the bundle and then reads the Secret finds it there
	// too, unless it was given up. That is why no replica removes what another has just added.
	if s.secret != nil && p.write == nil && !s.published && s.target.ours() && !s.target.isWritten(want.bundle()) {
		p.bundle = want.bundle()
	}
	p.danger = s.danger(p.known)
	p.again = s.again(p.known)
	return p
}

// wanted is what the Secret should mean, and why if it is not what it means. It fails for want of a spare CA.
func (s sight) wanted() (want vault, reason string, ok bool) {
	switch {
	case s.secret == nil:
		return s.known, "", true
	case s.secret.current == nil:
		want, reason = s.repaired()
	default:
		want, reason = s.advanced()
	}
	if want.current == nil || reason == needsSpare {
		return vault{}, "", false
	}
	want.previous = s.trusted(want)
	return want, reason, true
}

// needsSpare is the reason of a change that cannot be made without a spare CA.
const needsSpare = "a CA has to be made"

// advanced moves a good Secret on through the phases.
func (s sight) advanced() (vault, string) {
	v := s.secret.vault
	switch {
	case v.next == nil && reached(s.now, at(v.current.cert, nextAt)) && s.spare == nil:
		return v, needsSpare
	case v.next == nil && reached(s.now, at(v.current.cert, nextAt)):
		v.next = s.spare
		return v, "half of the CA's life is over: the next one is made known"
	case v.next != nil && s.promotes(v):
		previous := append(slices.Clone(v.previous), v.current.cert)
		return vault{current: v.next, previous: previous}, "the next CA is known: it signs from now on"
	}
	if len(s.secret.faults) > 0 {
		return v, s.complaint("it is dropped")
	}
	return v, "the list of former CAs is brought up to date"
}

// promotes says whether the next CA may sign.
func (s sight) promotes(v vault) bool {
	switch {
	case reached(s.now, at(v.current.cert, lastCallAt)) && (s.target.holds(v.next.cert) || s.nobodyCalls()):
		return true
	case !reached(s.now, promotion(v)):
		return false
	}
	return s.nobodyCalls() || s.isSettled(v.next.cert)
}

// promotion is the earliest moment at which the next CA may sign: two thirds into the life of the one before it, if it was
// made on schedule. One that was made at any other moment replaces a lost Secret, or is late; it only has to be known.
func promotion(v vault) time.Time {
	made, half := created(v.next.cert), at(v.current.cert, nextAt)
	known := made.Add(lead(v.next.cert))
	scheduled := at(v.current.cert, promoteAt)
	isScheduled := !made.Before(half.Truncate(time.Second)) && !made.After(half.Add(lead(v.current.cert)))
	if isScheduled && scheduled.After(known) {
		return scheduled
	}
	return known
}

// lead is how long a CA has to be known before leaves depend on it.
func lead(c *x509.Certificate) time.Duration {
	return min(time.Duration(leadFraction*float64(life(c))), longestLead)
}

// isSettled says whether every webhook has trusted a CA for long enough for every client to know.
func (s sight) isSettled(c *x509.Certificate) bool {
	since, ok := s.since[string(c.Raw)]
	return ok && reached(s.now, since.Add(lead(c)))
}

// nobodyCalls says whether it is known that there is nobody whose trust is kept here.
func (s sight) nobodyCalls() bool { return s.target != nil && !s.target.ours() }

// danger tells of a CA that comes to its end without a successor.
func (s sight) danger(v vault) string {
	if v.current == nil || !reached(s.now, at(v.current.cert, lastCallAt)) {
		return ""
	}
	return fmt.Sprintf("the webhook CA ends at %s, and no other one could be made known to the API server",
		v.current.cert.NotAfter.Format(time.RFC3339))
}

// again is the next moment at which something may be due.
func (s sight) again(v vault) time.Time {
	soonest := s.now.Add(longestWait)
	for _, moment := range append(s.leafMoments(v), s.moments(v)...) {
		if moment.After(s.now) && moment.Before(soonest) {
			soonest = moment
		}
	}
	return soonest
}

// moments are those at which a CA changes its part.
func (s sight) moments(v vault) []time.Time {
	var all []time.Time
	for _, c := range v.all() {
		all = append(all, c.NotAfter)
	}
	if v.current != nil {
		all = append(all, at(v.current.cert, nextAt), at(v.current.cert, lastCallAt))
	}
	if v.next != nil {
		all = append(all, promotion(v), s.settles(v.next.cert))
	}
	return all
}

// settles is when a CA will have been known for long enough; zero while it is not known.
func (s sight) settles(c *x509.Certificate) time.Time {
	since, ok := s.since[string(c.Raw)]
	if !ok {
		return time.Time{}
	}
	return since.Add(lead(c))
}
