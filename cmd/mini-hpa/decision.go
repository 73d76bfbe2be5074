package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// decisionFlags are the HPA controller's (kube-controller-manager --horizontal-pod-autoscaler-...) with its defaults.
type decisionFlags struct {
	defaults annotations.Defaults
	rules    recommend.Rules
}

func defaultDecisionFlags() decisionFlags {
	return decisionFlags{defaults: annotations.DefaultDefaults(), rules: recommend.DefaultRules()}
}

func (d *decisionFlags) declare(f *pflag.FlagSet) {
	f.Var(duration(&d.defaults.SyncPeriod, 100*time.Millisecond, time.Hour), "sync-period",
		"longest time between two evaluations of a workload; for workloads without mini-hpa/sync-period. New samples are evaluated when they arrive")
	declareMinSyncPeriod(f, &d.defaults)
	f.Var(fraction(&d.defaults.Tolerance), "tolerance",
		"no change while usage divided by target is within 1 plus or minus this; for workloads without mini-hpa/tolerance")
	f.Var(seconds(&d.defaults.ScaleDownStabilization, 0, time.Hour), "downscale-stabilization",
		"window whose highest recommendation holds back scale-down; for workloads without mini-hpa/scale-down-stabilization")
	f.Var(duration(&d.defaults.WarmUp, 0, 30*time.Minute), "default-warm-up",
		"when scaling up, the CPU of a pod that became ready less than this ago counts at most as that of the others; for workloads without mini-hpa/warm-up")
	f.Var(duration(&d.rules.CPUInitializationPeriod, 0, time.Hour), "cpu-initialization-period",
		"after its start, a pod's CPU sample counts only if the pod was ready for the whole of it")
	f.Var(duration(&d.rules.InitialReadinessDelay, 0, time.Hour), "initial-readiness-delay",
		"after its start, a pod that turns unready counts as never having been ready")
	f.BoolVar(&d.rules.Compat, "hpa-compat", d.rules.Compat, "decide exactly as the HPA controller does, without mini-hpa's repairs")
}

// declareMinSyncPeriod is the one of the operator's values that what may be written depends on.
func declareMinSyncPeriod(f *pflag.FlagSet, d *annotations.Defaults) {
	f.Var(duration(&d.MinSyncPeriod, 100*time.Millisecond, time.Hour), "min-sync-period", "shortest mini-hpa/sync-period that is allowed")
}

// check holds the flags to each other, and to the limits that the annotations have.
func (d *decisionFlags) check() error {
	if d.defaults.MinSyncPeriod > d.defaults.SyncPeriod {
		return usagef("invalid value %q for --min-sync-period: want at most --sync-period (%s)",
			short(d.defaults.MinSyncPeriod), short(d.defaults.SyncPeriod))
	}
	if err := d.defaults.Validate(); err != nil {
		return usagef("%v", err)
	}
	return nil
}

// policy reads annotations; tell hears of every warning. The error has all problems, one to a line.
func (d *decisionFlags) policy(set map[string]string, tell func(warning string)) (annotations.Policy, error) {
	policy, warnings, problems := d.defaults.Parse(set)
	for _, w := range warnings {
		tell(clean(w.String()))
	}
	if len(problems) == 0 {
		return policy, nil
	}
	lines := make([]string, len(problems))
	for i, problem := range problems {
		lines[i] = problem.Error()
	}
	return policy, errors.New(strings.Join(lines, "\n"))
}
