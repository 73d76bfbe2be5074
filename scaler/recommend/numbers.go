package recommend

import (
	"math"
	"math/bits"

	"k8s.io/apimachinery/pkg/api/resource"
)

// numbers converts and computes. Each metric and each stage has its own, and asks once, at the end, whether a number was cut, as one asks a
// bufio.Writer for its error. It repairs "saturation": conversions and sums stop at the largest number. The HPA's wrap around, and
// a wrapped number scales in under extreme load (kubernetes/kubernetes#126892).
type numbers struct {
	// wrap computes as the HPA controller does.
	wrap bool
	// saturated says that a number would have wrapped around.
	saturated bool
}

// repairs is RepairSaturation if it had a say.
func (n *numbers) repairs() Repairs { return RepairSaturation.when(n.saturated) }

// maxMilli is the largest quantity whose thousandths fit.
const maxMilli = float64(math.MaxInt64 / 1000)

// milli is the quantity in thousandths. Its size is looked at in floating point first: exact arithmetic with the
// exponent of "1e999999999", which is a valid quantity, does not come to an end.
func (n *numbers) milli(q *resource.Quantity) int64 {
	switch size := q.AsApproximateFloat64(); {
	case n.wrap && math.IsInf(size, 0):
		return 0 // what is left of 64 bits
	case n.wrap:
		return q.MilliValue()
	case size >= maxMilli:
		n.saturated = true
		return math.MaxInt64
	case size <= -maxMilli:
		n.saturated = true
		return math.MinInt64
	}
	return q.MilliValue()
}

// add is a+b.
func (n *numbers) add(a, b int64) int64 {
	sum := a + b
	if n.wrap || (sum > a) == (b > 0) {
		return sum
	}
	n.saturated = true
	if b > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}

// times is a*b for b >= 0.
func (n *numbers) times(a int64, b int) int64 {
	if b == 1 {
		return a
	}
	return n.mulDiv(a, int64(b), 1)
}

// percent is a*b/100 for b >= 0.
func (n *numbers) percent(a, b int64) int64 { return n.mulDiv(a, b, 100) }

// mulDiv is a*b/c, without its fraction, for b >= 0 and c > 0.
func (n *numbers) mulDiv(a, b, c int64) int64 {
	if n.wrap {
		return a * b / c
	}
	if a < 0 {
		return -n.mulDiv(max(-a, 0), b, c)
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	n.saturated = n.saturated || high > 0 || low > math.MaxInt64
	if high >= uint64(c) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(min(quotient, math.MaxInt64))
}

// scaled is a*f, rounded, for f >= 0.
func (n *numbers) scaled(a int64, f float64) int64 {
	product := math.Round(float64(a) * f)
	cut := min(max(product, math.MinInt64), math.MaxInt64)
	n.saturated = n.saturated || cut != product && !n.wrap // there is nothing of the HPA's that could wrap around
	if cut >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(cut)
}

// utilization is used as a percent of requested, which is above 0, in the 32 bits that the HPA has for it.
func (n *numbers) utilization(used, requested int64) int64 {
	value := n.mulDiv(used, 100, requested)
	if n.wrap {
		return int64(int32(value))
	}
	if value > math.MaxInt32 {
		n.saturated = true
		return math.MaxInt32
	}
	return value
}

// replicas is f without its fraction as a number of replicas, at least 0.
func (n *numbers) replicas(f float64) int32 {
	switch {
	case n.wrap:
		return int32(f)
	case math.IsNaN(f) || f <= 0:
		return 0
	case f >= math.MaxInt32:
		n.saturated = true
		return math.MaxInt32
	}
	return int32(f)
}

// ceil is the smallest number of replicas that is not below f.
func (n *numbers) ceil(f float64) int32 { return n.replicas(math.Ceil(f)) }

// capped is ceil where the HPA, too, stops at the largest number.
func (n *numbers) capped(f float64) int32 {
	if f > math.MaxInt32 {
		return math.MaxInt32
	}
	return n.ceil(f)
}

// plus is the sum of two numbers of replicas. It may be below 0: how far a policy has been overdrawn.
func (n *numbers) plus(a, b int32) int32 {
	if n.wrap {
		return a + b
	}
	sum := int64(a) + int64(b)
	cut := min(max(sum, math.MinInt32), math.MaxInt32)
	n.saturated = n.saturated || cut != sum
	return int32(cut)
}
