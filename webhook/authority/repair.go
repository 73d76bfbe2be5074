package authority

import (
	"crypto/x509"
	"slices"
	"strings"
)

// repaired is what to write where the Secret has no CA to sign with: it is missing, empty, expired or garbage. What this
// process knows goes first, because leaves of it are served and trusted.
func (s sight) repaired() (vault, string) {
	next := s.secret.next
	switch {
	case s.known.current.good(s.now):
		if next == nil || next.is(s.known.current) {
			next = s.spare
		}
		if next == nil {
			return vault{}, needsSpare
		}
		return vault{current: s.known.current, next: next, previous: s.secret.previous}, s.complaint("the known CA is restored, and a next one made known")
	case next != nil:
		return vault{current: next, previous: s.secret.previous}, s.complaint("the next CA signs from now on")
	case s.known.next.good(s.now):
		return vault{current: s.known.next, previous: s.secret.previous}, s.complaint("the known next CA signs from now on")
	}
	return vault{current: s.spare, previous: s.secret.previous}, s.complaint("a CA is made")
}

// complaint says what was wrong before it says what is done.
func (s sight) complaint(done string) string {
	switch {
	case s.secret.object == nil:
		return "there is no Secret: " + done
	case len(s.secret.faults) == 0:
		return "the Secret has no CA: " + done
	}
	return strings.Join(s.secret.faults, ", ") + ": " + done
}

// trusted are the former CAs beside those of a vault: each that may have signed a leaf which is still served somewhere.
//
// Where the Secret was damaged, or lost the CA that was known to sign because somebody put another one there, the live
// caBundles tell which those are. Otherwise only the Secret counts, so that a former CA can be given up by removing it from
// there, and so that nobody gets a CA into the Secret by writing it into a caBundle.
func (s sight) trusted(want vault) []*x509.Certificate {
	all := slices.Clone(want.previous)
	lost := s.known.current.good(s.now) && !holds(s.secret.all(), s.known.current.cert)
	if lost || s.secret.current == nil || len(s.secret.faults) > 0 {
		all = slices.Concat(all, s.known.all(), s.target.cas())
	}
	if s.leaf != nil {
		all = append(all, s.leaf.by.cert)
	}
	all = slices.DeleteFunc(ordered(all), func(c *x509.Certificate) bool {
		return reached(s.now, c.NotAfter) || c.Equal(want.current.cert) || want.next != nil && c.Equal(want.next.cert)
	})
	return all[max(0, len(all)-mostPrevious):]
}
