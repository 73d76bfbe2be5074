package recommend

import (
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// totalTarget is an eager policy with one External or Object target, of 100 for each pod or for the total.
func totalTarget(t testing.TB, kind autoscalingv2.MetricSourceType, of autoscalingv2.MetricTargetType) annotations.Policy {
	p := totals(t, kind, "100")
	q := resource.MustParse("100")
	target := autoscalingv2.MetricTarget{Type: of, Value: &q}
	if of == autoscalingv2.AverageValueMetricType {
		target = autoscalingv2.MetricTarget{Type: of, AverageValue: &q}
	}
	if kind == autoscalingv2.ExternalMetricSourceType {
		p.Metrics[0].Spec.External.Target = target
	} else {
		p.Metrics[0].Spec.Object.Target = target
	}
	return p
}

// TestATotalBelowZeroIsNone: it cannot be a load, so it says nothing, as a missing sample does.
func TestATotalBelowZeroIsNone(t *testing.T) {
	backlog := func(values ...string) Snapshot {
		s := snapshot(noon, 6, pods(noon, 6, "0"))
		var all []externalmetricsv1beta1.ExternalMetricValue
		for _, value := range values {
			all = append(all, externalmetricsv1beta1.ExternalMetricValue{Value: resource.MustParse(value)})
		}
		s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{"backlog": all}
		return s
	}
	hits := func(value string) Snapshot { return withHits(snapshot(noon, 6, pods(noon, 6, "0")), value) }
	const external, object = autoscalingv2.ExternalMetricSourceType, autoscalingv2.ObjectMetricSourceType
	const each, total = autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType
	for name, c := range map[string]struct {
		policy annotations.Policy
		seen   Snapshot
		// ours is what is decided, hpa what the HPA controller decides.
		ours, hpa int32
		active    string
	}{
		"external, for each pod":          {totalTarget(t, external, each), backlog("-500"), 6, 40, ActiveFailedExternal},
		"external, for the total":         {totalTarget(t, external, total), backlog("-500"), 6, 1, ActiveFailedExternal},
		"a thousandth":                    {totalTarget(t, external, total), backlog("-1m"), 6, 1, ActiveFailedExternal},
		"object, for each pod":            {totalTarget(t, object, each), hits("-500"), 6, 1, ActiveFailedObject},
		"object, for the total":           {totalTarget(t, object, total), hits("-500"), 6, 1, ActiveFailedObject},
		"several that are below together": {totalTarget(t, external, total), backlog("100", "-500"), 6, 1, ActiveFailedExternal},
		// Exporters say -1 for a partition that nobody has read from yet.
		"one of several, and not together": {totalTarget(t, external, each), backlog("-1", "801"), 8, 40, ActiveValidMetric},
		"zero":                             {totalTarget(t, external, each), backlog("0"), 1, 1, ActiveValidMetric},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := recommend(c.policy, c.seen, History{})
			if d.Desired != c.ours || d.Active != c.active {
				t.Errorf("%d -> %d, %s; want %d, %s\n%s", d.Current, d.Desired, d.Active, c.ours, c.active, steps(d))
			}
			if failed := d.Active != ActiveValidMetric; failed && (d.Repairs != RepairNegative || !strings.Contains(d.Reason.String(), "below zero")) {
				t.Errorf("repairs %v, reason %q", d.Repairs.Names(), d.Reason)
			}
			compat := DefaultRules()
			compat.Compat = true
			if d, _ := compat.Recommend(c.policy, c.seen, History{}); d.Desired != c.hpa || d.Repairs != 0 {
				t.Errorf("as the HPA: %d -> %d, want %d; repairs %v", d.Current, d.Desired, c.hpa, d.Repairs.Names())
			}
		})
	}
}

// TestAPodsMetricBelowZero of one pod is a missing sample of that pod.
func TestAPodsMetricBelowZero(t *testing.T) {
	for name, c := range map[string]struct {
		usual string
		want  int32
	}{"the others are at the target": {"40", 6}, "the others are idle": {"1", 2}, "the others are overloaded": {"80", 10}} {
		s := ofPods(snapshot(noon, 6, pods(noon, 6, "0")), c.usual, noon, nil)
		s.CustomMetrics["hits"][3].Value = resource.MustParse("-5000")
		if d, _ := recommend(hitsOfPods(t), s, History{}); d.Desired != c.want {
			t.Errorf("%s: %d -> %d, want %d\n%s", name, d.Current, d.Desired, c.want, steps(d))
		}
	}
}
