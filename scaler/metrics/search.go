package metrics

import "time"

// search is the state of the searching mode: the two ends of a period are to be caught. Without it the period would have to be configured, and a
// publisher with another one, or none, would be missed or asked too often.
type search struct {
	// fine is how many more LISTs may be made in fine steps; then steps are slow.
	fine int
	// allowance is what fine starts with the next time. It is halved with each search and restored by a phase that
	// lasted, so that a publisher without a rhythm does not cost a LIST per second for ever.
	allowance int
	// missed is when the newest LIST without a new set was sent, if no set was seen since; else zero.
	missed time.Time
	// anchor is when the first of the two sets was seen, width the uncertainty of it; zero while none is.
	anchor time.Time
	width  time.Duration
	// run counts sets seen one LIST after the other.
	run int
}

// smallestAllowance of fine steps is enough to recognise a publisher that is new at every LIST.
const smallestAllowance = 5

// fullAllowance lets two sets of a publisher with the expected period be caught in fine steps, with some failures between.
func fullAllowance(resolution time.Duration) int {
	return min(max(int(4*resolution/fineStep), 2*smallestAllowance), 240)
}

func newSearch(allowance int) search {
	return search{fine: allowance, allowance: max(allowance/2, smallestAllowance)}
}

// relearn forgets phase and period. The LIST that gave the reason saw a set or not; either way it is no end of a period.
func (s schedule) relearn(o observation) (schedule, time.Duration) {
	s.mode, s.phase, s.glided = searching, phase{}, 0
	s.search = newSearch(s.search.allowance)
	return s.step(o)
}

func (s schedule) nextSearching(o observation, begins bool) (schedule, time.Duration) {
	if begins {
		return s.caught(o)
	}
	s.search.missed, s.search.run = o.sent, 0
	return s.step(o)
}

// caught handles a set seen while searching. Only the moment of a set that the LIST before did not see is known.
func (s schedule) caught(o observation) (schedule, time.Duration) {
	const alwaysNew = 3
	f := &s.search
	width := o.sent.Sub(f.missed)
	bracketed := !f.missed.IsZero()
	f.missed = time.Time{}
	f.run++
	switch {
	case f.run >= alwaysNew:
		s.mode = gliding
		return s, pause(o, o.sent.Add(s.resolution))
	case !bracketed:
		f.anchor = time.Time{}
	case f.ends(o.sent):
		return s.lockOn(o, width)
	default:
		f.anchor, f.width = o.sent, width
	}
	return s.step(o)
}

// ends says whether a set at t ends a period.
func (f *search) ends(t time.Time) bool {
	period := t.Sub(f.anchor)
	return !f.anchor.IsZero() && period >= shortest && period <= longest
}

// step plans the next LIST of a search. A scope without pods is listed slowly, because nothing can be late.
func (s schedule) step(o observation) (schedule, time.Duration) {
	if o.listed == 0 || s.search.fine == 0 {
		return s, pause(o, o.sent.Add(s.slowStep()))
	}
	s.search.fine--
	return s, pause(o, o.sent.Add(fineStep))
}
