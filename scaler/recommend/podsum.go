package recommend

import "math"

// treatment is what a pod counts as.
type treatment uint8

const (
	// leftOut counts as if it did not exist.
	leftOut treatment = iota
	// measured counts with what it uses.
	measured
	// idle counts with nothing.
	idle
	// atTarget counts with its target.
	atTarget
	// settled counts with what it uses, or would if the present replicas carried what more of them did in its sample's window.
	settled
	// atMostOthers counts with what it uses or, if its sample is from its warm-up, with at most the average of the others.
	atMostOthers
	// full counts with its request, or more where the target is above 100 %.
	full
	// atLeastTarget counts with what it uses, and with no less than its target.
	atLeastTarget
	// beside counts like atLeastTarget, but not among the pods that the ratio is of.
	beside
	// absent is leftOut, for marks.
	absent
)

// treatments is what the pods of each group count as.
type treatments struct {
	group [groupCount]treatment
	// unready is how many unready pods count at most.
	unready int
	// warm is what the ready pods use that are past their warm-up, for atMostOthers.
	warm sum
	// mark is what a marked pod counts as, where that is not what its group does.
	mark [markCount]treatment
}

// of is what a pod counts as.
func (as *treatments) of(r *reading) treatment {
	switch how := as.mark[r.mark]; how {
	case leftOut:
		return as.group[r.group]
	case absent:
		return leftOut
	default:
		return how
	}
}

// everyReady counts the pods that have a usable sample, and what else has one.
func everyReady() treatments {
	return treatments{group: [groupCount]treatment{inReady: measured, inStray: measured}}
}

// everyKnown are those of them of which it is known that they are ready.
func everyKnown() treatments {
	as := everyReady()
	as.mark[unknownReady], as.mark[neverServed] = absent, absent
	return as
}

// sum is what some pods use together, in milli-units.
type sum struct {
	used, requested int64
	// pods is how many there are, ready how many of them have a usable sample; for assumed of them something is assumed.
	pods, ready, assumed int
	// shifted is how many pods counted with more than they use, because their sample is from before the last change; capped
	// how many with less, because it is from their warm-up.
	shifted, capped int
	// aside is how many pods count beside these, targets how many times their target that is.
	aside   int
	targets float64
}

// sum adds up the cohort.
func (c *cohort) sum(n *numbers, m *podMetric, as *treatments) sum {
	var s sum
	unready := 0
	for i := range c.readings {
		r := &c.readings[i]
		how := as.of(r)
		if how == leftOut {
			continue
		}
		times := int(max(r.times, 1))
		if r.group == inUnready {
			times = min(times, max(as.unready-unready, 0))
			unready += times
		}
		if how == beside {
			used, capped := m.likeOthers(n, as, r)
			s.aside, s.targets, s.capped = s.aside+times, s.targets+float64(times)*m.targets(n, r, used), s.capped+capped
			continue
		}
		s.add(n, m, as, r, times)
	}
	return s
}

// likeOthers is what a pod uses: like the others at most, while it warms up and they are asked. Capped is 1 if it uses more.
func (m *podMetric) likeOthers(n *numbers, as *treatments, r *reading) (used int64, capped int) {
	if as.group[inReady] == atMostOthers && r.warming {
		if typical := m.typical(n, r, as.warm); typical < r.usage {
			return typical, 1
		}
	}
	return r.usage, 0
}

// add adds a pod, that many times.
func (s *sum) add(n *numbers, m *podMetric, as *treatments, r *reading, times int) {
	how := as.of(r)
	s.pods += times
	switch {
	case r.group == inReady && how != atLeastTarget && how != idle:
		s.ready += times
	case r.group != inStray:
		s.assumed += times
	case m.utilization:
		return // it has no request to be a percent of
	}
	used, capped := m.counted(n, r, how), 0
	switch {
	case how == settled && used != r.usage:
		s.shifted++
	case how == atMostOthers:
		used, capped = m.likeOthers(n, as, r)
	}
	s.capped += capped
	s.used, s.requested = n.add(s.used, n.times(used, times)), n.add(s.requested, n.times(r.request, times))
}

// targets is how many times its target a pod counts as that uses so much.
func (m *podMetric) targets(n *numbers, r *reading, used int64) float64 {
	return max(float64(used)/float64(max(m.atTarget(n, r), 1)), 1)
}

// counted is what a pod counts with, in milli-units.
func (m *podMetric) counted(n *numbers, r *reading, how treatment) int64 {
	switch how {
	case measured, atMostOthers:
		return r.usage
	case settled:
		return r.settled
	case atLeastTarget:
		return max(r.usage, m.atTarget(n, r))
	case atTarget:
		return m.atTarget(n, r)
	case full:
		return m.full(n, r)
	case leftOut, idle, beside, absent:
	}
	return 0
}

// full is what a pod without a sample is taken to use when the others would scale in: its request, or more where the
// target is above 100 %; for an absolute target, the target (HPA: the same).
func (m *podMetric) full(n *numbers, r *reading) int64 {
	if !m.utilization {
		return m.target
	}
	return n.percent(r.request, max(100, m.target))
}

// pastWarmUp adds up the ready pods that are past their warm-up, without those that are known not to serve: what they use says nothing of the
// load. If nobody knows of any pod whether it is ready, all of them count.
func (c *cohort) pastWarmUp(n *numbers) sum {
	var s sum
	partly := c.partlyKnown()
	for i := range c.readings {
		r := &c.readings[i]
		serves := r.mark != turnedUnready && (!partly || r.mark != unknownReady)
		if r.group == inReady && serves && !r.warming {
			s.used, s.requested, s.pods = n.add(s.used, r.usage), n.add(s.requested, r.request), s.pods+1
		}
	}
	return s
}

// typical is what a pod would use if it were like those others, rounded up; without others, or without anything that they
// could be compared by, its target.
func (m *podMetric) typical(n *numbers, r *reading, others sum) int64 {
	share, all := int64(1), int64(others.pods)
	if m.utilization {
		share, all = r.request, others.requested
	}
	if all <= 0 {
		return m.atTarget(n, r)
	}
	usage := n.mulDiv(others.used, share, all)
	if share > 0 && n.mulDiv(usage, all, share) < others.used && usage < math.MaxInt64 {
		usage++
	}
	return usage
}

// atTarget is a pod that uses its target: the least usage that is not rounded to less than it.
func (m *podMetric) atTarget(n *numbers, r *reading) int64 {
	if !m.utilization {
		return m.target
	}
	usage := n.percent(r.request, m.target)
	if r.request > 0 && n.mulDiv(usage, 100, r.request) < m.target && usage < math.MaxInt64 {
		usage++
	}
	return usage
}
