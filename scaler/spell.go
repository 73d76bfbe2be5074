package scaler

import "time"

// steady is how long a failure, or its end, lasts before it is told, so that a metric that flaps is told once.
const steady = 30 * time.Second

// Spell follows something that comes and goes, such as the failure of a metric, to tell it once. It is worth telling when it has been the case
// for 30 s in all, and over when it has not been for 30 s in a row. Between two looks it counts as it was at the first of them. The zero value
// is a spell that has not begun; a Spell is a value.
//
//	the case   #   # # # ## # ### #### ## ############ #
//	told                               |--------------------------|
type Spell struct {
	on, told   bool
	at         time.Time     // of the last look
	held, rest time.Duration // how long it was the case since it began, and how long it has not been since it last was
}

// Look is the spell after a look at it. It is news if it is now to be told that it is the case, or, after that, that it is over.
func (s Spell) Look(on bool, now time.Time) (_ Spell, news bool) {
	s = s.passed(now)
	if s.on = on; on {
		s.rest = 0
	}
	switch {
	case on && !s.told && s.held >= steady:
		s.told = true
		return s, true
	case !on && s.rest >= steady:
		return Spell{}, s.told
	}
	return s, false
}

// unknown is the spell after a look at which it was not known whether it is the case.
func (s Spell) unknown(now time.Time) Spell {
	s = s.passed(now)
	s.on, s.rest = false, 0
	return s
}

// passed is the spell up to now.
func (s Spell) passed(now time.Time) Spell {
	switch {
	case s.at.IsZero():
	case s.on:
		s.held += now.Sub(s.at)
	default:
		s.rest += now.Sub(s.at)
	}
	s.at = now
	return s
}

// Due is how long it takes until there may be news even if nothing changes; 0 if there will not be.
func (s Spell) Due() time.Duration {
	switch {
	case s.on && !s.told:
		return steady - s.held
	case !s.on && s.told:
		return steady - s.rest
	}
	return 0
}
