package recommend

import (
	"fmt"
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
)

// totalMetric is a target on a number that describes something else than the pods: an object, or nothing in the cluster.
type totalMetric struct {
	// name is what steps and Events call it: "backlog", "hits of Ingress front".
	name string
	// value is the present total, in milli-units.
	value int64
	// average targets are for each pod, others for the total.
	average bool
	// external tells an External metric from an Object metric; they differ in what they do with numbers beyond any use.
	external bool
	target   int64
}

// object evaluates a metric of an object. A trace made by hand may hold its value without saying what it describes.
func (v *view) object(n *numbers, source *autoscalingv2.ObjectMetricSource, series string) proposal {
	about := source.DescribedObject
	m := totalMetric{name: fmt.Sprintf("%s of %s %s", printable(source.Metric.Name), printable(about.Kind), printable(about.Name))}
	values := v.CustomMetrics[series]
	if failure := v.seriesFailure(m.name, series, len(values)); failure != nil {
		return proposal{}.fails(failure)
	}
	i := slices.IndexFunc(values, func(value custommetricsv1beta2.MetricValue) bool {
		described := &value.DescribedObject
		return len(values) == 1 || described.Kind == about.Kind && described.Name == about.Name
	})
	if i < 0 {
		return proposal{}.fails(v.seriesFailure(m.name, series, 0))
	}
	m.value = n.milli(&values[i].Value)
	p := proposal{metric: m.name}
	at := taken(v.Taken.CustomMetrics[series], i, values[i].Timestamp.Time)
	if p = v.dated(p, at, values[i].WindowSeconds); p.failure != nil {
		return p
	}
	return v.total(n, m, p, &source.Target)
}

// external evaluates a metric of something outside of the cluster.
func (v *view) external(n *numbers, source *autoscalingv2.ExternalMetricSource, series string) proposal {
	m, p := v.summed(n, source, printable(source.Metric.Name), series)
	if p.failure != nil {
		return p
	}
	return v.total(n, m, p, &source.Target)
}

// summed is the sum of the values of something outside of the cluster.
func (v *view) summed(n *numbers, source *autoscalingv2.ExternalMetricSource, name, series string) (totalMetric, proposal) {
	m := totalMetric{name: name, external: true}
	values := v.ExternalMetrics[series]
	if failure := v.seriesFailure(m.name, series, len(values)); failure != nil {
		return m, proposal{}.fails(failure)
	}
	p := proposal{metric: m.name}
	for i := range values {
		at := taken(v.Taken.ExternalMetrics[series], i, values[i].Timestamp.Time)
		if p = v.dated(p, at, values[i].WindowSeconds); p.failure != nil {
			return m, p
		}
	}
	for i := 0; i < len(values) && m.value < maxTotal; i++ {
		sum, repairs := v.accumulate(n, m.value, n.milli(&values[i].Value), source.Target.AverageValue != nil)
		m.value, p.repairs = sum, p.repairs|repairs
	}
	return m, p
}

// maxTotal is where the sum of external values stops.
const maxTotal = math.MaxInt64

// accumulate adds up external values, which the HPA stops at the largest number, each kind of target in its own way:
// for an average a sum below 0 counts as an overflow.
func (v *view) accumulate(n *numbers, total, value int64, average bool) (int64, Repairs) {
	sum := n.add(total, value)
	below := average && sum < 0
	switch {
	case below && v.repairs(RepairNegative):
		return sum, RepairNegative
	case n.wrap && (below || !average && value > 0 && sum < total):
		return maxTotal, 0
	case below:
		n.saturated = true
	}
	return sum, 0
}

// totalWindow is what the value of an Object or External metric covers at least: systems outside the cluster publish
// minutes late, and their adapters mostly do not say so.
const totalWindow = 5 * time.Minute

