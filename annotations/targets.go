package annotations

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// maxMilliCPU is a million cores. Quantity.MilliValue wraps around without an error from 9.2e15 cores on; no pod
	// comes near this bound, and sums over many pods stay far from the wrap.
	maxMilliCPU = 1_000_000_000
	// maxMemory in bytes is 1Pi; MilliValue wraps around above 8Pi.
	maxMemory = 1 << 50
	// doubtfulCPU and doubtfulMemory are where a number without any sign or unit may be meant as an amount and not as a percent. Memory
	// cannot be put off as CPU can, so that hardly anybody wants more of it than was requested.
	doubtfulCPU, doubtfulMemory = 1000, 100
)

// countedInBytes are the resources whose amounts are bytes, of which there are no thousandths. It is never changed.
var countedInBytes = [...]corev1.ResourceName{corev1.ResourceEphemeralStorage, corev1.ResourceMemory}

// memoryUnits are the suffixes of an amount of memory. Milli-bytes ("512m"), a frequent slip, are not among them.
var memoryUnits = [...]string{"Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P"}

func setTargetCPU(p *draft, value string) error {
	p.cpu.resource = corev1.ResourceCPU
	digits, isAmount := strings.CutSuffix(value, "m")
	if !isAmount {
		return p.setPercent(&p.cpu, value, asPercent{"m", doubtfulCPU, errCPU})
	}
	milli, ok := number(digits, 1, maxMilliCPU)
	if !ok {
		return errCPU
	}
	p.cpu.kind = autoscalingv2.AverageValueMetricType
	p.cpu.amount = *resource.NewMilliQuantity(milli, resource.DecimalSI)
	return nil
}

func setTargetMemory(p *draft, value string) error {
	p.memory.resource = corev1.ResourceMemory
	if !hasMemoryUnit(value) {
		return p.setPercent(&p.memory, value, asPercent{"Mi", doubtfulMemory, errMemory})
	}
	amount, err := resource.ParseQuantity(value)
	// Compared as quantities: Value and MilliValue would already have wrapped around.
	if err != nil || !isPlain(value) || amount.Sign() <= 0 ||
		amount.Cmp(*resource.NewQuantity(maxMemory, resource.BinarySI)) > 0 {
		return errMemory
	}
	p.memory.kind = autoscalingv2.AverageValueMetricType
	p.memory.amount = amount
	return nil
}

// asPercent says what else a percent of a resource might have been meant as.
type asPercent struct {
	unit     string // of an amount
	doubtful int64  // from above this
	allowed  error
}

// setPercent reads "70" or "70%".
func (p *draft) setPercent(t *target, value string, as asPercent) error {
	digits, hasSign := strings.CutSuffix(value, "%")
	percent, ok := number(digits, 1, math.MaxInt32)
	if !ok {
		return as.allowed
	}
	if percent > as.doubtful && !hasSign {
		amount := fmt.Sprintf("%d%s", percent, as.unit)
		if t.resource == corev1.ResourceMemory && percent >= 1<<20 { // meant as bytes
			amount = fmt.Sprintf("%dMi", (percent+1<<19)>>20)
		}
		p.warn(fmt.Sprintf("is read as %d%% of the request; an amount needs a unit, such as %q", percent, amount))
	}
	t.kind = autoscalingv2.UtilizationMetricType
	t.percent = int32(percent)
	return nil
}

// hasMemoryUnit says whether value is an amount rather than a percent. It must hold for every unit of ParseQuantity
// that is allowed.
func hasMemoryUnit(value string) bool {
	return slices.ContainsFunc(memoryUnits[:], func(unit string) bool { return strings.HasSuffix(value, unit) })
}

func setContainer(p *draft, value string) error {
	if len(validation.IsDNS1123Label(value)) > 0 {
		return errContainer
	}
	p.container = value
	return nil
}

// What these annotations allow. The limits are maxMilliCPU, maxMemory and those of a DNS label.
var (
	errCPU = errors.New(`must be a percent of the CPU request above 0 such as "50" or "50%", ` +
		`or an amount for each pod from "1m" to "1000000000m" in whole millicores such as "250m"`)
	errMemory = errors.New(`must be a percent of the memory request above 0 such as "70" or "70%", ` +
		`or an amount for each pod above 0 and up to "1Pi" such as "512Mi" (units: Ki, Mi, Gi, Ti, Pi, k, M, G, T, P)`)
	errContainer = errors.New(`must be the name of a container: up to 63 lowercase letters, digits and "-", ` +
		`with a letter or digit at both ends`)
)
