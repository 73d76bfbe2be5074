package loadsim

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Shape says what the pods of a workload use besides the CPU that the curve gives them.
type Shape struct {
	// Container takes the load and the memory; "" and a name that the pod does not have mean the first one.
	Container string
	// Memory is the working set of that container in bytes, the same at all times; 0 means 64 MiB.
	Memory int64
	// OtherCPU and OtherMemory are what each other container uses, in millicores and bytes. Init containers that keep
	// running (sidecars) are such containers.
	OtherCPU, OtherMemory int64
}

// defaultMemory is used where a Shape says nothing: metrics-server has no samples with a memory of zero.
const defaultMemory = 64 << 20

// loaded is the index of the pod's container that takes the load.
func (s Shape) loaded(p *corev1.Pod) int {
	for i, c := range p.Spec.Containers {
		if c.Name == s.Container {
			return i
		}
	}
	return 0
}

// limit is the most the loaded container may use, in millicores.
func (s Shape) limit(p *corev1.Pod) float64 {
	cpu := p.Spec.Containers[s.loaded(p)].Resources.Limits.Cpu()
	if cpu.IsZero() {
		return unlimited
	}
	return float64(cpu.MilliValue())
}

// containers are the usages of the pod's containers in their order, sidecars last. Usage is in nanocores.
func (s Shape) containers(p *corev1.Pod, nanocores int64) []metricsv1beta1.ContainerMetrics {
	loaded := podspec.Place{List: podspec.Containers, Index: s.loaded(p)}
	var metrics []metricsv1beta1.ContainerMetrics
	for at, c := range podspec.LongRunning(&p.Spec) {
		m := metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: usage(s.OtherCPU*nanoPerMilli, s.OtherMemory)}
		if at == loaded {
			m.Usage = usage(nanocores, s.memory())
		}
		metrics = append(metrics, m)
	}
	return metrics
}

func (s Shape) memory() int64 {
	if s.Memory == 0 {
		return defaultMemory
	}
	return s.Memory
}

// nanoPerMilli converts millicores to nanocores, the unit of metrics-server.
const nanoPerMilli = 1_000_000

// usage has the quantities in the form metrics-server gives them.
func usage(nanocores, bytes int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(nanocores, resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI),
	}
}
