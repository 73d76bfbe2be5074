package recommend

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// request reads what a utilization is a percent of, in milli-units. Targets in absolute values need none.
func (v *view) request(d *draft, m *podMetric, pod *corev1.Pod) (int64, *Failure) {
	v.partial = false
	if !m.utilization {
		return 0, nil
	}
	if m.container == "" && hasPodLevelRequests(pod) {
		return v.podRequest(d, m, pod)
	}
	return v.containersRequest(d, m, pod)
}

// containersRequest adds up the containers that run as long as the pod does, or takes the one that the metric is about.
func (v *view) containersRequest(d *draft, m *podMetric, pod *corev1.Pod) (int64, *Failure) {
	var total int64
	found := m.container == ""
	for i := range len(pod.Spec.Containers) + len(pod.Spec.InitContainers) {
		c := longRunning(pod, i)
		if c == nil || m.container != "" && m.container != c.Name {
			continue
		}
		q, ok := c.Resources.Requests[m.resource]
		if q.Sign() <= 0 && v.omit(d, m, pod, c.Name) {
			continue
		}
		if !ok {
			return 0, m.missingRequest(pod, c.Name)
		}
		total, found = d.numbers.add(total, d.numbers.milli(q)), true
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

func (m *podMetric) missingRequest(pod *corev1.Pod, container string) *Failure {
	return &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: fmt.Sprintf(
		"container %s of pod %s has no %s request, and the target is a percentage of it; set resources.requests.%s, or an absolute target",
		container, pod.Name, m.resource, m.resource)}
}

// longRunning is the i-th container whose request counts: an ordinary one or a sidecar, that is an init container with
// restartPolicy Always (KEP-753; HPA: calculatePodRequestsFromContainers). It is nil for the other init containers.
func longRunning(pod *corev1.Pod, i int) *corev1.Container {
	if i < len(pod.Spec.Containers) {
		return &pod.Spec.Containers[i]
	}
	c := &pod.Spec.InitContainers[i-len(pod.Spec.Containers)]
	if restarts(c) {
		return c
	}
	return nil
}

func restarts(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// hasPodLevelRequests says whether the pod as a whole has a request (KEP-2837), be it for another resource.
func hasPodLevelRequests(pod *corev1.Pod) bool {
	if pod.Spec.Resources == nil {
		return false
	}
	for name := range pod.Spec.Resources.Requests {
		if name == corev1.ResourceCPU || name == corev1.ResourceMemory || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
			return true
		}
	}
	return false
}

// podRequest is the request of a pod that has requests as a whole: for this resource or else what its containers add up
// to, with the RuntimeClass's overhead (HPA: calculatePodLevelRequests).
func (v *view) podRequest(d *draft, m *podMetric, pod *corev1.Pod) (int64, *Failure) {
	q, ok := pod.Spec.Resources.Requests[m.resource]
	if !ok {
		q, ok = scheduled(pod, m.resource)
	}
	if overhead, has := pod.Spec.Overhead[m.resource]; has {
		q = q.DeepCopy()
		q.Add(overhead)
		ok = true
	}
	if !ok {
		return 0, &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: fmt.Sprintf(
			"pod %s has no %s request, and the target is a percentage of it; set spec.resources.requests.%s of the pod template, or an absolute target",
			pod.Name, m.resource, m.resource)}
	}
	return d.numbers.milli(q), nil
}

// scheduled is what the scheduler counts for the containers: the sum of those that run together, or more while
// an init container needs more than that (KEP-753).
func scheduled(pod *corev1.Pod, name corev1.ResourceName) (resource.Quantity, bool) {
	var total, sidecars, most resource.Quantity
	found := false
	plus := func(to *resource.Quantity, c *corev1.Container) {
		q, ok := c.Resources.Requests[name]
		found = found || ok
		to.Add(q)
	}
	for i := range pod.Spec.Containers {
		plus(&total, &pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		initial := sidecars.DeepCopy()
		plus(&initial, c)
		if restarts(c) {
			total.Add(c.Resources.Requests[name])
			sidecars = initial
		}
		if initial.Cmp(most) > 0 {
			most = initial
		}
	}
	if most.Cmp(total) > 0 {
		total = most
	}
	return total, found
}
