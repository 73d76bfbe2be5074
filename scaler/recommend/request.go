package recommend

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// request is what the utilization of one pod is a percent of.
type request struct {
	// amount is in milli-units; 0 for targets in absolute values, which need none.
	amount int64
	// omitted is the first container that was left out because it has no request; empty if none was.
	omitted string
}

// request reads what a utilization is a percent of. With leaveOut it repairs "an injected sidecar without a request blinds": a container
// without a request, or with one of 0, does not count, as long as another one of the pod has one. The HPA fails the whole metric.
func (m *podMetric) request(n *numbers, pod *podspec.Pod, leaveOut bool) (total request, failure *Failure) {
	if !m.utilization {
		return total, nil
	}
	found := m.container == ""
	for part := range pod.Spec.Request(m.resource, m.container) {
		if part.Container != nil && part.Sign() <= 0 && leaveOut && m.container == "" && m.requested(pod) {
			total.omitted = cmp.Or(total.omitted, part.Container.Name)
			continue
		}
		if part.Origin == podspec.None {
			return total, m.missingRequest(pod, part.Container)
		}
		total.amount, found = n.add(total.amount, n.milli(&part.Quantity)), true
	}
	if !found {
		return total, &Failure{Metric: m.name, Reason: ReasonContainerNotFound, Detail: fmt.Sprintf(
			"pod %s has no container %q, which the metric names", pod.Name, m.container)}
	}
	return total, nil
}

// requested says whether any container has a request to divide by.
func (m *podMetric) requested(pod *podspec.Pod) bool {
	for part := range pod.Spec.Request(m.resource, "") {
		if part.Sign() > 0 {
			return true
		}
	}
	return false
}

// leavesOut says whether a container is one of those that are left out because they have no request.
func (m *podMetric) leavesOut(pod *podspec.Pod, name string) bool {
	for part := range pod.Spec.Request(m.resource, name) {
		if part.Container != nil && part.Container.Name == name {
			return part.Sign() <= 0
		}
	}
	return false
}

// missingRequest is about a container; about the pod as a whole if that is nil.
func (m *podMetric) missingRequest(pod *podspec.Pod, c *corev1.Container) *Failure {
	whose, where := "", "spec.resources.requests."+string(m.resource)+" of the pod template"
	if c != nil {
		whose, where = "container "+c.Name+" of ", "resources.requests."+string(m.resource)
	}
	return &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: fmt.Sprintf(
		"%spod %s has no %s request, and the target is a percentage of it; set %s, or an absolute target", whose, pod.Name, m.resource, where)}
}
