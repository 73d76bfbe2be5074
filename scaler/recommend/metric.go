package recommend

import (
	"fmt"
	"slices"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
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

// totalMetric is a target on a number that describes something else than the pods: an object, or nothing in the cluster.
type totalMetric struct {
	// name is what steps and Events call it: "backlog", "hits of Ingress front".
	name string
	// value is the present total, in milli-units.
	value int64
	// average targets are for each pod, others for the total.
	average bool
	// external tells an External metric from an Object metric; they differ in what they do with numbers beyond any use.
	external bool
	target   int64
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
func (v *view) propose(d *draft, spec *autoscalingv2.MetricSpec, series string) (proposal, *Failure) {
	kind := spec.Type
	switch {
	case kind == autoscalingv2.PodsMetricSourceType && spec.Pods != nil:
		return v.pods(d, spec.Pods, series)
	case kind == autoscalingv2.ObjectMetricSourceType && spec.Object != nil:
		return v.object(d, spec.Object, series)
	case kind == autoscalingv2.ExternalMetricSourceType && spec.External != nil:
		return v.external(d, spec.External, series)
	}
	if name, container, target := resourceOf(spec); target != nil {
		return v.resource(d, name, container, *target)
	}
	return proposal{}, &Failure{Metric: string(spec.Type), Reason: ReasonUnsupported,
		Detail: fmt.Sprintf("metrics of type %q are not supported", spec.Type)}
}

// resourceOf is what a metric of a resource is about; no target says that it is another kind of metric.
func resourceOf(spec *autoscalingv2.MetricSpec) (corev1.ResourceName, string, *autoscalingv2.MetricTarget) {
	switch source := spec.ContainerResource; {
	case spec.Type == autoscalingv2.ResourceMetricSourceType && spec.Resource != nil:
		return spec.Resource.Name, "", &spec.Resource.Target
	case spec.Type == autoscalingv2.ContainerResourceMetricSourceType && source != nil:
		return source.Name, source.Container, &source.Target
	}
	return "", "", nil
}

func (v *view) resource(d *draft, name corev1.ResourceName, container string, target autoscalingv2.MetricTarget) (proposal, *Failure) {
	m := podMetric{name: string(name), resource: name, container: container}
	if container != "" {
		m.name = printable(string(name)) + " of container " + printable(container)
	}
	switch {
	case target.AverageValue != nil:
		m.target = d.numbers.milli(*target.AverageValue)
	case target.AverageUtilization != nil:
		m.utilization, m.target = true, int64(*target.AverageUtilization)
	}
	if v.MetricsError != "" {
		return proposal{}, &Failure{Metric: m.name, Reason: ReasonMetricsUnavailable, Detail: v.MetricsError}
	}
	return v.average(d, &m)
}

func (v *view) pods(d *draft, source *autoscalingv2.PodsMetricSource, series string) (proposal, *Failure) {
	m := podMetric{name: printable(source.Metric.Name), series: series}
	if source.Target.AverageValue != nil {
		m.target = d.numbers.milli(*source.Target.AverageValue)
	}
	if failure := v.seriesFailure(m.name, series, len(v.CustomMetrics[series])); failure != nil {
		return proposal{}, failure
	}
	return v.average(d, &m)
}

// average evaluates a metric that each pod has.
func (v *view) average(d *draft, m *podMetric) (proposal, *Failure) {
	c, failure := v.sort(d, m)
	if failure == nil {
		failure = v.failure(&c, m)
	}
	if failure != nil {
		return proposal{}, failure
	}
	facts := &averageFacts{metric: *m, counts: c.counts()}
	d.note(StagePods, m.name, ReasonCounted, &facts.counts)
	d.before(c.changes)
	if c.fresh > 0 {
		d.before(v.Time.Add(c.fresh))
	}
	return v.proposeFrom(d, facts, &c)
}

// object evaluates a metric of an object. A trace made by hand may hold its value without saying what it describes.
func (v *view) object(d *draft, source *autoscalingv2.ObjectMetricSource, series string) (proposal, *Failure) {
	about := source.DescribedObject
	m := totalMetric{name: fmt.Sprintf("%s of %s %s", printable(source.Metric.Name), printable(about.Kind), printable(about.Name))}
	values := v.CustomMetrics[series]
	if failure := v.seriesFailure(m.name, series, len(values)); failure != nil {
		return proposal{}, failure
	}
	i := slices.IndexFunc(values, func(value custommetricsv1beta2.MetricValue) bool {
		described := &value.DescribedObject
		return len(values) == 1 || described.Kind == about.Kind && described.Name == about.Name
	})
	if i < 0 {
		return proposal{}, v.seriesFailure(m.name, series, 0)
	}
	m.value = d.numbers.milli(values[i].Value)
	at := taken(v.Taken.CustomMetrics[series], i, values[i].Timestamp.Time)
	if failure := v.outdated(d, m.name, at, values[i].WindowSeconds); failure != nil {
		return proposal{}, failure
	}
	return v.total(d, &m, source.Target)
}

func (v *view) external(d *draft, source *autoscalingv2.ExternalMetricSource, series string) (proposal, *Failure) {
	m := totalMetric{name: printable(source.Metric.Name), external: true}
	values := v.ExternalMetrics[series]
	if failure := v.seriesFailure(m.name, series, len(values)); failure != nil {
		return proposal{}, failure
	}
	average := source.Target.AverageValue != nil
	for i := range values {
		at := taken(v.Taken.ExternalMetrics[series], i, values[i].Timestamp.Time)
		if failure := v.outdated(d, m.name, at, values[i].WindowSeconds); failure != nil {
			return proposal{}, failure
		}
	}
	for i := 0; i < len(values) && m.value < maxTotal; i++ {
		m.value = v.accumulate(d, m.value, d.numbers.milli(values[i].Value), average)
	}
	return v.total(d, &m, source.Target)
}

// accumulate adds up external values, which the HPA stops at the largest number, each kind of target in its own way:
// for an average a sum below 0 counts as an overflow.
func (v *view) accumulate(d *draft, total, value int64, average bool) int64 {
	sum := d.numbers.add(total, value)
	below := average && sum < 0
	switch {
	case below && v.negative(d):
	case d.numbers.wrap && (below || !average && value > 0 && sum < total):
		return maxTotal
	case below:
		d.numbers.saturated = true
	}
	return sum
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
