package authority

import "time"

// issuer is the CA to sign a new leaf with; nil if the one that is served will do.
func (s sight) issuer(v vault) *signer {
	switch {
	case s.leaf != nil && (v.current.is(s.leaf.by) || !s.changes(v)):
		if reached(s.now, s.leaf.renewal(s.jitter)) && s.leaf.by.good(s.now) {
			return s.leaf.by
		}
	case v.current.good(s.now):
		return v.current
	}
	return nil
}

// changes says whether to leave the CA of the served leaf for the one that signs now. After a rotation that is at once,
// for the new one was known before. If the CA was replaced in any other way the leaf stays until clients know the new CA,
// or until there is nothing to lose.
func (s sight) changes(v vault) bool {
	switch {
	case v.current == nil:
		return false
	case !s.leaf.by.good(s.now), s.nobodyCalls(), s.isSettled(v.current.cert):
		return true
	case s.target == nil:
		return false
	case !s.target.holds(s.leaf.by.cert):
		return true
	}
	return s.target.holds(v.current.cert) && reached(s.now, s.leaf.lastCall())
}

// renewal is when a leaf is due for another one of the same CA. One that ends with its CA never is: another one would end
// at the same moment.
func (l *leaf) renewal(jitter float64) time.Time {
	if !l.served.Leaf.NotAfter.Before(l.by.cert.NotAfter) {
		return l.by.cert.NotAfter
	}
	return at(l.served.Leaf, renewAt+renewWithin*jitter)
}

// lastCall is when clients have to be trusted to know a new CA: the old one comes to its end, and no leaf of it can be
// renewed any longer.
func (l *leaf) lastCall() time.Time { return l.by.cert.NotAfter.Add(-lead(l.by.cert) / 2) }

// leafMoments are those at which the leaf may have to change.
func (s sight) leafMoments(v vault) []time.Time {
	if s.leaf == nil {
		return nil
	}
	all := []time.Time{s.leaf.renewal(s.jitter), s.leaf.by.cert.NotAfter}
	if v.current != nil && !v.current.is(s.leaf.by) {
		all = append(all, s.settles(v.current.cert), s.leaf.lastCall())
	}
	return all
}
