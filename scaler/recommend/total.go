package recommend

import (
	"fmt"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// maxTotal is where the sum of external values stops.
const maxTotal = math.MaxInt64

// total evaluates a metric that does not describe the pods (HPA: GetObjectMetricReplicas and the three beside it). One below zero is a
// failure, a part of the repair "what is below zero was measured": in the HPA there is nothing to do then.
func (v *view) total(d *draft, m *totalMetric, target autoscalingv2.MetricTarget) (proposal, *Failure) {
	if m.value < 0 && v.negative(d) {
		return proposal{}, &Failure{Metric: m.name, Reason: ReasonNoSamples, Detail: fmt.Sprintf("metric %s: its value is %s, and what is below zero cannot be a load",
			m.name, decimal(m.value))}
	}
	// An external target goes by the field, another one also by its type.
	switch {
	case target.AverageValue != nil && (m.external || target.Type == autoscalingv2.AverageValueMetricType):
		m.target, m.average = d.numbers.milli(*target.AverageValue), true
		return v.byAverage(d, m), nil
	case target.Value != nil && (m.external || target.Type == autoscalingv2.ValueMetricType):
		m.target = d.numbers.milli(*target.Value)
		return v.byValue(d, m)
	}
	return proposal{}, &Failure{Metric: m.name, Reason: ReasonUnsupported, Detail: "neither a value nor an averageValue is the target of metric " + m.name}
}

// byValue holds the total at the target: ratio times the pods that are ready.
//
// It repairs "monotone in load" and "all pods unready holds": on the way in, pods that were ready and are not count as being
// at the target, and if no pod is ready there is nothing that the ratio could be of. The HPA multiplies by the ready
// pods alone, so that a workload whose pods all turn unready falls to its minimum (kubernetes/kubernetes#130130). On the way out,
// pods of which nobody knows whether they are ready keep their place.
func (v *view) byValue(d *draft, m *totalMetric) (proposal, *Failure) {
	ratio := float64(m.value) / float64(m.target)
	d.note(StageRatio, m.name, ReasonMeasured, &totalRatio{metric: *m, ratio: ratio})
	if v.band.within(ratio) {
		o := outcome{ratio: ratio, to: d.Current, reason: ReasonWithin}
		v.borne(d, &o)
		made := v.proposeTotal(d, m, o)
		made.measured, _ = v.serving()
		return made, nil
	}
	if len(v.Pods) == 0 {
		return proposal{}, &Failure{Metric: m.name, Reason: ReasonNoPods, Detail: "no pods that metric " + m.name + " could be the load of"}
	}
	o := outcome{ratio: ratio, pods: v.readyPods(d), reason: ReasonOutside}
	waiting, unknown := v.notReady(o.pods)
	switch {
	case o.pods == 0 && v.repairs(RepairAllUnready):
		d.repaired(RepairAllUnready, true)
		o.to, o.reason = d.Current, ReasonAllUnready
		made := v.proposeTotal(d, m, o)
		made.alone, made.measured = nothing, 0
		return made, nil
	case ratio < 1 && waiting > 0 && d.repaired(RepairUnready, v.repairs(RepairUnready)):
		o.assumed = waiting
	case ratio > 1 && unknown > 0:
		o.assumed = unknown
		d.repaired(RepairUnknown, true)
	}
	alone, ready := d.numbers.capped(ratio*float64(o.pods)), o.pods
	o.to = d.numbers.capped(ratio*float64(o.pods) + float64(o.assumed))
	v.turn(d.Current, &o)
	v.borne(d, &o)
	d.repaired(RepairAgainst, o.reason == ReasonAgainst)
	made := v.proposeTotal(d, m, o)
	if made.measured = ready; o.assumed > 0 && ratio < 1 {
		made.alone = alone
	}
	return made, nil
}

// borne is carried for a total: it is the load of the pods that are ready.
func (v *view) borne(d *draft, o *outcome) {
	if v.outside.zero() || o.assumed > 0 {
		return
	}
	ready := v.readyPods(d)
	load := o.ratio * float64(ready)
	if made := d.numbers.capped(load); v.carries(d, load, made) {
		o.pods, o.made, o.to, o.reason = ready, made, made, ReasonCarried
	}
}

// byAverage holds the total for each replica at the target.
//
// It repairs "spec, not status": what a total asks for is the total divided by the target, whatever pods there are. The
// HPA compares it with the pods of the Deployment's status, so that within the tolerance the surge of a rollout becomes permanent
// (kubernetes/kubernetes#138505).
func (v *view) byAverage(d *draft, m *totalMetric) proposal {
	o := v.divided(d, m, v.StatusReplicas)
	if v.repairs(RepairSpec) {
		status := o.to
		o = v.divided(d, m, v.Replicas)
		d.repaired(RepairSpec, o.to != status)
	}
	d.note(StageRatio, m.name, ReasonMeasured, &totalRatio{metric: *m, replicas: o.pods, ratio: o.ratio})
	if o.reason == ReasonOutside {
		v.turn(d.Current, &o)
		d.repaired(RepairAgainst, o.reason == ReasonAgainst)
	}
	return v.proposeTotal(d, m, o)
}

// divided is the total divided by the target, where that is not about so many replicas (HPA: GetExternalPerPodMetricReplicas).
func (v *view) divided(d *draft, m *totalMetric, replicas int32) outcome {
	o := outcome{ratio: float64(m.value) / (float64(m.target) * float64(replicas)), pods: int(replicas), to: replicas, reason: ReasonWithin}
	if v.band.within(o.ratio) {
		return o
	}
	needed := float64(m.value) / float64(m.target)
	if o.to, o.reason = d.numbers.ceil(needed), ReasonOutside; m.external {
		o.to = d.numbers.capped(math.Ceil(needed))
	}
	return o
}

// outcome is what became of a total: how many pods it was multiplied by, with how many assumed to be at their target.
type outcome struct {
	ratio         float64
	pods, assumed int
	// made is what the arithmetic makes of it, to what is proposed.
	made, to int32
	reason   string
	// metric, current and band are what else the text says.
	metric  totalMetric
	current int32
	band    tolerances
}

// totalRatio is how much of its target a total is, or its average over so many replicas.
type totalRatio struct {
	metric   totalMetric
	replicas int
	ratio    float64
}

// totalState is what an Event says of the metric.
type totalState struct {
	metric   *totalMetric
	replicas int
	ratio    float64
	cut      cut
}

// turn holds an outcome that would go against its ratio.
func (v *view) turn(current int32, o *outcome) {
	against := (o.ratio < 1 && o.to > current || o.ratio > 1 && o.to < current) && v.repairs(RepairAgainst)
	if o.made = o.to; against {
		o.to, o.reason = current, ReasonAgainst
	}
}

// readyPods counts the pods that are running and ready. Those that are being deleted do not take part any more; the HPA
// counts them, so that the pods which a scale-in has just removed can scale out again.
func (v *view) readyPods(d *draft) int {
	n, leaving := v.serving()
	if leaving > 0 && !d.repaired(RepairParticipants, v.repairs(RepairParticipants)) {
		n += leaving
	}
	return n
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

// proposeTotal says what was made of a total.
func (v *view) proposeTotal(d *draft, m *totalMetric, o outcome) proposal {
	o.metric, o.current, o.band = *m, d.Current, v.band
	d.suggest(m.name, o.to, o.reason, &o)
	state := &totalState{metric: &o.metric, replicas: o.pods, ratio: o.ratio, cut: v.cut(o.reason)}
	return proposal{metric: m.name, replicas: o.to, alone: o.to, measured: math.MaxInt, ratio: o.ratio, state: state}
}
