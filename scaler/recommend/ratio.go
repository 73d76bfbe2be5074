package recommend

import (
	"fmt"
	"math"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// tolerances are the half-widths of the band around 1 in which a ratio changes nothing (KEP-4951).
type tolerances struct{ up, down float64 }

func tolerancesOf(p annotations.Policy) tolerances {
	return tolerances{up: p.Up.Tolerance.AsApproximateFloat64(), down: p.Down.Tolerance.AsApproximateFloat64()}
}

// within includes both ends (HPA: Tolerances.isWithin).
func (t tolerances) within(ratio float64) bool { return 1-t.down <= ratio && ratio <= 1+t.up }

func (t tolerances) String() string { return fmt.Sprintf("%.4g..%.4g", 1-t.down, 1+t.up) }

// ratio is usage over target for some pods, and the value that it came from: a percent of the requests for a
// utilization, else the average of the pods in milli-units. Integer division as in the HPA, so that both round alike.
func (m resourceMetric) ratio(pods []reading) (ratio float64, value int64) {
	var used, requested int64
	for _, pod := range pods {
		used, requested = add(used, pod.usage), add(requested, pod.request)
	}
	if m.utilization {
		value = min(mulDiv(used, 100, max(requested, 1)), math.MaxInt32)
	} else {
		value = used / int64(max(len(pods), 1))
	}
	return float64(value) / float64(m.target), value
}

// full is what a pod without a sample is taken to use when the others would scale in: its request, or more where the
// target is above 100 %; for an absolute target, the target (HPA: the same).
func (m resourceMetric) full(pod reading) reading {
	if !m.utilization {
		return reading{usage: m.target, request: pod.request}
	}
	return reading{usage: mulDiv(pod.request, max(100, m.target), 100), request: pod.request}
}

// atTarget is a pod that uses its target: the least usage that is not rounded to less than it.
func (m resourceMetric) atTarget(pod reading) reading {
	if !m.utilization {
		return reading{usage: m.target, request: pod.request}
	}
	usage := mulDiv(pod.request, m.target, 100)
	if mulDiv(usage, 100, max(pod.request, 1)) < m.target {
		usage = add(usage, 1)
	}
	return reading{usage: usage, request: pod.request}
}

// proposeFrom turns the pods' usage into replicas.
//
//	ratio < 1: pods without a sample count as using their request, unready ones as being at the target
//	ratio > 1: both count as using nothing
//
// If these assumptions turn the ratio round or bring it within tolerance, nothing changes.
func (v view) proposeFrom(d *Decision, m resourceMetric, c *cohort, t tolerances) *proposal {
	ratio, value := m.ratio(c.ready)
	d.note(StageRatio, m.name, ReasonMeasured, m.measured(c.ready, ratio, value))
	pods, held := v.settled(m, v.careful(c, m, ratio), ratio)
	careful, _ := m.ratio(pods)
	added := len(pods) - len(c.ready)
	to, reason := v.settle(outlook{ratio: ratio, careful: careful, pods: len(pods), assumed: added}, t, d.Current)
	d.suggest(m.name, to, reason, arithmetic(t, careful, len(pods), added+held))
	return &proposal{metric: m.name, replicas: to, reason: m.sentence(d.Time, c, ratio, value)}
}

// careful adds the pods without a usable sample to those with one, each with the usage that speaks against a change.
func (r Rules) careful(c *cohort, m resourceMetric, ratio float64) []reading {
	pods := c.ready
	switch {
	case ratio < 1:
		for _, pod := range c.missing {
			pods = append(pods, m.full(pod))
		}
		if r.counted(c, ratio) {
			for _, pod := range c.unready {
				pods = append(pods, m.atTarget(pod))
			}
		}
	case ratio > 1:
		for _, pod := range append(c.missing[:len(c.missing):len(c.missing)], c.unready...) {
			pods = append(pods, reading{request: pod.request})
		}
	}
	return pods
}

// outlook is a ratio before and after the careful assumptions, and over how many pods.
type outlook struct {
	ratio, careful float64
	pods, assumed  int
}

// settle turns the ratio into replicas, with the reason for it.
func (r Rules) settle(o outlook, t tolerances, current int32) (int32, string) {
	if t.within(o.careful) {
		return current, ReasonWithin
	}
	if o.ratio < 1 && o.careful > 1 || o.ratio > 1 && o.careful < 1 {
		return current, ReasonUncertain
	}
	to := ceil(o.careful * float64(o.pods))
	if r.against(o, to, current) {
		return current, ReasonAgainst
	}
	return to, ReasonOutside
}

// measured is the arithmetic of the ratio: "usage 2200m / requests 1000m = 220%; 220 / target 50 = ratio 4.4".
func (m resourceMetric) measured(pods []reading, ratio float64, value int64) string {
	var used, requested int64
	for _, pod := range pods {
		used, requested = add(used, pod.usage), add(requested, pod.request)
	}
	if m.utilization {
		return fmt.Sprintf("usage %s / requests %s = %d%%; %d%% / target %d%% = ratio %.4g", amount(m.resource, used),
			amount(m.resource, requested), value, value, m.target, ratio)
	}
	return fmt.Sprintf("usage %s / %d pods = %s; %s / target %s = ratio %.4g", amount(m.resource, used), len(pods),
		amount(m.resource, value), amount(m.resource, value), amount(m.resource, m.target), ratio)
}

// arithmetic is that of the proposal: "ratio 4.4 is outside 0.9..1.1; ceil(4.4 * 1 pods) = 5".
func arithmetic(t tolerances, ratio float64, pods, assumed int) string {
	with := ""
	if assumed > 0 {
		with = fmt.Sprintf(" with careful assumptions for %d pods", assumed)
	}
	if t.within(ratio) {
		return fmt.Sprintf("ratio %.4g%s is within %s", ratio, with, t)
	}
	return fmt.Sprintf("ratio %.4g%s is outside %s; ceil(%.4g * %d pods) = %d", ratio, with, t, ratio, pods, ceil(ratio*float64(pods)))
}

// sentence is the metric's state in one line, for Events.
func (m resourceMetric) sentence(now time.Time, c *cohort, ratio float64, value int64) string {
	relation := "at"
	if ratio > 1 {
		relation = "above"
	} else if ratio < 1 {
		relation = "below"
	}
	what := m.name + " " + amount(m.resource, value)
	target := amount(m.resource, m.target)
	if m.utilization {
		what, target = fmt.Sprintf("%s utilization %d%%", m.name, value), fmt.Sprintf("%d%%", m.target)
	}
	total := len(c.ready) + len(c.unready) + len(c.missing)
	return fmt.Sprintf("%s %s target %s (%d of %d pods, sample %s old)", what, relation, target, len(c.ready), total,
		max(now.Sub(c.oldest), 0).Truncate(time.Second))
}
