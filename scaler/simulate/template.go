package simulate

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// template is what all pods have in common.
type template struct {
	namespace, name string
	meta            metav1.ObjectMeta
	// spec is as the API server would store it: see defaulted.
	spec corev1.PodSpec
	// running are the containers that run as long as the pod does, sidecars among them.
	running []corev1.Container
	// share is the part of the pod's usage that each of them has as long as none is at its limit; limits are their CPU
	// limits in millicores.
	share, limits []float64
	// limit is the CPU in millicores that a pod can use. All limits are infinite where there is none.
	limit float64
}

func newTemplate(s *Setup) *template {
	d := s.Workload
	t := &template{namespace: d.Namespace, name: d.Name, meta: d.Spec.Template.ObjectMeta, spec: defaulted(&d.Spec.Template.Spec)}
	t.running = longRunning(&t.spec)
	total := 0.0
	for _, c := range t.running {
		limit := ceiling(c.Resources.Limits)
		t.limits = append(t.limits, limit)
		t.limit += limit
		t.share = append(t.share, milli(c.Resources.Requests))
		total += milli(c.Resources.Requests)
	}
	for i := range t.share {
		if total > 0 {
			t.share[i] /= total
		} else {
			t.share[i] = 1 / float64(len(t.share))
		}
	}
	if t.spec.Resources != nil {
		t.limit = min(t.limit, ceiling(t.spec.Resources.Limits))
	}
	return t
}

func milli(list corev1.ResourceList) float64 {
	q := list[corev1.ResourceCPU]
	return max(0, q.AsApproximateFloat64()*1000)
}

// ceiling is a CPU limit; 0 is none.
func ceiling(limits corev1.ResourceList) float64 {
	if limit := milli(limits); limit > 0 {
		return limit
	}
	return math.Inf(1)
}

// longRunning are the containers and the sidecars: init containers with restartPolicy Always (KEP-753).
func longRunning(spec *corev1.PodSpec) []corev1.Container {
	all := append([]corev1.Container(nil), spec.Containers...)
	for _, c := range spec.InitContainers {
		if restarts(&c) {
			all = append(all, c)
		}
	}
	return all
}

func restarts(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// defaulted is a copy with the requests that the API server fills in when a pod is created (SetDefaults_Pod): a container's
// limit is its request where it has none; a pod that has resources as a whole requests what its containers do, or else
// its limit.
func defaulted(given *corev1.PodSpec) corev1.PodSpec {
	spec := *given.DeepCopy()
	for i := range spec.Containers {
		fill(&spec.Containers[i].Resources, spec.Containers[i].Resources.Limits)
	}
	for i := range spec.InitContainers {
		fill(&spec.InitContainers[i].Resources, spec.InitContainers[i].Resources.Limits)
	}
	if spec.Resources != nil {
		fill(spec.Resources, scheduled(&spec))
		fill(spec.Resources, spec.Resources.Limits)
	}
	return spec
}

// fill adds the requests that are not there.
func fill(r *corev1.ResourceRequirements, from corev1.ResourceList) {
	for name, q := range from {
		if _, ok := r.Requests[name]; ok {
			continue
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[name] = q.DeepCopy()
	}
}

// scheduled is what the containers request together.
func scheduled(spec *corev1.PodSpec) corev1.ResourceList {
	sum := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		found := false
		for _, c := range append(longRunning(spec), spec.InitContainers...) {
			_, ok := c.Resources.Requests[name]
			found = found || ok
		}
		if found {
			sum[name] = scheduledOf(spec, name)
		}
	}
	return sum
}

// scheduledOf is what those containers request that run at once or, if that is more, what it takes to run an init
// container beside the sidecars before it.
func scheduledOf(spec *corev1.PodSpec, name corev1.ResourceName) resource.Quantity {
	var total, sidecars resource.Quantity
	for _, c := range longRunning(spec) {
		total.Add(c.Resources.Requests[name])
	}
	for _, c := range spec.InitContainers {
		beside := sidecars.DeepCopy()
		beside.Add(c.Resources.Requests[name])
		if restarts(&c) {
			sidecars = beside.DeepCopy()
		}
		if beside.Cmp(total) > 0 {
			total = beside
		}
	}
	return total
}

// divide shares a pod's usage among its containers by their requests. What a container has no room for goes to those
// that have, at last to those without a request. The usage must be within the pod's limit.
func (t *template) divide(usage float64) []float64 {
	parts := make([]float64, len(t.running))
	left := t.pour(parts, usage, func(i int) float64 { return t.share[i] })
	t.pour(parts, left, func(int) float64 { return 1 })
	return parts
}

// pour adds usage to the parts by their weights, none above its limit, and returns what there is no room for.
func (t *template) pour(parts []float64, usage float64, weight func(int) float64) float64 {
	for usage > 0 {
		total := 0.0
		for i := range parts {
			if parts[i] < t.limits[i] {
				total += weight(i)
			}
		}
		if total == 0 {
			return usage
		}
		if filled := t.saturate(parts, usage/total, weight); filled > 0 {
			usage -= filled
			continue
		}
		for i := range parts {
			if parts[i] < t.limits[i] {
				parts[i] += weight(i) * usage / total
			}
		}
		return 0
	}
	return usage
}

// saturate raises those parts to their limits that would come to more at this level, and returns how much that took.
func (t *template) saturate(parts []float64, level float64, weight func(int) float64) float64 {
	filled := 0.0
	for i := range parts {
		if room := t.limits[i] - parts[i]; room > 0 && weight(i)*level >= room {
			filled += room
			parts[i] = t.limits[i]
		}
	}
	return filled
}

// carried is the usage of a pod in which one container uses so much; 0 if it never does.
func (t *template) carried(container string, milli float64) float64 {
	for i, c := range t.running {
		if c.Name != container || t.share[i] == 0 || t.limits[i] < milli {
			continue
		}
		sum := 0.0
		for j, share := range t.share {
			sum += min(t.limits[j], milli*share/t.share[i])
		}
		return sum
	}
	return 0
}

// request is the CPU request in millicores of a container, or of the pod if none is named: its own, with the overhead of its
// RuntimeClass, or that of its containers.
func (t *template) request(container string) float64 {
	if r := t.spec.Resources; container == "" && r != nil && len(r.Requests) > 0 {
		return milli(r.Requests) + milli(t.spec.Overhead)
	}
	sum := 0.0
	for _, c := range t.running {
		if container == "" || c.Name == container {
			sum += milli(c.Resources.Requests)
		}
	}
	return sum
}
