package recommend

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Rules are the operator's settings of the decision, the same for every workload.
type Rules struct {
	// CPUInitializationPeriod is the time after a pod's start in which its CPU usage counts only from the first sample
	// that lies entirely after its readiness (kube-controller-manager --horizontal-pod-autoscaler-cpu-initialization-period).
	CPUInitializationPeriod time.Duration
	// InitialReadinessDelay is the time after a pod's start in which turning unready counts as never having been ready
	// (kube-controller-manager --horizontal-pod-autoscaler-initial-readiness-delay).
	InitialReadinessDelay time.Duration
	// Compat decides as the HPA controller does, without any repair.
	Compat bool
	// Without switches single repairs off.
	Without Repairs
}

// DefaultRules are the HPA controller's defaults: 5 min and 30 s.
func DefaultRules() Rules {
	return Rules{CPUInitializationPeriod: 5 * time.Minute, InitialReadinessDelay: 30 * time.Second}
}

// repairs says whether a repair is on.
func (r Rules) repairs(bit Repairs) bool { return !r.Compat && r.Without&bit == 0 }

// Recommend decides with DefaultRules.
func Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	return DefaultRules().Recommend(p, s, h)
}

// Recommend says how many replicas the workload should have now. The returned history holds this evaluation; hand it
// to the next call, by way of History.Applied where the decision was written.
func (r Rules) Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	d := newDraft(s, r)
	h = r.prepared(r.witnessed(h, s, p), s, p)
	v := &view{Rules: r, Snapshot: s, changes: h.Changes, outside: h.outside}
	d.Missing = s.missing(h)
	below := s.Replicas < p.Min && h.outside.within(p)
	switch {
	case s.Replicas == 0:
		d.Active, d.Reason = ActiveDisabled, Plain("replicas is 0: scaling is disabled until somebody sets it above 0")
	case (s.Replicas < p.Min || s.Replicas > p.Max) && !below:
		d.correct(p)
	case v.measure(d, p):
		l := r.look(d)
		h.asked, h.outside, h.needed = l.proposed, v.outside, v.needs(h.needed, p)
		d.repaired(RepairOutside, below)
		h = r.resume(h, s, l, p)
		d.stabilize(p, h, l, r)
		d.bound(p)
		d.limit(p, h)
		r.refused(d, s, h)
		h = r.recorded(h, l, p)
	}
	if below && d.Desired < p.Min {
		d.correct(p)
	}
	return d.decision(), h
}

// correct brings replicas that are out of bounds back at once: no metric, window or policy has a say (HPA: the same).
func (d *draft) correct(p annotations.Policy) {
	o := &outOfBounds{current: d.Current, bound: p.Max}
	if d.Current < p.Min {
		o.bound = p.Min
	}
	d.Reason, d.Active = Text{o}, ""
	d.step(StageBounds, "", o.bound, boundReason(o.current, o.bound), o)
}

// outOfBounds is a number of replicas that is above the one bound or below the other.
type outOfBounds struct{ current, bound int32 }

// before remembers the earliest moment at which time alone changes the decision; zero is none.
func (d *draft) before(t time.Time) {
	d.Next = earlier(d.Next, t)
}
