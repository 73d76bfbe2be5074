package scaler

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// eventReason is the Event for a failed metric; "" for failures that pass by themselves.
func eventReason(decision recommend.Decision) string {
	switch decision.Failure.Reason {
	case recommend.ReasonAwaitingSample, recommend.ReasonNoPods:
		return ""
	case recommend.ReasonMissingRequest:
		return EventMissingRequest
	}
	if decision.Active != recommend.ActiveValidMetric {
		return decision.Active
	}
	for _, m := range decision.Metrics {
		if m.Failed {
			return failedEvents()[m.Type]
		}
	}
	return EventFailedGetResourceMetric
}

// tellOmitted tells which container is left out of the decision for want of a request.
func (s *Scaler) tellOmitted(w *workload, d *appsv1.Deployment, decision recommend.Decision) {
	if decision.Active == recommend.ActiveValidMetric && w.news(topicOmitted, decision.Omitted) {
		s.event(d, corev1.EventTypeWarning, EventMissingRequest, decision.Omitted+"; set the request, or name the container to measure with "+annotations.Container)
	}
}

// failedEvents are the Events for a failed metric of each type.
func failedEvents() map[autoscalingv2.MetricSourceType]string {
	return map[autoscalingv2.MetricSourceType]string{
		autoscalingv2.ResourceMetricSourceType:          EventFailedGetResourceMetric,
		autoscalingv2.ContainerResourceMetricSourceType: EventFailedGetContainerResourceMetric,
		autoscalingv2.PodsMetricSourceType:              EventFailedGetPodsMetric,
		autoscalingv2.ObjectMetricSourceType:            EventFailedGetObjectMetric,
		autoscalingv2.ExternalMetricSourceType:          EventFailedGetExternalMetric,
	}
}

// failureText says what failed and, where other metrics work, what that means.
func failureText(decision recommend.Decision) string {
	failure := decision.Failure
	if !slices.ContainsFunc(decision.Metrics, func(m recommend.MetricResult) bool { return !m.Failed }) {
		return failure.Detail
	}
	text := failure.Detail
	if !strings.Contains(text, failure.Metric) {
		text = "metric " + failure.Metric + ": " + text
	}
	return text + "; until it is back, replicas may go up for the other metrics but not down"
}
