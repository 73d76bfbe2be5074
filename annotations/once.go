package annotations

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// checkMetricsOnce demands that the usage of a resource, over all containers or over one, has its target either from a
// short annotation or from the list.
func (p *draft) checkMetricsOnce(annotations map[string]string) {
	short := map[corev1.ResourceName]string{}
	if _, ok := annotations[TargetCPU]; ok {
		short[corev1.ResourceCPU] = TargetCPU
	}
	if _, ok := annotations[TargetMemory]; ok {
		short[corev1.ResourceMemory] = TargetMemory
	}
	if _, ok := annotations[Container]; ok && len(short) == 0 {
		p.warnings = append(p.warnings, Warning{Key: Container, Rule: FoundDoubtful, Message: fmt.Sprintf(
			"has no effect without %s or %s; metrics of one container are of type %q", TargetCPU, TargetMemory,
			autoscalingv2.ContainerResourceMetricSourceType)})
	}
	for i := range p.specs {
		if name, container, target := Usage(&p.specs[i]); target != nil && container == p.container && short[name] != "" {
			p.forbid(Path(Metrics).Index(i), fmt.Sprintf("measures the same as %s; remove one of them", short[name]))
		}
	}
}

// Usage says the usage of which resource a metric is about, in which container (empty if all count), and what its target is. The target is
// nil if the metric is about something else, or does not name its container.
func Usage(m *autoscalingv2.MetricSpec) (resource corev1.ResourceName, container string, target *autoscalingv2.MetricTarget) {
	switch {
	case m.Resource != nil:
		return m.Resource.Name, "", &m.Resource.Target
	case m.ContainerResource != nil && m.ContainerResource.Container != "":
		return m.ContainerResource.Name, m.ContainerResource.Container, &m.ContainerResource.Target
	}
	return "", "", nil
}

// checkBehaviorOnce demands that each field of the rules is set either by its short annotation or by the behavior.
func (p *draft) checkBehaviorOnce(annotations map[string]string) {
	if p.behavior == nil {
		return
	}
	directions := [...]struct {
		name             string
		rules            *autoscalingv2.HPAScalingRules
		window, policies string
	}{
		{"scaleUp", p.behavior.ScaleUp, ScaleUpStabilization, ScaleUpPolicies},
		{"scaleDown", p.behavior.ScaleDown, ScaleDownStabilization, ScaleDownPolicies},
	}
	for _, d := range directions {
		if d.rules == nil {
			continue
		}
		once := func(isSet bool, name, key string) {
			if _, ok := annotations[key]; ok && isSet {
				p.forbid(Path(Behavior).Child(d.name, name), fmt.Sprintf("is set both here and by %s; remove one of them", key))
			}
		}
		once(d.rules.StabilizationWindowSeconds != nil, "stabilizationWindowSeconds", d.window)
		once(d.rules.SelectPolicy != nil, "selectPolicy", d.policies)
		once(d.rules.Policies != nil, "policies", d.policies)
		once(d.rules.Tolerance != nil, "tolerance", Tolerance)
	}
}
