package trace

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// Reading a quantity such as 1e-999999999 takes hours. So what a trace holds is read into types whose quantities are bounded, see
// amount.Read; a field that could hold others, and that no decision depends on, is not read at all. Fields of the same name in
// a struct that is embedded are hidden by those here.

type pod struct {
	corev1.Pod
	Spec   podspec.JSON `json:"spec"`
	Status struct {
		Phase      corev1.PodPhase       `json:"phase"`
		StartTime  *metav1.Time          `json:"startTime"`
		Conditions []corev1.PodCondition `json:"conditions"`
	} `json:"status"`
}

func (p *pod) whole() *corev1.Pod {
	if p == nil {
		return nil
	}
	p.Pod.Spec = p.Spec.Spec()
	p.Pod.Status = corev1.PodStatus{Phase: p.Status.Phase, StartTime: p.Status.StartTime, Conditions: p.Status.Conditions}
	return &p.Pod
}

type podMetrics struct {
	metav1.ObjectMeta `json:"metadata"`
	Timestamp         metav1.Time     `json:"timestamp"`
	Window            metav1.Duration `json:"window"`
	Containers        []struct {
		Name  string          `json:"name"`
		Usage amount.ListJSON `json:"usage"`
	} `json:"containers"`
}

func (m *podMetrics) whole() *sample.Pod {
	if m == nil {
		return nil
	}
	s := &sample.Pod{Namespace: m.Namespace, Name: m.Name, Time: m.Timestamp.Time, Window: m.Window.Duration}
	for _, c := range m.Containers {
		s.Containers = append(s.Containers, sample.Container{Name: c.Name, Usage: sample.UsageOf(c.Usage.List())})
	}
	return s
}

type customValue struct {
	custommetricsv1beta2.MetricValue
	Value amount.JSON `json:"value"`
}

func (v customValue) whole() custommetricsv1beta2.MetricValue {
	v.MetricValue.Value = v.Value.Quantity
	return v.MetricValue
}

type externalValue struct {
	externalmetricsv1beta1.ExternalMetricValue
	Value amount.JSON `json:"value"`
}

func (v externalValue) whole() externalmetricsv1beta1.ExternalMetricValue {
	v.ExternalMetricValue.Value = v.Value.Quantity
	return v.ExternalMetricValue
}

type deployment struct {
	appsv1.Deployment
	Spec struct {
		Replicas *int32                `json:"replicas"`
		Selector *metav1.LabelSelector `json:"selector"`
		Template struct {
			metav1.ObjectMeta `json:"metadata"`
			Spec              podspec.JSON `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

func (d *deployment) whole() *annotations.Workload {
	d.Deployment.Spec = appsv1.DeploymentSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector,
		Template: corev1.PodTemplateSpec{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec.Spec()}}
	return annotations.OfDeployment(&d.Deployment)
}

// each converts the items of a list; nil stays nil.
func each[In, Out any](in []In, whole func(In) Out) []Out {
	if in == nil {
		return nil
	}
	out := make([]Out, len(in))
	for i := range in {
		out[i] = whole(in[i])
	}
	return out
}

// eachOf converts the lists of a map; nil stays nil.
func eachOf[In, Out any](in map[string][]In, whole func(In) Out) map[string][]Out {
	if in == nil {
		return nil
	}
	out := make(map[string][]Out, len(in))
	for name, list := range in {
		out[name] = each(list, whole)
	}
	return out
}
