package recommend

import (
	"fmt"
	"math"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// limit keeps the change within what the policies of its direction allow in their periods
// (HPA: convertDesiredReplicasWithBehaviorRate). It comes after the bounds, which it can only narrow.
func (v *view) limit(d draft) draft {
	rules, reason := v.policy.Up, LimitedUp
	if d.Desired < d.Current {
		rules, reason = v.policy.Down, LimitedDown
	}
	if d.Desired == d.Current {
		d.step(StagePolicy, "", d.Desired, LimitedNot, plain("no change to limit"))
		return d
	}
	g := v.allowed(rules, d.Desired, d.asked.outside.base(d.Current, d.Desired))
	if d.Desired == 0 && disabled(rules) && d.asked.idle() && d.asked.left == 0 && v.repairs(RepairLastStep) {
		g = grant{repairs: RepairLastStep}
	}
	d.Repairs |= g.repairs
	granted := &rates{rules: rules, allowed: g.to}
	if up := d.Desired > d.Current; up && g.to >= d.Desired || !up && g.to <= d.Desired {
		d.step(StagePolicy, "", d.Desired, LimitedNot, granted)
		return d
	}
	d.Limited, granted.limit = reason, true
	d.Next = earlier(d.Next, g.ends)
	d.step(StagePolicy, "", g.to, reason, granted)
	return d
}

// rates are the policies of one direction, how far they let the replicas go now, and whether that is a limit.
type rates struct {
	rules   autoscalingv2.HPAScalingRules
	allowed int32
	limit   bool
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

// grant is how far the replicas may go now, and when the periods that this is of next give something back; zero if nothing was used.
type grant struct {
	to      int32
	ends    time.Time
	repairs Repairs
}

// allowed is how far the policies of one direction let the replicas go now from where the change begins, never back behind that.
func (v *view) allowed(rules autoscalingv2.HPAScalingRules, desired, base int32) grant {
	up := desired > v.Replicas
	switch least := v.wakeReplicas(); {
	case disabled(rules):
		return grant{to: v.Replicas}
	case v.asleep && up && v.repairs(RepairFromZero):
		g := v.granted(rules, base, up)
		g.repairs |= RepairFromZero.when(g.to < least)
		g.to = max(g.to, least)
		return g
	}
	return v.granted(rules, base, up)
}

// granted is how far the policies, of which there are some, let the replicas go from where the change begins.
func (v *view) granted(rules autoscalingv2.HPAScalingRules, base int32, up bool) grant {
	pick := minReplicas
	if (*rules.SelectPolicy != autoscalingv2.MinChangePolicySelect) == up {
		pick = maxReplicas // the largest change upwards, or the smallest downwards
	}
	n := v.numbers()
	chosen := v.grant(&n, rules.Policies[0], base, up)
	for _, policy := range rules.Policies[1:] {
		g := v.grant(&n, policy, base, up)
		chosen.to, chosen.ends = pick(chosen.to, g.to), earlier(chosen.ends, g.ends)
	}
	chosen.repairs = RepairOutside.when(base != v.Replicas) | n.repairs()
	if up {
		chosen.to = max(chosen.to, base)
	} else {
		chosen.to = min(chosen.to, base)
	}
	return chosen
}

func disabled(rules autoscalingv2.HPAScalingRules) bool {
	return *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect || len(rules.Policies) == 0
}

func minReplicas(a, b int32) int32 { return min(a, b) }
func maxReplicas(a, b int32) int32 { return max(a, b) }

// grant is how far one policy lets the replicas go from where its period began.
func (v *view) grant(n *numbers, policy autoscalingv2.HPAScalingPolicy, base int32, up bool) grant {
	period := time.Duration(policy.PeriodSeconds) * time.Second
	cutoff := v.Time.Add(-period)
	if since := v.history.Since; !up && since.After(cutoff) {
		return grant{to: v.Replicas, ends: since.Add(period)}
	}
	start, ends := base, time.Time{}
	for _, change := range v.history.Changes {
		if change.Delta != 0 && change.Time.After(cutoff) {
			start, ends = n.plus(start, -change.Delta), earlier(ends, change.Time.Add(period))
		}
	}
	return grant{to: n.reach(policy, start, up), ends: ends}
}

// reach applies one policy to the replicas at the beginning of its period. Up is rounded up, so that a small
// workload can grow at all; down is rounded down for the same reason (HPA).
func (n *numbers) reach(policy autoscalingv2.HPAScalingPolicy, start int32, up bool) int32 {
	percent := policy.Type == autoscalingv2.PercentScalingPolicy
	switch {
	case percent && up:
		return n.replicas(math.Ceil(float64(start) * (1 + float64(policy.Value)/100)))
	case percent:
		return n.replicas(float64(start) * (1 - float64(policy.Value)/100))
	case up:
		return n.plus(start, policy.Value)
	}
	return n.plus(start, -policy.Value)
}
