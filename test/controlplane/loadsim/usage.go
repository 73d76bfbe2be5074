package loadsim

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

const (
	// memory is the working set of the container that takes the load, in bytes: metrics-server has no samples with a memory of zero.
	memory = 64 << 20
	// nanoPerMilli converts millicores to nanocores, the unit of metrics-server.
	nanoPerMilli = 1_000_000
)

// limit is the most that a pod's first container, which takes the load, may use, in millicores.
func limit(p *corev1.Pod) float64 {
	cpu := p.Spec.Containers[0].Resources.Limits.Cpu()
	if cpu.IsZero() {
		return unlimited
	}
	return float64(cpu.MilliValue())
}

// containers are the usages of the pod's containers in their order, with those init containers last that keep running (sidecars). The first
// one uses the nanocores and the memory, the others nothing.
func containers(p *corev1.Pod, nanocores int64) []metricsv1beta1.ContainerMetrics {
	first := podspec.Place{List: podspec.Containers}
	var metrics []metricsv1beta1.ContainerMetrics
	for at, c := range podspec.LongRunning(&p.Spec) {
		m := metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: usage(0, 0)}
		if at == first {
			m.Usage = usage(nanocores, memory)
		}
		metrics = append(metrics, m)
	}
	return metrics
}

// usage has the quantities in the form metrics-server gives them.
func usage(nanocores, bytes int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(nanocores, resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI),
	}
}
