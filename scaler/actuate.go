package scaler

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// act writes the decision. It does not write 0 where that would lose requests, which remembered.closed says. A conflict comes back as an error, too, so that the
// workload is looked at again soon.
func (s *Scaler) act(ctx context.Context, mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) error {
	if decision.Desired == decision.Current {
		delete(mem.told, topicWrite)
		return s.sign(ctx, mem, w, p, decision)
	}
	if p.Mode == annotations.ModeObserve || ctx.Err() != nil || mem.closed != nil && decision.Desired == 0 || s.yields(mem, w, p, decision) {
		mem.conflicts = conflicts{} // no write is being tried any more
		return nil
	}
	ctx, cancel := finish(ctx)
	defer cancel()
	based := w
	// Who has patched to 0 is not on record, and a patch cannot test for 0: a Scale omits it.
	if decision.Desired > 0 && decision.Current > 0 {
		based = mem.conflicts.condition(w)
	}
	stored, err := s.scales.Scale(ctx, based, decision.Desired)
	if err != nil {
		return s.failed(mem, w, decision, err)
	}
	if mem.conflicts.patches(w.Version) {
		delete(mem.told, topicPatch)
	}
	mem.conflicts = conflicts{}
	mem.version.replace(w.Version)
	if stored != "" {
		mem.version.meet(stored)
	}
	s.applied(mem, w, decision)
	return nil
}

// sign puts mini-hpa's name to a sleep that nobody is on record for, so that the process that leads next knows of it, too. What passes soon comes back as an error, so
// that the workload is looked at again soon. Anything else is told, and tried again after a pause unless it was refused: it is not urgent.
func (s *Scaler) sign(ctx context.Context, mem *remembered, w *annotations.Workload, p annotations.Policy, d recommend.Decision) error {
	n := &mem.nap
	if !d.Asleep || !n.ours || n.signed {
		delete(mem.told, topicSign)
	}
	if !d.Asleep || !n.signs(s.now()) || !w.SignsZero() || p.Mode == annotations.ModeObserve {
		mem.conflicts = conflicts{} // no write is being tried any more
		return nil
	}
	stored, err := s.scales.Scale(ctx, w, 0)
	switch {
	case errors.Is(err, ErrNotLeading):
		return err
	case apierrors.IsNotFound(err):
		return nil
	case passes(err):
		if err = mem.conflicts.add(err, w.Version, s.now()); !mem.conflicts.passing(err, s.now()) {
			s.tellUnsigned(mem, w, err)
		}
		return fmt.Errorf("putting on record that %s sleeps: %w", w.Title(), err)
	}
	mem.conflicts = conflicts{}
	switch {
	case err == nil:
		n.tried = true
		delete(mem.told, topicSign)
		if stored != "" {
			mem.version.meet(stored)
		}
		return nil
	case refused(err):
		n.tried = true
	default:
		n.pauses(s.now())
	}
	s.tellUnsigned(mem, w, err)
	return nil
}

// applied remembers and reports a write.
func (s *Scaler) applied(mem *remembered, w *annotations.Workload, decision recommend.Decision) {
	mem.history, mem.past.Unwritten = mem.history.Applied(decision), false
	mem.replicas, mem.stand, mem.attempt, mem.nap = decision.Desired, written(decision), nil, nap{ours: decision.Desired == 0}
	s.woke(mem, w.Key, decision)
	s.tellRescale(mem, w, decision)
}

// failed remembers a write without a good answer. Unless it was refused or not sent at all, it may have been carried out, because the
// answer may be lost. After a conflict it was not, though a retry on the way may have conflicted with its own first try: see namesake.
func (s *Scaler) failed(mem *remembered, w *annotations.Workload, decision recommend.Decision, err error) error {
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile: a normal end
	}
	conflict, patched := apierrors.IsConflict(err), mem.conflicts.patches(w.Version)
	if (conflict || !refused(err) && !errors.Is(err, ErrNotSent)) && (mem.attempt == nil || mem.attempt.version != w.Version && !conflict) {
		mem.attempt = &attempt{version: w.Version, decision: decision, at: s.now(), patched: patched, conflict: conflict}
	}
	switch {
	case passes(err):
		err = mem.conflicts.add(err, w.Version, s.now())
	case refused(err):
		mem.conflicts.refuse(w.Version)
	}
	if conflict {
		s.telemetry.conflicts.Inc()
	}
	if !mem.conflicts.passing(err, s.now()) && !errors.Is(err, ErrNotLeading) {
		s.tellFailedRescale(mem, w, decision, err, patched)
	}
	return fmt.Errorf("scaling %s from %d to %d: %w", w.Title(), decision.Current, decision.Desired, err)
}

// writeGrace is how long a write may go on after the controller was told to stop. Scales ends it earlier where another replica may lead
// by then.
const writeGrace = time.Second

// finish lets a write that has begun come to its end even if its context ends: a write that is cut off may still be carried out, and
// no Event would report it.
func finish(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(writeGrace, cancel) })
	return late, func() { stop(); cancel() }
}

// yields says whether a decision is not written now because a rival would overwrite it. It also counts and tells that. A number that the
// rival sets during a pause does not count; otherwise a rival who writes often would make the pause last for ever.
func (s *Scaler) yields(mem *remembered, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) bool {
	now := s.now()
	if !mem.rival.paused(now) && mem.stand.undone(decision.Current, decision.Desired) {
		mem.stand = stand{}
		if mem.rival == nil {
			mem.rival = &rival{}
		}
		mem.rival.takeBack(now, p.SyncPeriod)
		s.tellRival(mem, w, decision, mem.rival.pause(p.SyncPeriod))
	}
	return mem.rival.paused(now)
}

// calm lets a rival rest, and agrees to what a decision agrees to, unless it is a number on the way during a pause.
func (s *Scaler) calm(mem *remembered, p annotations.Policy, decision recommend.Decision) {
	now := s.now()
	mem.rival.rest(now, p.SyncPeriod)
	if !mem.rival.insists(now) {
		delete(mem.told, topicRival)
	}
	if decision.Desired == decision.Current && decision.Decided() && !mem.rival.paused(now) {
		mem.stand = agreed(decision.Current)
	}
}
