package loadsim

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Observation is the truth about a workload, whatever fault the API is under: made to be plotted.
type Observation struct {
	// Time is when it was made.
	Time time.Time
	// Load is what the curve asks of the whole workload at that time, in millicores.
	Load int64
	// Ready is the number of pods among which the load is divided at that time.
	Ready int
	// Sampled is the end of the window over which the pods were last measured; zero before the first tick.
	Sampled time.Time
	// Pods are the measured pods, by name.
	Pods []PodUsage
}

// PodUsage is what a pod used over the last window and what it requests, summed over its containers.
type PodUsage struct {
	// Name is the pod's.
	Name string
	// CPU and RequestedCPU are in millicores, rounded up.
	CPU, RequestedCPU int64
	// Memory and RequestedMemory are in bytes.
	Memory, RequestedMemory int64
}

// CPU is the CPU usage of all measured pods and what they request, in millicores.
func (o Observation) CPU() (used, requested int64) {
	for _, p := range o.Pods {
		used += p.CPU
		requested += p.RequestedCPU
	}
	return used, requested
}

// Utilization is the CPU usage of the measured pods in percent of their requests, cut to a whole number as the HPA
// does; false if there is nothing to divide by.
func (o Observation) Utilization() (percent int64, ok bool) {
	used, requested := o.CPU()
	if requested == 0 {
		return 0, false
	}
	return used * 100 / requested, true
}

func (s *simulation) observe(now time.Time, workload types.NamespacedName) Observation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := Observation{Time: now, Sampled: s.measured.Timestamp, Load: int64(inForce(s.loads[workload], now).at(now))}
	for _, p := range s.byWorkload()[workload] {
		if p.isReady() {
			o.Ready++
		}
		if sample, sampled := s.measured.pods[p.object.UID]; sampled && !p.gone {
			o.Pods = append(o.Pods, podUsage(p, sample))
		}
	}
	return o
}

func podUsage(p *pod, sample podSample) PodUsage {
	u := PodUsage{Name: p.object.Name}
	for _, c := range sample.containers {
		u.CPU += c.Usage.Cpu().MilliValue()
		u.Memory += c.Usage.Memory().Value()
	}
	for part := range podspec.Request(&p.object.Spec, corev1.ResourceCPU, "") {
		u.RequestedCPU += part.MilliValue()
	}
	for part := range podspec.Request(&p.object.Spec, corev1.ResourceMemory, "") {
		u.RequestedMemory += part.Value()
	}
	return u
}
