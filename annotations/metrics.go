package annotations

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// sourceTypes are the types of a MetricSpec.
var sourceTypes = [...]autoscalingv2.MetricSourceType{
	autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType,
	autoscalingv2.ObjectMetricSourceType, autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType,
}

// setMetrics reads a list of MetricSpec and holds it to the rules that the API server has for an HPA (ValidateMetricSpec
// and what it calls in its package for the validation of autoscaling).
func setMetrics(p *draft, value string) error {
	tree, err := p.documents.read(value)
	if err != nil {
		return err
	}
	items, ok := tree.([]any)
	if !ok {
		return errors.New("must be a list of autoscaling/v2 MetricSpec in YAML or JSON, the same as in the spec.metrics of an HPA")
	}
	if len(items) == 0 {
		return errors.New("must hold at least one metric; remove the annotation if it is not needed")
	}
	found := len(p.errs)
	p.specs = make([]autoscalingv2.MetricSpec, len(items))
	for i, item := range items {
		at, before := Path(Metrics).Index(i), len(p.errs)
		p.fill(reflect.ValueOf(&p.specs[i]).Elem(), item, at)
		if len(p.errs) == before {
			p.checkMetric(&p.specs[i], at)
		}
	}
	if len(p.errs) == found && len(items) > 1 {
		p.warnRepeated()
	}
	return nil
}

// checkMetric demands one source, the one that the type names.
func (p *draft) checkMetric(m *autoscalingv2.MetricSpec, at *field.Path) {
	if !slices.Contains(sourceTypes[:], m.Type) {
		p.wrong(at.Child("type"), string(m.Type), "must be one of "+alternatives(sourceTypes[:]))
	}
	type source struct {
		name  string
		kind  autoscalingv2.MetricSourceType
		isSet bool
		check func(at *field.Path)
	}
	for _, s := range [...]source{
		{"containerResource", autoscalingv2.ContainerResourceMetricSourceType, m.ContainerResource != nil,
			func(at *field.Path) { p.checkContainerResource(m.ContainerResource, at) }},
		{"external", autoscalingv2.ExternalMetricSourceType, m.External != nil,
			func(at *field.Path) { p.checkExternal(m.External, at) }},
		{"object", autoscalingv2.ObjectMetricSourceType, m.Object != nil,
			func(at *field.Path) { p.checkObject(m.Object, at) }},
		{"pods", autoscalingv2.PodsMetricSourceType, m.Pods != nil,
			func(at *field.Path) { p.checkPods(m.Pods, at) }},
		{"resource", autoscalingv2.ResourceMetricSourceType, m.Resource != nil,
			func(at *field.Path) { p.checkResource(m.Resource, at) }},
	} {
		switch {
		case s.isSet && s.kind == m.Type:
			s.check(at.Child(s.name))
		case s.isSet:
			p.forbid(at.Child(s.name), fmt.Sprintf("does not belong to a metric of type %q", clean(string(m.Type), shown)))
		case s.kind == m.Type:
			p.absent(at.Child(s.name), fmt.Sprintf("must be set for a metric of type %q", m.Type))
		}
	}
}

// warnRepeated warns of repeated metrics. As with an HPA, both count: the lower target wins.
func (p *draft) warnRepeated() {
	first, told := map[string]int{}, 0
	for i := range p.specs {
		what := identity(&p.specs[i])
		before, twice := first[what]
		if !twice {
			first[what] = i
			continue
		}
		p.warn(fmt.Sprintf("[%d] measures the same as [%d]; the one that asks for more replicas wins", i, before))
		if told++; told == maxProblems {
			return
		}
	}
}

// identity is what is measured and how the target is meant, without the target's value.
func identity(m *autoscalingv2.MetricSpec) string {
	parts := []string{string(m.Type)}
	add := func(t *autoscalingv2.MetricTarget, more ...string) {
		parts = append(append(parts, string(t.Type)), more...)
	}
	switch {
	case m.Resource != nil:
		add(&m.Resource.Target, string(m.Resource.Name))
	case m.ContainerResource != nil:
		add(&m.ContainerResource.Target, string(m.ContainerResource.Name), m.ContainerResource.Container)
	case m.Pods != nil:
		add(&m.Pods.Target, m.Pods.Metric.Name, metav1.FormatLabelSelector(m.Pods.Metric.Selector))
	case m.External != nil:
		add(&m.External.Target, m.External.Metric.Name, metav1.FormatLabelSelector(m.External.Metric.Selector))
	case m.Object != nil:
		object := &m.Object.DescribedObject
		add(&m.Object.Target, object.APIVersion, object.Kind, object.Name, m.Object.Metric.Name,
			metav1.FormatLabelSelector(m.Object.Metric.Selector))
	}
	return strings.Join(parts, "\n")
}
