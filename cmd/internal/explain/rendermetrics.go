package explain

import (
	"cmp"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// maxShown is how many values of one metric are shown.
const maxShown = 10

// askedTarget is the target of a metric that is asked for by name.
func askedTarget(spec autoscalingv2.MetricSpec) string {
	what, target := namedTarget(spec)
	switch {
	case target.AverageValue != nil:
		return fmt.Sprintf("%s at %s per pod", what, target.AverageValue)
	case target.Value != nil:
		return fmt.Sprintf("%s at %s", what, target.Value)
	}
	return what
}

// namedTarget is what a custom or external metric is called, and its target.
func namedTarget(spec autoscalingv2.MetricSpec) (string, autoscalingv2.MetricTarget) {
	switch {
	case spec.Pods != nil:
		return called(spec.Pods.Metric) + " of the pods", spec.Pods.Target
	case spec.Object != nil:
		about := spec.Object.DescribedObject
		return fmt.Sprintf("%s of %s %s", called(spec.Object.Metric), about.Kind, about.Name), spec.Object.Target
	case spec.External != nil:
		return "external " + called(spec.External.Metric), spec.External.Target
	}
	return string(spec.Type) + " metric", autoscalingv2.MetricTarget{}
}

func called(id autoscalingv2.MetricIdentifier) string {
	if id.Selector == nil {
		return id.Name
	}
	return id.Name + "{" + metav1.FormatLabelSelector(id.Selector) + "}"
}

// answers is what the custom and external metrics APIs said: a line for each value.
func (p page) answers(e scaler.Explanation) {
	titled := false
	for i := range e.Policy.Metrics {
		m := &e.Policy.Metrics[i]
		if m.Source == "" {
			continue
		}
		if !titled {
			p.Title("Custom and external metrics")
			p.Row("METRIC", "OF", "VALUE", "MEASURED")
			titled = true
		}
		p.answer(e.Snapshot, m.ID, m.Spec.External != nil)
	}
}

func (p page) answer(s recommend.Snapshot, name string, external bool) {
	shown := 0
	show := func(of string, value resource.Quantity, at metav1.Time) {
		if shown++; shown <= maxShown {
			p.Row(name, cmp.Or(of, "-"), value.String(), ago(s.Time, at))
		}
	}
	if reason := s.Errors[name]; reason != "" {
		p.Row(name, "-", "none", reason)
		return
	}
	for _, v := range s.ExternalMetrics[name] {
		if external {
			show(labels.Set(v.MetricLabels).String(), v.Value, v.Timestamp)
		}
	}
	for _, v := range s.CustomMetrics[name] {
		if !external {
			show(v.DescribedObject.Kind+" "+v.DescribedObject.Name, v.Value, v.Timestamp)
		}
	}
	switch {
	case shown == 0:
		p.Row(name, "-", "none", "-")
	case shown > maxShown:
		p.Row(name, "-", fmt.Sprintf("%d more", shown-maxShown), "-")
	}
}

// ago is how long before now something was measured, where that is told.
func ago(now time.Time, at metav1.Time) string {
	if at.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s ago", max(now.Sub(at.Time), 0).Truncate(time.Second))
}
