package recommend

import (
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// bound keeps the replicas within min..max.
func (d *draft) bound(p annotations.Policy) {
	d.Limited = LimitedNot
	to := min(max(d.Desired, p.Min), p.Max)
	if to != d.Desired {
		d.Limited = boundReason(d.Desired, to)
	}
	d.step(StageBounds, "", to, d.Limited, &bounds{min: p.Min, max: p.Max, from: d.Desired, to: to})
}

// bounds are the least and the most replicas, and what they made of a number.
type bounds struct{ min, max, from, to int32 }

func boundReason(from, to int32) string {
	if to < from {
		return LimitedTooMany
	}
	return LimitedTooFew
}

// limit keeps the change within what the policies of its direction allow in their periods
// (HPA: convertDesiredReplicasWithBehaviorRate). It comes after the bounds, which it can only narrow.
func (d *draft) limit(p annotations.Policy, h History) {
	rules, reason := p.Up, LimitedUp
	if d.Desired < d.Current {
		rules, reason = p.Down, LimitedDown
	}
	if d.Desired == d.Current {
		d.note(StagePolicy, "", LimitedNot, plain("no change to limit"))
		return
	}
	up := d.Desired > d.Current
	allowed, ends := d.allowed(h, rules, up)
	granted := &rates{rules: rules, allowed: allowed}
	if up && allowed >= d.Desired || !up && allowed <= d.Desired {
		d.note(StagePolicy, "", LimitedNot, granted)
		return
	}
	d.Limited, granted.limit = reason, true
	d.before(ends)
	d.step(StagePolicy, "", allowed, reason, granted)
}

// rates are the policies of one direction, how far they let the replicas go now, and whether that is a limit.
type rates struct {
	rules   autoscalingv2.HPAScalingRules
	allowed int32
	limit   bool
}

// allowed is how far the policies of one direction let the replicas go now, never back behind the current number, and
// when the earliest of their periods gives something back.
func (d *draft) allowed(h History, rules autoscalingv2.HPAScalingRules, up bool) (int32, time.Time) {
	if disabled(rules) {
		return d.Current, time.Time{}
	}
	pick := minReplicas
	if (*rules.SelectPolicy != autoscalingv2.MinChangePolicySelect) == up {
		pick = maxReplicas // the largest change upwards, or the smallest downwards
	}
	base := h.base(d.Current, d.Desired)
	d.repaired(RepairOutside, base != d.Current)
	chosen, ends := d.grant(h, rules.Policies[0], up)
	for _, policy := range rules.Policies[1:] {
		to, end := d.grant(h, policy, up)
		chosen, ends = pick(chosen, to), earlier(ends, end)
	}
	if up {
		return max(chosen, base), ends
	}
	return min(chosen, base), ends
}

func disabled(rules autoscalingv2.HPAScalingRules) bool {
	return *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect || len(rules.Policies) == 0
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
func (d *draft) grant(h History, policy autoscalingv2.HPAScalingPolicy, up bool) (int32, time.Time) {
	period := time.Duration(policy.PeriodSeconds) * time.Second
	cutoff := d.Time.Add(-period)
	if !up && h.Since.After(cutoff) {
		return d.Current, h.Since.Add(period)
	}
	start, ends := h.base(d.Current, d.Desired), time.Time{}
	for _, change := range h.Changes {
		if change.Delta != 0 && change.Time.After(cutoff) {
			start, ends = d.numbers.plus(start, -change.Delta), earlier(ends, change.Time.Add(period))
		}
	}
	return d.reach(policy, start, up), ends
}

// reach applies one policy to the replicas at the beginning of its period. Up is rounded up, so that a small
// workload can grow at all; down is rounded down for the same reason (HPA).
func (d *draft) reach(policy autoscalingv2.HPAScalingPolicy, start int32, up bool) int32 {
	percent := policy.Type == autoscalingv2.PercentScalingPolicy
	switch {
	case percent && up:
		return d.numbers.replicas(math.Ceil(float64(start) * (1 + float64(policy.Value)/100)))
	case percent:
		return d.numbers.replicas(float64(start) * (1 - float64(policy.Value)/100))
	case up:
		return d.numbers.plus(start, policy.Value)
	}
	return d.numbers.plus(start, -policy.Value)
}

// longestPeriod is how long a change can matter to the policies.
func longestPeriod(rules autoscalingv2.HPAScalingRules) time.Duration {
	var longest int32
	for _, policy := range rules.Policies {
		longest = max(longest, policy.PeriodSeconds)
	}
	return time.Duration(longest) * time.Second
}
