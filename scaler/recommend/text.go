package recommend

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Text is for people. It holds facts and puts them into words when somebody reads it: a decision is made for each workload at each
// sample, and few of them are ever told. Its JSON form is the words; what is read back from there knows the words only.
type Text struct {
	// Facts say themselves; nil is an empty text.
	Facts fmt.Stringer
}

// Plain is a text whose words are known already.
func Plain(words string) Text { return Text{plain(words)} }

// String is the text in words.
func (t Text) String() string {
	if t.Facts == nil {
		return ""
	}
	return t.Facts.String()
}

// IsZero says that there is nothing to say, for JSON's omitzero.
func (t Text) IsZero() bool { return t.String() == "" }

// Equal says that two texts have the same words.
func (t Text) Equal(o Text) bool { return t.String() == o.String() }

// MarshalText renders the words.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *Text) UnmarshalText(words []byte) error {
	*t = Plain(string(words))
	return nil
}

// plain is a fact that is a text.
type plain string

func (p plain) String() string { return string(p) }

// String says how many pods there are of each group.
func (c *podCounts) String() string {
	others, strays := "", ""
	if c.others > 0 {
		others = fmt.Sprintf("%d not known to be, ", c.others)
	}
	if c.strays > 0 {
		strays = fmt.Sprintf(", and %d samples of pods that do not exist", c.strays)
	}
	return fmt.Sprintf("%d pods: %d ready, %s%d unready, %d without a current sample, %d ignored%s",
		c.all()+c.ignored, c.known, others, c.unready, c.missing, c.ignored, strays)
}

