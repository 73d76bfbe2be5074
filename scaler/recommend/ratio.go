package recommend

import (
	"math"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
)

// tolerances are the half-widths of the band around 1 in which a ratio changes nothing (KEP-4951).
type tolerances struct{ up, down float64 }

func tolerancesOf(p annotations.Policy) tolerances {
	return tolerances{up: p.Up.Tolerance.AsApproximateFloat64(), down: p.Down.Tolerance.AsApproximateFloat64()}
}

// within includes both ends (HPA: Tolerances.isWithin).
func (t tolerances) within(ratio float64) bool { return 1-t.down <= ratio && ratio <= 1+t.up }

// ratio is usage over target for some pods, and the value that it came from: a percent of the requests for a
// utilization, else the average of the pods in milli-units. Integer division as in the HPA, so that both round alike.
// It is false if there is nothing to divide by.
func (m *podMetric) ratio(n *numbers, s sum) (ratio float64, value int64, ok bool) {
	divisor := int64(s.pods)
	if m.utilization {
		divisor = s.requested
	}
	if divisor == 0 {
		return 0, 0, false
	}
	if m.utilization {
		value = n.utilization(s.used, s.requested)
	} else {
		value = s.used / divisor
	}
	return float64(value) / float64(m.target), value, true
}

// proposeFrom turns the pods' usage into replicas.
//
//	ratio < 1: pods without a sample count as using their request
//	ratio > 1: pods without a sample and unready ones count as using nothing
//
// If these assumptions turn the ratio round or bring it within tolerance, nothing changes.
func (v *view) proposeFrom(d *draft, facts *averageFacts, c *cohort) (proposal, *Failure) {
	m := &facts.metric
	seen := c.sum(&d.numbers, m, everyReady())
	plain, value, ok := m.ratio(&d.numbers, seen)
	if !ok {
		return proposal{}, &Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: "the requests of all pods add up to 0"}
	}
	ratio := plain
	if c.partlyKnown() {
		known := c.sum(&d.numbers, m, everyKnown())
		if r, of, ok := m.ratio(&d.numbers, known); ok {
			seen, ratio, value = known, r, of
		}
	}
	facts.ratio = averageRatio{metric: m, of: seen, value: value, ratio: ratio}
	d.note(StageRatio, m.name, ReasonMeasured, &facts.ratio)
	facts.outlook = v.outlook(d, m, c, plain, ratio)
	o := &facts.outlook
	d.suggest(m.name, o.to, o.reason, o)
	facts.state = averageState{metric: m, value: value, ratio: ratio, spoken: c.spoken(), all: facts.counts.all(), oldest: c.oldest, now: d.Time,
		cut: v.cut(o.reason)}
	d.early = d.early || c.early > 0
	return proposal{metric: m.name, replicas: o.to, alone: o.alone, measured: c.count[inReady], ratio: ratio, state: &facts.state}, nil
}

// averageFacts is what the steps of a metric say that each pod has. It is in one piece, so that it is one allocation.
type averageFacts struct {
	metric  podMetric
	counts  podCounts
	ratio   averageRatio
	outlook outlook
	state   averageState
}

// averageRatio is how much of its target the pods use.
type averageRatio struct {
	metric *podMetric
	of     sum
	value  int64
	ratio  float64
}

// averageState is what an Event says of the metric.
type averageState struct {
	metric *podMetric
	value  int64
	ratio  float64
	// spoken is how many of all pods the value is of; the oldest sample among theirs was taken then, as seen from now.
	spoken, all int
	oldest, now time.Time
	cut         cut
}

// cut is a scale-in by somebody else which is the reason of a change; the zero value is none.
type cut struct{ from, to int32 }

