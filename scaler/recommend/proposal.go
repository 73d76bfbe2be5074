package recommend

import (
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// proposal is what one metric makes of the workload.
type proposal struct {
	metric   string
	replicas int32
	// alone is what it would be without assumptions for pods that could not be measured; nothing if there is nothing else.
	alone int32
	// measured is on how many pods that rests.
	measured int
	ratio    float64
	// state is the metric's in one line, for Events.
	state fmt.Stringer
}

// view is what the metrics are evaluated against.
type view struct {
	Rules
	Snapshot
	// changes are those of the replicas that are remembered, oldest first.
	changes []Change
	// outside is a scale-in by somebody else that the workload has not got over yet; incomplete says that a metric could not be
	// measured on all the pods of before.
	outside    outside
	incomplete bool
	// needed is the most that the measured pods ask for, held says that a metric does not know: see weigh.
	needed int32
	held   bool
	band   tolerances
	// warmUp is the policy's; 0 where the repair is off.
	warmUp time.Duration
	// found are the samples of the metric that is being evaluated, partial says that a container of the pod that is
	// being read does not count.
	found   finder
	partial bool
	// read is the sample that was read last.
	read usage
}

// measure asks every metric and takes the largest proposal (HPA: computeReplicasForMetrics). It says whether there is
// a recommendation: not if all metrics failed, nor if some did and the others would scale in.
func (v *view) measure(d *draft, p annotations.Policy) bool {
	v.band = tolerancesOf(p)
	if v.repairs(RepairWarmUp) {
		v.warmUp = p.WarmUp
	}
	d.Metrics = make([]MetricResult, 0, len(p.Metrics))
	var best proposal
	d.alone = nothing
	failedActive, valid := "", 0
	for i := range p.Metrics {
		spec := &p.Metrics[i].Spec
		made, failure := v.propose(d, spec, v.series(&p.Metrics[i]))
		d.Metrics = append(d.Metrics, result(spec.Type, made, failure))
		if failure != nil {
			v.incomplete, v.held = true, true
			if d.Failure == nil {
				d.Failure, failedActive = failure, activeFailed(spec.Type)
			}
			continue
		}
		if valid++; best.replicas == 0 || made.replicas > best.replicas {
			best = made
		}
		d.alone = max(d.alone, made.alone)
		v.weigh(made)
	}
	if valid > 0 {
		best = v.restore(d, best)
	}
	if valid == 0 || d.Failure != nil && best.replicas < v.Replicas {
		d.Active = failedActive
		v.fail(d, best, valid)
		return false
	}
	d.Active, d.Reason = ActiveValidMetric, Text{best.state}
	d.step(StageLargest, best.metric, max(best.replicas, 0), ReasonLargest, best.state)
	return true
}

// series is where the Snapshot holds a metric's values: under its ID or, in a trace that was made by hand, under its name.
func (v *view) series(m *annotations.Metric) string {
	_, custom := v.CustomMetrics[m.ID]
	_, external := v.ExternalMetrics[m.ID]
	_, failed := v.Errors[m.ID]
	switch {
	case custom || external || failed:
	case m.Spec.Pods != nil:
		return m.Spec.Pods.Metric.Name
	case m.Spec.Object != nil:
		return m.Spec.Object.Metric.Name
	case m.Spec.External != nil:
		return m.Spec.External.Metric.Name
	}
	return m.ID
}

// fail says that nothing is decided, because all metrics failed or because the others would scale in.
func (v *view) fail(d *draft, best proposal, valid int) {
	if d.Failure == nil {
		return
	}
	d.Reason = Plain(d.Failure.Detail)
	if valid > 0 {
		d.note(StageLargest, best.metric, ReasonPartial, &partial{best.replicas, d.Failure})
	}
}

// partial is a proposal to scale in that does not count beside a failure.
type partial struct {
	replicas int32
	failure  *Failure
}

func result(kind autoscalingv2.MetricSourceType, made proposal, failure *Failure) MetricResult {
	if failure != nil {
		return MetricResult{Metric: failure.Metric, Type: kind, Failed: true, Failure: failure}
	}
	return MetricResult{Metric: made.metric, Type: kind, Replicas: made.replicas, Ratio: finite(made.ratio)}
}

// finite is a ratio that JSON can hold: a target for each pod is divided by 0 while there are none.
func finite(ratio float64) float64 {
	if math.IsNaN(ratio) {
		return 0
	}
	return max(min(ratio, math.MaxFloat64), -math.MaxFloat64)
}
