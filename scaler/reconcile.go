package scaler

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// soon is when a workload is looked at again whose samples are being fetched, if they do not come before.
const soon = time.Second

// Reconcile looks at one workload once and does what has to be done. It returns after how long to look again even if nothing happens until
// then, or 0 if it need not. An error means that the write failed and should be retried; ErrNotLeading means that the process that leads
// should retry it.
func (s *Scaler) Reconcile(ctx context.Context, key annotations.Key) (time.Duration, error) {
	started := s.now()
	w := s.observer.Workloads.Workload(key)
	if w == nil || w.Deleting || !annotations.Selected(w.Annotations) {
		s.forget(key)
		s.tellInner(key, w)
		return s.leave(ctx, key)
	}
	mem := s.recall(key, w)
	w, wait, err := mem.version.current(ctx, s.origin, w, mem.conflicts.contended(w.Version), s.now())
	if w == nil {
		return wait, err
	}
	tried := mem.attempt
	s.settle(mem, w)
	s.witness(mem, w, tried)
	policy, ok := s.review(mem, w)
	var stranded string
	if !ok {
		policy, stranded = s.stranded(mem, w)
		ok = stranded != ""
	}
	mem.nap = mem.nap.seen(w, s.sleepsUnderAnother(mem, w))
	w = mem.nap.known(w)
	if mem.reviewed.underAnother() {
		mem.standDown()
	}
	// What is told and shown has the bounds of the moment. Who decides is given the whole policy.
	moment, sleeper := s.observer.moment(policy)
	if !ok || policy.Mode == annotations.ModePaused {
		mem.stand, mem.conflicts, mem.woken = agreed(mem.replicas), conflicts{}, time.Time{} // the present number stands, and no write is being tried any more
		s.telemetry.observe(outcome{key: key, policy: moment, invalid: !ok, sleeper: ok && sleeper, ready: readyOf(s.observer.Workloads.Pods(w)),
			scaled: mem.glance.scaled.Time, took: s.now().Sub(started)})
		mem.glance.undecided(mem.reviewed.verdict)
		return s.stay(ctx, w, s.idle(mem, w, policy, ok))
	}
	seen, complete := s.observer.Observe(w, policy, lastChange(mem.history))
	if !complete {
		return soon, nil // the samples of a workload that was selected just now: they bring it back to the queue
	}
	if stranded != "" {
		seen.Stranded = stranded
	}
	s.awaken(mem, seen)
	s.tellClocks(w, s.telemetry.clocks.changes(seen, s.observer.Samples, s.now()))
	decision := s.decide(mem, w, policy, seen)
	s.calm(mem, policy, decision)
	led, unled := s.lead(ctx, w, policy, decision)
	mem.closed = led.Closed
	err = errors.Join(unled, s.act(ctx, mem, w, policy, decision))
	if errors.Is(err, ErrNotLeading) {
		return 0, err
	}
	decision.Next = mem.rival.wake(decision.Next, s.now())
	s.tell(mem, w, moment, decision)
	s.tellDoors(mem, w, policy, decision)
	s.tellDoubts(mem, w, s.observer.counted(policy), seen)
	mem.glance.told(mem.told[topicWrite] != "", err, mem.rival.holdsBack(policy.SyncPeriod, started))
	s.telemetry.observe(outcome{key: key, policy: moment, decision: &decision, sleeper: sleeper, pause: mem.rival.shown(policy.SyncPeriod, started), err: err,
		ready: readyOf(seen.Pods), scaled: mem.glance.scaled.Time, passing: mem.conflicts.passing(err, s.now()), took: s.now().Sub(started)})
	next := s.next(key, policy, decision)
	if led.Next > 0 {
		next = min(next, led.Next)
	}
	if due := mem.failures.due(); due > 0 {
		next = min(next, due)
	}
	return next, err
}

// sleepsUnderAnother says whether another autoscaler scales a workload that may sleep, so that its 0 is a sleep, too. In mode observe, which is
// how one is followed by mini-hpa, it is no problem that there is one.
func (s *Scaler) sleepsUnderAnother(mem *remembered, w *annotations.Workload) bool {
	scales := func(a annotations.Autoscaler) bool { return !a.Paused }
	if w.Replicas > 0 || s.observer.Rules.Compat || !slices.ContainsFunc(mem.reviewed.surroundings.Autoscalers, scales) {
		return false
	}
	policy, _, problems := s.observer.Defaults.Parse(w.Annotations)
	fewest, _ := policy.Widest()
	return len(problems) == 0 && fewest == 0
}

// review tells what is wrong with a workload, and says whether it can be scaled.
func (s *Scaler) review(mem *remembered, w *annotations.Workload) (annotations.Policy, bool) {
	v := mem.reviewed.renew(&s.observer, s.verdicts, w)
	s.tellVerdict(mem, w, v)
	return v.Policy, len(v.Problems) == 0
}

// decide recommends and remembers.
func (s *Scaler) decide(mem *remembered, w *annotations.Workload, p annotations.Policy, snapshot recommend.Snapshot) recommend.Decision {
	if !mem.seen && w.ScaledByUs {
		mem.history, mem.past.Restored = recommend.Restored(snapshot), true
	}
	if s.traces != nil {
		snapshot.Past = mem.past
		s.traces.Trace(w, snapshot, !mem.seen)
	}
	mem.seen = true
	v := mem.reviewed.verdict
	if len(v.Problems) > 0 { // it is woken because of them, and a verdict with problems has no policy
		decided := *v
		decided.Policy, v = p, &decided
	}
	mem.glance.decided(v, snapshot, mem.history)
	decision, history := s.observer.Rules.Recommend(p, snapshot, mem.history)
	mem.history, mem.past = history, recommend.Past{Unwritten: decision.Desired != decision.Current}
	return decision
}

// idle is after how long to look again at a workload on which nothing is decided: when its bounds change, or there is something else to say of it; 0 is never.
// One that cannot be followed, and that requests are to wake, is looked at after the sync period: what has to change for it, such as a NetworkPolicy or the
// labels of another workload, may tell nobody.
func (s *Scaler) idle(mem *remembered, w *annotations.Workload, p annotations.Policy, ok bool) time.Duration {
	if !ok && s.doors != nil && w.Annotations[annotations.WakeKey] != "" {
		return jittered(w.Key, s.observer.Defaults.SyncPeriod)
	}
	next := p.Schedule.Next(s.now())
	if until := mem.reviewed.verdict.Until; next.IsZero() || !until.IsZero() && until.Before(next) {
		next = until
	}
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(s.now()), time.Millisecond)
}

// lastChange is when the replicas were last changed; zero if that is not remembered.
func lastChange(h recommend.History) time.Time {
	if len(h.Changes) == 0 {
		return time.Time{}
	}
	return h.Changes[len(h.Changes)-1].Time
}

// jittered is a sync period to which each key adds its own part of a tenth, so that workloads are not looked at all at once, and not twice for each set of samples if
// both periods are equal.
func jittered(key annotations.Key, period time.Duration) time.Duration {
	return period + time.Duration(float64(period)*share(key)/10)
}

// next is when to look again: when time alone changes the decision, and at the latest after the sync period.
func (s *Scaler) next(key annotations.Key, p annotations.Policy, d recommend.Decision) time.Duration {
	wait := jittered(key, p.SyncPeriod)
	if !d.Next.IsZero() {
		wait = min(wait, max(d.Next.Sub(s.now()), time.Millisecond))
	}
	return wait
}
