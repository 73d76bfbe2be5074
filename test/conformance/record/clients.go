package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	scaleclient "k8s.io/client-go/scale"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// cluster answers the controller's clients from the observation of this evaluation.
type cluster struct {
	seen recommend.Snapshot
	// target is what is scaled, and scale its scale subresource.
	target schema.GroupResource
	scale  *autoscalingv1.Scale
	// names are the series of the metrics, by what the controller asks for.
	names map[question]string
	// asked is when the controller read the scale, and how often.
	asked time.Time
	gets  int
	// written is what it wrote, nil if nothing.
	written *int32
	// hpas and pods are the controller's caches.
	hpas, pods *informer
}

// question is what tells one custom or external metric from another.
type question struct{ kind, name, selector, object string }

func questions(specs []autoscalingv2.MetricSpec) map[question]string {
	asked := map[question]string{}
	for _, m := range annotations.MetricsOf(specs) {
		q := question{}
		var selector *metav1.LabelSelector
		switch s := m.Spec; s.Type {
		case autoscalingv2.PodsMetricSourceType:
			q, selector = question{kind: "Pod", name: s.Pods.Metric.Name}, s.Pods.Metric.Selector
		case autoscalingv2.ObjectMetricSourceType:
			o := s.Object.DescribedObject
			q, selector = question{kind: o.Kind, name: s.Object.Metric.Name, object: o.Name}, s.Object.Metric.Selector
		case autoscalingv2.ExternalMetricSourceType:
			q, selector = question{name: s.External.Metric.Name}, s.External.Metric.Selector
		default:
			continue
		}
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			panic(err) // generated
		}
		q.selector = parsed.String()
		asked[q] = m.ID
	}
	return asked
}

// series is the name of what is asked for.
func (c *cluster) series(q question) (string, error) {
	name, ok := c.names[q]
	if !ok {
		return "", fmt.Errorf("nobody recorded %+v", q)
	}
	if text, failed := c.seen.Errors[name]; failed {
		return "", errors.New(text)
	}
	return name, nil
}

type scales struct {
	scaleclient.ScaleInterface
	cluster *cluster
}

// Scales answers for every namespace.
func (c *cluster) Scales(string) scaleclient.ScaleInterface { return scales{cluster: c} }

// Get returns the replicas of the observation.
func (s scales) Get(_ context.Context, of schema.GroupResource, name string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if of != s.cluster.target || name != s.cluster.scale.Name {
		return nil, apierrors.NewNotFound(of, name)
	}
	s.cluster.asked = time.Now()
	s.cluster.gets++
	return s.cluster.scale.DeepCopy(), nil
}

// Update takes note of what was written.
func (s scales) Update(_ context.Context, of schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	if of != s.cluster.target || scale.Name != s.cluster.scale.Name {
		return nil, apierrors.NewNotFound(of, scale.Name)
	}
	s.cluster.written = &scale.Spec.Replicas
	return scale, nil
}

type autoscalers struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	cluster *cluster
}

// HorizontalPodAutoscalers answers for every namespace.
func (c *cluster) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return autoscalers{cluster: c}
}

// UpdateStatus stores the object.
func (a autoscalers) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	return hpa, a.cluster.hpas.store.Update(hpa.DeepCopy())
}

type podMetrics struct {
	metricsclient.PodMetricsInterface
	cluster *cluster
}

// PodMetricses answers for every namespace.
func (c *cluster) PodMetricses(string) metricsclient.PodMetricsInterface {
	return podMetrics{cluster: c}
}

// List returns the samples of the observation.
func (p podMetrics) List(context.Context, metav1.ListOptions) (*metricsv1beta1.PodMetricsList, error) {
	if text := p.cluster.seen.MetricsError; text != "" {
		return nil, errors.New(text)
	}
	list := &metricsv1beta1.PodMetricsList{}
	for _, m := range p.cluster.seen.PodMetrics {
		item := metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace, Name: m.Name},
			Timestamp: metav1.NewTime(m.Time), Window: metav1.Duration{Duration: m.Window}}
		for _, c := range m.Containers {
			usage := corev1.ResourceList{}
			for _, a := range c.Usage {
				usage[a.Resource] = a.Quantity
			}
			item.Containers = append(item.Containers, metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: usage})
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

type custom struct{ *cluster }

// RootScopedMetrics are those about namespaces.
func (c custom) RootScopedMetrics() custom_metrics.MetricsInterface { return c }

// NamespacedMetrics are all others.
func (c custom) NamespacedMetrics(string) custom_metrics.MetricsInterface { return c }

// GetForObject returns the one value that an object has.
func (c custom) GetForObject(kind schema.GroupKind, object, metric string, selector labels.Selector) (*custommetricsv1beta2.MetricValue, error) {
	name, err := c.series(question{kind: kind.Kind, name: metric, selector: selector.String(), object: object})
	if err != nil {
		return nil, err
	}
	values := c.seen.CustomMetrics[name]
	if len(values) != 1 {
		return nil, fmt.Errorf("the custom metrics API server returned %v results when we asked for exactly one", len(values))
	}
	return &values[0], nil
}

// GetForObjects returns the values of the pods.
func (c custom) GetForObjects(kind schema.GroupKind, _ labels.Selector, metric string, selector labels.Selector) (*custommetricsv1beta2.MetricValueList, error) {
	name, err := c.series(question{kind: kind.Kind, name: metric, selector: selector.String()})
	if err != nil {
		return nil, err
	}
	return &custommetricsv1beta2.MetricValueList{Items: c.seen.CustomMetrics[name]}, nil
}

type external struct{ *cluster }

// NamespacedMetrics answers for every namespace.
func (e external) NamespacedMetrics(string) external_metrics.MetricsInterface { return e }

// List returns the series of an external metric.
func (e external) List(metric string, selector labels.Selector) (*externalmetricsv1beta1.ExternalMetricValueList, error) {
	name, err := e.series(question{name: metric, selector: selector.String()})
	if err != nil {
		return nil, err
	}
	return &externalmetricsv1beta1.ExternalMetricValueList{Items: e.seen.ExternalMetrics[name]}, nil
}

// events are thrown away.
type events struct{ coreclient.EventInterface }

// Events answers for every namespace.
func (events) Events(string) coreclient.EventInterface { return events{} }

// CreateWithEventNamespace pretends.
func (events) CreateWithEventNamespace(event *corev1.Event) (*corev1.Event, error) { return event, nil }

// UpdateWithEventNamespace pretends.
func (events) UpdateWithEventNamespace(event *corev1.Event) (*corev1.Event, error) { return event, nil }

// PatchWithEventNamespace pretends.
func (events) PatchWithEventNamespace(event *corev1.Event, _ []byte) (*corev1.Event, error) {
	return event, nil
}
