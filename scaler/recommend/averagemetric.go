package recommend

import (
	"fmt"
	"strings"
	"time"
)

// average evaluates a metric that each pod has.
//
//	ratio < 1: pods without a sample count as using their request
//	ratio > 1: pods without a sample and unready ones count as using nothing
//
// If these assumptions turn the ratio round or bring it within tolerance, nothing changes.
func (v *view) average(n *numbers, m podMetric) proposal {
	c, failure := v.cohort(n, &m)
	p := proposal{metric: m.name, repairs: c.repairs}
	if c.omitted != "" {
		p.omitted = "container " + printable(c.omitted) + " has no " + string(m.resource) + " request and is left out of the " +
			string(m.resource) + " utilization"
	}
	if failure == nil {
		failure = v.failure(&c, &m)
	}
	if failure != nil {
		return p.fails(failure)
	}
	said := &averageFacts{metric: m, counts: c.counts(), spoken: c.spoken(), age: unknownAge}
	if !c.oldest.IsZero() {
		said.age = max(v.Time.Sub(c.oldest), 0)
	}
	p.pods, p.next = &said.counts, c.changes
	if c.fresh > 0 {
		p.next = earlier(p.next, v.Time.Add(c.fresh))
	}
	hpa, ok := m.use(n, &c, everyReady())
	if !ok {
		return p.fails(&Failure{Metric: m.name, Reason: ReasonMissingRequest, Detail: "the requests of all pods add up to 0"})
	}
	said.use = hpa
	if c.partlyKnown() {
		if known, ok := m.use(n, &c, everyKnown()); ok {
			said.use = known
		}
	}
	said.outlook = v.outlook(n, &m, &c, &hpa, said.ratio)
	o := &said.outlook
	said.cut = v.cut(o.reason)
	p.usage, p.arithmetic, p.state = (*averageRatio)(said), o, (*averageState)(said)
	p.replicas, p.alone, p.result, p.ratio = o.to, o.alone, o.reason, said.ratio
	p.measured, p.early = c.count[inReady], c.early > 0
	p.repairs |= o.repairs
	return p
}

// use is how much of their target some pods use.
type use struct {
	of sum
	// value is what that is for each of them, or as a percent of the requests.
	value int64
	ratio float64
}

// use is how much of their target pods use that count as the treatments say. It is false if there is nothing to divide by.
func (m *podMetric) use(n *numbers, c *cohort, as treatments) (u use, ok bool) {
	u.of = c.sum(n, m, &as)
	u.ratio, u.value, ok = m.ratio(n, u.of)
	return u, ok
}

// averageFacts is what a metric that each pod has says of itself. It is in one piece, so that it is one allocation.
type averageFacts struct {
	metric podMetric
	counts podCounts
	use
	outlook outlook
	// spoken is how many pods the use is of, age how old the oldest sample among theirs is.
	spoken int
	age    time.Duration
	cut    cut
}

// unknownAge is that of samples which do not say when they were taken.
const unknownAge = -1

// averageRatio is what the steps say of the use, averageState what an Event says of the metric.
type (
	averageRatio averageFacts
	averageState averageFacts
)

// String is the arithmetic of the ratio: "usage 2200m / requests 1000m = 220%; 220% / target 50% = ratio 4.4".
func (u *averageRatio) String() string {
	of := fmt.Sprintf("%d pods", u.of.pods)
	if u.metric.utilization {
		of = "requests " + u.metric.amount(u.of.requested)
	}
	value := u.metric.show(u.value)
	return fmt.Sprintf("usage %s / %s = %s; %s / target %s = ratio %.4g", u.metric.amount(u.of.used), of, value, value, u.metric.show(u.metric.target), u.ratio)
}

// String is the metric's state in one line, for Events: "cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)".
func (s *averageState) String() string {
	kind, age := "", ""
	if s.metric.utilization {
		kind = " utilization"
	}
	if s.age != unknownAge {
		age = fmt.Sprintf(", sample %s old", whole(s.age))
	}
	return fmt.Sprintf("%s%s %s %s target %s (%d of %d pods%s)%s", s.metric.name, kind, s.metric.show(s.value), relation(s.ratio),
		s.metric.show(s.metric.target), s.spoken, s.counts.all(), age, s.cut)
}

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

// outlook is a ratio before and after the careful assumptions, over how many pods, for how many they were made, and what
// comes of it.
type outlook struct {
	ratio, careful float64
	// each is how many times its target each of those pods counts as.
	each             float64
	pods             int
	assumed, shifted int
	// aside is how many pods count beside those, targets how many times their target they count as together.
	aside   int
	targets float64
	// capped is how many pods that warm up counted as less than they use, others how many pods they were compared with.
	capped, others int
	// made is what the arithmetic makes of it, to what is proposed, with the reason for it, and alone what would be without
	// assumptions.
	made, to, alone int32
	reason          string
	repairs         Repairs
	// current is spec.replicas, band the tolerance around 1.
	current int32
	band    tolerances
}

