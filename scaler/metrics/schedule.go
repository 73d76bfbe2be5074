package metrics

import "time"

// Steps of the schedule. They are seconds and not shares of a period, because what they bound is how late a sample is seen.
const (
	// fineStep is the distance of two LISTs where a set may appear at any moment.
	fineStep = time.Second
	// slowest and fastest bound the distance of two LISTs where little is known and nothing is urgent.
	slowest, fastest = 5 * time.Second, time.Second
	// breather is the shortest pause after an answer, whatever the plan says; slow answers get half their time.
	breather = 100 * time.Millisecond
	// closest is the shortest distance of two LISTs.
	closest = firstRetry
	// shortest is the shortest period that is followed. Publishers below it are listed once per configured resolution.
	shortest = 2 * time.Second
	// longest is the longest period that is followed: more than that is an outage.
	longest = 2 * time.Minute
)

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

// set is the sample set being published: some publishers write it in parts, and some pods' samples skip a set.
type set struct {
	began time.Time
	// fresh counts the pods with a new sample so far.
	fresh int
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
	begins := o.begins()
	s.set.fresh += o.advanced
	if begins {
		s.set = set{began: o.sent, fresh: o.advanced}
	}
	switch s.mode {
	case locked:
		return s.nextLocked(o, begins)
	case gliding:
		return s.nextGliding(o, begins)
	case searching:
	}
	return s.nextSearching(o, begins)
}

// begins says whether a LIST saw a new set rather than nothing, a few odd pods with a rhythm of their own, or the rest of
// the set before: then many pods have their second sample since the set before began.
func (o observation) begins() bool {
	const share = 4 // a quarter of the pods
	return o.repeated > 0 && o.repeated*share >= o.comparable
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

// nextGliding looks from time to time whether there is a rhythm by now.
func (s schedule) nextGliding(o observation, begins bool) (schedule, time.Duration) {
	const enough = 40
	s.glided++
	if !begins || s.glided > enough {
		return s.relearn(o)
	}
	return s, pause(o, o.sent.Add(s.resolution))
}

// period is the publisher's, as learnt; 0 while it is not known.
func (s schedule) period() time.Duration {
	if s.mode != locked {
		return 0
	}
	return s.phase.period
}

// slowStep is for times in which nothing is expected soon.
func (s schedule) slowStep() time.Duration {
	return min(max(s.resolution/3, fastest), slowest)
}

// pause is how long to wait after an observation in order to LIST at a moment, or as soon after it as is decent.
func pause(o observation, at time.Time) time.Duration {
	took := o.done.Sub(o.sent)
	return max(at.Sub(o.done), closest-took, took/2, breather)
}