// dated repairs "a stale sample is a sample" for values that do not describe the pods: one that is older than two
// windows is a failure of its metric. An adapter that does not say how old it is speaks of now.
func (v *view) dated(p proposal, at time.Time, windowSeconds *int64) proposal {
	if at.IsZero() || !v.repairs(RepairStale) {
		return p
	}
	u := usage{window: totalWindow}
	if windowSeconds != nil {
		u.window = max(u.window, time.Duration(*windowSeconds)*time.Second)
	}
	if end := at.Add(u.lasts()); end.After(v.Time) {
		p.next = earlier(p.next, end)
		return p
	}
	p.repairs |= RepairStale
	return p.fails(&Failure{Metric: p.metric, Reason: ReasonNoSamples,
		Detail: fmt.Sprintf("metric %s: its value is %s old", p.metric, v.Time.Sub(at).Truncate(time.Second))})
}

// total evaluates a metric that does not describe the pods (HPA: GetObjectMetricReplicas and the three beside it). One below zero is a
// failure, a part of the repair "what is below zero was measured": in the HPA there is nothing to do then.
func (v *view) total(n *numbers, m totalMetric, p proposal, target *autoscalingv2.MetricTarget) proposal {
	if m.value < 0 && v.repairs(RepairNegative) {
		return p.negative(m)
	}
	// An external target goes by the field, another one also by its type.
	switch {
	case target.AverageValue != nil && (m.external || target.Type == autoscalingv2.AverageValueMetricType):
		m.target, m.average = n.milli(target.AverageValue), true
		return v.byAverage(n, m, p)
	case target.Value != nil && (m.external || target.Type == autoscalingv2.ValueMetricType):
		m.target = n.milli(target.Value)
		return v.byValue(n, m, p)
	}
	return p.fails(&Failure{Metric: m.name, Reason: ReasonUnsupported, Detail: "neither a value nor an averageValue is the target of metric " + m.name})
}

// negative is the failure of a total below zero.
func (p proposal) negative(m totalMetric) proposal {
	p.repairs |= RepairNegative
	return p.fails(&Failure{Metric: m.name, Reason: ReasonNoSamples, Detail: fmt.Sprintf("metric %s: its value is %s, and what is below zero cannot be a load",
		m.name, decimal(m.value))})
}

// outcome is what became of a total: how many pods it was multiplied by, with how many assumed to be at their target.
type outcome struct {
	metric        totalMetric
	ratio         float64
	pods, assumed int
	// made is what the arithmetic makes of it, to what is proposed.
	made, to int32
	reason   string
	repairs  Repairs
	// current is spec.replicas, band the tolerance around 1.
	current int32
	band    tolerances
	cut     cut
}

// String is the arithmetic of the proposal: "ratio 2.5 is outside 0.9..1.1; ceil(400 / 40) = 10".
func (o *outcome) String() string {
	m := &o.metric
	switch {
	case o.current == 0:
		return fmt.Sprintf("ceil(%s / %s) = %d", decimal(m.value), decimal(m.target), o.to)
	case o.reason == ReasonWithin:
		return fmt.Sprintf("ratio %.4g is within %s: %d replicas", o.ratio, o.band, o.to)
	case o.reason == ReasonAllUnready:
		return fmt.Sprintf("ratio %.4g, but no pod is ready: there is nothing that the ratio could be of", o.ratio)
	case m.average:
		return fmt.Sprintf("ratio %.4g is outside %s; ceil(%s / %s) = %d%s", o.ratio, o.band, decimal(m.value), decimal(m.target), o.made, stays(o.reason, o.to))
	}
	assumed := ""
	if o.assumed > 0 {
		assumed = fmt.Sprintf(" + %d at the target", o.assumed)
	}
	return fmt.Sprintf("ratio %.4g is %s; ceil(%.4g * %d ready pods%s) = %d%s", o.ratio, o.band.side(o.ratio), o.ratio, o.pods, assumed, o.made, stays(o.reason, o.current))
}

// totalRatio is how much of its target a total is, and totalState what an Event says of the metric.
type (
	totalRatio outcome
	totalState outcome
)

