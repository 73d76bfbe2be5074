package annotations

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// targetTypes are the types of a MetricTarget. As with an HPA, any of them goes with any field; see warnTarget.
var targetTypes = [...]autoscalingv2.MetricTargetType{
	autoscalingv2.AverageValueMetricType, autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType,
}

func (p *draft) checkResource(m *autoscalingv2.ResourceMetricSource, at *field.Path) {
	if m.Name == "" {
		p.absent(at.Child("name"), `must name a resource such as "cpu"`)
	}
	p.checkUsage(m.Name, &m.Target, at.Child("target"))
}

func (p *draft) checkContainerResource(m *autoscalingv2.ContainerResourceMetricSource, at *field.Path) {
	switch {
	case m.Name == "":
		p.absent(at.Child("name"), `must name a resource such as "cpu"`)
	case !isContainerResource(string(m.Name)):
		p.wrong(at.Child("name"), string(m.Name), `must be a resource that a container can request, such as "cpu" or "example.com/gpu"`)
	}
	switch {
	case m.Container == "":
		p.absent(at.Child("container"), `must name a container such as "app"`)
	case len(validation.IsDNS1123Label(m.Container)) > 0:
		p.wrong(at.Child("container"), m.Container, errContainer.Error())
	}
	p.checkUsage(m.Name, &m.Target, at.Child("target"))
}

// isContainerResource is ValidateContainerResourceName of the API server's core validation.
func isContainerResource(name string) bool {
	if len(validation.IsQualifiedName(name)) > 0 {
		return false
	}
	if slices.Contains([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}, corev1.ResourceName(name)) {
		return true
	}
	if !strings.Contains(name, "/") {
		return strings.HasPrefix(name, corev1.ResourceHugePagesPrefix)
	}
	if strings.Contains(name, corev1.ResourceDefaultNamespacePrefix) {
		return true
	}
	return !strings.HasPrefix(name, corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+name)) == 0
}

func (p *draft) checkPods(m *autoscalingv2.PodsMetricSource, at *field.Path) {
	p.checkIdentifier(&m.Metric, at.Child("metric"))
	p.checkTarget(&m.Target, at.Child("target"))
	p.warnFine(&m.Target, at.Child("target"))
	if m.Target.AverageValue == nil {
		p.absent(at.Child("target", "averageValue"), "must be set: a metric of the pods has no other target")
		return
	}
	p.warnTarget(&m.Target, autoscalingv2.AverageValueMetricType, at.Child("target"))
}

func (p *draft) checkObject(m *autoscalingv2.ObjectMetricSource, at *field.Path) {
	p.checkReference(&m.DescribedObject, at.Child("describedObject"))
	p.checkIdentifier(&m.Metric, at.Child("metric"))
	p.checkTarget(&m.Target, at.Child("target"))
	p.warnFine(&m.Target, at.Child("target"))
	t := &m.Target
	isMatched := t.Type == autoscalingv2.ValueMetricType && t.Value != nil ||
		t.Type == autoscalingv2.AverageValueMetricType && t.AverageValue != nil
	switch {
	case t.Value == nil && t.AverageValue == nil:
		p.absent(at.Child("target", "value"), "must be set, or averageValue")
	case !isMatched && slices.Contains(targetTypes[:], t.Type):
		// The API server takes it, and the HPA reports an invalid metric source at every evaluation.
		p.warnAt(at.Child("target", "type"), fmt.Sprintf("is %q, but the field of this type is not set: the metric cannot be evaluated", t.Type))
	}
}

func (p *draft) checkExternal(m *autoscalingv2.ExternalMetricSource, at *field.Path) {
	p.checkIdentifier(&m.Metric, at.Child("metric"))
	p.checkTarget(&m.Target, at.Child("target"))
	p.warnFine(&m.Target, at.Child("target"))
	p.checkEither(&m.Target, m.Target.Value != nil, autoscalingv2.ValueMetricType, at.Child("target"))
}

// checkUsage is about the target of a resource's usage. Of what is counted in bytes checkBytes says more.
func (p *draft) checkUsage(name corev1.ResourceName, t *autoscalingv2.MetricTarget, at *field.Path) {
	p.checkTarget(t, at)
	if !slices.Contains(countedInBytes[:], name) {
		p.warnFine(t, at)
	}
	p.checkEither(t, t.AverageUtilization != nil, autoscalingv2.UtilizationMetricType, at)
}

