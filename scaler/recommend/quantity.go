package recommend

import (
	"fmt"
	"math"
	"math/bits"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Every conversion saturates: Quantity.MilliValue and a float64 converted to int32 wrap around, and a wrapped number
// scales in under extreme load (kubernetes/kubernetes#126892).

// milli is the quantity in thousandths, within 0..MaxInt64.
func milli(q resource.Quantity) int64 {
	if q.Sign() <= 0 {
		return 0
	}
	if q.CmpInt64(math.MaxInt64/1000) >= 0 {
		return math.MaxInt64
	}
	return q.MilliValue()
}

// add is a+b for a, b >= 0.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// mulDiv is a*b/c, rounded down, for a, b >= 0 and c > 0.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(c) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(min(quotient, math.MaxInt64))
}

// ceil is the smallest number of replicas that is not below f.
func ceil(f float64) int32 {
	return floor(math.Ceil(f))
}

// floor is f without its fraction, as a number of replicas.
func floor(f float64) int32 {
	switch {
	case math.IsNaN(f) || f <= 0:
		return 0
	case f >= math.MaxInt32:
		return math.MaxInt32
	}
	return int32(f)
}

// plus is the sum of two numbers of replicas, within 0..MaxInt32.
func plus(a, b int32) int32 {
	return int32(min(max(int64(a)+int64(b), 0), math.MaxInt32))
}

// podLevelRequest is the request of the pod as a whole (KEP-2837) with the RuntimeClass's overhead, as the HPA counts it.
func podLevelRequest(pod *corev1.Pod, name corev1.ResourceName) (resource.Quantity, bool) {
	if pod.Spec.Resources == nil {
		return resource.Quantity{}, false
	}
	q, ok := pod.Spec.Resources.Requests[name]
	if !ok || q.Sign() <= 0 {
		return resource.Quantity{}, false
	}
	if overhead, ok := pod.Spec.Overhead[name]; ok {
		q = q.DeepCopy()
		q.Add(overhead)
	}
	return q, true
}

// amount prints milli-units of a resource as kubectl does: 250m of CPU, 512Mi of memory.
func amount(name corev1.ResourceName, thousandths int64) string {
	if name == corev1.ResourceMemory {
		const mebi = 1 << 20
		if bytes := thousandths / 1000; bytes >= mebi {
			return fmt.Sprintf("%dMi", bytes/mebi)
		}
		return fmt.Sprintf("%d", thousandths/1000)
	}
	return fmt.Sprintf("%dm", thousandths)
}
