package generate

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// scene is a situation that autoscalers are known to get wrong, set up on purpose: random troubles meet it too seldom.
type scene struct {
	metrics []autoscalingv2.MetricSpec
	// set makes the troubles.
	set func(*mood)
}

// scenes are taken from the HPA controller's own tests and from what users reported of it.
func (w *Workload) scenes() []scene {
	cpu := func(percent int32) autoscalingv2.MetricSpec {
		return resourceMetric("cpu", "", autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent})
	}
	memory := resourceMetric("memory", "", averageValue("200Mi"))
	external := func(t autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: "backlog"}, Target: t}}
	}
	value := averageValue("30")
	value.Type, value.Value, value.AverageValue = autoscalingv2.ValueMetricType, value.AverageValue, nil
	pods := autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "requests_per_second"}, Target: averageValue("40")}}
	several := []autoscalingv2.MetricSpec{cpu(80), pods, external(averageValue("30"))}
	return []scene{
		// Half of the pods have no sample, and the target is above their requests.
		{[]autoscalingv2.MetricSpec{cpu(150)}, func(m *mood) { m.blind, m.edge = 0.3, 0.2 }},
		{[]autoscalingv2.MetricSpec{pods}, func(m *mood) { m.blind, m.gap, m.stray = 0.3, 0.1, 0.8 }},
		// A rollout's surge while the total is at its target for each pod.
		{[]autoscalingv2.MetricSpec{external(averageValue("30"))}, func(m *mood) { m.surge, m.edge, m.lag = 0.15, 0.5, 0.3 }},
		// Pods that become ready late, or turn unready long after their start.
		{[]autoscalingv2.MetricSpec{cpu(60)}, func(m *mood) { m.slow, m.flap, m.aligned = 0.9, 0.06, true }},
		{[]autoscalingv2.MetricSpec{cpu(60)}, func(m *mood) { m.flap, m.aligned, m.edge = 0.15, false, 0.4 }},
		// Nobody is ready, and the target is for the total.
		{[]autoscalingv2.MetricSpec{external(value)}, func(m *mood) { m.flap, m.fail = 0.3, 0.03 }},
		// Some of several metrics fail.
		{several, func(m *mood) { m.outage, m.empty = 0.12, 0.05 }},
		{[]autoscalingv2.MetricSpec{memory, external(value)}, func(m *mood) { m.outage, m.none = 0.15, 0.1 }},
		// Somebody else scales all the time, also to 0.
		{[]autoscalingv2.MetricSpec{cpu(50)}, func(m *mood) { m.outside, m.zero = 0.15, 0.3 }},
		// Pods of an older template go, and lack what the metric needs.
		{[]autoscalingv2.MetricSpec{cpu(70)}, func(m *mood) { m.foreign, m.outside, m.zero, m.surge = 0.15, 0.15, 0, 0.1 }},
		// The ratio sits on the edges of the tolerance.
		{[]autoscalingv2.MetricSpec{cpu(50)}, func(m *mood) { *m = mood{edge: 0.8} }},
		{[]autoscalingv2.MetricSpec{memory}, func(m *mood) { *m = mood{edge: 0.8, gap: 0.05, slow: 0.5} }},
	}
}
