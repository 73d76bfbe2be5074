package generate

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// zero is how a workload lives that may be scaled to 0. The zero value is one that may not.
type zero struct {
	// on says that it may: the least number of replicas that the annotations allow is 0, most of the time.
	on bool
	// still says that in a spell without work the pods use nothing at all, together that all totals are 0 in the same spells.
	still, together bool
	// starts says that pods start slowly, and that the targets are for totals.
	starts bool
	// spell is the present one if it is the same for all totals.
	spell spell
	// raise is the chance that somebody raises the least number at an evaluation, raised for how many more it stays so.
	raise  float64
	raised int
	// below is the chance that a total is below 0 in a spell without work.
	below float64
}

// spell is a stretch of evaluations in which there is either work or none.
type spell struct {
	idle bool
	left int
}

// next is the spell at the next evaluation.
func (s spell) next(d dice) spell {
	if s.left--; s.left < 0 {
		s = spell{!s.idle, pick(d, d.between(0, 3), d.between(4, 14), d.between(4, 14), d.between(15, 45))}
	}
	return s
}

// isZero says that the workload of this seed may be scaled to 0: two of five are, of every kind.
func isZero(seed uint64) bool { return seed%5 == 1 || seed%5 == 3 }

// mayBeZero makes the workload one that may be scaled to 0.
func (w *Workload) mayBeZero() {
	d := w.dice
	w.HPA.Spec.MaxReplicas = int32(pick(d, 1, 2, 3, 5, 8, 8, 10, 20, 40))
	w.setMin(0)
	w.annotate["mini-hpa/min"], w.annotate["mini-hpa/max"] = "0", fmt.Sprint(w.HPA.Spec.MaxReplicas)
	w.zero = zero{on: true, still: d.chance(0.5), together: d.chance(0.7)}
	if d.chance(0.5) {
		w.zero.raise = 0.02 + 0.04*d.Float64()
	}
	if d.chance(0.25) { // no pod is ready for a while after it wakes, and the HPA controller puts it to sleep again
		w.zero.starts, w.mood.slow = true, 1
	}
	if d.chance(0.08) {
		w.zero.below = 0.1
	}
	w.mood.outside, w.mood.zero = pick(d, 0, 0.02, 0.04), 0.3
	listed := w.totals()
	if several := len(listed) > 1; several && d.chance(0.4) || d.chance(0.1) {
		w.mood.outage = 0.1
	}
	w.list(listed)
}

// totals are one or two metrics that have a value while there are no pods, and sometimes one that has not.
func (w *Workload) totals() []autoscalingv2.MetricSpec {
	d := w.dice
	var listed []autoscalingv2.MetricSpec
	add := func(wanted func(autoscalingv2.MetricSpec) bool) {
		for {
			if spec := w.anyMetric(); wanted(spec) && !w.repeated(spec, listed) {
				listed = append(listed, spec)
				return
			}
		}
	}
	for range pick(d, 1, 1, 2) {
		add(func(spec autoscalingv2.MetricSpec) bool {
			return isTotal(spec) && (!w.zero.starts || (&metric{spec: spec}).target().Value != nil)
		})
	}
	if !w.zero.starts && d.chance(0.5) {
		add(func(spec autoscalingv2.MetricSpec) bool { return !isTotal(spec) })
	}
	d.Shuffle(len(listed), func(i, j int) { listed[i], listed[j] = listed[j], listed[i] })
	return listed
}

// isTotal says that a metric has a value while there are no pods.
func isTotal(spec autoscalingv2.MetricSpec) bool {
	return spec.Type == autoscalingv2.ObjectMetricSourceType || spec.Type == autoscalingv2.ExternalMetricSourceType
}

// awaken chooses the behavior of a workload that may be scaled to 0: what decides whether and how fast it comes back.
func (w *Workload) awaken() {
	d, b := w.dice, w.HPA.Spec.Behavior
	if d.chance(0.7) {
		b.ScaleUp = w.rules(0.3)
		w.steps(b.ScaleUp)
	}
	if d.chance(0.9) {
		b.ScaleDown = w.rules(1)
		w.steps(b.ScaleDown)
		b.ScaleDown.StabilizationWindowSeconds = new(pick(d, int32(0), 0, 0, 14, 15, 16, 30, 45, 60, 120, 300))
	}
	w.annotate["mini-hpa/behavior"] = encode(b)
}

// steps are the policies of one direction: of one type, or of both and the smaller change.
func (w *Workload) steps(r *autoscalingv2.HPAScalingRules) {
	pods, percent := w.policyOf(autoscalingv2.PodsScalingPolicy), w.policyOf(autoscalingv2.PercentScalingPolicy)
	switch w.dice.IntN(6) {
	case 0:
		r.Policies = []autoscalingv2.HPAScalingPolicy{percent}
	case 1:
		r.Policies = []autoscalingv2.HPAScalingPolicy{pods}
	case 2:
		r.Policies, r.SelectPolicy = []autoscalingv2.HPAScalingPolicy{pods, percent}, new(autoscalingv2.MinChangePolicySelect)
	case 3:
		r.Policies, r.SelectPolicy = nil, new(autoscalingv2.MinChangePolicySelect)
	}
}

func (w *Workload) policyOf(kind autoscalingv2.HPAScalingPolicyType) autoscalingv2.HPAScalingPolicy {
	for {
		if p := w.policy(); p.Type == kind {
			return p
		}
	}
}

// work is the ratio of each metric, in a spell without work.
func (w *Workload) work() {
	d := w.dice
	w.zero.spell = w.zero.spell.next(d)
	idle := true
	for _, m := range w.metrics {
		if m.spell = m.spell.next(d); w.zero.together {
			m.spell = w.zero.spell
		}
		if !isTotal(m.spec) {
			continue
		}
		if !m.spell.idle {
			idle = false
			continue
		}
		m.now, m.nudge, m.edge = 0, 0, false
		if d.chance(w.zero.below) {
			m.now = -d.Float64()
		}
	}
	if !idle {
		return
	}
	for _, m := range w.metrics {
		if !isTotal(m.spec) && w.zero.still {
			m.now, m.nudge, m.edge = 0, 0, false
		}
	}
}

// edit is somebody who raises the least number of replicas for a while.
func (w *Workload) edit() {
	d, z := w.dice, &w.zero
	if !z.on {
		return
	}
	if z.raised > 0 {
		if z.raised--; z.raised == 0 {
			w.setMin(0)
		}
		return
	}
	raise := z.raise
	if w.world.replicas == 0 { // where it matters
		raise *= 2
	}
	if d.chance(raise) {
		w.setMin(int32(d.between(1, int(min(3, w.HPA.Spec.MaxReplicas)))))
		z.raised = d.between(1, 20)
	}
}

func (w *Workload) setMin(replicas int32) {
	w.HPA.Spec.MinReplicas = &replicas
}

// byHand is somebody else who scales a workload that may be scaled to 0, mostly one that is asleep.
func (w *Workload) byHand() int32 {
	d, world := w.dice, &w.world
	if world.replicas == 0 {
		return int32(pick(d, 0, 1, 1, 3, d.between(1, int(w.HPA.Spec.MaxReplicas))))
	}
	return int32(pick(d, 0, 1, int(world.replicas)+1, int(w.HPA.Spec.MaxReplicas)+1))
}
