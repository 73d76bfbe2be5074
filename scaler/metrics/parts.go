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

// followUp plans the LIST that goes after the rest of a set that has appeared; false if none does.
func (f *parts) followUp(o sighting) (wait time.Duration, follows bool) {
	f.left = 0
	if !f.wanted(o.complete) {
		return 0, false
	}
	f.left, f.found = learning, false
	at := o.sent.Add(fineStep)
	if f.spread > 0 {
		f.left = following
		at = o.sent.Add(f.spread)
	}
	return pause(o.observation, at), true
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

// followed handles a LIST that went after the rest of a set, and plans the next one that does; false if none does.
func (f *parts) followed(o sighting) (wait time.Duration, follows bool) {
	f.left--
	if o.advanced > o.repeated {
		f.part(o.after, o.complete)
	}
	if f.left > 0 {
		return pause(o.observation, o.sent.Add(fineStep)), true
	}
	if !f.found {
		f.patience, f.spread = f.patience-1, 0
	}
	return 0, false
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
