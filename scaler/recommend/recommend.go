package recommend

import (
	"fmt"
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

// stages are the steps of a decision, in their order. Each is given all that is known and the decision so far, and returns that
// as it leaves it.
var stages = []func(*view, draft) draft{
	(*view).pause,     // 0 replicas: somebody has switched the workload off
	(*view).confine,   // replicas out of bounds are brought back at once, and that is all
	(*view).measure,   // each metric proposes a number: pods -> ratio -> tolerance
	(*view).restore,   // at least what was needed before somebody else's scale-in
	(*view).largest,   // the largest proposal counts; while a metric fails, there is no scale-in
	(*view).learn,     // what this look adds to what was known, for the stages that follow
	(*view).stabilize, // within the recommendations of the stabilization windows
	(*view).bound,     // within mini-hpa/min and mini-hpa/max
	(*view).limit,     // not faster than the policies allow
	(*view).refuse,    // no more while pods are refused
	(*view).record,    // what is remembered of this look
}

// Recommend says how many replicas the workload should have now. The returned history holds this evaluation; hand it
// to the next call, by way of History.Applied where the decision was written.
func (r Rules) Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	v := r.view(&p, &s, h)
	d := v.draft()
	for _, stage := range stages {
		if d = stage(v, d); d.final {
			break
		}
	}
	if v.below && d.Desired < p.Min {
		d = v.correct(d)
	}
	return d.Decision, d.history
}

// view is all that a decision is made of. Nothing writes to it.
type view struct {
	Rules
	Snapshot
	policy annotations.Policy
	// history is what is remembered, with what this look shows of changes that somebody else has made.
	history History
	// below says that the replicas are below the minimum because somebody else has made them fewer, a moment ago.
	below bool
	band  tolerances
	// warmUp is the policy's; 0 where the repair is off.
	warmUp time.Duration
}

func (r Rules) view(p *annotations.Policy, s *Snapshot, h History) *view {
	v := &view{Rules: r, Snapshot: *s, policy: *p, band: tolerancesOf(p)}
	if r.repairs(RepairWarmUp) {
		v.warmUp = p.WarmUp
	}
	v.history = v.prepared(v.witnessed(h))
	v.below = s.Replicas < p.Min && v.history.outside.within(p)
	return v
}

func (v *view) numbers() numbers { return numbers{wrap: !v.repairs(RepairSaturation)} }

// draft is a decision in the making: what a stage is given, and what it hands on.
type draft struct {
	Decision
	// asked is what the metrics ask for.
	asked proposals
	// look is what they have recommended.
	look look
	// history is what will be remembered.
	history History
	// final says that the stages that follow have no say.
	final bool
}

func (v *view) draft() draft {
	return draft{history: v.history, Decision: Decision{
		Time: v.Time, Current: v.Replicas, Desired: v.Replicas, Able: AbleSucceededGetScale, Missing: v.missing(v.history)}}
}

// step moves the decision to a new number of replicas, and says why.
func (d draft) step(stage, metric string, to int32, reason string, facts fmt.Stringer) draft {
	d.Steps = append(d.Steps, Step{Stage: stage, Metric: metric, From: d.Desired, To: to, Reason: reason, Detail: Text{facts}})
	d.Desired = to
	return d
}

// before is a moment at which time alone changes the decision; zero is none. The earliest is told.
func (d draft) before(t time.Time) draft {
	d.Next = earlier(d.Next, t)
	return d
}

// earlier is the earlier of two moments, of which either may be zero for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// pause decides nothing for a workload of 0 replicas.
func (v *view) pause(d draft) draft {
	if v.Replicas == 0 {
		d.Active, d.Reason, d.final = ActiveDisabled, Plain("replicas is 0: scaling is disabled until somebody sets it above 0"), true
	}
	return d
}