// String is the arithmetic of the proposal: "ratio 4.4 is outside 0.9..1.1; ceil(4.4 * 1 pods) = 5".
func (o *outlook) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ratio %.4g", o.careful)
	with := " with "
	if o.assumed > 0 {
		fmt.Fprintf(&b, " with careful assumptions for %d pods", o.assumed)
		with = " and "
	}
	if o.capped > 0 {
		as := "at the target"
		if o.others > 0 {
			as = fmt.Sprintf("the average of the %d others", o.others)
		}
		fmt.Fprintf(&b, "%s%d pods that warm up counted as %s", with, o.capped, as)
	}
	if o.shifted > 0 {
		fmt.Fprintf(&b, " once %d pods carry what more of them did", o.shifted)
	}
	fmt.Fprintf(&b, " is %s", o.band.side(o.careful))
	if !o.band.within(o.careful) || o.reason == ReasonCarried {
		fmt.Fprintf(&b, "; ceil(%.4g * %d pods", o.each, o.pods)
		if o.aside > 0 {
			fmt.Fprintf(&b, " + %.4g for %d whose readiness is unknown", o.targets, o.aside)
		}
		fmt.Fprintf(&b, ") = %d", o.made)
	}
	b.WriteString(stays(o.reason, o.current))
	return b.String()
}

// outlook evaluates the metric with the HPA's ratio and assumptions, then with those that repair them, and on the way in without
// any.
func (v *view) outlook(n *numbers, m *podMetric, c *cohort, plain *use, ratio float64) outlook {
	hpa, sum := careful(plain.ratio), plain.of
	hpa.mark[unseen], hpa.mark[awaited] = absent, absent
	if !c.measured() {
		sum = c.sum(n, m, &hpa)
	}
	theirs := v.evaluate(n, m, &sum, &hpa, plain.ratio)
	as, bits := v.assumptions(n, c, ratio)
	o := theirs
	if bits != 0 {
		sum = c.sum(n, m, &as)
		o = v.evaluate(n, m, &sum, &as, ratio)
	}
	if o = v.carried(n, o); o.reason == ReasonCarried {
		theirs = v.carried(n, theirs)
	}
	o.repairs |= bits.when(o.to != theirs.to)
	o = v.against(o)
	if o.alone = o.to; ratio < 1 && o.assumed > 0 && o.reason != ReasonCarried {
		o.alone = v.alone(n, m, c, as.group[inReady], ratio)
	}
	return o
}

// alone is what the pods that are known to be ready and have a sample ask for on the way in; nothing if there is none. It is remembered and
// not decided on: a repair that it needs has no say now.
func (v *view) alone(n *numbers, m *podMetric, c *cohort, counted treatment, ratio float64) int32 {
	if c.known() == 0 {
		return nothing
	}
	as := everyKnown()
	as.group[inReady] = counted
	sum := c.sum(n, m, &as)
	return v.against(v.evaluate(n, m, &sum, &as, ratio)).to
}

// carried repairs "somebody else's scale-in is within the tolerance": while more pods run than are asked for, the load is what
// all of them carry. The tolerance is that of the replicas which they are to become: 12 pods at the target are not within it if 1
// is to be left, but they are if it is 11.
func (v *view) carried(n *numbers, o outlook) outlook {
	each := min(o.ratio, o.careful) // pods that could not be measured carry no more than the others
	load := each*float64(o.pods) + o.targets
	if made := n.ceil(load); made >= o.to && v.carries(load, made) {
		o.each, o.made, o.to, o.reason = each, made, made, ReasonCarried
		o.repairs |= RepairOutside
	}
	return o
}

// evaluate is the outlook with a sum that was added up under some assumptions. As in the HPA, samples of pods that do not exist count only beside pods
// for which something was assumed.
func (v *view) evaluate(n *numbers, m *podMetric, s *sum, as *treatments, ratio float64) outlook {
	o := outlook{ratio: ratio, careful: ratio, pods: s.ready, assumed: s.assumed, shifted: s.shifted,
		capped: s.capped, others: as.warm.pods, aside: s.aside, targets: s.targets, current: v.Replicas, band: v.band}
	if s.assumed > 0 {
		o.pods = s.pods
	}
	if s.assumed > 0 || as.group[inReady] != measured {
		o.careful, _, _ = m.ratio(n, *s)
	}
	o.settle(n)
	return o
}

// settle turns the ratio into replicas, with the reason for it (HPA: the same).
func (o *outlook) settle(n *numbers) {
	o.each, o.to, o.made = o.careful, o.current, n.ceil(o.careful*float64(o.pods)+o.targets)
	switch {
	case o.band.within(o.careful):
		o.reason = ReasonWithin
	case o.ratio < 1 && o.careful > 1 || o.ratio > 1 && o.careful < 1:
		o.reason = ReasonUncertain
	case o.assumed > 0 && o.turned():
		o.reason = ReasonAgainst
	default:
		o.to, o.reason = o.made, ReasonOutside
	}
}

// turned says that the arithmetic goes against the ratio.
func (o *outlook) turned() bool {
	return o.careful < 1 && o.made > o.current || o.careful > 1 && o.made < o.current
}

// against repairs "never against the ratio": usage below the target never scales out, above it never in. The HPA
// multiplies the ratio by the ready pods without a look at spec.replicas, so that surge pods of a rollout scale out a
// workload below its target (kubernetes/kubernetes#72775); only where it made assumptions for some pods it looks.
func (v *view) against(o outlook) outlook {
	if o.reason == ReasonOutside && o.turned() && v.repairs(RepairAgainst) {
		o.to, o.reason = o.current, ReasonAgainst
		o.repairs |= RepairAgainst
	}
	return o
}
