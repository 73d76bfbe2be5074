package metrics

import "time"

// observation is what one LIST taught about the publisher. The times are local: the publisher's clock may be any
// amount off, so a phase is learnt only from when new data could be read here.
type observation struct {
	sent, done time.Time
	// failed says that there was no answer; the counts are 0 then.
	failed bool
	// wanted says that the LIST was not made because it was due, but because a sample was wanted.
	wanted bool
	// listed counts the pods of the answer, comparable those the answer before had too, advanced those of them with a
	// later timestamp, repeated those of them that had advanced already since the set being published began.
	listed, comparable, advanced, repeated int
}

// begins says whether a LIST saw a new set rather than nothing, a few odd pods with a rhythm of their own, or the rest of
// the set before: then many pods have their second sample since the set before began.
func (o observation) begins() bool {
	const share = 4 // a quarter of the pods
	return o.repeated > 0 && o.repeated*share >= o.comparable
}

// set is the sample set being published: some publishers write it in parts, and some pods' samples skip a set.
type set struct {
	began time.Time
	// fresh counts the pods with a new sample so far.
	fresh int
}

// sighting is what a LIST saw of a set.
type sighting struct {
	observation
	// begins says that the set is a new one, complete that all pods have a sample of it by now.
	begins, complete bool
	// after is how long after the set's appearance the LIST was sent.
	after time.Duration
}

// seen is the set after one more LIST, and what that saw of it.
func (s set) seen(o observation) (set, sighting) {
	begins := o.begins()
	if begins {
		s = set{began: o.sent}
	}
	s.fresh += o.advanced
	return s, sighting{observation: o, begins: begins, complete: s.fresh >= o.comparable, after: o.sent.Sub(s.began)}
}
