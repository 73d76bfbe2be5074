package replay

import (
	"maps"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// zeros says what is particular about a decision of which 0 replicas are a part.
func zeros(p annotations.Policy, s recommend.Snapshot, o Outcome) []string {
	found := map[string]bool{"min 0": o.Min == 0, "paused": s.Paused != "", "paused, min raised": s.Paused != "" && o.Min > 0}
	switch {
	case s.Replicas > 0:
		maps.Copy(found, awake(p, s, o))
	case s.Paused == "":
		maps.Copy(found, asleep(p, s, o))
	}
	return trueOnes("zero ", found)
}

// asleep is about a workload that the controller has put to sleep.
func asleep(p annotations.Policy, s recommend.Snapshot, o Outcome) map[string]bool {
	wakes, limited := o.Desired > 0, o.Limited == recommend.LimitedUp
	failed, evaluated := strings.HasPrefix(o.Active, "Failed"), o.Active == recommend.ActiveValidMetric
	low, high, value := totals(p, s)
	types := ""
	if high > 0 {
		types = policyTypes(p.Up)
	}
	return map[string]bool{
		"asleep":                                 true,
		"asleep, a total metric above 0":         high > 0 && !wakes,
		"asleep, status says otherwise":          s.StatusReplicas > 0,
		"asleep, the sum of values is below 0":   low < 0,
		"asleep, every metric fails":             failed,
		"asleep, one of several metrics fails":   evaluated && (len(s.Errors) > 0 || s.MetricsError != ""),
		"asleep, policies of Percent only":       types == "Percent",
		"asleep, policies of Pods only":          types == "Pods",
		"asleep, both, and the smaller change":   types == "PodsPercent" && *p.Up.SelectPolicy == autoscalingv2.MinChangePolicySelect,
		"asleep, held by the window of scale-up": o.Able == recommend.AbleUpStabilized,
		"asleep, limited by the policies":        !wakes && limited,
		"asleep, min raised":                     o.Min > 0,
		"asleep, min raised, every metric fails": o.Min > 0 && failed,
		"wakes":                                  wakes,
		"wakes, a target for the total":          wakes && value,
		"wakes, fewer than are asked for":        wakes && limited,
	}
}

// awake is about one that has replicas, and may be put to sleep if min is 0.
func awake(p annotations.Policy, s recommend.Snapshot, o Outcome) map[string]bool {
	_, high, _ := totals(p, s)
	sleeps, idle := o.Desired == 0, o.Min == 0 && high == 0
	return map[string]bool{
		"sleeps":                         sleeps,
		"sleeps, a total metric above 0": sleeps && high > 0,
		"awake, nothing to do, held by the window": idle && o.Able == recommend.AbleDownStabilized,
		"awake, nothing to do, a metric fails":     idle && strings.HasPrefix(o.Active, "Failed"),
		"awake, nothing to do, another metric": idle && !sleeps && o.Active == recommend.ActiveValidMetric &&
			slices.ContainsFunc(p.Metrics, func(m annotations.Metric) bool { return !m.IsTotal() }),
	}
}

// policyTypes are the types of a direction's policies.
func policyTypes(rules autoscalingv2.HPAScalingRules) string {
	types := ""
	for _, kind := range []autoscalingv2.HPAScalingPolicyType{autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy} {
		for _, policy := range rules.Policies {
			if policy.Type == kind {
				types += string(kind)
				break
			}
		}
	}
	return types
}

// totals are the lowest and the highest value, in thousandths, of the metrics that have one while there are no pods, and whether one of
// the targets is for the total.
func totals(p annotations.Policy, s recommend.Snapshot) (low, high int64, value bool) {
	add := func(q *resource.Quantity) {
		low, high = min(low, q.MilliValue()), max(high, q.MilliValue())
	}
	for i := range p.Metrics {
		m := &p.Metrics[i]
		switch {
		case m.Spec.External != nil:
			for _, v := range s.ExternalMetrics[m.ID] {
				add(&v.Value)
			}
			value = value || m.Spec.External.Target.Value != nil
		case m.Spec.Object != nil:
			for _, v := range s.CustomMetrics[m.ID] {
				add(&v.Value)
			}
			value = value || m.Spec.Object.Target.Value != nil
		}
	}
	return low, high, value
}

// requiredZeros is what has to occur at least once in a suite of any size.
func requiredZeros() []string {
	return []string{
		"zero min 0", "zero asleep", "zero asleep, a total metric above 0", "zero asleep, status says otherwise",
		"zero asleep, every metric fails", "zero asleep, one of several metrics fails", "zero asleep, policies of Percent only",
		"zero asleep, policies of Pods only", "zero asleep, both, and the smaller change", "zero asleep, held by the window of scale-up",
		"zero asleep, limited by the policies", "zero asleep, min raised", "zero paused",
		"zero wakes", "zero wakes, a target for the total", "zero wakes, fewer than are asked for",
		"zero sleeps", "zero sleeps, a total metric above 0", "zero awake, nothing to do, held by the window",
		"zero awake, nothing to do, a metric fails", "zero awake, nothing to do, another metric",
	}
}
