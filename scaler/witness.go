package scaler

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// settle finds out what became of a write without an answer, once another resourceVersion is seen than the one that was decided on. An
// update depends on that version, so it either has been carried out, which the replicas show, or never will be. A patch may still be
// carried out while an API server works on it and the replicas have not changed. If there is a newer decision by then, it was not
// the last decision that was carried out, and the history takes it as a change of its own, see witness.
func (s *Scaler) settle(mem *remembered, w *annotations.Workload) {
	a := mem.attempt
	if a == nil || a.version == w.Version {
		return
	}
	ours := w.ScaledByUs || a.decision.Desired == 0 && w.SetBy == "" // who has updated to 0 is not on record
	carriedOut := w.Replicas == a.decision.Desired && ours && !a.conflict
	switch {
	case !carriedOut && a.patched && !a.conflict && w.Replicas == a.decision.Current && s.now().Sub(a.at) < mostLate:
		a.outlived = true
		return
	case carriedOut && a.outlived:
		mem.stand = written(a.decision)
		s.woke(mem, w.Key, a.decision)
		s.tellRescale(mem, w, a.decision)
	case carriedOut:
		s.applied(mem, w, a.decision)
	}
	mem.attempt = nil
}

// mostLate is how long an API server works on a request (kube-apiserver --request-timeout).
const mostLate = time.Minute

// witness notices what has become of the replicas since the last look, however they came to change. What was written here is
// known already.
func (s *Scaler) witness(mem *remembered, w *annotations.Workload, tried *attempt) {
	now := w.Replicas
	before := mem.replicas
	mem.replicas = now
	if !mem.known {
		mem.known, mem.first = true, s.now()
		mem.stand = agreed(now)
		return
	}
	if now != before && w.ScaledByUs {
		mem.history, mem.past.Adopted = mem.history.Adopted(s.now(), now), true
		s.suspect(mem, w, before, tried)
	} else if now != before {
		s.noteOverwrite(mem, w, before)
	}
}

// suspect considers a change that was made under mini-hpa's name and not here, from the number before; tried is the write whose fate was not known until
// now, nil if there was none.
func (s *Scaler) suspect(mem *remembered, w *annotations.Workload, before int32, tried *attempt) {
	now, weight := s.now(), certain
	switch {
	case now.Sub(mem.first) < overlap:
		return
	case tried != nil && !tried.conflict:
		return // our own write, changed by somebody on the way
	case tried != nil && tried.decision.Desired == mem.replicas:
		weight = doubtful
	}
	s.telemetry.namesakes.Inc()
	if s.namesake.gather(now, weight) {
		s.tellNamesake(w, before)
	}
}

// noteOverwrite notes that somebody else has set the replicas, from the number before.
func (s *Scaler) noteOverwrite(mem *remembered, w *annotations.Workload, before int32) {
	o := overwrite{Rescale: Rescale{Time: s.now(), From: before, To: w.Replicas}, by: writer(w)}
	mem.glance.overwritten(o)
	s.telemetry.overwritten(w.Key, classOf(w))
	s.chronicle.add(w.Key, Entry{Time: o.Time, Reason: EntryOverwritten, From: o.From, To: o.To, Message: fmt.Sprintf("replicas were set from %d to %d by %s", o.From, o.To, o.by)})
}
