package metrics

import "time"

// mode is what the schedule is doing.
type mode int

const (
	// searching lists in steps until two sets in a row were caught appearing.
	searching mode = iota
	// locked lists when the next set is due.
	locked
	// gliding lists once per resolution: every LIST brings new timestamps, so there is no moment to wait for (such as an
	// implementation that answers from a query made for each LIST).
	gliding
)

// schedule decides when to LIST next. A simple one, "half a second before the period is over, then once a second", has a fifth of the code. It
// sees a sample 0.47 s after it is readable instead of 0.13 s, costs two LISTs for each set, and loses most of what a publisher says whose
// period is not the configured one: 63 % at a period of 5 s instead of 15 s (docs/adr/0006-schedule-of-lists.md).
//
// It is a value and its next is pure: no clock, no randomness.
//
//	publisher   ......A..............B..............C..............D......    a set becomes readable, period unknown
//	searching   o.o.o.O.o.o.o.o.o.o.o O                                        1 s steps; A and B caught: period = B - A
//	locked                                         oO                          due: a bit early, then again: C
//	                                                              O            due: at once: D, next time a bit earlier
//
// In the locked mode a LIST that finds its set at once cannot know for how long it was readable. So each such set makes the next
// one due a bit earlier (see creep) until a LIST is too early; the retry after it finds the set and knows its moment to
// within firstRetry. Delay and cost are both bounded by that sawtooth: about 1.6 LISTs per period, 0.13 s.
type schedule struct {
	resolution time.Duration
	mode       mode
	failures   int
	// due is when to make the next LIST.
	due    time.Time
	set    set
	search search
	phase  phase
	// glided counts the LISTs since gliding began.
	glided int
}

func newSchedule(resolution time.Duration) schedule {
	return schedule{resolution: resolution, search: newSearch(fullAllowance(resolution))}
}

// next takes in the outcome of a LIST and says how long after its end to make the next one. A LIST that was made because a sample was
// wanted, and brought nothing new, changes no plan: it would count as one that looked for a set, or for the rest of one, in vain.
func (s schedule) next(o observation) (schedule, time.Duration) {
	if o.wanted && !o.failed && o.advanced == 0 && s.failures == 0 && o.sent.Before(s.due) {
		return s, pause(o, s.due)
	}
	s, wait := s.learn(o)
	s.due = o.done.Add(wait)
	return s, wait
}

func (s schedule) learn(o observation) (schedule, time.Duration) {
	if o.failed {
		return s.afterFailure(o)
	}
	s.failures = 0
	var saw sighting
	s.set, saw = s.set.seen(o)
	switch s.mode {
	case locked:
		return s.nextLocked(saw)
	case gliding:
		return s.nextGliding(saw)
	case searching:
	}
	return s.nextSearching(saw)
}

// afterFailure retries once soon, because most failures concern one request, and then at a bounded rate. The distances are from
// request to request, so that a server that hangs until the deadline is not left alone for longer than one that refuses.
func (s schedule) afterFailure(o observation) (schedule, time.Duration) {
	s.failures++
	s.search.missed, s.search.anchor = time.Time{}, time.Time{}
	s.phase.blind = true
	if s.failures <= tolerated {
		return s, fineStep
	}
	s.phase.lost = true
	backoff := min(time.Duration(s.failures)*time.Second, slowest)
	return s, max(o.sent.Add(backoff).Sub(o.done), 2*time.Second)
}

// nextSearching goes over to one of the other modes once the search has found something.
func (s schedule) nextSearching(o sighting) (schedule, time.Duration) {
	switch s.search = s.search.next(o); {
	case s.search.run >= alwaysNew:
		s.mode = gliding
		return s, pause(o.observation, o.sent.Add(s.resolution))
	case s.search.period > 0:
		return s.lockOn(o)
	}
	return s.step(o.observation)
}

// lockOn begins the locked mode with the second of the two sets that were searched for.
func (s schedule) lockOn(o sighting) (_ schedule, wait time.Duration) {
	s.mode, s.phase = locked, newPhase(o.sent, s.search.period, s.search.width)
	// Longer than expected, it may be two periods or more, with an outage in between.
	s.phase.lost = s.search.period > s.resolution*3/2
	wait = s.phase.followUp(o, slowStep(s.resolution))
	return s, wait
}

// nextLocked follows the rhythm, and searches for another one if it is not known any more.
func (s schedule) nextLocked(o sighting) (_ schedule, wait time.Duration) {
	var known bool
	s.phase, wait, known = s.phase.next(o, slowStep(s.resolution))
	if s.phase.seen >= settled {
		s.search.allowance = fullAllowance(s.resolution)
	}
	if !known {
		return s.relearn(o.observation)
	}
	return s, wait
}

// nextGliding looks from time to time whether there is a rhythm by now.
func (s schedule) nextGliding(o sighting) (schedule, time.Duration) {
	const enough = 40
	s.glided++
	if !o.begins || s.glided > enough {
		return s.relearn(o.observation)
	}
	return s, pause(o.observation, o.sent.Add(s.resolution))
}

// relearn forgets phase and period. The LIST that gave the reason saw a set or not; either way it is no end of a period.
func (s schedule) relearn(o observation) (schedule, time.Duration) {
	s.mode, s.phase, s.glided = searching, phase{}, 0
	s.search = newSearch(s.search.allowance)
	return s.step(o)
}

func (s schedule) step(o observation) (_ schedule, wait time.Duration) {
	s.search, wait = s.search.step(o, slowStep(s.resolution))
	return s, wait
}

// period is the publisher's, as learnt; 0 while it is not known.
func (s schedule) period() time.Duration {
	if s.mode != locked {
		return 0
	}
	return s.phase.period
}
