package metrics

import "time"

const (
	// firstRetry is how soon a LIST is repeated that came too early for its set, secondRetry how soon after that once more; they
	// bound the delay of a sample. A set that is not there by then is not merely a little late.
	firstRetry, secondRetry = 200 * time.Millisecond, 400 * time.Millisecond
	// near is how far from when it was due a set may be for its moment to count as the next one of the rhythm: what the second
	// retry finds is, also where each LIST takes its time.
	near = firstRetry + secondRetry + breather
	// lateness is how long after its moment a set is waited for in fine steps.
	lateness = 5 * time.Second
	// settled is the number of sets after which a lock is trusted and the period is exact enough.
	settled = 8
	// horizon is the number of sets over which the period is measured.
	horizon = 16
	// strikesOut is how many sets in a row may be seen only after others stayed away.
	strikesOut = 2
)

// creeps is how much earlier to LIST after 0, 1, 2 ... sets in a row that were there at the first look: slowly at first, since
// then the moment is known well, and faster when it turns out that sets are ready long before. When the list is
// through without one LIST being too early, the publisher must have another period or phase.
var creeps = [...]time.Duration{0, time.Second / 8, time.Second / 8, time.Second / 4, time.Second / 2, time.Second, 2 * time.Second}

// lock is the state of the locked mode.
type lock struct {
	period time.Duration
	// slack is how uncertain the period was at first, span over how many sets it was measured since.
	slack time.Duration
	span  int
	// anchor is the moment of a set that is known well, sets how many came after it.
	anchor time.Time
	sets   int
	// due is when to look for the next set, tries how many LISTs looked in vain since.
	due   time.Time
	tries int
	// run counts the sets in a row that were there at the first look.
	run int
	// seen counts the sets since the lock.
	seen int
	// late says that the set before came much later than due.
	late bool
	// blind says that a LIST failed since the newest set: the moment of the next one seen is unknown.
	blind bool
	// lost says that sets stayed away: the rhythm may be another one when they come back, so it is looked for
	// in slow steps between the moments at which they would be due.
	lost bool
	// strikes counts the sets in a row that were seen after others had stayed away.
	strikes int
	follow  follow
}

// lockOn begins the locked mode with the second set caught, the moment of which is known to within width.
func (s schedule) lockOn(o observation, width time.Duration) (schedule, time.Duration) {
	s.mode = locked
	period := o.sent.Sub(s.search.anchor)
	s.lock = lock{
		period: period, slack: max(width, s.search.width), span: 1,
		anchor: s.search.anchor, sets: 1, follow: follow{patience: patience},
		// Longer than expected, it may be two periods or more, with an outage in between.
		lost: period > s.resolution*3/2,
	}
	s.lock.due = o.sent.Add(period - s.lock.creep())
	return s.followUp(o)
}

func (s schedule) nextLocked(o observation, begins bool) (schedule, time.Duration) {
	early := s.lock.due.Sub(o.sent) > near
	switch {
	case begins && early && s.lock.lost:
		return s.relearn(o) // in the middle of what should be a period
	case begins:
		return s.sighted(o)
	case s.lock.follow.left > 0:
		return s.followed(o)
	case early:
		return s.untilDue(o)
	}
	return s.tooEarly(o)
}

// sighted handles the appearance of the set that was due.
func (s schedule) sighted(o observation) (schedule, time.Duration) {
	l := &s.lock
	l.seen++
	l.sets++
	if l.seen >= settled {
		s.search.allowance = fullAllowance(s.resolution)
	}
	if l.blind {
		return s.resume(o)
	}
	moment := l.locate(o.sent)
	l.strike()
	if l.run >= len(creeps) || l.strikes >= strikesOut {
		return s.relearn(o)
	}
	l.due, l.tries, l.lost = moment.Add(l.period-l.creep()), 0, false
	return s.followUp(o)
}

// strike notes whether sets had stayed away. If they do again and again, the period must have become longer.
func (l *lock) strike() {
	if !l.lost {
		l.strikes = 0
		return
	}
	l.strikes++
}

// locate says from which moment the next period is to be counted.
func (l *lock) locate(at time.Time) time.Time {
	wasLate := l.late
	l.late = false
	switch delay := at.Sub(l.due); {
	case l.tries == 0:
		l.run++
		return at
	case delay <= near || l.span < settled/2:
		l.measure(at)
	case wasLate:
		l.slack, l.span, l.anchor, l.sets = fineStep, 1, at, 0
	default:
		// One set that is late says nothing about the next one; two do.
		l.late = true
		at = l.due
	}
	l.run = 0
	return at
}

// resume goes on with the known rhythm after LISTs that failed, during which sets may have been missed.
func (s schedule) resume(o observation) (schedule, time.Duration) {
	s.lock.blind, s.lock.tries, s.lock.follow.left = false, 0, 0
	s.lock.anchor, s.lock.sets = time.Time{}, 0
	s.lock.skipTo(o.sent)
	return s.untilDue(o)
}

// tooEarly handles a LIST that was made when a set was due and did not see one.
func (s schedule) tooEarly(o observation) (schedule, time.Duration) {
	l := &s.lock
	l.tries++
	retry := fineStep
	switch l.tries {
	case 1:
		retry = firstRetry
	case 2:
		retry = secondRetry
	}
	at := o.sent.Add(retry)
	if at.Before(l.due.Add(l.patience())) {
		return s, pause(o, at)
	}
	l.lost, l.run, l.tries = true, 0, 0
	l.anchor, l.sets = time.Time{}, 0
	l.skipTo(o.sent)
	return s.untilDue(o)
}

// untilDue waits for the next set, in slow steps if the rhythm is in doubt.
func (s schedule) untilDue(o observation) (schedule, time.Duration) {
	at := s.lock.due
	if step := s.slowStep(); s.lock.lost && at.Sub(o.sent) > step+fineStep {
		at = o.sent.Add(step)
	}
	return s, pause(o, at)
}

// patience is how long after due a set is waited for. Once sets stayed away it is short, for they may come at any moment.
func (l *lock) patience() time.Duration {
	if l.lost && l.seen > 0 {
		return min(2*time.Second, l.period/2)
	}
	return min(lateness+2*l.slack/time.Duration(l.span), l.period)
}

// creep is how much earlier than a period after this set to look for the next one.
func (l *lock) creep() time.Duration {
	c := creeps[l.run]
	if l.span < settled {
		c = max(c, l.slack/time.Duration(l.span))
	}
	return min(c, l.period/4)
}

// measure corrects the period by a set the moment of which is known well.
func (l *lock) measure(at time.Time) {
	if l.sets >= l.span && !l.anchor.IsZero() {
		l.period = max(at.Sub(l.anchor)/time.Duration(l.sets), shortest)
		l.span = min(l.sets, settled)
	}
	if l.sets >= horizon || l.anchor.IsZero() {
		l.anchor, l.sets = at, 0
	}
}

// skipTo makes the first moment after t due that fits the rhythm.
func (l *lock) skipTo(t time.Time) {
	if behind := t.Sub(l.due); behind >= 0 {
		l.due = l.due.Add((behind/l.period + 1) * l.period)
	}
}
