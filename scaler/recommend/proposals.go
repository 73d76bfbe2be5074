package recommend

import (
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// proposal is what one metric makes of the workload.
type proposal struct {
	metric   string
	replicas int32
	// alone is what it would be without assumptions for pods that could not be measured; nothing if there is nothing else.
	alone int32
	// measured is on how many pods that rests.
	measured int
	ratio    float64
	// early says that some of their samples are from before the last change of the replicas.
	early bool
	// pods, usage and arithmetic are what its steps say, nil where it did not come to that; result is the reason of the last one.
	pods, usage, arithmetic fmt.Stringer
	result                  string
	// state is the metric's in one line, for Events.
	state fmt.Stringer
	// failure says why it proposes nothing; nil if it does.
	failure *Failure
	// omitted, repairs and next are as in Decision.
	omitted string
	repairs Repairs
	next    time.Time
}

// fails is the proposal that is none.
func (p proposal) fails(f *Failure) proposal {
	p.failure = f
	return p
}

// steps adds what the metric says to the steps before it. Metrics are asked side by side: the last step leads from the present replicas
// to its proposal, and the decision itself does not move until the largest of them is taken.
func (p *proposal) steps(before []Step, current int32) []Step {
	if before == nil && p.usage != nil {
		before = make([]Step, 0, 8) // as many as an ordinary decision has
	}
	add := func(stage string, to int32, reason string, facts fmt.Stringer) {
		if facts != nil {
			before = append(before, Step{Stage: stage, Metric: p.metric, From: current, To: to, Reason: reason, Detail: Text{facts}})
		}
	}
	add(StagePods, current, ReasonCounted, p.pods)
	add(StageRatio, current, ReasonMeasured, p.usage)
	add(StageTolerance, p.replicas, p.result, p.arithmetic)
	return before
}

// proposals is what all metrics together ask for.
type proposals struct {
	// valid is how many could be evaluated, replicas the largest proposal of theirs, metric whose it is and state that metric's.
	valid    int
	replicas int32
	metric   string
	state    fmt.Stringer
	// alone is what the observations recommend by themselves, where assumptions have a say in it; nothing if nothing.
	alone int32
	// early says that a metric has samples from before the last change of the replicas.
	early bool
	// active is the reason of ScalingActive for the first metric that failed.
	active string
	// outside is what is left of somebody else's scale-in; incomplete says that a metric could not be measured on all the pods of before.
	outside    outside
	incomplete bool
	// needed is the most that the measured pods ask for, held says that a metric does not know: see with.
	needed int32
	held   bool
}

// measure asks every metric (HPA: computeReplicasForMetrics).
func (v *view) measure(d draft) draft {
	d.Metrics = make([]MetricResult, 0, len(v.policy.Metrics))
	d.asked = proposals{alone: nothing, outside: v.history.outside}
	for i := range v.policy.Metrics {
		m := &v.policy.Metrics[i]
		p := v.propose(m)
		d.Steps = p.steps(d.Steps, d.Current)
		d.Repairs |= p.repairs
		d.Next = earlier(d.Next, p.next)
		if d.Omitted == "" {
			d.Omitted = p.omitted
		}
		if p.failure != nil && d.Failure == nil {
			d.Failure, d.asked.active = p.failure, activeFailed(m.Spec.Type)
		}
		d.Metrics = append(d.Metrics, p.told(m.Spec.Type))
		d.asked = v.with(d.asked, &p)
	}
	return d
}

// with adds what one metric asks for, and whether it says what is needed. The present number does not, where it only stays because
// nothing is known of some of its pods: somebody may have set it a moment ago, and may take it back.
func (v *view) with(all proposals, p *proposal) proposals {
	if p.failure != nil {
		all.incomplete, all.held = true, true
		return all
	}
	if all.valid++; all.replicas == 0 || p.replicas > all.replicas {
		all.replicas, all.metric, all.state = p.replicas, p.metric, p.state
	}
	all.alone, all.early = max(all.alone, p.alone), all.early || p.early
	all.incomplete = all.incomplete || p.measured < int(v.history.outside.from)
	if p.alone == nothing || p.alone == v.Replicas && p.measured < int(v.Replicas) {
		all.held = true
	} else {
		all.needed = max(all.needed, p.alone)
	}
	return all
}

// largest takes the largest proposal. There is none if all metrics failed, or if some did and the others would scale in.
func (v *view) largest(d draft) draft {
	all := &d.asked
	if all.valid == 0 || d.Failure != nil && all.replicas < v.Replicas {
		return d.fail()
	}
	d.Active, d.Reason = ActiveValidMetric, Text{all.state}
	d = d.step(StageLargest, all.metric, max(all.replicas, 0), ReasonLargest, all.state)
	d.look = v.look(d)
	return d
}

// fail says that nothing is decided, because all metrics failed or because the others would scale in.
func (d draft) fail() draft {
	d.final = true
	if d.Failure == nil {
		return d // there is no metric
	}
	d.Active, d.Reason = d.asked.active, Plain(d.Failure.Detail)
	if d.asked.valid > 0 {
		return d.step(StageLargest, d.asked.metric, d.Desired, ReasonPartial, &partial{d.asked.replicas, d.Failure})
	}
	return d
}

// partial is a proposal to scale in that does not count beside a failure.
type partial struct {
	replicas int32
	failure  *Failure
}

// told is what the decision says of the metric.
func (p *proposal) told(kind autoscalingv2.MetricSourceType) MetricResult {
	if p.failure != nil {
		return MetricResult{Metric: p.failure.Metric, Type: kind, Failed: true, Failure: p.failure}
	}
	return MetricResult{Metric: p.metric, Type: kind, Replicas: p.replicas, Ratio: finite(p.ratio)}
}

// finite is a ratio that JSON can hold: a target for each pod is divided by 0 while there are none.
func finite(ratio float64) float64 {
	if math.IsNaN(ratio) {
		return 0
	}
	return max(min(ratio, math.MaxFloat64), -math.MaxFloat64)
}
