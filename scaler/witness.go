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
func (s *Scaler) settle(st *state, w *annotations.Workload) {
	a := st.attempt
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
		st.stand = written(a.decision)
		s.woke(st, w.Key, a.decision)
		s.tellRescale(st, w, a.decision)
	case carriedOut:
		s.applied(st, w, a.decision)
	}
	st.attempt = nil
}

// mostLate is how long an API server works on a request (kube-apiserver --request-timeout).
const mostLate = time.Minute

// witness notices what has become of the replicas since the last look, however they came to change. What was written here is
// known already.
func (s *Scaler) witness(st *state, w *annotations.Workload, tried *attempt) {
	now := w.Replicas
	before := st.replicas
	st.replicas = now
	if !st.known {
		st.known, st.first = true, s.now()
		st.stand = agreed(now)
		return
	}
	if now != before && w.ScaledByUs {
		st.history, st.past.Adopted = st.history.Adopted(s.now(), now), true
		s.suspect(st, w, before, tried)
	} else if now != before {
		s.noteOverwrite(st, w, before)
	}
}

// suspect considers a change that was made under mini-hpa's name and not here, from the number before; tried is the write whose fate was not known until
// now, nil if there was none.
func (s *Scaler) suspect(st *state, w *annotations.Workload, before int32, tried *attempt) {
	now, weight := s.now(), certain
	switch {
	case now.Sub(st.first) < overlap:
		return
	case tried != nil && !tried.conflict:
		return // our own write, changed by somebody on the way
	case tried != nil && tried.decision.Desired == st.replicas:
		weight = doubtful
	}
	s.telemetry.namesakes.Inc()
	if s.namesake.gather(now, weight) {
		s.tellNamesake(w, before)
	}
}

// noteOverwrite notes that somebody else has set the replicas, from the number before.
func (s *Scaler) noteOverwrite(st *state, w *annotations.Workload, before int32) {
	o := overwrite{Rescale: Rescale{Time: s.now(), From: before, To: w.Replicas}, by: writer(w)}
	st.glance.overwritten(o)
	s.telemetry.overwritten(w.Key, classOf(w))
	s.chronicle.add(w.Key, Entry{Time: o.Time, Reason: EntryOverwritten, From: o.From, To: o.To, Message: fmt.Sprintf("replicas were set from %d to %d by %s", o.From, o.To, o.by)})
}
