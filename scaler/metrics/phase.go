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
	// settled is the number of sets after which the phase is trusted and the period is exact enough.
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

// phase is the state of the locked mode: a phase-locked loop, whose period and phase are corrected by each set that
// is seen. Without it a sample is seen half a second later on average, and a period that is 0.1 s longer than thought is off by a whole one after
// 150 sets.
type phase struct {
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
	// seen counts the sets since the phase was found.
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
	parts   parts
}

// lockOn begins the locked mode with the second set, whose moment is known to within width.
func (s schedule) lockOn(o observation, width time.Duration) (schedule, time.Duration) {
	s.mode = locked
	period := o.sent.Sub(s.search.anchor)
	s.phase = phase{
		period: period, slack: max(width, s.search.width), span: 1,
		anchor: s.search.anchor, sets: 1, parts: parts{patience: patience},
		// Longer than expected, it may be two periods or more, with an outage in between.
		lost: period > s.resolution*3/2,
	}
	s.phase.due = o.sent.Add(period - s.phase.creep())
	return s.followUp(o)
}

func (s schedule) nextLocked(o observation, begins bool) (schedule, time.Duration) {
	early := s.phase.due.Sub(o.sent) > near
	switch {
	case begins && early && s.phase.lost:
		return s.relearn(o) // in the middle of what should be a period
	case begins:
		return s.sighted(o)
	case s.phase.parts.left > 0:
		return s.followed(o)
	case early:
		return s.untilDue(o)
	}
	return s.tooEarly(o)
}

// sighted handles the appearance of the set that was due.
func (s schedule) sighted(o observation) (schedule, time.Duration) {
	p := &s.phase
	p.seen++
	p.sets++
	if p.seen >= settled {
		s.search.allowance = fullAllowance(s.resolution)
	}
	if p.blind {
		return s.resume(o)
	}
	moment := p.locate(o.sent)
	p.strike()
	if p.run >= len(creeps) || p.strikes >= strikesOut {
		return s.relearn(o)
	}
	p.due, p.tries, p.lost = moment.Add(p.period-p.creep()), 0, false
	return s.followUp(o)
}

// strike notes whether sets had stayed away. If they do again and again, the period must have become longer.
func (p *phase) strike() {
	if !p.lost {
		p.strikes = 0
		return
	}
	p.strikes++
}

// locate says from which moment the next period is to be counted.
func (p *phase) locate(at time.Time) time.Time {
	wasLate := p.late
	p.late = false
	switch delay := at.Sub(p.due); {
	case p.tries == 0:
		p.run++
		return at
	case delay <= near || p.span < settled/2:
		p.measure(at)
	case wasLate:
		p.slack, p.span, p.anchor, p.sets = fineStep, 1, at, 0
	default:
		// One set that is late says nothing about the next one; two do.
		p.late = true
		at = p.due
	}
	p.run = 0
	return at
}

// resume goes on with the known rhythm after LISTs that failed, during which sets may have been missed.
func (s schedule) resume(o observation) (schedule, time.Duration) {
	s.phase.blind, s.phase.tries, s.phase.parts.left = false, 0, 0
	s.phase.anchor, s.phase.sets = time.Time{}, 0
	s.phase.skipTo(o.sent)
	return s.untilDue(o)
}

// tooEarly handles a LIST that was made when a set was due and did not see one.
func (s schedule) tooEarly(o observation) (schedule, time.Duration) {
	p := &s.phase
	p.tries++
	retry := fineStep
	switch p.tries {
	case 1:
		retry = firstRetry
	case 2:
		retry = secondRetry
	}
	at := o.sent.Add(retry)
	if at.Before(p.due.Add(p.patience())) {
		return s, pause(o, at)
	}
	p.lost, p.run, p.tries = true, 0, 0
	p.anchor, p.sets = time.Time{}, 0
	p.skipTo(o.sent)
	return s.untilDue(o)
}

// untilDue waits for the next set, in slow steps if the rhythm is in doubt.
func (s schedule) untilDue(o observation) (schedule, time.Duration) {
	at := s.phase.due
	if step := s.slowStep(); s.phase.lost && at.Sub(o.sent) > step+fineStep {
		at = o.sent.Add(step)
	}
	return s, pause(o, at)
}

// patience is how long after due a set is waited for. Once sets stayed away it is short, for they may come at any moment.
func (p *phase) patience() time.Duration {
	if p.lost && p.seen > 0 {
		return min(2*time.Second, p.period/2)
	}
	return min(lateness+2*p.slack/time.Duration(p.span), p.period)
}

// creep is how much earlier than a period after this set to look for the next one.
func (p *phase) creep() time.Duration {
	c := creeps[p.run]
	if p.span < settled {
		c = max(c, p.slack/time.Duration(p.span))
	}
	return min(c, p.period/4)
}

// measure corrects the period by a set whose moment is known well.
func (p *phase) measure(at time.Time) {
	if p.sets >= p.span && !p.anchor.IsZero() {
		p.period = max(at.Sub(p.anchor)/time.Duration(p.sets), shortest)
		p.span = min(p.sets, settled)
	}
	if p.sets >= horizon || p.anchor.IsZero() {
		p.anchor, p.sets = at, 0
	}
}

// skipTo makes the first moment after t due that fits the rhythm.
func (p *phase) skipTo(t time.Time) {
	if behind := t.Sub(p.due); behind >= 0 {
		p.due = p.due.Add((behind/p.period + 1) * p.period)
	}
}
