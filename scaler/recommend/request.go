package recommend

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// request reads what a utilization is a percent of, in milli-units. Targets in absolute values need none.
func (v *view) request(d *draft, m *podMetric, pod *corev1.Pod) (int64, *Failure) {
	v.partial = false
	if !m.utilization {
		return 0, nil
	}
	var total int64
	found := m.container == ""
	for part := range podspec.Request(&pod.Spec, m.resource, m.container) {
		if part.Container != nil && part.Sign() <= 0 && v.omit(d, m, pod, part.Container.Name) {
			continue
		}
		if part.Origin == podspec.None {
			return 0, m.missingRequest(pod, part.Container)
		}
		total, found = d.numbers.add(total, d.numbers.milli(part.Quantity)), true
	}
	if !found {
		return 0, &Failure{Metric: m.name, Reason: ReasonContainerNotFound, Detail: fmt.Sprintf(
			"pod %s has no container %q, which the metric names", pod.Name, m.container)}
	}
	return total, nil
}

// lacking says why the HPA controller could not read the pod's request; nil if it could.
func (m *podMetric) lacking(pod *corev1.Pod) *Failure {
	plain := view{Rules: Rules{Compat: true}}
	_, failure := plain.request(&draft{}, m, pod)
	return failure
}

// missingRequest is about a container; about the pod as a whole if that is nil.
func (m *podMetric) missingRequest(pod *corev1.Pod, c *corev1.Container) *Failure {
	whose, where := "", "spec.resources.requests."+string(m.resource)+" of the pod template"
	if c != nil {
		whose, where = "container "+c.Name+" of ", "resources.requests."+string(m.resource)
	}
	return &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: fmt.Sprintf(
		"%spod %s has no %s request, and the target is a percentage of it; set %s, or an absolute target", whose, pod.Name, m.resource, where)}
}
