package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// DecisionFlags are the HPA controller's (kube-controller-manager --horizontal-pod-autoscaler-...) with its defaults.
type DecisionFlags struct {
	Defaults annotations.Defaults
	Rules    recommend.Rules
}

// DefaultDecisionFlags are those of kube-controller-manager.
func DefaultDecisionFlags() DecisionFlags {
	return DecisionFlags{Defaults: annotations.DefaultDefaults(), Rules: recommend.DefaultRules()}
}

// Declare adds the flags to f.
func (d *DecisionFlags) Declare(f *pflag.FlagSet) {
	f.Var(Duration(&d.Defaults.SyncPeriod, 100*time.Millisecond, time.Hour), "sync-period",
		"longest time between two looks at a workload; for workloads without mini-hpa/sync-period. New samples are looked at when they arrive")
	DeclareMinSyncPeriod(f, &d.Defaults)
	f.Var(fraction(&d.Defaults.Tolerance), "tolerance",
		"no change while usage divided by target is within 1 plus or minus this; for workloads without mini-hpa/tolerance")
	f.Var(Seconds(&d.Defaults.ScaleDownStabilization, 0, time.Hour), "downscale-stabilization",
		"window whose highest recommendation holds back scale-down; for workloads without mini-hpa/scale-down-stabilization")
	f.Var(Duration(&d.Defaults.WarmUp, 0, 30*time.Minute), "default-warm-up",
		"when scaling up, the CPU of a pod that became ready less than this ago counts at most as that of the others; for workloads without mini-hpa/warm-up")
	f.Var(Duration(&d.Rules.CPUInitializationPeriod, 0, time.Hour), "cpu-initialization-period",
		"after its start, a pod's CPU sample counts only if the pod was ready for the whole of it")
	f.Var(Duration(&d.Rules.InitialReadinessDelay, 0, time.Hour), "initial-readiness-delay",
		"after its start, a pod that turns unready counts as never having been ready")
	f.BoolVar(&d.Rules.Compat, "hpa-compat", d.Rules.Compat, "decide exactly as the HPA controller does, without mini-hpa's repairs")
}

// DeclareMinSyncPeriod declares the only flag of the administrator that decides which annotations are allowed: the shortest sync period.
func DeclareMinSyncPeriod(f *pflag.FlagSet, d *annotations.Defaults) {
	f.Var(Duration(&d.MinSyncPeriod, 100*time.Millisecond, time.Hour), "min-sync-period", "shortest mini-hpa/sync-period that is allowed")
}

// Check holds the flags to each other, and to the limits that the annotations have.
func (d *DecisionFlags) Check() error {
	if d.Defaults.MinSyncPeriod > d.Defaults.SyncPeriod {
		return Usagef("invalid value %q for --min-sync-period: want at most --sync-period (%s)",
			Short(d.Defaults.MinSyncPeriod), Short(d.Defaults.SyncPeriod))
	}
	if err := d.Defaults.Validate(); err != nil {
		return Usagef("%v", err)
	}
	return nil
}

// Policy reads annotations and calls tell for every warning. The error has all problems, one on a line.
func (d *DecisionFlags) Policy(set map[string]string, tell func(warning string)) (annotations.Policy, error) {
	policy, warnings, problems := d.Defaults.Parse(set)
	for _, w := range warnings {
		tell(Clean(w.String()))
	}
	return policy, Joined(problems)
}

// Joined is an error with one line for each problem, or nil. The list's own aggregate puts all of them on one line.
func Joined(problems field.ErrorList) error {
	errs := make([]error, len(problems))
	for i, problem := range problems {
		errs[i] = problem
	}
	return errors.Join(errs...)
}
