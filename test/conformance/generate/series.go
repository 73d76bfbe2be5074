package generate

import (
	"math"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// series is what the custom and external metrics APIs return.
func (w *Workload) series(s *recommend.Snapshot) {
	s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{}
	s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{}
	s.Errors = map[string]string{}
	d := w.dice
	for i, made := range annotations.MetricsOf(w.HPA.Spec.Metrics) {
		m, name := w.metrics[i], made.ID
		if made.Source == "" {
			continue
		}
		quiet, empty := d.lasting(&m.quiet, w.mood.outage, 10), d.chance(w.mood.empty)
		switch {
		case quiet:
			s.Errors[name] = "the server could not find the metric " + name
		case m.spec.Type == autoscalingv2.ExternalMetricSourceType:
			s.ExternalMetrics[name] = []externalmetricsv1beta1.ExternalMetricValue{}
			if !empty {
				s.ExternalMetrics[name] = w.external(m)
			}
		case empty:
			s.CustomMetrics[name] = []custommetricsv1beta2.MetricValue{}
		case m.spec.Type == autoscalingv2.ObjectMetricSourceType:
			s.CustomMetrics[name] = w.object(m)
		default:
			s.CustomMetrics[name] = w.perPod(m)
		}
	}
}

// total is the value of a metric that is about more than one pod, in thousandths.
func (w *Workload) total(m *metric) int64 {
	target, per, least := m.target(), 1.0, 0.0
	value := target.Value
	if target.AverageValue != nil {
		per, value = math.Max(float64(w.world.status), 1), target.AverageValue
	}
	if m.now < 0 {
		least = -9.2e18
	}
	return int64(min(max(math.Round(m.now*per*float64(value.MilliValue()))+float64(m.nudge), least), 9.2e18))
}

func (w *Workload) external(m *metric) []externalmetricsv1beta1.ExternalMetricValue {
	rest := w.total(m)
	var values []externalmetricsv1beta1.ExternalMetricValue
	n := pick(w.dice, 1, 1, 2, 3)
	for i := range n {
		part := rest
		if i < n-1 {
			part = rest / 3
		}
		rest -= part
		values = append(values, externalmetricsv1beta1.ExternalMetricValue{
			MetricName: m.spec.External.Metric.Name, MetricLabels: map[string]string{"partition": strconv.Itoa(i)},
			Timestamp: metav1.NewTime(w.world.now.Add(-w.dice.seconds(0, 30))), Value: *resource.NewMilliQuantity(part, resource.DecimalSI)})
	}
	return values
}

func (w *Workload) object(m *metric) []custommetricsv1beta2.MetricValue {
	o := m.spec.Object.DescribedObject
	return []custommetricsv1beta2.MetricValue{{
		DescribedObject: corev1.ObjectReference{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Namespace: Namespace},
		Metric:          custommetricsv1beta2.MetricIdentifier{Name: m.spec.Object.Metric.Name, Selector: m.spec.Object.Metric.Selector},
		Timestamp:       metav1.NewTime(w.world.now.Add(-w.dice.seconds(0, 30))),
		Value:           *resource.NewMilliQuantity(w.total(m), resource.DecimalSI),
	}}
}

func (w *Workload) perPod(m *metric) []custommetricsv1beta2.MetricValue {
	var values []custommetricsv1beta2.MetricValue
	for p := range w.allMeasured(false) {
		v := custommetricsv1beta2.MetricValue{
			DescribedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.name, Namespace: Namespace},
			Metric:          custommetricsv1beta2.MetricIdentifier{Name: m.spec.Pods.Metric.Name, Selector: m.spec.Pods.Metric.Selector},
			Timestamp:       metav1.NewTime(w.world.now.Add(-w.dice.seconds(0, 30))),
			Value:           *resource.NewMilliQuantity(w.usage(p, m, 0), resource.DecimalSI),
		}
		if w.dice.chance(0.3) {
			v.WindowSeconds = new(int64(w.dice.between(10, 120)))
		}
		values = append(values, v)
	}
	return values
}
