package dashboard

import (
	"context"
	"errors"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

// tried is what other annotations would have done with the load that was seen.
type tried struct {
	// Invalid are what is wrong with the annotations, Problem is why nothing can be tried.
	Invalid []string `json:"invalid,omitempty"`
	Problem string   `json:"problem,omitempty"`
	// Past is what was simulated: the replicas, at each change of them.
	Past past `json:"past,omitempty"`
	// Now sums up a simulation of the annotations as they are, and Then that of the others.
	Now  sum `json:"now"`
	Then sum `json:"then"`
}

// sum is what a simulation came to.
type sum struct {
	Hours   float64 `json:"hours"`
	Changes int     `json:"changes"`
	// Beyond is the time above target and tolerance, in seconds.
	Beyond float64 `json:"beyond"`
}

func sumOf(r *simulate.Run) sum { return sum{r.ReplicaHours, r.Changes, r.Beyond.Seconds()} }

// trial is a workload whose annotations are to be others.
type trial struct {
	workload *annotations.Workload
	// policy is what its annotations ask for.
	policy   *annotations.Policy
	decision cli.DecisionFlags
	past     past
}

// podMilli is what a pod carries at its target in the simulation. What it is of does not matter: the load is counted in such pods.
const podMilli = 1000

// enough is the shortest past that says something.
const enough = 2 * time.Minute

// try simulates the past with other annotations. The load is as many pods as would have been at their target: ratio times ready pods, for the
// metric that asked for the most.
func (t *trial) try(ctx context.Context, changed map[string]string) *tried {
	out := &tried{}
	policy, _, problems := t.decision.Defaults.Parse(cli.Settings(changed).Apply(t.workload.Annotations))
	for _, p := range problems {
		out.Invalid = append(out.Invalid, p.Error())
	}
	if len(problems) == 0 {
		if err := t.simulate(ctx, out, &policy); err != nil {
			out.Problem = err.Error()
		}
	}
	return out
}

func (t *trial) simulate(ctx context.Context, out *tried, policy *annotations.Policy) error {
	if len(t.past) == 0 || t.past[len(t.past)-1].at.Sub(t.past[0].at) < enough {
		return errors.New("less than two minutes have been seen by now, which is too little to try anything on")
	}
	factors, err := factors(t.policy.Metrics, policy.Metrics)
	if err != nil {
		return err
	}
	now, err := t.run(ctx, t.policy, nil)
	if err != nil {
		return err
	}
	then, err := t.run(ctx, policy, factors)
	if err != nil {
		return err
	}
	out.Now, out.Then = sumOf(now), sumOf(then)
	out.Past = past{{at: t.past[0].at, replicas: max(t.past[0].replicas, 1)}}
	for i, m := range then.Moments {
		if i == len(then.Moments)-1 || m.Replicas != out.Past[len(out.Past)-1].replicas {
			out.Past = append(out.Past, point{at: t.past[0].at.Add(m.At), replicas: m.Replicas})
		}
	}
	return nil
}

// factors are how many times as high the target of each metric is as before.
func factors(before, after []annotations.Metric) ([]float64, error) {
	var all []float64
	for i := range after {
		if i >= len(before) || len(after) != len(before) || after[i].ID != before[i].ID || after[i].Spec.Type != before[i].Spec.Type {
			return nil, errUnseen
		}
		unit, old := target(&before[i])
		other, aim := target(&after[i])
		if unit != other {
			return nil, errUnseen
		}
		factor := aim / old
		if !(factor > 0) || math.IsInf(factor, 0) {
			factor = 1 // it has no target
		}
		all = append(all, factor)
	}
	return all, nil
}

var errUnseen = errors.New("what another metric, or an amount in the place of a percentage, would have said was not seen, so that it cannot be tried")

// target is what a metric is held at, and of what that is; 0 if it has none.
func target(m *annotations.Metric) (unit string, value float64) {
	name, container, t := annotations.Usage(&m.Spec)
	unit = string(name) + "/" + container
	switch spec := &m.Spec; {
	case t != nil:
	case spec.Pods != nil:
		t = &spec.Pods.Target
	case spec.Object != nil:
		t = &spec.Object.Target
	case spec.External != nil:
		t = &spec.External.Target
	default:
		return unit, 0
	}
	switch {
	case t.AverageUtilization != nil:
		return unit + "%", float64(*t.AverageUtilization)
	case t.AverageValue != nil:
		return unit + "average", t.AverageValue.AsApproximateFloat64()
	case t.Value != nil:
		return unit, t.Value.AsApproximateFloat64()
	}
	return unit, 0
}

// run simulates the load under a policy, whose targets are so many times as high as those with which it was seen; nil if they are the same.
func (t *trial) run(ctx context.Context, of *annotations.Policy, factors []float64) (*simulate.Run, error) {
	p := *of
	p.Metrics = []annotations.Metric{{Spec: autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(podMilli, resource.DecimalSI)}}}}}
	// It always works, and does not sleep: nothing here could wake it.
	p.Mode, p.Min, p.Max, p.Wake, p.Fallback = annotations.ModeAuto, max(p.Min, 1), max(p.Max, 1), annotations.Wake{}, annotations.Fallback{}
	w := *t.workload
	w.Replicas = max(t.past[0].replicas, 1)
	w.Template = &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "pod", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(podMilli, resource.DecimalSI)}}}}}}
	s := simulate.DefaultSetup()
	s.Workload, s.Policy, s.Rules, s.Start = &w, p, t.decision.Rules, t.past[0].at
	s.Load = simulate.Through("seen", t.load(factors), true)
	s.Duration = t.past[len(t.past)-1].at.Sub(t.past[0].at).Truncate(simulate.Tick)
	return simulate.Simulate(ctx, s)
}

// load is what was seen, in thousandths of pods at their target. Where nothing was measured it stays as it was.
func (t *trial) load(factors []float64) []simulate.Point {
	var points []simulate.Point
	last := 0.0
	for i := range t.past {
		p := &t.past[i]
		most, known := 0.0, false
		for j, r := range p.ratios {
			if j < len(factors) {
				r /= factors[j]
			}
			if !math.IsNaN(r) {
				most, known = max(most, r), true
			}
		}
		if known {
			last = min(most*float64(p.ready)*podMilli, 1e9) // what a load can be
		}
		points = append(points, simulate.Point{At: p.at.Sub(t.past[0].at), Value: last})
	}
	return points
}
