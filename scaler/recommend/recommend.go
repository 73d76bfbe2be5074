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

// Recommend decides with DefaultRules.
func Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	return DefaultRules().Recommend(p, s, h)
}

// Recommend says how many replicas the workload should have now. The returned history holds this evaluation; hand it
// to the next call, by way of History.Applied where the decision was written.
func (r Rules) Recommend(p annotations.Policy, s Snapshot, h History) (Decision, History) {
	h = r.seeded(h, s, p)
	d := Decision{Time: s.Time, Current: s.Replicas, Desired: s.Replicas, Able: AbleSucceededGetScale}
	if s.Replicas == 0 {
		d.Active, d.Reason = ActiveDisabled, "replicas is 0: scaling is disabled until somebody sets it above 0"
		return d, h
	}
	if s.Replicas < p.Min || s.Replicas > p.Max {
		d.correct(p)
		return d, h
	}
	if v := (view{Rules: r, Snapshot: s, changed: h.lastChange()}); !v.measure(&d, p) {
		return d, h
	}
	raw := Sample{Time: s.Time, Replicas: d.Desired}
	d.stabilize(p, h)
	d.bound(p)
	d.limit(p, h)
	return d, h.recorded(raw, p)
}

// correct brings replicas that are out of bounds back at once: no metric, window or policy has a say (HPA: the same).
func (d *Decision) correct(p annotations.Policy) {
	bound, key, relation := p.Max, annotations.Max, "above"
	if d.Current < p.Min {
		bound, key, relation = p.Min, annotations.Min, "below"
	}
	d.Reason = fmt.Sprintf("current number of replicas %d %s %s %d", d.Current, relation, key, bound)
	d.step(StageBounds, "", bound, boundReason(d.Current, bound), d.Reason)
}

// step moves the decision to a new number of replicas and says why.
func (d *Decision) step(stage, metric string, to int32, reason, detail string) {
	d.Steps = append(d.Steps, Step{Stage: stage, Metric: metric, From: d.Desired, To: to, Reason: reason, Detail: detail})
	d.Desired = to
}

// before remembers the earliest moment at which time alone changes the decision; zero is none.
func (d *Decision) before(t time.Time) {
	d.Next = earlier(d.Next, t)
}
