package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// Difference is the first decision on which the recommender and the HPA controller do not agree.
type Difference struct {
	Recording *Recording
	// Index is the observation's, from 0: the trace up to it is the shortest that shows the difference.
	Index int
	// Want is the controller's decision, Got the recommender's.
	Want, Got Outcome
	// Why is the recommender's reasoning.
	Why recommend.Decision
}

// Policy reads the annotations of a recorded workload.
func (r *Recording) Policy() (annotations.Policy, error) {
	policy, _, problems := annotations.DefaultDefaults().Parse(r.Workload.Annotations)
	if len(problems) > 0 {
		return policy, fmt.Errorf("seed %d: the annotations %q are refused, and the same HPA is not: %w", r.Seed,
			r.Workload.Annotations, problems.ToAggregate())
	}
	return policy, nil
}

// Compare replays a recording in compatibility mode. It returns nil if every decision is the controller's.
func Compare(r *Recording) (*Difference, error) {
	policy, err := r.Policy()
	if err != nil {
		return nil, err
	}
	rules := recommend.DefaultRules()
	rules.Compat = true
	replayed := trace.NewReplay(policy, rules)
	for i, s := range r.Snapshots {
		policy.Min = r.Outcomes[i].Min
		replayed.Edit(policy)
		o := replayed.Next(s)
		got := Outcome{Time: o.Time, Current: o.Current, Desired: o.Desired, Active: o.Active, Able: o.Able, Limited: o.Limited,
			Min: policy.Min, ScaledToZero: r.Outcomes[i].ScaledToZero}
		if !got.Time.Equal(r.Outcomes[i].Time) {
			return nil, fmt.Errorf("seed %d: observation %d is of %s, and the decision of %s", r.Seed, i, got.Time, r.Outcomes[i].Time)
		}
		got.Time = r.Outcomes[i].Time
		if got != r.Outcomes[i] {
			return &Difference{Recording: r, Index: i, Want: r.Outcomes[i], Got: got, Why: o.Decision}, nil
		}
	}
	return nil, nil
}

// String tells everything that is needed to look into it.
func (d *Difference) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d, observation %d of %d\n", d.Recording.Seed, d.Index+1, len(d.Recording.Snapshots))
	for _, key := range slices.Sorted(maps.Keys(d.Recording.Workload.Annotations)) {
		fmt.Fprintf(&text, "  %s: %s\n", key, d.Recording.Workload.Annotations[key])
	}
	fmt.Fprintf(&text, "  HPA:      %+v\n  mini-hpa: %+v\n", d.Want, d.Got)
	for _, step := range d.Why.Steps {
		fmt.Fprintf(&text, "    %-10s %d -> %d %s %s %s\n", step.Stage, step.From, step.To, step.Metric, step.Reason, step.Detail)
	}
	if d.Why.Failure != nil {
		fmt.Fprintf(&text, "    failure: %+v\n", *d.Why.Failure)
	}
	return text.String()
}
