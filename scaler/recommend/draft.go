package recommend

import "fmt"

// draft is a decision in the making.
type draft struct {
	Decision
	numbers numbers
	// alone is what the observations recommend by themselves, where assumptions have a say in Desired; nothing if nothing.
	alone int32
	// early says that a metric has samples from before the last change of the replicas.
	early bool
}

func newDraft(s Snapshot, r Rules) *draft {
	d := &draft{}
	d.Time, d.Current, d.Desired, d.Able = s.Time, s.Replicas, s.Replicas, AbleSucceededGetScale
	d.numbers.wrap = !r.repairs(RepairSaturation)
	return d
}

// step moves the decision to a new number of replicas and says why; the facts are the detail.
func (d *draft) step(stage, metric string, to int32, reason string, facts fmt.Stringer) {
	d.add(Step{Stage: stage, Metric: metric, From: d.Desired, To: to, Reason: reason, Detail: Text{facts}})
	d.Desired = to
}

// note adds a step that leaves the replicas as they are.
func (d *draft) note(stage, metric, reason string, facts fmt.Stringer) {
	d.step(stage, metric, d.Desired, reason, facts)
}

// suggest adds a step of one metric: From is spec.replicas, To its proposal. Metrics are asked side by side, so the
// decision itself does not move until the largest proposal is taken.
func (d *draft) suggest(metric string, to int32, reason string, facts fmt.Stringer) {
	d.add(Step{Stage: StageTolerance, Metric: metric, From: d.Current, To: to, Reason: reason, Detail: Text{facts}})
}

func (d *draft) add(s Step) {
	if d.Steps == nil {
		d.Steps = make([]Step, 0, 8)
	}
	d.Steps = append(d.Steps, s)
}

// repaired remembers that a repair had a say, where it had, and passes that on.
func (d *draft) repaired(bit Repairs, had bool) bool {
	if had {
		d.Repairs |= bit
	}
	return had
}

func (d *draft) decision() Decision {
	d.repaired(RepairSaturation, d.numbers.saturated)
	return d.Decision
}
