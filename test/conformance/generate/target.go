package generate

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// metric is one metric of the workload: its spec and how its load goes.
type metric struct {
	spec  autoscalingv2.MetricSpec
	curve curve
	// now is the ratio of usage to target that is being aimed at, and nudge what is added on top, in thousandths.
	now   float64
	nudge int64
	// edge says that every pod has the same usage, so that the ratio is exact.
	edge bool
	// quiet are the evaluations for which the metric's API still fails.
	quiet int
	// spell is whether there is work, for a workload that may be scaled to 0.
	spell spell
}

// target is the metric's target, in thousandths or percent.
func (m *metric) target() *autoscalingv2.MetricTarget {
	switch s := &m.spec; s.Type {
	case autoscalingv2.ResourceMetricSourceType:
		return &s.Resource.Target
	case autoscalingv2.ContainerResourceMetricSourceType:
		return &s.ContainerResource.Target
	case autoscalingv2.PodsMetricSourceType:
		return &s.Pods.Target
	case autoscalingv2.ObjectMetricSourceType:
		return &s.Object.Target
	default:
		return &s.External.Target
	}
}

// resource is what a resource metric measures, and on which container; empty for other metrics.
func (m *metric) resource() (corev1.ResourceName, string) {
	switch {
	case m.spec.Resource != nil:
		return m.spec.Resource.Name, ""
	case m.spec.ContainerResource != nil:
		return m.spec.ContainerResource.Name, m.spec.ContainerResource.Container
	}
	return "", ""
}

// targets chooses the metrics. Some workloads say it in short: then CPU comes first and memory second, as the
// annotations are read.
func (w *Workload) targets() {
	d := w.dice
	if len(w.metrics) == 0 && d.chance(0.3) {
		w.shortTargets()
	}
	if len(w.metrics) == 0 || w.annotate["mini-hpa/metrics"] == "" && d.chance(0.15) {
		var listed []autoscalingv2.MetricSpec
		for range pick(d, 1, 1, 1, 2, 2, 3) {
			if spec := w.anyMetric(); !w.repeated(spec, listed) {
				listed = append(listed, spec)
			}
		}
		w.list(listed)
	}
	for _, m := range w.metrics {
		m.curve = newCurve(d, w.HPA.Spec.MaxReplicas, w.Min())
		w.HPA.Spec.Metrics = append(w.HPA.Spec.Metrics, m.spec)
	}
}

// list adds metrics that the metrics annotation lists.
func (w *Workload) list(specs []autoscalingv2.MetricSpec) {
	if len(specs) > 0 {
		w.annotate["mini-hpa/metrics"] = encode(specs)
	}
	for _, spec := range specs {
		w.metrics = append(w.metrics, &metric{spec: spec})
	}
}

// repeated says whether a metric would measure the same as another: their series would be one.
func (w *Workload) repeated(spec autoscalingv2.MetricSpec, listed []autoscalingv2.MetricSpec) bool {
	for _, m := range w.metrics {
		listed = append(listed, m.spec)
	}
	for _, other := range listed {
		if identity(other) == identity(spec) {
			return true
		}
	}
	return false
}

func identity(spec autoscalingv2.MetricSpec) string {
	m := metric{spec: spec}
	resource, container := m.resource()
	id := fmt.Sprint(resource, "/", container)
	switch {
	case spec.Pods != nil:
		id = encode(spec.Pods.Metric)
	case spec.Object != nil:
		id = encode(spec.Object.Metric) + encode(spec.Object.DescribedObject)
	case spec.External != nil:
		id = encode(spec.External.Metric)
	}
	return string(spec.Type) + id
}

func (w *Workload) shortTargets() {
	d, container := w.dice, ""
	if d.chance(0.25) {
		container = pick(d, w.shape.containers[0].Name, "c1", "proxy")
		w.annotate["mini-hpa/container"] = container
	}
	for i, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if i == 0 && d.chance(0.15) || i == 1 && len(w.metrics) > 0 && d.chance(0.5) {
			continue
		}
		target := w.resourceTarget(name, 0.7)
		text := ""
		if target.AverageUtilization != nil {
			text = fmt.Sprintf("%d%%", *target.AverageUtilization)
		} else {
			*target.AverageValue = resource.MustParse(map[corev1.ResourceName]string{"cpu": "250m", "memory": "256Mi"}[name])
			text = target.AverageValue.String()
		}
		w.annotate["mini-hpa/target-"+string(name)] = text
		w.metrics = append(w.metrics, &metric{spec: resourceMetric(name, container, target)})
	}
}

func resourceMetric(name corev1.ResourceName, container string, target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	if container == "" {
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: name, Target: target}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType,
		ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: name, Container: container, Target: target}}
}

func (w *Workload) resourceTarget(name corev1.ResourceName, utilization float64) autoscalingv2.MetricTarget {
	d := w.dice
	if d.chance(utilization) {
		return autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType,
			AverageUtilization: new(int32(pick(d, 1, 10, 20, 30, 50, 50, 60, 70, 75, 80, 80, 85, 90, 100, 110, 120, 150, 200, 400)))}
	}
	value := pick(d, "100m", "250m", "1", "33m", "1m", "1500m")
	if name == corev1.ResourceMemory {
		value = pick(d, "64Mi", "200M", "1Gi", "123456789", "1")
	}
	return averageValue(value)
}

func averageValue(value string) autoscalingv2.MetricTarget {
	return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse(value))}
}

func (w *Workload) anyMetric() autoscalingv2.MetricSpec {
	d := w.dice
	value := pick(d, "1", "10", "30", "40", "100", "7", "500m", "33m", "1k", "2500m")
	switch d.IntN(10) {
	case 0, 1, 2:
		name := pick(d, corev1.ResourceCPU, corev1.ResourceCPU, corev1.ResourceMemory)
		return resourceMetric(name, "", w.resourceTarget(name, 0.7))
	case 3:
		name := pick(d, corev1.ResourceCPU, corev1.ResourceMemory)
		container := pick(d, w.shape.containers[d.IntN(len(w.shape.containers))].Name, w.shape.containers[0].Name, w.shape.containers[0].Name, "c1", "proxy")
		return resourceMetric(name, container, w.resourceTarget(name, 0.65))
	case 4, 5:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
			Metric: identifier(d, "requests_per_second", "sessions"), Target: averageValue(value)}}
	case 6, 7:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{
			DescribedObject: pick(d, autoscalingv2.CrossVersionObjectReference{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "front"},
				autoscalingv2.CrossVersionObjectReference{APIVersion: "v1", Kind: "Service", Name: "back"},
				autoscalingv2.CrossVersionObjectReference{APIVersion: "v1", Kind: "Namespace", Name: Namespace}),
			Metric: identifier(d, "hits", "latency"), Target: total(d, value)}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: identifier(d, "backlog", "hits"), Target: total(d, value)}}
}

func total(d dice, value string) autoscalingv2.MetricTarget {
	if d.chance(0.5) {
		return averageValue(value)
	}
	return autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: new(resource.MustParse(value))}
}

func identifier(d dice, names ...string) autoscalingv2.MetricIdentifier {
	id := autoscalingv2.MetricIdentifier{Name: pick(d, names...)}
	if d.chance(0.4) {
		id.Selector = pick(d, &metav1.LabelSelector{MatchLabels: map[string]string{"queue": "mail"}},
			&metav1.LabelSelector{MatchLabels: map[string]string{"queue": "orders", "zone": "a"}},
			&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "verb", Operator: metav1.LabelSelectorOpIn, Values: []string{"GET", "PUT"}}}})
	}
	return id
}
