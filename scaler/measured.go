package scaler

import (
	"math"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// measured is what the metrics of a workload were measured at when it was last looked at. The metrics are those of the policy, which is in memory
// anyway, so that one more costs two words. It is replaced and never written to.
type measured struct {
	metrics []annotations.Metric
	values  []reading
}

// reading is a number that may be unknown.
type reading struct {
	number float64
	known  bool
}

// metricsShown bounds the series of one workload, of which anybody who may annotate it can make many.
const metricsShown = 16

// longestName is how many bytes of a metric's name are shown; of a tenant's text there may be more.
const longestName = 200

// after is what is known after another look at a workload with these metrics, or the same as before if nothing has changed. Without a decision nothing was
// measured.
func (m *measured) after(all []annotations.Metric, d *recommend.Decision) *measured {
	if len(all) == 0 {
		return nil
	}
	metrics := all[:min(len(all), metricsShown)]
	var values [metricsShown]reading
	for i := range metrics {
		if d != nil {
			values[i] = valueOf(&metrics[i], d.ResultOf(all, i))
		}
	}
	if m.isOf(metrics) && slices.Equal(m.values, values[:len(metrics)]) {
		return m
	}
	return &measured{metrics, slices.Clone(values[:len(metrics)])}
}

// isOf says whether it is of these metrics, and not of others that may be equal.
func (m *measured) isOf(metrics []annotations.Metric) bool {
	return m != nil && len(m.metrics) == len(metrics) && &m.metrics[0] == &metrics[0]
}

// Kinds of targets, by the names that kube-state-metrics has for them.
const (
	targetValue       = "value"       // of the total
	targetAverage     = "average"     // of what there is for each pod
	targetUtilization = "utilization" // of what the pods request, in percent
)

// aim is what a metric is held at, and of which kind that is. It is not known of one that only wakes and keeps awake.
func aim(m *annotations.Metric) (kind string, at reading) {
	var target *autoscalingv2.MetricTarget
	switch spec := &m.Spec; {
	case spec.Pods != nil:
		target = &spec.Pods.Target
	case spec.Object != nil:
		target = &spec.Object.Target
	case spec.External != nil:
		target = &spec.External.Target
	default:
		if _, _, target = annotations.Usage(spec); target == nil {
			return targetValue, reading{}
		}
	}
	total := m.Spec.Object != nil && target.Type == autoscalingv2.ValueMetricType // of two, the type says which counts
	switch {
	case target.AverageUtilization != nil:
		return targetUtilization, reading{float64(*target.AverageUtilization), true}
	case target.AverageValue != nil && !total:
		return targetAverage, reading{target.AverageValue.AsApproximateFloat64(), true}
	case target.Value != nil:
		return targetValue, reading{target.Value.AsApproximateFloat64(), true}
	}
	return targetValue, reading{}
}

// valueOf is what was measured, in the unit of the target, to the thousandth; the result is nil if nothing was.
func valueOf(m *annotations.Metric, r *recommend.MetricResult) reading {
	if r == nil || r.Failed {
		return reading{}
	}
	kind, target := aim(m)
	if kind == targetValue {
		return reading{float64(r.Total) / 1000, true}
	}
	number := math.Round(r.Ratio*target.number*1000) / 1000
	return reading{number, !math.IsNaN(number) && !math.IsInf(number, 0)}
}

// names are what a metric is called: its resource and the container that is measured, or what it is asked for by.
func names(m *annotations.Metric) (name, container string) {
	if resource, container, target := annotations.Usage(&m.Spec); target != nil {
		return string(resource), container
	}
	return cut(strings.ToValidUTF8(m.ID, "?"), longestName), ""
}

// identity is what tells a metric from the others of a workload, as labels.
type identity struct{ kind, name, container, target string }

// each calls with each metric, its value and its target. Of metrics that nothing tells apart the first is shown, because equal series would fail the
// whole scrape.
func (m *measured) each(show func(one identity, value, target reading)) {
	if m == nil {
		return
	}
	var shown [metricsShown]identity
	for i := range m.metrics {
		target, at := aim(&m.metrics[i])
		name, container := names(&m.metrics[i])
		one := identity{string(m.metrics[i].Spec.Type), name, container, target}
		if shown[i] = one; !slices.Contains(shown[:i], one) {
			show(one, m.values[i], at)
		}
	}
}
