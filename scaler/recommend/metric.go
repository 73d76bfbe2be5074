package recommend

import (
	"fmt"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// podMetric is a target on the average of the pods: CPU or memory of theirs, or of one container of theirs, or a custom
// metric that each of them has.
type podMetric struct {
	// name is what steps and Events call it: "cpu", "memory", "cpu of container app", "requests_per_second".
	name      string
	resource  corev1.ResourceName
	container string
	// series is where the Snapshot holds a custom metric's values; empty for resources.
	series string
	// utilization targets are percents of the request, others are milli-units for each pod.
	utilization bool
	target      int64
}

// activeFailed is the reason of the condition ScalingActive when a metric of this type fails.
func activeFailed(kind autoscalingv2.MetricSourceType) string {
	switch kind {
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
		m.target = n.milli(*target.AverageValue)
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
		m.target = n.milli(*source.Target.AverageValue)
	}
	if failure := v.seriesFailure(m.name, series, len(v.CustomMetrics[series])); failure != nil {
		return proposal{}.fails(failure)
	}
	return v.average(n, m)
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

// seriesFailure says why a custom or external metric gave nothing; nil if it gave n values.
func (v *view) seriesFailure(name, series string, n int) *Failure {
	reason, known := v.Errors[series]
	switch {
	case n > 0:
		return nil // in a trace made by hand, another metric may fail under the same name
	case known && reason == ErrorPending:
		return &Failure{Metric: name, Reason: ReasonAwaitingSample, Detail: "metric " + name + ": " + reason}
	case known:
		return &Failure{Metric: name, Reason: ReasonMetricsUnavailable, Detail: "metric " + name + ": " + reason}
	}
	return &Failure{Metric: name, Reason: ReasonNoSamples, Detail: "metric " + name + ": the metrics API returned no value"}
}

// printable quotes a name that the API server accepts and a terminal should not see as it is.
func printable(name string) string {
	for i := range len(name) {
		c := name[i]
		if plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ':' || c == '.' || c == '_' || c == '-' || c == '|'; !plain {
			return strconv.Quote(name)
		}
	}
	return name
}
