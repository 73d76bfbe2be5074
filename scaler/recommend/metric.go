package recommend

import (
	"cmp"
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// podMetric is a target on the average of the pods: CPU or memory of theirs, or of one container of theirs, or a custom
// metric that each of them has.
type podMetric struct {
	// name is what steps and Events call it: "cpu", "memory", "cpu of container app", "requests_per_second".
	name      string
	resource  corev1.ResourceName
	container string
	// series is where the Snapshot holds a custom metric's values; empty for resources.
	series string
	// utilization targets are percents of the request, others are milli-units for each pod.
	utilization bool
	target      int64
}

// show is a value of the metric as its target is written.
func (m *podMetric) show(value int64) string {
	if m.utilization {
		return fmt.Sprintf("%d%%", value)
	}
	return m.amount(value)
}

// amount is thousandths of the resource as kubectl shows them: 250m of CPU, 512Mi of memory; other metrics as decimals.
func (m *podMetric) amount(thousandths int64) string {
	const mebi = 1 << 20
	if m.resource == corev1.ResourceCPU {
		return fmt.Sprintf("%dm", thousandths)
	}
	if bytes := thousandths / 1000; m.resource == corev1.ResourceMemory && bytes >= mebi {
		return fmt.Sprintf("%dMi", bytes/mebi)
	}
	return decimal(thousandths)
}

// proposal is what one metric makes of the workload.
type proposal struct {
	metric   string
	replicas int32
	// alone is what it would be without assumptions for pods that could not be measured; nothing if there is nothing else.
	alone int32
	// measured is on how many pods that rests.
	measured int
	ratio    float64
	// active says that there is something to do by a total, and from is why.
	active bool
	from   activeFrom
	// early says that some of their samples are from before the last change of the replicas.
	early bool
	// pods, usage and arithmetic are what its steps say, nil where it did not come to that; result is the reason of the last one.
	pods, usage, arithmetic fmt.Stringer
	result                  string
	// stage is that of the arithmetic, if not StageTolerance.
	stage string
	// state is the metric's in one line, for Events.
	state fmt.Stringer
	// failure says why it proposes nothing; nil if it does.
	failure *Failure
	// omitted, repairs and next are as in Decision.
	omitted string
	repairs Repairs
	next    time.Time
}

// everywhere is on how many pods a total is measured.
const everywhere = math.MaxInt

// fails is the proposal that is none.
func (p proposal) fails(f *Failure) proposal {
	p.failure = f
	return p
}

// steps adds what the metric says to the steps before it. Metrics are asked side by side: the last step leads from the present replicas
// to its proposal, and the decision itself does not move until the largest of them is taken.
func (p *proposal) steps(before []Step, metrics int, current int32) []Step {
	if before == nil && p.usage != nil {
		before = make([]Step, 0, 3*metrics+4) // as many as an ordinary decision has
	}
	add := func(stage string, to int32, reason string, facts fmt.Stringer) {
		if facts != nil {
			before = append(before, Step{Stage: stage, Metric: p.metric, From: current, To: to, Reason: reason, Detail: Text{facts}})
		}
	}
	add(StagePods, current, ReasonCounted, p.pods)
	add(StageRatio, current, ReasonMeasured, p.usage)
	add(cmp.Or(p.stage, StageTolerance), p.replicas, p.result, p.arithmetic)
	return before
}

// told is what the decision says of the metric.
func (p *proposal) told(kind autoscalingv2.MetricSourceType) MetricResult {
	if p.failure != nil {
		return MetricResult{Metric: p.failure.Metric, Type: kind, Failed: true, Failure: p.failure}
	}
	return MetricResult{Metric: p.metric, Type: kind, Replicas: p.replicas, Ratio: finite(p.ratio), Total: p.from.value, Active: p.active}
}

// finite is a ratio that JSON can hold: a target for each pod is divided by 0 while there are none.
func finite(ratio float64) float64 {
	if math.IsNaN(ratio) {
		return 0
	}
	return max(min(ratio, math.MaxFloat64), -math.MaxFloat64)
}

// stays says why the arithmetic's result is not the proposal.
func stays(reason string, current int32) string {
	switch reason {
	case ReasonAgainst:
		return fmt.Sprintf(", which is against the ratio: stay at %d", current)
	case ReasonUncertain:
		return fmt.Sprintf(", the other way than without the assumptions: stay at %d", current)
	case ReasonCarried:
		return fmt.Sprintf("; the pods that still run carry more than %d can bear", current)
	}
	return ""
}