func (p *draft) checkIdentifier(m *autoscalingv2.MetricIdentifier, at *field.Path) {
	p.checkSegment(m.Name, at.Child("name"), "must name a metric")
	// The API server stores any selector, and the HPA fails at every evaluation with one that cannot be one.
	errs := metav1validation.ValidateLabelSelector(m.Selector, metav1validation.LabelSelectorValidationOptions{}, at.Child("selector"))
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
	for _, err := range errs {
		err.BadValue = clean(fmt.Sprint(err.BadValue), shown)
	}
	p.errs = append(p.errs, errs...)
}

func (p *draft) checkReference(r *autoscalingv2.CrossVersionObjectReference, at *field.Path) {
	p.checkSegment(r.Kind, at.Child("kind"), `must be a kind such as "Ingress"`)
	p.checkSegment(r.Name, at.Child("name"), "must name an object of the workload's namespace")
	if _, err := schema.ParseGroupVersion(r.APIVersion); err != nil {
		p.wrong(at.Child("apiVersion"), r.APIVersion, `must be a version such as "v1" or "networking.k8s.io/v1"`)
	}
}

// checkSegment is about names that become part of a URL's path.
func (p *draft) checkSegment(name string, at *field.Path, demand string) {
	switch {
	case name == "":
		p.absent(at, demand)
	case name == "." || name == ".." || strings.ContainsAny(name, "/%"):
		p.wrong(at, name, `must not be "." or "..", or contain "/" or "%"`)
	}
}

// checkTarget is about what every target must be, whatever it is the target of.
func (p *draft) checkTarget(t *autoscalingv2.MetricTarget, at *field.Path) {
	if !slices.Contains(targetTypes[:], t.Type) {
		p.wrong(at.Child("type"), string(t.Type), "must be one of "+alternatives(targetTypes[:]))
	}
	p.checkPositive(t.Value, at.Child("value"))
	p.checkPositive(t.AverageValue, at.Child("averageValue"))
	if t.AverageUtilization != nil && *t.AverageUtilization < 1 {
		p.wrong(at.Child("averageUtilization"), *t.AverageUtilization, "must be a percent of the request above 0")
	}
}

func (p *draft) checkPositive(q *resource.Quantity, at *field.Path) {
	if q != nil && q.Sign() <= 0 {
		p.wrong(at, q.String(), "must be above 0")
	}
}

// checkEither demands either averageValue or the field that belongs to kind.
func (p *draft) checkEither(t *autoscalingv2.MetricTarget, isSet bool, kind autoscalingv2.MetricTargetType, at *field.Path) {
	name := "value"
	if kind == autoscalingv2.UtilizationMetricType {
		name = "averageUtilization"
	}
	switch {
	case isSet && t.AverageValue != nil:
		p.forbid(at.Child("averageValue"), "must not be set together with "+name)
	case !isSet && t.AverageValue == nil:
		p.absent(at.Child(name), "must be set, or averageValue")
	case isSet:
		p.warnTarget(t, kind, at)
	default:
		p.warnTarget(t, autoscalingv2.AverageValueMetricType, at)
	}
}

// warnTarget warns if the type of a target does not fit the field that counts. Like the HPA, the controller goes by the field.
func (p *draft) warnTarget(t *autoscalingv2.MetricTarget, counts autoscalingv2.MetricTargetType, at *field.Path) {
	if t.Type != counts && slices.Contains(targetTypes[:], t.Type) {
		p.warnAt(at.Child("type"), fmt.Sprintf("is %q, but the field that counts is the one of type %q", t.Type, counts))
	}
}

// warnFine warns of amounts that are finer than what is counted in.
func (p *draft) warnFine(t *autoscalingv2.MetricTarget, at *field.Path) {
	if why := tooFine(t.Value); why != "" {
		p.warnAt(at.Child("value"), why)
	}
	if why := tooFine(t.AverageValue); why != "" {
		p.warnAt(at.Child("averageValue"), why)
	}
}

// tooFine says as what an amount counts that is no whole number of thousandths, and is empty for others. As in the HPA controller
// (Quantity.MilliValue), a target and what is measured are rounded up: 1500u at a target of 100u is work for 15 replicas, and counts as 2m at 1m.
func tooFine(amount *resource.Quantity) string {
	if amount == nil || amount.Sign() <= 0 {
		return ""
	}
	counted := amount.DeepCopy()
	if counted.RoundUp(resource.Milli) {
		return ""
	}
	return fmt.Sprintf("is %s and counts as %s: as with an HPA, targets and measured values are rounded up to thousandths; measure in a smaller unit, or write %s", amount, &counted, &counted)
}
