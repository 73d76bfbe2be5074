package simulate

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// template is what all pods have in common.
type template struct {
	namespace, name string
	// start is when the simulation starts.
	start time.Time
	// spec is as the API server would store it.
	spec *podspec.Spec
	// running are the containers that run as long as the pod does, sidecars among them.
	running []corev1.Container
	// share is the part of the pod's usage that each of them has as long as none is at its limit; limits are their CPU
	// limits in millicores.
	share, limits []float64
	// limit is the CPU in millicores that a pod can use. All limits are infinite where there is none.
	limit float64
}

func newTemplate(w *annotations.Workload, start time.Time) *template {
	t := &template{start: start, namespace: w.Namespace, name: w.Name, spec: podspec.Stored(&w.Template.Spec)}
	for _, c := range t.spec.LongRunning() {
		t.running = append(t.running, *c)
	}
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

func milli(list corev1.ResourceList) float64 { return inMilli(list[corev1.ResourceCPU]) }

func inMilli(q resource.Quantity) float64 { return max(0, q.AsApproximateFloat64()*1000) }

// ceiling is a CPU limit; 0 is none.
func ceiling(limits corev1.ResourceList) float64 {
	if limit := milli(limits); limit > 0 {
		return limit
	}
	return math.Inf(1)
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

// request is the CPU request in millicores of a container, or of the pod if none is named.
func (t *template) request(container string) float64 {
	sum := 0.0
	for part := range t.spec.Request(corev1.ResourceCPU, container) {
		sum += inMilli(part.Quantity)
	}
	return sum
}
