package metrics

import "time"

const (
	// patience is how many sets in a row may be followed up in vain before it is given up for a while.
	patience = 3
	// learning and following are how many LISTs may go after the rest of one set, one fineStep after the other, while it
	// is not known and when it is known when the rest comes.
	learning, following = 4, 2
	// retrial is the number of sets after which following up is tried again.
	retrial = 32
)

// parts is how the rest of a set is fetched if not all pods had their new sample when the set appeared. With a publisher that
// writes in parts it is learnt when the last part comes; with pods whose samples merely skip sets, that it never does.
// Without it the pods of the last part would be seen up to a period late, always the same ones.
type parts struct {
	// left is how many LISTs may still go after the rest of this set.
	left int
	// spread is how long after the set's appearance the rest was there; 0 while not known.
	spread time.Duration
	// patience is how many more sets may be followed up in vain; skipped counts those that were not since.
	patience, skipped int
	found             bool
}

// followUp plans what comes after a set's appearance: its rest, or the next set.
func (s schedule) followUp(o observation) (schedule, time.Duration) {
	f := &s.phase.parts
	f.left = 0
	if !f.wanted(s.set.fresh >= o.comparable) {
		return s.untilDue(o)
	}
	f.left, f.found = learning, false
	at := o.sent.Add(fineStep)
	if f.spread > 0 {
		f.left = following
		at = o.sent.Add(f.spread)
	}
	return s, pause(o, at)
}

// wanted says whether to go after the rest of a set. From time to time it is, whatever was learnt: the last parts of
// one set may always have been seen with the first parts of the next one, so that each set looked complete.
func (f *parts) wanted(complete bool) bool {
	if f.patience > 0 && (!complete || f.spread > 0) {
		f.skipped = 0
		return true
	}
	f.skipped++
	if f.skipped < retrial {
		return false
	}
	f.patience, f.skipped = 1, 0
	return true
}

// followed handles a LIST that went after the rest of a set.
func (s schedule) followed(o observation) (schedule, time.Duration) {
	f := &s.phase.parts
	f.left--
	if o.advanced > o.repeated {
		f.part(o.sent.Sub(s.set.began), s.set.fresh >= o.comparable)
	}
	if f.left > 0 {
		return s, pause(o, o.sent.Add(fineStep))
	}
	if !f.found {
		f.patience, f.spread = f.patience-1, 0
	}
	return s.untilDue(o)
}

// part notes that some of the rest was there so long after the set's appearance. Where it is known when to expect the rest, nothing
// comes after it.
func (f *parts) part(after time.Duration, complete bool) {
	const earlier = time.Second / 8 // see creeps
	if complete || f.spread > 0 && !f.found {
		f.left = 0
	}
	f.found, f.patience = true, patience
	f.spread = max(after-earlier, near)
}
