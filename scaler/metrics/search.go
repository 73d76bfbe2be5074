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
	// anchor is when the first of the two sets was seen; zero while none is. width is how uncertain the moments of both are.
	anchor time.Time
	width  time.Duration
	// period is the time from the first to the second; 0 before that is seen.
	period time.Duration
	// run counts sets seen one LIST after the other.
	run int
}

// alwaysNew is how many sets one LIST after the other make a publisher that is new at every LIST.
const alwaysNew = 3

// smallestAllowance of fine steps is enough to recognise a publisher that is new at every LIST.
const smallestAllowance = 5

// fullAllowance lets two sets of a publisher with the expected period be caught in fine steps, with some failures between.
func fullAllowance(resolution time.Duration) int {
	return min(max(int(4*resolution/fineStep), 2*smallestAllowance), 240)
}

func newSearch(allowance int) search {
	return search{fine: allowance, allowance: max(allowance/2, smallestAllowance)}
}

// next takes in a LIST. Only the moment of a set that the LIST before did not see is known.
func (f search) next(o sighting) search {
	if !o.begins {
		f.missed, f.run = o.sent, 0
		return f
	}
	width, bracketed := o.sent.Sub(f.missed), !f.missed.IsZero()
	f.missed = time.Time{}
	f.run++
	switch {
	case !bracketed:
		f.anchor = time.Time{}
	case f.ends(o.sent):
		f.period, f.width = o.sent.Sub(f.anchor), max(width, f.width)
	default:
		f.anchor, f.width = o.sent, width
	}
	return f
}

// ends says whether a set at t ends a period.
func (f search) ends(t time.Time) bool {
	period := t.Sub(f.anchor)
	return !f.anchor.IsZero() && period >= shortest && period <= longest
}

// step plans the next LIST of a search, in a fine step or a slow one. A scope without pods is listed slowly, because nothing can be late.
func (f search) step(o observation, slow time.Duration) (search, time.Duration) {
	if o.listed == 0 || f.fine == 0 {
		return f, pause(o, o.sent.Add(slow))
	}
	f.fine--
	return f, pause(o, o.sent.Add(fineStep))
}