// String is the arithmetic of the ratio: "usage 2200m / requests 1000m = 220%; 220% / target 50% = ratio 4.4".
func (u *averageRatio) String() string {
	of := fmt.Sprintf("%d pods", u.of.pods)
	if u.metric.utilization {
		of = "requests " + u.metric.amount(u.of.requested)
	}
	value := u.metric.show(u.value)
	return fmt.Sprintf("usage %s / %s = %s; %s / target %s = ratio %.4g", u.metric.amount(u.of.used), of, value, value, u.metric.show(u.metric.target), u.ratio)
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

// String is the metric's state in one line, for Events: "cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)".
func (s *averageState) String() string {
	kind, age := "", ""
	if s.metric.utilization {
		kind = " utilization"
	}
	if !s.oldest.IsZero() {
		age = fmt.Sprintf(", sample %s old", whole(max(s.now.Sub(s.oldest), 0)))
	}
	return fmt.Sprintf("%s%s %s %s target %s (%d of %d pods%s)%s", s.metric.name, kind, s.metric.show(s.value), relation(s.ratio),
		s.metric.show(s.metric.target), s.spoken, s.counts.all(), age, s.cut)
}

// String is the arithmetic of the ratio: "400 / 4 replicas / target 40 = ratio 2.5".
func (r *totalRatio) String() string {
	by := ""
	if r.metric.average {
		by = fmt.Sprintf(" / %d replicas", r.pods)
	}
	return fmt.Sprintf("%s%s / target %s = ratio %.4g", decimal(r.metric.value), by, decimal(r.metric.target), r.ratio)
}

// String is the arithmetic of the proposal: "ratio 2.5 is outside 0.9..1.1; ceil(400 / 40) = 10".
func (o *outcome) String() string {
	m := &o.metric
	switch {
	case o.reason == ReasonWithin:
		return fmt.Sprintf("ratio %.4g is within %s: %d replicas", o.ratio, o.band, o.to)
	case o.reason == ReasonAllUnready:
		return fmt.Sprintf("ratio %.4g, but no pod is ready: there is nothing that the ratio could be of", o.ratio)
	case m.average:
		return fmt.Sprintf("ratio %.4g is outside %s; ceil(%s / %s) = %d%s", o.ratio, o.band, decimal(m.value), decimal(m.target), o.made, stays(o.reason, o.to))
	}
	assumed := ""
	if o.assumed > 0 {
		assumed = fmt.Sprintf(" + %d at the target", o.assumed)
	}
	return fmt.Sprintf("ratio %.4g is %s; ceil(%.4g * %d ready pods%s) = %d%s", o.ratio, o.band.side(o.ratio), o.ratio, o.pods, assumed, o.made, stays(o.reason, o.current))
}

// String is the metric's state in one line, for Events: "backlog 400 for 4 replicas above target 40 for each".
func (s *totalState) String() string {
	replicas, each := "", ""
	if s.metric.average {
		replicas, each = fmt.Sprintf(" for %d replicas", s.pods), " for each"
	}
	return fmt.Sprintf("%s %s%s %s target %s%s%s", s.metric.name, decimal(s.metric.value), replicas, relation(s.ratio), decimal(s.metric.target), each, s.cut)
}

// String says why a load that its pods can bear asks for a change all the same.
func (c cut) String() string {
	if c.from == 0 {
		return ""
	}
	return fmt.Sprintf("; somebody else has set %d instead of %d", c.to, c.from)
}

// stays says why the arithmetic's result is not the proposal.
func stays(reason string, current int32) string {
	switch reason {
	case ReasonAgainst:
		return fmt.Sprintf(", which is against the ratio: stay at %d", current)
	case ReasonUncertain:
		return fmt.Sprintf(", the other way than without the assumptions: stay at %d", current)
	case ReasonCarried:
		return fmt.Sprintf("; the pods that still run carry more than %d can bear", current)
	}
	return ""
}

// String says what was known before somebody else's scale-in.
func (n *need) String() string {
	return fmt.Sprintf("somebody else has set %d instead of %d %s ago; before that the load asked for %d", n.current, n.from, whole(n.ago), n.needed)
}

// String says why nothing is decided although some metrics could be evaluated.
func (p *partial) String() string {
	return fmt.Sprintf("%d proposed, but not scaling in while another metric fails: %s", p.replicas, p.failure.Detail)
}

// String says what holds the replicas, why, and for how long.
func (h *standing) String() string {
	ends := ""
	if h.left != 0 {
		ends = "; it ends in " + whole(h.left.Round(time.Second))
	}
	which := "lowest"
	if h.down {
		which = "highest"
	}
	return fmt.Sprintf("%d %s%s", h.replicas, h.is(which), ends)
}

// is says what the number is that holds.
func (h *standing) is(which string) string {
	window := whole(h.window)
	switch h.basis {
	case Recommended:
		return fmt.Sprintf("is the %s recommendation of the last %s", which, window)
	case Found:
		return fmt.Sprintf("is the number at the first look, which holds for %s", window)
	case Raised:
		return fmt.Sprintf("is what somebody else has set, which holds for %s", window)
	case Assumed:
		return fmt.Sprintf("is the %s that pods which could not be measured held it at in the last %s", which, window)
	case carriedOut:
		return "is what the last change was to come to, and there are samples from before it"
	case afterGap:
		return fmt.Sprintf("is the number at the first look after a gap, which holds for %s", window)
	}
	return ""
}

// String says within which bounds the replicas are, or were not.
func (b *bounds) String() string {
	if b.to == b.from {
		return fmt.Sprintf("within %d..%d", b.min, b.max)
	}
	return fmt.Sprintf("%d is not within %d..%d", b.from, b.min, b.max)
}

// String says that the present number is out of bounds.
func (o *outOfBounds) String() string {
	key, relation := annotations.Max, "above"
	if o.current < o.bound {
		key, relation = annotations.Min, "below"
	}
	return fmt.Sprintf("current number of replicas %d %s %s %d", o.current, relation, key, o.bound)
}

// String says what the policies allow, written as mini-hpa/scale-up-policies reads them.
func (r *rates) String() string {
	each := make([]string, len(r.rules.Policies))
	for i, policy := range r.rules.Policies {
		unit := " pods"
		if policy.Type == autoscalingv2.PercentScalingPolicy {
			unit = "%"
		}
		each[i] = fmt.Sprintf("%d%s/%ds", policy.Value, unit, policy.PeriodSeconds)
	}
	all := strings.Join(each, ", ")
	if disabled(r.rules) {
		all = "scaling in this direction is disabled"
	}
	if r.limit {
		return fmt.Sprintf("%s: no further than %d now", all, r.allowed)
	}
	return fmt.Sprintf("%s would allow %d", all, r.allowed)
}

// String says that pods are refused, and no more are asked for.
func (r *refusals) String() string {
	return fmt.Sprintf("%d of %d replicas are refused: no further than %d now", r.refused, r.current, r.current)
}

// String is the band around 1. Four significant digits show on which side of it a ratio is.
func (t tolerances) String() string { return fmt.Sprintf("%.4g..%.4g", 1-t.down, 1+t.up) }

// side says on which side of the tolerance a ratio is.
func (t tolerances) side(ratio float64) string {
	if t.within(ratio) {
		return "within " + t.String()
	}
	return "outside " + t.String()
}

// relation says on which side of the target a value is.
func relation(ratio float64) string {
	switch {
	case ratio > 1:
		return "above"
	case ratio < 1:
		return "below"
	}
	return "at"
}

// show is a value of the metric as its target is written.
func (m *podMetric) show(value int64) string {
	if m.utilization {
		return fmt.Sprintf("%d%%", value)
	}
	return m.amount(value)
}

// amount is thousandths of the resource as kubectl shows them: 250m of CPU, 512Mi of memory; other metrics as decimals.
func (m *podMetric) amount(thousandths int64) string {
	const mebi = 1 << 20
	if m.resource == corev1.ResourceCPU {
		return fmt.Sprintf("%dm", thousandths)
	}
	if bytes := thousandths / 1000; m.resource == corev1.ResourceMemory && bytes >= mebi {
		return fmt.Sprintf("%dMi", bytes/mebi)
	}
	return decimal(thousandths)
}

// decimal is thousandths with up to three decimals.
func decimal(thousandths int64) string {
	if thousandths%1000 == 0 {
		return strconv.FormatInt(thousandths/1000, 10)
	}
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', -1, 64)
}

// whole is a duration without its fraction of a second.
func whole(d time.Duration) string { return d.Truncate(time.Second).String() }
