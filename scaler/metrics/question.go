package metrics

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// Question is what can be asked of the custom and external metrics APIs. Equal questions have one answer, whoever asks.
type Question struct {
	// Type is PodsMetricSourceType, ObjectMetricSourceType or ExternalMetricSourceType.
	Type autoscalingv2.MetricSourceType
	// Namespace is the workload's: no metric is read across namespaces.
	Namespace string
	// Metric is the metric's name, Selector chooses among its series, as a label selector; "" is all.
	Metric, Selector string
	// Pods is the label selector of the pods that a Pods metric is about.
	Pods string
	// Object is what an Object metric is about.
	Object autoscalingv2.CrossVersionObjectReference
}

// api is the API that is asked.
func (q Question) api() api {
	if q.Type == autoscalingv2.ExternalMetricSourceType {
		return externalAPI
	}
	return customAPI
}

// Answer is what an API returned for a Question. It is shared: read-only.
type Answer struct {
	// Asked is when the request was sent, by the local clock: the values are at least as old.
	Asked time.Time
	// Custom are the values of Pods and Object metrics, External those of External metrics.
	Custom   []custommetricsv1beta2.MetricValue
	External []externalmetricsv1beta1.ExternalMetricValue
	// Taken is when they were taken, by the local clock, in their order; zero for those that do not say so.
	Taken []time.Time
}

// api is one of the two APIs that are asked question by question.
type api int

const (
	customAPI api = iota
	externalAPI
	apis // how many there are
)

// String is what messages call the API.
func (a api) String() string { return [apis]string{"custom", "external"}[a] + " metrics API" }

// service is the name of the APIService by which an adapter registers.
func (a api) service() string {
	return [apis]string{"v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io"}[a]
}

// group is the API group.
func (a api) group() string {
	return [apis]string{custommetricsv1beta2.GroupName, externalmetricsv1beta1.GroupName}[a]
}
