package recommend

import "math"

// careful says what the pods without a usable sample count as: whatever speaks against a change (HPA: the same).
func careful(ratio float64) treatments {
	as := everyReady()
	switch {
	case ratio < 1:
		as.group[inMissing] = full
	case ratio > 1:
		as.group[inMissing], as.group[inUnready], as.unready = idle, idle, math.MaxInt
	}
	return as
}

// assumptions are the HPA's with those of the repairs that depend on the direction, and the repairs that have something to say.
//
// "Monotone in load": pods that were ready and are not count as being at their target, up to the replicas that are asked for. The
// HPA leaves them out, so that half of the pods turning unready halves the workload.
//
// "What has never been ready holds nothing": pods that have never been ready carry nothing, so on the way in they do not count, and on the
// way out they use nothing yet. So it is in the HPA for CPU; for what they use before they serve, such as memory, it counts them.
//
// "What is not known to serve is no capacity": on the way out, pods of which nobody knows whether they are ready keep their place, and
// the others have to carry the load. On the way in they are like those that have turned unready.
//
// "A sample is evaluated against replicas that it knows nothing of": a sample whose window began while there were more replicas
// counts with what the pod would use if the present ones carried what all of those did. Each pod that a scale-in removes is a reason to look
// again, and what its siblings used while it still carried its share would take the workload down step by step: 40 -> 8 -> 2. The
// HPA looks every 15 s, by which time there usually is a newer sample. Pods do not use equally much, so until there is one
// the scale-in ends where the samples had it end at first: see view.envelope.
//
// "What a pod uses while it warms up is not what its load asks for", on the way out: see cohort.warm.
func (v *view) assumptions(n *numbers, c *cohort, ratio float64) (treatments, Repairs) {
	as, bits := careful(ratio), Repairs(0)
	if c.partlyKnown() {
		as.mark[unknownReady], as.mark[neverServed] = absent, absent
		bits = c.some(unknownReady, RepairUnknown) | c.some(lost, RepairUnknown) | c.some(neverServed, RepairNever)
	}
	switch {
	case ratio > 1:
		return v.wayOut(n, c, as, bits)
	case ratio == 1: // nothing changes, and pods that are not known to be ready have no say in that
		return as, bits
	}
	return v.wayIn(c, as, bits)
}

// wayIn is what is assumed when the usage is below the target.
func (v *view) wayIn(c *cohort, as treatments, bits Repairs) (treatments, Repairs) {
	as.mark[neverReady], as.mark[neverSampled], as.mark[awaited] = absent, absent, absent
	as.mark[turnedUnready] = atLeastTarget
	bits |= c.some(neverSampled, RepairNever) | c.some(unseen, RepairUnseen) | c.some(turnedUnready, RepairUnready)
	if c.partlyKnown() {
		as.mark[unknownReady] = atLeastTarget
	}
	waiting := c.count[inUnready] - c.marked[neverReady] - c.marked[awaited]
	room := int(v.Replicas) - c.count[inReady] - c.count[inMissing] + c.marked[neverSampled] + c.marked[neverServed]
	if v.repairs(RepairUnready) && waiting > 0 && room > 0 {
		as.group[inUnready], as.unready = atTarget, room
		bits |= RepairUnready
	}
	if v.repairs(RepairSettled) && c.early > 0 {
		as.group[inReady] = settled
		bits |= RepairSettled
	}
	return as, bits
}

// wayOut is what is assumed when the usage is above the target.
func (v *view) wayOut(n *numbers, c *cohort, as treatments, bits Repairs) (treatments, Repairs) {
	bits |= c.some(unseen, RepairUnseen) | c.some(awaited, RepairUnseen)
	if c.warming > 0 {
		as.group[inReady], as.warm = atMostOthers, c.pastWarmUp(n)
		bits |= RepairWarmUp
	}
	if c.partlyKnown() {
		as.mark[unknownReady], as.mark[lost], as.mark[neverServed] = beside, beside, idle
	}
	return as, bits
}