// String is the arithmetic of the ratio: "400 / 4 replicas / target 40 = ratio 2.5".
func (r *totalRatio) String() string {
	by := ""
	if r.metric.average && r.pods > 0 {
		by = fmt.Sprintf(" / %d replicas", r.pods)
	}
	return fmt.Sprintf("%s%s / target %s = ratio %.4g", decimal(r.metric.value), by, decimal(r.metric.target), r.ratio)
}

// String is the metric's state in one line, for Events: "backlog 400 for 4 replicas above target 40 for each".
func (s *totalState) String() string {
	replicas, each := "", ""
	if s.current == 0 {
		return fmt.Sprintf("%s %s, target %s", s.metric.name, decimal(s.metric.value), decimal(s.metric.target))
	}
	if s.metric.average {
		replicas, each = fmt.Sprintf(" for %d replicas", s.pods), " for each"
	}
	return fmt.Sprintf("%s %s%s %s target %s%s%s", s.metric.name, decimal(s.metric.value), replicas, relation(s.ratio), decimal(s.metric.target), each, s.cut)
}

// byValue holds the total at the target: ratio times the pods that are ready.
//
// It repairs "monotone in load" and "all pods unready holds": on the way in, pods that were ready and are not count as being
// at the target, and if no pod is ready there is nothing that the ratio could be of. The HPA multiplies by the ready
// pods alone, so that a workload whose pods all turn unready falls to its minimum (kubernetes/kubernetes#130130). On the way out,
// pods of which nobody knows whether they are ready keep their place.
func (v *view) byValue(n *numbers, m totalMetric, p proposal) proposal {
	ratio := float64(m.value) / float64(m.target)
	if v.Replicas == 0 {
		return v.proposeTotal(p, outcome{metric: m, ratio: ratio, to: n.ceil(ratio), made: n.ceil(ratio), reason: ReasonOutside, band: v.band})
	}
	o := outcome{metric: m, ratio: ratio, to: v.Replicas, reason: ReasonWithin, current: v.Replicas, band: v.band}
	if v.band.within(ratio) {
		p = v.proposeTotal(p, v.borne(n, o))
		p.measured, _ = v.serving()
		return p
	}
	if len(v.Pods) == 0 {
		p.usage = (*totalRatio)(&o)
		return p.fails(&Failure{Metric: m.name, Reason: ReasonNoPods, Detail: "no pods that metric " + m.name + " could be the load of"})
	}
	o.reason = ReasonOutside
	o.pods, o.repairs = v.readyPods()
	waiting, unknown := v.notReady(o.pods)
	switch {
	case o.pods == 0 && v.repairs(RepairAllUnready):
		o.reason, o.repairs = ReasonAllUnready, o.repairs|RepairAllUnready
		p = v.proposeTotal(p, o)
		p.alone, p.measured = nothing, 0
		return p
	case ratio < 1 && waiting > 0 && v.repairs(RepairUnready):
		o.assumed, o.repairs = waiting, o.repairs|RepairUnready
	case ratio > 1 && unknown > 0:
		o.assumed, o.repairs = unknown, o.repairs|RepairUnknown
	}
	alone, ready := n.capped(ratio*float64(o.pods)), o.pods
	o.to = n.capped(ratio*float64(o.pods) + float64(o.assumed))
	o = v.borne(n, v.turn(o))
	p = v.proposeTotal(p, o)
	if p.measured = ready; o.assumed > 0 && ratio < 1 {
		p.alone = alone
	}
	return p
}

// borne is carried for a total: it is the load of the pods that are ready.
func (v *view) borne(n *numbers, o outcome) outcome {
	if v.history.outside.zero() || o.assumed > 0 {
		return o
	}
	ready, repairs := v.readyPods()
	load := o.ratio * float64(ready)
	o.repairs |= repairs
	if made := n.capped(load); v.carries(load, made) {
		o.pods, o.made, o.to, o.reason = ready, made, made, ReasonCarried
		o.repairs |= RepairOutside
	}
	return o
}

