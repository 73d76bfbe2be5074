package recommend

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SeriesNames returns, for each metric, the name under which a Snapshot holds what its API returned: the metric's own
// name and, where several custom or external metrics share it, what tells them apart. It is empty for resource metrics,
// which need none.
//
//	backlog                                         the only metric of that name
//	backlog{queue=mail}                             an External one of several, with a selector
//	hits of Ingress.networking.k8s.io/front         an Object one of several
//	hits of pods                                    a Pods one of several
func SeriesNames(specs []autoscalingv2.MetricSpec) []string {
	names, count := make([]string, len(specs)), make(map[string]int, len(specs))
	for i := range specs {
		if id, _ := series(specs[i]); id != nil {
			names[i] = id.Name
			count[id.Name]++
		}
	}
	for i := range specs {
		if count[names[i]] > 1 {
			names[i] = qualified(specs[i])
		}
	}
	return names
}

// series is what a custom or external metric is called and, for an Object metric, what it describes.
func series(spec autoscalingv2.MetricSpec) (*autoscalingv2.MetricIdentifier, *autoscalingv2.CrossVersionObjectReference) {
	switch {
	case spec.Type == autoscalingv2.PodsMetricSourceType && spec.Pods != nil:
		return &spec.Pods.Metric, nil
	case spec.Type == autoscalingv2.ObjectMetricSourceType && spec.Object != nil:
		return &spec.Object.Metric, &spec.Object.DescribedObject
	case spec.Type == autoscalingv2.ExternalMetricSourceType && spec.External != nil:
		return &spec.External.Metric, nil
	}
	return nil, nil
}

func qualified(spec autoscalingv2.MetricSpec) string {
	id, object := series(spec)
	name := id.Name
	if id.Selector != nil {
		name += "{" + metav1.FormatLabelSelector(id.Selector) + "}"
	}
	switch {
	case object != nil:
		kind := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind).GroupKind()
		name += fmt.Sprintf(" of %s/%s", kind, object.Name)
	case spec.Type == autoscalingv2.PodsMetricSourceType:
		name += " of pods"
	}
	return name
}
