package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Moments in the life of a CA and of a leaf, as fractions of it.
const (
	nextAt      = 1. / 2   // the next CA is made
	promoteAt   = 2. / 3   // the next CA signs
	deadlineAt  = 19. / 20 // the next CA signs even if it had too little time to propagate
	renewAt     = 2. / 3   // a leaf is renewed
	renewWithin = 1. / 12  // the renewals of replicas are spread over this fraction after that
)

const (
	// propagationFraction is the fraction of a CA's life that it has to be in the caBundles before a leaf depends on it.
	propagationFraction = 1. / 10
	// longestPropagation bounds that time. An API server sees a change of the configuration at once, or after it has noticed that its
	// watch is dead, which takes minutes and not weeks.
	longestPropagation = 10 * time.Minute
	// resync is the longest time between two reconciliations, whatever is planned, because timers stand still while a machine sleeps.
	resync = time.Hour
	// mostPrevious is how many former CAs are kept, so that a Secret that is deleted again and again does not fill the caBundle.
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
	jitter        float64              // in [0, 1), different in each replica

	bundleWritten bool // the caBundles were written in this reconciliation; once is enough
}

// plan is what to do, in this order. A later action is worth doing even if an earlier one failed.
type plan struct {
	prepare  bool      // make a CA: nothing else could be decided without one
	write    *rotation // write this into the Secret, for this reason
	issue    *ca       // serve a new leaf of this CA
	bundle   []byte    // write this into the caBundles
	reason   string    // why to write, for the log
	expiring string    // what to warn of: a CA that ends without a successor
	known    rotation  // what the Secret holds, or last held
	recheck  time.Time // when to reconcile again if nothing changes before
}

// decide says what to do. It does not change its argument.
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
	// A CA is written into the Secret before it is written into a caBundle, and a replica reads the caBundles before it reads the
	// Secret. So each CA that it finds in a caBundle is also in the Secret, unless the CA was given up, and no replica removes a CA
	// that another one has just added.
	if s.secret != nil && p.write == nil && !s.bundleWritten && s.configuration.managed() && !s.configuration.isWritten(want.bundle()) {
		p.bundle = want.bundle()
	}
	p.expiring = s.expiring(p.known)
	p.recheck = s.recheck(p.known)
	return p
}

// desired returns what the Secret should hold, and if it holds something else, why. It is not ok if a CA has to be made first.
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

// needsCA is the reason for a change that needs a CA to be made first.
const needsCA = "a CA has to be made"

// rotated moves a good Secret on to the next phase of the rotation, if its time has come.
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

// promotion is the earliest moment at which the next CA may sign. If it was made on schedule, that is at two thirds of the current
// CA's life. If not, it replaces a lost Secret or is late, and may sign as soon as it had time to propagate.
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

// propagation is how long a CA has to be in the caBundles before a leaf depends on it.
func propagation(c *x509.Certificate) time.Duration {
	return min(time.Duration(propagationFraction*float64(life(c))), longestPropagation)
}

// isPropagated says whether a CA has been in every caBundle for long enough that every API server has seen it.
func (s observed) isPropagated(c *x509.Certificate) bool {
	since, ok := s.trustedSince[string(c.Raw)]
	return ok && reached(s.now, since.Add(propagation(c)))
}

// unmanaged says whether it is known that there are no caBundles to keep up to date.
func (s observed) unmanaged() bool { return s.configuration != nil && !s.configuration.managed() }

// expiring returns a warning if the CA comes to its end without a successor.
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

// moments returns the moments at which a CA's part may change.
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

// propagatedAt is when a CA will have propagated; zero as long as it is not in every caBundle.
func (s observed) propagatedAt(c *x509.Certificate) time.Time {
	since, ok := s.trustedSince[string(c.Raw)]
	if !ok {
		return time.Time{}
	}
	return since.Add(propagation(c))
}

// recovered returns what to write if the Secret has no CA to sign with because it is missing, empty, expired or garbage. The CA that
// this process knows comes first, because its leaves are being served and trusted.
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

// because says what was wrong with the Secret, and then what is done.
func (s observed) because(done string) string {
	switch {
	case s.secret.object == nil:
		return "there is no Secret: " + done
	case len(s.secret.faults) == 0:
		return "the Secret has no CA: " + done
	}
	return strings.Join(s.secret.faults, ", ") + ": " + done
}

// formerCAs returns the CAs to trust beside the current and the next one: those that may have signed a leaf that some replica still
// serves.
//
// They come from the live caBundles if the Secret was damaged, or if somebody replaced the CA that was known to sign. Otherwise
// only the Secret counts, so that an administrator can give up a former CA by removing it from there, and so that nobody can get a
// CA into the Secret by writing it into a caBundle.
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

// issuer returns the CA that is to sign a new leaf, or nil if the leaf that is served will do.
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

// changes says whether to replace the served leaf by one of the CA that signs now. After a rotation that happens at once, because
// the new CA has propagated before. If the CA was replaced in any other way, the leaf stays until the new CA has propagated, or
// until the leaf is of no more use.
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

// renewal is when a leaf is to be replaced by another one of the same CA. A leaf that expires with its CA is not: the other one
// would expire at the same moment.
func (l *leaf) renewal(jitter float64) time.Time {
	if !l.served.Leaf.NotAfter.Before(l.by.cert.NotAfter) {
		return l.by.cert.NotAfter
	}
	return at(l.served.Leaf, renewAt+renewWithin*jitter)
}

// deadline is when a leaf of the new CA is served even if that CA had too little time to propagate: by then the old CA is about to
// expire, and with it all its leaves.
func (l *leaf) deadline() time.Time { return l.by.cert.NotAfter.Add(-propagation(l.by.cert) / 2) }

// leafMoments returns the moments at which the leaf may have to be replaced.
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

// holds says whether the leaf for others will do, or another one has to be published.
func (to Published) holds(data map[string][]byte, r rotation, now time.Time) bool {
	if !bytes.Equal(data[caFile], r.bundle()) {
		return false
	}
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil || reached(now, at(pair.Leaf, renewAt)) {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool(r.all()), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err == nil && !slices.ContainsFunc(to.Hosts, func(host string) bool { return pair.Leaf.VerifyHostname(host) != nil })
}
