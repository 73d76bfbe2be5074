package explain

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// asked is a workload with metrics of every kind that is asked for by name, in a cluster without metrics-server.
func asked(now time.Time) scaler.Explanation {
	s := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}, err: "there is no metrics-server"}
	s.add("web-1", "", "")
	s.add("web-2", "", "")
	e := s.explain()
	e.Policy.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{
		queue("backlog", "mail"), queue("backlog", "print"), queue("lost", ""), queue("shards", ""),
		{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "hits"},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(quantity("100"))}}},
		{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "rate"},
			DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Ingress", Name: "front"},
			Target:          autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: new(quantity("150"))}}},
	})
	at := metav1.NewTime(now.Add(-3500 * time.Millisecond))
	value := func(kind, name, value string) custommetricsv1beta2.MetricValue {
		return custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: kind, Name: name}, Value: quantity(value), Timestamp: at}
	}
	external := func(label, value string) externalmetricsv1beta1.ExternalMetricValue {
		return externalmetricsv1beta1.ExternalMetricValue{MetricLabels: map[string]string{"queue": label}, Value: quantity(value)}
	}
	shards := make([]externalmetricsv1beta1.ExternalMetricValue, 12)
	e.Snapshot.MetricsError = s.err
	e.Snapshot.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{"shards": shards,
		"backlog{queue=mail}": {external("mail", "35")}, "backlog{queue=print}": {external("print\x1b[31m", "1500m")}}
	e.Snapshot.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"hits": {value("Pod", "web-1", "180"), value("Pod", "web-2", "200")},
		"rate": {value("Ingress", "front", "300")}}
	e.Snapshot.Errors = map[string]string{"lost": "no external metrics API is registered (APIService v1beta1.external.metrics.k8s.io)"}
	e.Decision, _ = recommend.Recommend(e.Policy, e.Snapshot, recommend.Unremembered(e.Policy, e.Snapshot))
	return e
}

// queue wants 10 messages for each pod.
func queue(name, selector string) autoscalingv2.MetricSpec {
	id := autoscalingv2.MetricIdentifier{Name: name}
	if selector != "" {
		id.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"queue": selector}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: id, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(quantity("10"))}}}
}
