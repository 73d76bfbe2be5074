package recommend

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// measure asks every metric (HPA: computeReplicasForMetrics).
func (v *view) measure(d draft) draft {
	d.Metrics = make([]MetricResult, 0, len(v.policy.Metrics))
	d.asked = proposals{alone: nothing, outside: v.history.outside}
	for i := range v.policy.Metrics {
		m := &v.policy.Metrics[i]
		if v.asleep && !m.IsTotal() && !v.Compat {
			continue // there are no pods that it could be of
		}
		p := v.propose(m)
		d.Steps = p.steps(d.Steps, len(v.policy.Metrics), d.Current)
		d.Repairs |= p.repairs
		d.Next = earlier(d.Next, p.next)
		if d.Omitted == "" {
			d.Omitted = p.omitted
		}
		if p.failure != nil && d.Failure == nil {
			d.Failure, d.asked.failed = p.failure, activeFailed(m)
		}
		d.Metrics = append(d.Metrics, p.told(m.Spec.Type))
		d.asked = v.with(d.asked, &p)
		d.asked = d.asked.counting(m, &p, v.asleep)
		d.failing = v.failingSince(d.failing, m, &p)
	}
	return d
}

// propose asks one metric.
func (v *view) propose(m *annotations.Metric) proposal {
	n := v.numbers()
	p := v.ask(&n, m)
	p.repairs |= n.repairs()
	return p
}

func (v *view) ask(n *numbers, m *annotations.Metric) proposal {
	spec, series := &m.Spec, v.series(m)
	switch kind := spec.Type; {
	case m.Line != nil && spec.External != nil:
		return v.sourced(n, m, series)
	case kind == autoscalingv2.PodsMetricSourceType && spec.Pods != nil:
		return v.pods(n, spec.Pods, series)
	case kind == autoscalingv2.ObjectMetricSourceType && spec.Object != nil:
		return v.object(n, spec.Object, series)
	case kind == autoscalingv2.ExternalMetricSourceType && spec.External != nil:
		return v.external(n, spec.External, series)
	case kind == autoscalingv2.ResourceMetricSourceType && spec.Resource != nil:
		return v.resource(n, podMetric{name: string(spec.Resource.Name), resource: spec.Resource.Name}, &spec.Resource.Target)
	case kind == autoscalingv2.ContainerResourceMetricSourceType && spec.ContainerResource != nil:
		c := spec.ContainerResource
		name := printable(string(c.Name)) + " of container " + printable(c.Container)
		return v.resource(n, podMetric{name: name, resource: c.Name, container: c.Container}, &c.Target)
	}
	return proposal{}.fails(&Failure{Metric: string(spec.Type), Reason: ReasonUnsupported,
		Detail: fmt.Sprintf("metrics of type %q are not supported", spec.Type)})
}

func (v *view) resource(n *numbers, m podMetric, target *autoscalingv2.MetricTarget) proposal {
	switch {
	case target.AverageValue != nil:
		m.target = n.milli(target.AverageValue)
	case target.AverageUtilization != nil:
		m.utilization, m.target = true, int64(*target.AverageUtilization)
	}
	if v.MetricsError != "" {
		return proposal{}.fails(&Failure{Metric: m.name, Reason: ReasonMetricsUnavailable, Detail: v.MetricsError})
	}
	return v.average(n, m)
}

func (v *view) pods(n *numbers, source *autoscalingv2.PodsMetricSource, series string) proposal {
	m := podMetric{name: printable(source.Metric.Name), series: series}
	if source.Target.AverageValue != nil {
		m.target = n.milli(source.Target.AverageValue)
	}
	if failure := v.seriesFailure(m.name, series, len(v.CustomMetrics[series])); failure != nil {
		return proposal{}.fails(failure)
	}
	return v.average(n, m)
}

// series is where the Snapshot holds a metric's values: under its ID or, in a trace that was made by hand, under the name of an ordinary one.
func (v *view) series(m *annotations.Metric) string {
	_, custom := v.CustomMetrics[m.ID]
	_, external := v.ExternalMetrics[m.ID]
	_, failed := v.Errors[m.ID]
	switch {
	case custom || external || failed || m.Line != nil:
	case m.Spec.Pods != nil:
		return m.Spec.Pods.Metric.Name
	case m.Spec.Object != nil:
		return m.Spec.Object.Metric.Name
	case m.Spec.External != nil:
		return m.Spec.External.Metric.Name
	}
	return m.ID
}

// activeFailed is the reason of the condition ScalingActive when a metric fails.
func activeFailed(m *annotations.Metric) string {
	if m.Line != nil {
		return ActiveFailedSource
	}
	switch m.Spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		return ActiveFailedResource
	case autoscalingv2.ContainerResourceMetricSourceType:
		return ActiveFailedContainer
	case autoscalingv2.PodsMetricSourceType:
		return ActiveFailedPods
	case autoscalingv2.ObjectMetricSourceType:
		return ActiveFailedObject
	case autoscalingv2.ExternalMetricSourceType:
		return ActiveFailedExternal
	}
	return ActiveInvalidMetric
}

// with adds what one metric asks for, and whether it says what is needed. It does not where it asks for the present number only because
// nothing is known of some of the pods: somebody may have set that number a moment ago, and may take it back.
func (v *view) with(all proposals, p *proposal) proposals {
	if p.failure != nil {
		all.incomplete, all.held = true, true
		return all
	}
	if all.valid++; all.replicas == 0 || p.replicas > all.replicas {
		all.replicas, all.metric, all.state = p.replicas, p.metric, p.state
	}
	all.alone, all.early = max(all.alone, p.alone), all.early || p.early
	all.incomplete = all.incomplete || p.measured < int(v.history.outside.from)
	if p.alone == nothing || p.alone == v.Replicas && p.measured < int(v.Replicas) {
		all.held = true
	} else {
		all.needed = max(all.needed, p.alone)
	}
	return all
}

// largest takes the largest proposal. There is none if all metrics failed, or if some did and the others would scale in.
func (v *view) largest(d draft) draft {
	all := &d.asked
	if !all.floor && (all.valid == 0 || d.Failure != nil && all.replicas < v.Replicas) {
		return d.fail()
	}
	if d.Active = ActiveValidMetric; all.valid == 0 {
		d.Active = all.failed
	}
	d.Reason = Text{all.state}
	d.Repairs |= RepairOutside.when(v.below)
	d.step(StageLargest, all.metric, max(all.replicas, 0), ReasonLargest, all.state)
	d.look = v.look(&d)
	return d
}

// fail says that nothing is decided, because all metrics failed or because the others would scale in.
func (d draft) fail() draft {
	d.final = true
	if d.Failure == nil {
		return d // there is no metric
	}
	d.Active, d.Reason = d.asked.failed, Plain(d.Failure.Detail)
	if d.asked.valid > 0 {
		d.step(StageLargest, d.asked.metric, d.Desired, ReasonPartial, &partial{d.asked.replicas, d.Failure})
	}
	return d
}

// partial is a proposal to scale in that does not count beside a failure.
type partial struct {
	replicas int32
	failure  *Failure
}

// String says why nothing is decided although some metrics could be evaluated.
func (p *partial) String() string {
	return fmt.Sprintf("%d proposed, but not scaling in while another metric fails: %s", p.replicas, p.failure.Detail)
}