func (v *view) cut(reason string) cut {
	if reason != ReasonCarried {
		return cut{}
	}
	return cut{v.outside.from, v.Replicas}
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

// outlook is a ratio before and after the careful assumptions, over how many pods, for how many they were made, and what
// comes of it.
type outlook struct {
	ratio, careful float64
	// each is how many times its target each of those pods counts as in what is made of it.
	each             float64
	pods             int
	assumed, shifted int
	// aside is how many pods count beside those, as so many times their target.
	aside   int
	targets float64
	// capped is how many pods that warm up counted as less than they use, like others that many.
	capped, others int
	// made is what the arithmetic makes of it, to what is proposed, with the reason for it, and alone what would be without
	// assumptions.
	made, to, alone int32
	reason          string
	// current is spec.replicas, band the tolerance around 1.
	current int32
	band    tolerances
}

// outlook evaluates the metric with the HPA's ratio and assumptions, then with those that repair them, and on the way in without
// any.
func (v *view) outlook(d *draft, m *podMetric, c *cohort, plain, ratio float64) outlook {
	hpa, as := careful(plain), careful(ratio)
	hpa.mark[unseen], hpa.mark[awaited] = absent, absent
	o := v.evaluate(d, m, c, hpa, plain)
	theirs, bits := o, v.more(d, c, &as, ratio)
	if bits != 0 {
		o = v.evaluate(d, m, c, as, ratio)
	}
	if v.carried(d, &o); o.reason == ReasonCarried {
		v.carried(d, &theirs)
	}
	d.repaired(bits, o.to != theirs.to)
	d.repaired(RepairAgainst, v.against(d.Current, &o))
	if o.alone = o.to; ratio < 1 && o.assumed > 0 && o.reason != ReasonCarried {
		o.alone = v.alone(d, m, c, as.group[inReady], ratio)
	}
	return o
}

// alone is what the pods that are known to be ready and have a sample ask for on the way in; nothing if there is none. It is remembered and
// not decided on: a repair that it needs has no say now.
func (v *view) alone(d *draft, m *podMetric, c *cohort, counted treatment, ratio float64) int32 {
	if c.known() == 0 {
		return nothing
	}
	as := everyKnown()
	as.group[inReady] = counted
	o := v.evaluate(d, m, c, as, ratio)
	v.against(d.Current, &o)
	return o.to
}

// evaluate is the outlook under some assumptions. As in the HPA, samples of pods that do not exist count only beside pods
// for which something was assumed.
func (v *view) evaluate(d *draft, m *podMetric, c *cohort, as treatments, ratio float64) outlook {
	s := c.sum(&d.numbers, m, as)
	o := outlook{ratio: ratio, careful: ratio, pods: s.ready, assumed: s.assumed, shifted: s.shifted,
		capped: s.capped, others: as.warm.pods, aside: s.aside, targets: s.targets, current: v.Replicas, band: v.band}
	if s.assumed > 0 {
		o.pods = s.pods
	}
	if s.assumed > 0 || as.group[inReady] != measured {
		o.careful, _, _ = m.ratio(&d.numbers, s)
	}
	v.settle(d, &o)
	return o
}

// settle turns the ratio into replicas, with the reason for it (HPA: the same).
func (v *view) settle(d *draft, o *outlook) {
	o.each, o.to, o.made = o.careful, d.Current, d.numbers.ceil(o.careful*float64(o.pods)+o.targets)
	switch {
	case v.band.within(o.careful):
		o.reason = ReasonWithin
	case o.ratio < 1 && o.careful > 1 || o.ratio > 1 && o.careful < 1:
		o.reason = ReasonUncertain
	case o.assumed > 0 && o.turned(d.Current):
		o.reason = ReasonAgainst
	default:
		o.to, o.reason = o.made, ReasonOutside
	}
}

// turned says that the arithmetic goes against the ratio.
func (o *outlook) turned(current int32) bool {
	return o.careful < 1 && o.made > current || o.careful > 1 && o.made < current
}

// lasts is how old a sample may be. A window of 0 is that of a value of one moment, which says nothing about how
// often there is a new one.
func (u *usage) lasts() time.Duration {
	window := u.window
	if window <= 0 {
		window = clock.Window
	}
	return 2*window + sampleResolution
}
