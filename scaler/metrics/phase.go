package metrics

import "time"

const (
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

// newPhase is that of a publisher of which two sets were seen, the second at a moment. slack is how uncertain the period between them is.
func newPhase(second time.Time, period, slack time.Duration) phase {
	p := phase{period: period, slack: slack, span: 1, anchor: second.Add(-period), sets: 1, parts: parts{patience: patience}}
	p.due = second.Add(period - p.creep())
	return p
}

// next takes in a LIST and says how long after its end to make the next one; slow is the distance of two LISTs while the rhythm is in
// doubt. It is not known any more if the sets have another rhythm now, or none.
func (p phase) next(o sighting, slow time.Duration) (_ phase, wait time.Duration, known bool) {
	early := p.due.Sub(o.sent) > near
	switch {
	case o.begins && early && p.lost:
		return p, 0, false // in the middle of what should be a period
	case o.begins:
		return p.sighted(o, slow)
	case p.parts.left > 0:
		if wait, follows := p.parts.followed(o); follows {
			return p, wait, true
		}
	case !early:
		if wait, again := p.tooEarly(o.observation); again {
			return p, wait, true
		}
	}
	return p, p.untilDue(o.observation, slow), true
}

// sighted handles the appearance of the set that was due.
func (p phase) sighted(o sighting, slow time.Duration) (_ phase, wait time.Duration, known bool) {
	p.seen++
	p.sets++
	if p.blind {
		p.resume(o.sent)
		return p, p.untilDue(o.observation, slow), true
	}
	moment := p.locate(o.sent)
	p.strike()
	if p.run >= len(creeps) || p.strikes >= strikesOut {
		return p, 0, false
	}
	p.due, p.tries, p.lost = moment.Add(p.period-p.creep()), 0, false
	wait = p.followUp(o, slow)
	return p, wait, true
}

// followUp plans what comes after a set's appearance: its rest, or the next set.
func (p *phase) followUp(o sighting, slow time.Duration) time.Duration {
	if wait, follows := p.parts.followUp(o); follows {
		return wait
	}
	return p.untilDue(o.observation, slow)
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
func (p *phase) resume(at time.Time) {
	p.blind, p.tries, p.parts.left = false, 0, 0
	p.anchor, p.sets = time.Time{}, 0
	p.skipTo(at)
}

// tooEarly handles a LIST that was made when a set was due and did not see one: it is repeated soon, until the set is given up.
func (p *phase) tooEarly(o observation) (wait time.Duration, again bool) {
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
		return pause(o, at), true
	}
	p.lost, p.run, p.tries = true, 0, 0
	p.anchor, p.sets = time.Time{}, 0
	p.skipTo(o.sent)
	return 0, false
}

// untilDue waits for the next set, in slow steps if the rhythm is in doubt.
func (p *phase) untilDue(o observation, slow time.Duration) time.Duration {
	at := p.due
	if p.lost && at.Sub(o.sent) > slow+fineStep {
		at = o.sent.Add(slow)
	}
	return pause(o, at)
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
