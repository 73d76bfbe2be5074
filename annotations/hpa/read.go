package hpa

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// Group is the API group of a HorizontalPodAutoscaler.
const Group = autoscalingv2.GroupName

// What autoscaling/v1 and v2beta1 have no fields for is in annotations of these names (pkg/apis/autoscaling/annotations.go of Kubernetes).
const (
	alpha         = "autoscaling.alpha.kubernetes.io/"
	alphaMetrics  = alpha + "metrics"
	alphaBehavior = alpha + "behavior"
)

// older is a HorizontalPodAutoscaler of autoscaling/v1 or v2beta1. Their metrics are written in the same way, v1 has them in an annotation.
type older struct {
	autoscalingv1.HorizontalPodAutoscaler
	Spec olderSpec `json:"spec"`
	// Status is not read.
	Status json.RawMessage `json:"status"`
}

// newer is one of autoscaling/v2 or v2beta2. Its status is not read either: what is measured is not what was asked for.
type newer struct {
	autoscalingv2.HorizontalPodAutoscaler
	Status json.RawMessage `json:"status"`
}

type olderSpec struct {
	ScaleTargetRef                 autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`
	MinReplicas                    *int32                                    `json:"minReplicas"`
	MaxReplicas                    int32                                     `json:"maxReplicas"`
	TargetCPUUtilizationPercentage *int32                                    `json:"targetCPUUtilizationPercentage"`
	Metrics                        []autoscalingv1.MetricSpec                `json:"metrics"`
}

// Read reads the JSON of a HorizontalPodAutoscaler in any version that there was, as autoscaling/v2, and fills in what the API server does. The
// error says that it is none, or, as a *field.Error, which of its quantities would take hours to read. Fields that it does not have are remarks: an API
// server leaves them out.
func Read(data []byte) (*autoscalingv2.HorizontalPodAutoscaler, []Remark, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, nil, err
	}
	version, err := schema.ParseGroupVersion(kind.APIVersion)
	switch {
	case err != nil || version.Group != Group:
		return nil, nil, fmt.Errorf("apiVersion is %q; want autoscaling/v2, v2beta2, v2beta1 or v1", kind.APIVersion)
	case version.Version == "v2" || version.Version == "v2beta2":
		return readNewer(data)
	case version.Version == "v2beta1" || version.Version == "v1":
		return readOlder(data, version.Version)
	}
	return nil, nil, fmt.Errorf("apiVersion is %q; want autoscaling/v2, v2beta2, v2beta1 or v1", kind.APIVersion)
}

func readNewer(data []byte) (*autoscalingv2.HorizontalPodAutoscaler, []Remark, error) {
	from := &newer{}
	remarks, err := decode(data, from)
	if err != nil {
		return nil, nil, err
	}
	o := &from.HorizontalPodAutoscaler
	Default(o)
	return o, remarks, nil
}

func readOlder(data []byte, version string) (*autoscalingv2.HorizontalPodAutoscaler, []Remark, error) {
	from := &older{}
	remarks, err := decode(data, from)
	if err != nil {
		return nil, nil, err
	}
	r := olderReader{remarks: remarks}
	o := &autoscalingv2.HorizontalPodAutoscaler{TypeMeta: from.TypeMeta, ObjectMeta: from.ObjectMeta}
	o.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: from.Spec.ScaleTargetRef, MinReplicas: from.Spec.MinReplicas, MaxReplicas: from.Spec.MaxReplicas}
	if version == "v1" {
		r.forbid(len(from.Spec.Metrics) > 0, "spec.metrics", "a list of autoscaling/v2")
		o.Spec.Metrics = r.metrics(from.Annotations)
	} else {
		r.forbid(from.Spec.TargetCPUUtilizationPercentage != nil, "spec.targetCPUUtilizationPercentage", "a field of autoscaling/v1")
		for i := range from.Spec.Metrics {
			o.Spec.Metrics = append(o.Spec.Metrics, metricOf(&from.Spec.Metrics[i]))
		}
	}
	if percent := from.Spec.TargetCPUUtilizationPercentage; percent != nil && version == "v1" {
		o.Spec.Metrics = append(o.Spec.Metrics, cpu(*percent))
	}
	o.Spec.Behavior = r.behavior(from.Annotations)
	Default(o)
	return o, r.remarks, nil
}

// decode reads JSON as the API server does, with names in their exact case. A quantity that would take hours is an error.
func decode(data []byte, into any) ([]Remark, error) {
	if err := amount.Check(data, into); err != nil {
		return nil, err
	}
	unknown, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	var remarks []Remark
	for _, problem := range unknown {
		path, why := "", problem.Error()
		if field, ok := problem.(kjson.FieldError); ok { //nolint:errorlint // UnmarshalStrict returns them as they are
			path, why = field.FieldPath(), strings.TrimSuffix(strings.TrimSpace(strings.TrimSuffix(why, `"`+field.FieldPath()+`"`)), " field")
		}
		remarks = append(remarks, Remark{Path: path, Why: "is not read: the API server has no such field, or has read it before (" + why + ")", Do: "correct its name, or remove it"})
	}
	return remarks, nil
}

// olderReader reads what annotations have in place of fields.
type olderReader struct{ remarks []Remark }

func (r *olderReader) forbid(isSet bool, path, is string) {
	if isSet {
		r.remarks = append(r.remarks, Remark{Path: path, Why: "is not read: it is " + is + ", which the API server leaves out in this version", Do: "set apiVersion to the version that was meant"})
	}
}

// metrics are those of autoscaling/v1. What cannot be read counts as not there, as it does for the API server.
func (r *olderReader) metrics(annotations map[string]string) []autoscalingv2.MetricSpec {
	text, ok := annotations[alphaMetrics]
	if !ok {
		return nil
	}
	var older []autoscalingv1.MetricSpec
	if err := decodeText(text, &older); err != nil {
		r.unreadable(alphaMetrics, text, err)
		return nil
	}
	var all []autoscalingv2.MetricSpec
	for i := range older {
		all = append(all, metricOf(&older[i]))
	}
	return all
}

// behavior is written with the names that the fields have in Go, whose reader minds no case.
func (r *olderReader) behavior(annotations map[string]string) *autoscalingv2.HorizontalPodAutoscalerBehavior {
	text, ok := annotations[alphaBehavior]
	if !ok {
		return nil
	}
	b := autoscalingv2.HorizontalPodAutoscalerBehavior{}
	if err := decodeText(text, &b); err != nil {
		r.unreadable(alphaBehavior, text, err)
		return nil
	}
	if b.ScaleUp == nil && b.ScaleDown == nil {
		return nil
	}
	return &b
}

// decodeText reads what an annotation has, with names in any case.
func decodeText(text string, into any) error {
	if err := amount.Check([]byte(text), into); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

func (r *olderReader) unreadable(key, text string, err error) {
	r.remarks = append(r.remarks, Remark{Path: "metadata.annotations[" + key + "]", Value: shown(text), Lost: true,
		Why: fmt.Sprintf("cannot be read (%v), and counts as not there, as it does for the API server", err), Do: "write what was meant in autoscaling/v2"})
}

// metricOf writes a metric of autoscaling/v1 and v2beta1 as v2, as the API server does (pkg/apis/autoscaling/v1/conversion.go). Fields that
// contradict each other stay, so that they are found.
func metricOf(from *autoscalingv1.MetricSpec) autoscalingv2.MetricSpec {
	to := autoscalingv2.MetricSpec{Type: autoscalingv2.MetricSourceType(from.Type)}
	if m := from.Resource; m != nil {
		to.Resource = &autoscalingv2.ResourceMetricSource{Name: m.Name, Target: usageTarget(m.TargetAverageUtilization, autoscalingv2.MetricTarget{AverageValue: m.TargetAverageValue})}
	}
	if m := from.ContainerResource; m != nil {
		to.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{Name: m.Name, Container: m.Container,
			Target: usageTarget(m.TargetAverageUtilization, autoscalingv2.MetricTarget{AverageValue: m.TargetAverageValue})}
	}
	if m := from.Pods; m != nil {
		to.Pods = &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: m.MetricName, Selector: m.Selector},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &m.TargetAverageValue}}
	}
	if m := from.Object; m != nil {
		target := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, AverageValue: m.AverageValue}
		if m.AverageValue != nil {
			target.Type = autoscalingv2.AverageValueMetricType
		}
		if m.AverageValue == nil || !m.TargetValue.IsZero() {
			target.Value = &m.TargetValue
		}
		to.Object = &autoscalingv2.ObjectMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: m.MetricName, Selector: m.Selector}, Target: target,
			DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: m.Target.Kind, Name: m.Target.Name, APIVersion: m.Target.APIVersion}}
	}
	if m := from.External; m != nil {
		target := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: m.TargetValue, AverageValue: m.TargetAverageValue}
		if m.TargetValue == nil {
			target.Type = autoscalingv2.AverageValueMetricType
		}
		to.External = &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: m.MetricName, Selector: m.MetricSelector}, Target: target}
	}
	return to
}

// usageTarget is a target of a resource's usage: a percent where there is one.
func usageTarget(percent *int32, t autoscalingv2.MetricTarget) autoscalingv2.MetricTarget {
	t.Type, t.AverageUtilization = autoscalingv2.AverageValueMetricType, percent
	if percent != nil {
		t.Type = autoscalingv2.UtilizationMetricType
	}
	return t
}
