package scaler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// outage is what one Event tells: metrics that fail for one reason.
type outage struct {
	event, detail string
	metrics       []string
}

// tellMetrics tells when a metric fails, each by itself, and when all of which that was told are back.
func (s *Scaler) tellMetrics(w *workload, d *appsv1.Deployment, p annotations.Policy, decision recommend.Decision) {
	working := slices.ContainsFunc(decision.Metrics, func(m recommend.MetricResult) bool { return !m.Failed })
	outages := w.newOutages(p, decision)
	for len(outages) > 0 {
		event := outages[0].event
		var one []outage // Event
		outages = slices.DeleteFunc(outages, func(o outage) bool {
			if o.event == event {
				one = append(one, o)
			}
			return o.event == event
		})
		s.event(d, corev1.EventTypeWarning, event, failureText(one, working))
		w.told[topicMetrics] = event
	}
	if len(w.failed) == 0 && w.told[topicMetrics] != "" && decision.Active == recommend.ActiveValidMetric {
		w.told[topicMetrics] = ""
		s.event(d, corev1.EventTypeNormal, EventValidMetricFound, "metrics are usable again: "+decision.Reason)
	}
}

// newOutages remembers which metrics fail and returns those of which that was not told. A failure that passes by itself
// is neither told nor an end of one that was: pods that have just started have no samples yet.
func (w *workload) newOutages(p annotations.Policy, decision recommend.Decision) (outages []outage) {
	if len(decision.Metrics) != len(p.Metrics) {
		return nil // nothing was measured
	}
	failed := map[string]string{}
	names := recommend.SeriesNames(p.Metrics)
	for i, m := range decision.Metrics {
		key := fmt.Sprintf("%s %s", m.Type, cmp.Or(names[i], m.Metric))
		event := eventOf(m)
		if m.Failed && event == "" {
			event = w.failed[key]
		}
		if event == "" {
			continue
		}
		if failed[key] = event; w.failed[key] != event {
			outages = with(outages, outage{event: event, detail: m.Failure.Detail, metrics: []string{m.Failure.Metric}})
		}
	}
	w.failed = failed
	return outages
}

// with adds an outage, to one of the same text if there is one: when the resource metrics API is down, all that is read from it is.
func with(outages []outage, o outage) []outage {
	for i := range outages {
		if outages[i].detail != o.detail {
			continue
		}
		if !slices.Contains(outages[i].metrics, o.metrics[0]) {
			outages[i].metrics = append(outages[i].metrics, o.metrics[0])
		}
		return outages
	}
	return append(outages, o)
}

// eventOf is the Event for a failed metric; "" for one that works and for failures that pass by themselves.
func eventOf(m recommend.MetricResult) string {
	if !m.Failed {
		return ""
	}
	switch m.Failure.Reason {
	case recommend.ReasonAwaitingSample, recommend.ReasonNoPods:
		return ""
	case recommend.ReasonMissingRequest:
		return EventMissingRequest
	}
	return cmp.Or(failedEvents()[m.Type], EventFailedGetResourceMetric)
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
func failureText(outages []outage, working bool) string {
	if !working {
		return join(outages, func(o outage) string { return o.detail })
	}
	metrics := 0
	text := join(outages, func(o outage) string {
		metrics += len(o.metrics)
		names := strings.Join(o.metrics, ", ")
		switch {
		case len(o.metrics) > 1:
			return "metrics " + names + ": " + o.detail
		case strings.Contains(o.detail, names):
			return o.detail
		}
		return "metric " + names + ": " + o.detail
	})
	until := "it is"
	if metrics > 1 {
		until = "they are"
	}
	meaning := "; until " + until + " back, replicas may go up for the other metrics but not down"
	return cut(text, maxMessage-len(meaning)) + meaning
}