// byAverage holds the total for each replica at the target.
//
// It repairs "spec, not status": what a total asks for is the total divided by the target, whatever pods there are. The
// HPA compares it with the pods of the Deployment's status, so that within the tolerance the surge of a rollout becomes permanent
// (kubernetes/kubernetes#138505).
func (v *view) byAverage(n *numbers, m totalMetric, p proposal) proposal {
	o := v.divided(n, m, v.StatusReplicas)
	if v.repairs(RepairSpec) {
		status := o.to
		o = v.divided(n, m, v.Replicas)
		o.repairs = RepairSpec.when(o.to != status)
	}
	if o.reason == ReasonOutside {
		o = v.turn(o)
	}
	return v.proposeTotal(p, o)
}

// divided is the total divided by the target, where that is not about so many replicas (HPA: GetExternalPerPodMetricReplicas).
func (v *view) divided(n *numbers, m totalMetric, replicas int32) outcome {
	needed := float64(m.value) / float64(m.target)
	o := outcome{metric: m, ratio: needed / float64(replicas), pods: int(replicas), to: replicas, reason: ReasonWithin, current: v.Replicas, band: v.band}
	if o.ratio = float64(m.value) / (float64(m.target) * float64(replicas)); v.band.within(o.ratio) {
		return o
	}
	if replicas == 0 {
		o.ratio = needed // of one replica
	}
	if o.to, o.reason = n.ceil(needed), ReasonOutside; m.external {
		o.to = n.capped(math.Ceil(needed))
	}
	return o
}

// turn holds an outcome that would go against its ratio.
func (v *view) turn(o outcome) outcome {
	against := o.current > 0 && (o.ratio < 1 && o.to > o.current || o.ratio > 1 && o.to < o.current) && v.repairs(RepairAgainst)
	if o.made = o.to; against {
		o.to, o.reason = o.current, ReasonAgainst
	}
	return o
}

// readyPods counts the pods that are running and ready. Those that are being deleted do not take part any more; the HPA
// counts them, so that the pods which a scale-in has just removed can scale out again.
func (v *view) readyPods() (int, Repairs) {
	n, leaving := v.serving()
	if v.repairs(RepairParticipants) {
		return n, RepairParticipants.when(leaving > 0)
	}
	return n + leaving, 0
}

// serving counts the pods that are running and ready, and those of them that are on their way out.
func (v *view) serving() (n, leaving int) {
	for _, pod := range v.Pods {
		switch {
		case !serves(pod):
		case ignored(pod):
			leaving++
		default:
			n++
		}
	}
	return n, leaving
}

// notReady is how many replicas without a ready pod hold on the way in, and of how many pods nobody knows whether they are ready.
func (v *view) notReady(ready int) (waiting, unknowns int) {
	for _, pod := range v.Pods {
		switch {
		case over(pod):
		case v.repairs(RepairUnknown) && unknown(pod):
			unknowns++
			waiting++
		case serves(pod):
		case !v.neverReady(pod) || !v.repairs(RepairNever):
			waiting++
		}
	}
	waiting += max(int(min(v.Replicas, v.StatusReplicas)-v.existing()), 0)
	if !v.repairs(RepairNever) {
		waiting = int(v.Replicas)
	}
	return max(min(waiting, int(v.Replicas)-ready), 0), unknowns
}

// proposeTotal is what was made of a total.
func (v *view) proposeTotal(p proposal, o outcome) proposal {
	o.cut, p.from = v.cut(o.reason), activeFrom{value: o.metric.value}
	p.active = p.from.is()
	p.usage, p.arithmetic, p.result, p.state = (*totalRatio)(&o), &o, o.reason, (*totalState)(&o)
	p.replicas, p.alone, p.measured, p.ratio = o.to, o.to, everywhere, o.ratio
	p.repairs |= o.repairs | RepairAgainst.when(o.reason == ReasonAgainst)
	return p
}
