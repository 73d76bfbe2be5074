package recommend

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// resourceMetric is a target on the CPU or memory of the pods, or of one container of theirs.
type resourceMetric struct {
	// name is what steps and Events call it: "cpu", "memory", or "cpu of container app".
	name      string
	resource  corev1.ResourceName
	container string
	// active is the condition reason when it fails.
	active string
	// utilization targets are percents of the request, others are milli-units for each pod.
	utilization bool
	target      int64
}

// usage is what one pod's sample says of one metric, in milli-units.
type usage struct {
	value  int64
	at     time.Time
	window time.Duration
	// cpu marks usage that depends on whether the pod was ready: start-up burns CPU, not memory.
	cpu bool
}

// resourceMetricOf reads a metric in the vocabulary of autoscaling/v2; false for the kinds that are not resources.
func resourceMetricOf(spec autoscalingv2.MetricSpec) (resourceMetric, bool) {
	switch {
	case spec.Type == autoscalingv2.ResourceMetricSourceType && spec.Resource != nil:
		return newResourceMetric(spec.Resource.Name, "", spec.Resource.Target), true
	case spec.Type == autoscalingv2.ContainerResourceMetricSourceType && spec.ContainerResource != nil:
		source := spec.ContainerResource
		return newResourceMetric(source.Name, source.Container, source.Target), true
	}
	return resourceMetric{}, false
}

func newResourceMetric(name corev1.ResourceName, container string, target autoscalingv2.MetricTarget) resourceMetric {
	m := resourceMetric{name: string(name), resource: name, container: container, active: ActiveFailedResource}
	if container != "" {
		m.name = fmt.Sprintf("%s of container %s", name, container)
		m.active = ActiveFailedContainer
	}
	if target.AverageUtilization != nil {
		m.utilization, m.target = true, int64(*target.AverageUtilization)
	} else if target.AverageValue != nil {
		m.target = milli(*target.AverageValue)
	}
	return m
}

// sample reads the metric's usage from a pod's sample; nil where the sample does not hold it. As in the HPA, a pod
// counts only if every container was measured.
func (m resourceMetric) sample(pm *metricsv1beta1.PodMetrics) *usage {
	if pm == nil {
		return nil
	}
	u := usage{at: pm.Timestamp.Time, window: pm.Window.Duration, cpu: m.resource == corev1.ResourceCPU}
	found := false
	for i := range pm.Containers {
		c := &pm.Containers[i]
		if m.container != "" && m.container != c.Name {
			continue
		}
		q, ok := c.Usage[m.resource]
		if !ok {
			return nil
		}
		u.value, found = add(u.value, milli(q)), true
	}
	if !found {
		return nil
	}
	return &u
}

// request reads what a utilization is a percent of. Targets in absolute values need none.
func (m resourceMetric) request(pod *corev1.Pod) (int64, *Failure) {
	if !m.utilization {
		return 0, nil
	}
	if m.container != "" {
		return m.containerRequest(pod)
	}
	if q, ok := podLevelRequest(pod, m.resource); ok {
		return milli(q), nil
	}
	var total int64
	for _, c := range longRunning(pod) {
		q, ok := c.Resources.Requests[m.resource]
		if !ok || q.Sign() <= 0 {
			return 0, m.missingRequest(pod, c.Name)
		}
		total = add(total, milli(q))
	}
	return total, nil
}

// containerRequest is the request of the one container that the metric is about.
func (m resourceMetric) containerRequest(pod *corev1.Pod) (int64, *Failure) {
	for _, c := range longRunning(pod) {
		if c.Name != m.container {
			continue
		}
		q, ok := c.Resources.Requests[m.resource]
		if !ok || q.Sign() <= 0 {
			return 0, m.missingRequest(pod, c.Name)
		}
		return milli(q), nil
	}
	return 0, &Failure{Metric: m.name, Reason: ReasonContainerNotFound, Detail: fmt.Sprintf(
		"pod %s has no container %s, which mini-hpa/container names", pod.Name, m.container)}
}

func (m resourceMetric) missingRequest(pod *corev1.Pod, container string) *Failure {
	return &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: fmt.Sprintf(
		"container %s of pod %s has no %s request, and the target is a percentage of it; set resources.requests.%s, or an absolute target",
		container, pod.Name, m.resource, m.resource)}
}

// longRunning are the containers whose requests count: the ordinary ones and the sidecars, that is the init
// containers with restartPolicy Always (KEP-753; HPA: calculatePodRequestsFromContainers).
func longRunning(pod *corev1.Pod) []*corev1.Container {
	containers := make([]*corev1.Container, 0, len(pod.Spec.Containers))
	for i := range pod.Spec.Containers {
		containers = append(containers, &pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	return containers
}
