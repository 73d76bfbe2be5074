package recommend

// draft is a decision in the making.
type draft struct {
	Decision
	numbers numbers
	text    text
	// alone is what the observations recommend by themselves, where assumptions have a say in Desired; nothing if nothing.
	alone int32
	// early says that a metric has samples from before the last change of the replicas.
	early bool
	// details are the steps' Detail, as long as they are part of the text; reason is the Reason's.
	details []span
	reason  span
	begin   int32
	// room is what the details of an ordinary decision fit into.
	room [8]span
}

// ordinary is what the text of a decision on one metric fits into, in bytes.
const ordinary = 768

func newDraft(s Snapshot, r Rules) *draft {
	d := &draft{}
	d.Time, d.Current, d.Desired, d.Able = s.Time, s.Replicas, s.Replicas, AbleSucceededGetScale
	d.numbers.wrap = !r.repairs(RepairSaturation)
	d.details = d.room[:0]
	d.text.written.Grow(ordinary)
	return d
}

// write begins a detail or a reason, which the next step or written takes.
func (d *draft) write() *text {
	d.begin = int32(d.text.written.Len())
	return &d.text
}

// written is what was written since write; nothing is left for a second taker.
func (d *draft) written() span {
	s := span{d.begin, int32(d.text.written.Len())}
	d.begin = s.to
	return s
}

// step moves the decision to a new number of replicas and says why; what was written is the detail.
func (d *draft) step(stage, metric string, to int32, reason string) {
	d.add(Step{Stage: stage, Metric: metric, From: d.Desired, To: to, Reason: reason})
	d.Desired = to
}

// note adds a step that leaves the replicas as they are.
func (d *draft) note(stage, metric, reason string) { d.step(stage, metric, d.Desired, reason) }

// suggest adds a step of one metric: From is spec.replicas, To its proposal. Metrics are asked side by side, so the
// decision itself does not move until the largest proposal is taken.
func (d *draft) suggest(metric string, to int32, reason string) {
	d.add(Step{Stage: StageTolerance, Metric: metric, From: d.Current, To: to, Reason: reason})
}

func (d *draft) add(s Step) {
	if d.Steps == nil {
		d.Steps = make([]Step, 0, 8)
	}
	d.Steps = append(d.Steps, s)
	d.details = append(d.details, d.written())
}

// repaired remembers that a repair had a say, where it had, and passes that on.
func (d *draft) repaired(bit Repairs, had bool) bool {
	if had {
		d.Repairs |= bit
	}
	return had
}

// decision cuts the text into its pieces.
func (d *draft) decision() Decision {
	d.repaired(RepairSaturation, d.numbers.saturated)
	all := d.text.written.String()
	for i, piece := range d.details {
		d.Steps[i].Detail = all[piece.from:piece.to]
	}
	if d.Reason == "" {
		d.Reason = all[d.reason.from:d.reason.to]
	}
	return d.Decision
}
