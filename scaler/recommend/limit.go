package recommend

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// bound keeps the replicas within min..max.
func (d *Decision) bound(p annotations.Policy) {
	d.Limited = LimitedNot
	to := min(max(d.Desired, p.Min), p.Max)
	detail := fmt.Sprintf("within %d..%d", p.Min, p.Max)
	if to == d.Desired {
		d.note(StageBounds, "", LimitedNot, detail)
		return
	}
	d.Limited = boundReason(d.Desired, to)
	d.step(StageBounds, "", to, d.Limited, fmt.Sprintf("%d is not %s", d.Desired, detail))
}

func boundReason(from, to int32) string {
	if to < from {
		return LimitedTooMany
	}
	return LimitedTooFew
}

// limit keeps the change within what the policies of its direction allow in their periods
// (HPA: convertDesiredReplicasWithBehaviorRate). It comes after the bounds, which it can only narrow.
func (d *Decision) limit(p annotations.Policy, h History) {
	rules, reason := p.Up, LimitedUp
	if d.Desired < d.Current {
		rules, reason = p.Down, LimitedDown
	}
	if d.Desired == d.Current {
		d.note(StagePolicy, "", LimitedNot, "no change to limit")
		return
	}
	up := d.Desired > d.Current
	allowed, ends := h.allowed(rules, d, up)
	if up && allowed >= d.Desired || !up && allowed <= d.Desired {
		d.note(StagePolicy, "", LimitedNot, fmt.Sprintf("%s would allow %d", describe(rules), allowed))
		return
	}
	d.Limited = reason
	d.before(ends)
	d.step(StagePolicy, "", allowed, reason, fmt.Sprintf("%s: no further than %d now", describe(rules), allowed))
}

// allowed is how far the policies of one direction let the replicas go now, never back behind the current number, and
// when the earliest of their periods gives something back.
func (h History) allowed(rules autoscalingv2.HPAScalingRules, d *Decision, up bool) (int32, time.Time) {
	if *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect || len(rules.Policies) == 0 {
		return d.Current, time.Time{}
	}
	pick := minReplicas
	if (*rules.SelectPolicy == autoscalingv2.MaxChangePolicySelect) == up {
		pick = maxReplicas // the largest change upwards, or the smallest downwards
	}
	chosen, ends := h.grant(rules.Policies[0], d, up)
	for _, policy := range rules.Policies[1:] {
		to, end := h.grant(policy, d, up)
		chosen, ends = pick(chosen, to), earlier(ends, end)
	}
	if up {
		return max(chosen, d.Current), ends
	}
	return min(chosen, d.Current), ends
}

func minReplicas(a, b int32) int32 { return min(a, b) }
func maxReplicas(a, b int32) int32 { return max(a, b) }

// earlier is the earlier of two moments, of which either may be zero for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// grant is how far one policy lets the replicas go from where its period began, and when its period next gives
// something back; zero if nothing was used.
func (h History) grant(policy autoscalingv2.HPAScalingPolicy, d *Decision, up bool) (int32, time.Time) {
	period := time.Duration(policy.PeriodSeconds) * time.Second
	cutoff := d.Time.Add(-period)
	if !up && h.Since.After(cutoff) {
		return d.Current, h.Since.Add(period)
	}
	start, ends := d.Current, time.Time{}
	for i, change := range h.since(cutoff) {
		if i == 0 {
			ends = change.Time.Add(period)
		}
		start = plus(start, -change.Delta)
	}
	return reach(policy, start, up), ends
}

// reach applies one policy to the replicas at the beginning of its period. Up is rounded up, so that a small
// workload can grow at all; down is rounded down for the same reason (HPA).
func reach(policy autoscalingv2.HPAScalingPolicy, start int32, up bool) int32 {
	percent := policy.Type == autoscalingv2.PercentScalingPolicy
	switch {
	case percent && up:
		return ceil(float64(start) * (1 + float64(policy.Value)/100))
	case percent:
		return floor(float64(start) * (1 - float64(policy.Value)/100))
	case up:
		return plus(start, policy.Value)
	}
	return plus(start, -policy.Value)
}

// longestPeriod is how long a change can matter to the policies.
func longestPeriod(rules autoscalingv2.HPAScalingRules) time.Duration {
	var longest int32
	for _, policy := range rules.Policies {
		longest = max(longest, policy.PeriodSeconds)
	}
	return time.Duration(longest) * time.Second
}

// describe prints policies as mini-hpa/scale-up-policies reads them.
func describe(rules autoscalingv2.HPAScalingRules) string {
	if *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect || len(rules.Policies) == 0 {
		return "scaling in this direction is disabled"
	}
	text := ""
	for i, policy := range rules.Policies {
		if i > 0 {
			text += ", "
		}
		unit := " pods"
		if policy.Type == autoscalingv2.PercentScalingPolicy {
			unit = "%"
		}
		text += fmt.Sprintf("%d%s/%ds", policy.Value, unit, policy.PeriodSeconds)
	}
	return text
}
