package recommend

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// proposal is what one metric makes of the workload.
type proposal struct {
	metric   string
	replicas int32
	// reason is the sentence for the Event: "cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)".
	reason string
}

// view is what the metrics are evaluated against.
type view struct {
	Rules
	Snapshot
	// changed is when the replicas were last changed by a decision; zero if that is not remembered.
	changed time.Time
}

// measure asks every metric and takes the largest proposal (HPA: computeReplicasForMetrics). It says whether there is
// a recommendation: not if all metrics failed, nor if some did and the others would scale in.
func (v view) measure(d *Decision, p annotations.Policy) bool {
	var best *proposal
	var failedActive string
	for i := range p.Metrics {
		made, failure, active := v.propose(d, p, p.Metrics[i])
		d.Metrics = append(d.Metrics, result(p.Metrics[i].Type, made, failure))
		switch {
		case failure != nil && d.Failure == nil:
			d.Failure, failedActive = failure, active
		case failure == nil && (best == nil || made.replicas > best.replicas):
			best = made
		}
	}
	if best == nil {
		d.Active, d.Reason = failedActive, d.failureText()
		return false
	}
	if d.Failure != nil && best.replicas < v.Replicas {
		d.Active, d.Reason = failedActive, d.failureText()
		d.step(StageLargest, best.metric, d.Current, ReasonPartial,
			fmt.Sprintf("%d proposed, but not scaling in while another metric fails: %s", best.replicas, d.Failure.Detail))
		return false
	}
	d.Active, d.Reason = ActiveValidMetric, best.reason
	d.step(StageLargest, best.metric, best.replicas, ReasonLargest, best.reason)
	return true
}

func result(kind autoscalingv2.MetricSourceType, made *proposal, failure *Failure) MetricResult {
	if failure != nil {
		return MetricResult{Metric: failure.Metric, Type: kind, Failed: true}
	}
	return MetricResult{Metric: made.metric, Type: kind, Replicas: made.replicas}
}

func (d *Decision) failureText() string {
	if d.Failure == nil {
		return ""
	}
	return d.Failure.Detail
}

// propose asks one metric; on failure it also names the reason of the condition ScalingActive.
func (v view) propose(d *Decision, p annotations.Policy, spec autoscalingv2.MetricSpec) (*proposal, *Failure, string) {
	m, ok := resourceMetricOf(spec)
	if !ok {
		return nil, &Failure{Metric: string(spec.Type), Reason: ReasonUnsupported,
			Detail: fmt.Sprintf("metrics of type %q are not supported", spec.Type)}, ActiveInvalidMetric
	}
	if v.MetricsError != "" {
		return nil, &Failure{Metric: m.name, Reason: ReasonMetricsUnavailable, Detail: v.MetricsError}, m.active
	}
	c, failure := v.group(m)
	if failure == nil {
		failure = c.failure(m)
	}
	if failure != nil {
		return nil, failure, m.active
	}
	d.note(StagePods, m.name, ReasonCounted, c.String())
	d.before(c.changes)
	return v.proposeFrom(d, m, &c, tolerancesOf(p)), nil, ""
}

// note adds a step that leaves the replicas as they are.
func (d *Decision) note(stage, metric, reason, detail string) {
	d.step(stage, metric, d.Desired, reason, detail)
}

// suggest adds a step of one metric: From is spec.replicas, To its proposal. Metrics are asked side by side, so the
// decision itself does not move until the largest proposal is taken.
func (d *Decision) suggest(metric string, to int32, reason, detail string) {
	d.Steps = append(d.Steps, Step{Stage: StageTolerance, Metric: metric, From: d.Current, To: to, Reason: reason, Detail: detail})
}
