package recommend

import (
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// warm is a pod that started so long ago and became ready so much later.
func warm(startedAgo, readyAfter time.Duration) option {
	return func(f *fixture, now time.Time) {
		started(startedAgo)(f, now)
		ready(corev1.ConditionTrue, startedAgo-readyAfter)(f, now)
	}
}

// asking changes what the app of a pod requests.
func asking(cpu string) option {
	return func(f *fixture, _ time.Time) { f.pod.Spec.Containers[0] = container("app", cpu, "1Gi") }
}

func TestWarmUp(t *testing.T) {
	const short = 20 * time.Second // from start to ready
	hot := func(n int, ago time.Duration, more ...option) []fixture {
		return pods(noon, n, "1500m", append([]option{warm(ago, short)}, more...)...)
	}
	cases := map[string]struct {
		policy   annotations.Policy
		replicas int32
		pods     [][]fixture
		want     int32
		// told is a part of the reasoning.
		told string
	}{
		"without a warm-up they count in full": {eager(t, "target-cpu=50"), 6, groups(pods(noon, 4, "400m"), hot(2, time.Minute)), 10, ""},
		"0s is none":                           {eager(t, "target-cpu=50", "warm-up=0s"), 6, groups(pods(noon, 4, "400m"), hot(2, time.Minute)), 10, ""},
		"like the others": {eager(t, "target-cpu=50", "warm-up=90s"), 6, groups(pods(noon, 4, "500m"), hot(2, time.Minute)), 6,
			"ratio 1 with 2 pods that warm up counted as the average of the 4 others is within"},
		"the others are above the target": {eager(t, "target-cpu=50", "warm-up=90s"), 6, groups(pods(noon, 4, "900m"), hot(2, time.Minute)), 11,
			"ratio 1.8 with 2 pods that warm up counted as the average of the 4 others is outside"},
		"at most: what uses less counts as it is": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "900m"), pods(noon, 2, "300m", warm(time.Minute, short))), 9, "ratio 1.4 is outside"},
		"no others: at the target": {eager(t, "target-cpu=50", "warm-up=90s"), 4, groups(hot(4, time.Minute)), 4,
			"ratio 1 with 4 pods that warm up counted as at the target is within"},
		"a target that no whole number of millicores is": {eager(t, "target-cpu=33", "warm-up=90s"), 3, groups(hot(3, time.Minute, asking("101m"))), 3, "ratio 1 with 3"},
		"above 100 %": {eager(t, "target-cpu=300", "warm-up=90s"), 3, groups(hot(3, time.Minute, asking("101m"))), 3, "ratio 1 with 3"},
		"the others are not measured": {eager(t, "target-cpu=50", "warm-up=90s"), 4, groups(hot(2, time.Minute), pods(noon, 2, "0", without)), 4,
			"the other way than without the assumptions"},
		"an absolute target": {eager(t, "target-cpu=500m", "warm-up=90s"), 6, groups(pods(noon, 4, "600m", noRequest), hot(2, time.Minute, noRequest)), 8,
			"ratio 1.2 with 2 pods that warm up counted as the average of the 4 others"},
		"compared by the share of their requests": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "600m"), hot(2, time.Minute, asking("2"))), 8, "ratio 1.2 with 2 pods"},
		"one container of several": {eager(t, "target-cpu=50", "container=app", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m", sidecar("1", "2")), hot(2, time.Minute, sidecar("1", "2"))), 6, "ratio 1 with 2 pods"},
		"several containers together": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m", sidecar("1", "500m")), hot(2, time.Minute, sidecar("1", "2"))), 6, "ratio 1 with 2 pods"},
		"beside unready pods, which count with nothing": {eager(t, "target-cpu=50", "warm-up=90s"), 8,
			groups(pods(noon, 4, "800m"), hot(2, time.Minute), pods(noon, 2, "0", pending)), 10, "ratio 1.2 with careful assumptions for 2 pods and 2 pods that warm up"},
		"the sample is of the warm-up, though that has ended": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m"), hot(2, short+100*time.Second)), 6, "2 pods that warm up"},
		"the sample began with the end of the warm-up": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m"), hot(2, short+107*time.Second)), 10, ""},
		"a long warm-up": {eager(t, "target-cpu=50", "warm-up=30m"), 6, groups(pods(noon, 4, "500m"), hot(2, 30*time.Minute)), 6, "2 pods that warm up"},
		"ready again long after the start is no warm-up": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 6, "1500m", warm(time.Hour, time.Hour-30*time.Second))), 18, ""},
		"a pod that takes minutes to start warms up after that": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m"), pods(noon, 2, "1500m", warm(5*time.Minute, 4*time.Minute))), 6, "2 pods that warm up"},
		"however long the start took, if those that are past it took as long": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m", warm(time.Hour, 10*time.Minute)), pods(noon, 2, "1500m", warm(11*time.Minute, 10*time.Minute))), 6, "2 pods that warm up"},
		"or about as long": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m", warm(time.Hour, 6*time.Minute)), pods(noon, 2, "1500m", warm(12*time.Minute, 11*time.Minute))), 6, "2 pods that warm up"},
		"the quickest of them tells": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 3, "500m", warm(time.Hour, 40*time.Minute)), pods(noon, 1, "500m", warm(time.Hour, time.Minute)),
				pods(noon, 2, "1500m", warm(11*time.Minute, 10*time.Minute))), 10, ""},
		"of a late start alone nobody knows whether it is the first": {eager(t, "target-cpu=50", "warm-up=90s"), 4,
			groups(pods(noon, 4, "1500m", warm(11*time.Minute, 10*time.Minute))), 12, ""},
		"one that is not ready tells nothing of starts": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 1, "500m", warm(time.Hour, 40*time.Minute), ready(corev1.ConditionUnknown, 20*time.Minute)), pods(noon, 5, "1500m", warm(11*time.Minute, 10*time.Minute))), 16, ""},
		"one that turned unready late has no warm-up": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "500m", warm(time.Hour, 10*time.Minute)), pods(noon, 2, "1500m", started(11*time.Minute), ready(corev1.ConditionFalse, time.Minute))), 10, ""},
		"those whose readiness is unknown are no others": {eager(t, "target-cpu=50", "warm-up=90s"), 10,
			groups(pods(noon, 3, "900m"), hot(2, time.Minute), pods(noon, 5, "100m", ready(corev1.ConditionUnknown, 30*time.Second))), 14,
			"2 pods that warm up counted as the average of the 3 others"},
		"and are like them themselves": {eager(t, "target-cpu=50", "warm-up=90s"), 10,
			groups(pods(noon, 5, "900m"), hot(5, time.Minute, ready(corev1.ConditionUnknown, 30*time.Second))), 18,
			"ratio 1.8 with 5 pods that warm up counted as the average of the 5 others is outside 0.9..1.1; ceil(1.8 * 5 pods + 9 for 5 whose readiness is unknown) = 18"},
		"all that are known warm up, too": {eager(t, "target-cpu=50", "warm-up=90s"), 4,
			groups(hot(2, time.Minute), hot(2, time.Minute, ready(corev1.ConditionUnknown, 30*time.Second))), 4, "ratio 1 with 4 pods that warm up counted as at the target"},
		"nor are those that have turned unready": {eager(t, "target-cpu=50", "warm-up=90s"), 10,
			groups(pods(noon, 3, "900m"), hot(2, time.Minute), pods(noon, 5, "100m", ready(corev1.ConditionFalse, 30*time.Second))), 10,
			"2 pods that warm up counted as the average of the 3 others"},
		"unless nobody knows it of any": {eager(t, "target-cpu=50", "warm-up=90s"), 6,
			groups(pods(noon, 4, "800m", ready(corev1.ConditionUnknown, 30*time.Second)), hot(2, time.Minute, ready(corev1.ConditionUnknown, 30*time.Second))), 10,
			"2 pods that warm up counted as the average of the 4 others"},
		"on the way in they count as they are": {eager(t, "target-cpu=50", "warm-up=90s"), 10, groups(pods(noon, 8, "100m"), hot(2, time.Minute)), 8, "ratio 0.76 is outside"},
		"memory is no sign of a warm-up":       {eager(t, "target-memory=25%", "warm-up=90s"), 2, groups(pods(noon, 1, "1m"), hot(1, time.Minute)), 4, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := snapshot(noon, c.replicas, c.pods...)
			d, _ := recommend(c.policy, s, History{})
			if d.Desired != c.want || !strings.Contains(steps(d), c.told) {
				t.Errorf("%d -> %d, want %d and %q in\n%s", d.Current, d.Desired, c.want, c.told, steps(d))
			}
			without := c.policy
			without.WarmUp = 0
			compat := DefaultRules()
			compat.Compat = true
			got, _ := compat.Recommend(c.policy, s, History{})
			want, _ := compat.Recommend(without, s, History{})
			if got.Desired != want.Desired || got.Repairs != 0 {
				t.Errorf("as the HPA: %d, without a warm-up %d; repairs %v", got.Desired, want.Desired, got.Repairs.Names())
			}
		})
	}
}

// TestWarmUpOfMetricsInFull: what mini-hpa/metrics says in full has a warm-up, too; a custom metric has not, because it says
// what is asked of a pod, not what that costs.
func TestWarmUpOfMetricsInFull(t *testing.T) {
	half := int32(50)
	cpu := autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &half}
	s := snapshot(noon, 6, pods(noon, 4, "500m"), pods(noon, 2, "1500m", warm(time.Minute, 20*time.Second)))
	p := eager(t, "target-cpu=50", "warm-up=90s")
	for name, spec := range map[string]autoscalingv2.MetricSpec{
		"resource": {Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: cpu}},
		"container resource": {Type: autoscalingv2.ContainerResourceMetricSourceType,
			ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: corev1.ResourceCPU, Container: "app", Target: cpu}},
	} {
		p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{spec})
		if d, _ := recommend(p, s, History{}); d.Desired != 6 || d.Repairs != RepairWarmUp {
			t.Errorf("%s: %d -> %d, repairs %v\n%s", name, d.Current, d.Desired, d.Repairs.Names(), steps(d))
		}
	}
	custom := hitsOfPods(t)
	custom.WarmUp = 90 * time.Second
	seen := ofPods(s, "40", noon, nil)
	seen.CustomMetrics["hits"][5].Value = resource.MustParse("160")
	if d, _ := recommend(custom, seen, History{}); d.Desired != 9 {
		t.Errorf("Pods metric: %d -> %d, want 9\n%s", d.Current, d.Desired, steps(d))
	}
}

// TestTheEndOfAWarmUpNeedsASample: while what is known of the pods is from their warm-up, time alone changes nothing, so that
// there is no moment to look again at.
func TestTheEndOfAWarmUpNeedsASample(t *testing.T) {
	p := eager(t, "target-cpu=50", "warm-up=90s")
	s := snapshot(noon, 6, pods(noon, 4, "500m"), pods(noon, 2, "1500m", warm(80*time.Second, 20*time.Second)))
	first, _ := recommend(p, s, History{})
	for _, later := range []time.Duration{29 * time.Second, 31 * time.Second, 40 * time.Second} {
		s.Time = noon.Add(later)
		d, _ := recommend(p, s, History{})
		if d.Desired != first.Desired {
			t.Errorf("%s later: %d, at first %d\n%s", later, d.Desired, first.Desired, steps(d))
		}
	}
}

// TestReadinessThatFlapsHoldsNoScaleOut, however old the pods are: as long as all of them flap, they count in full, and where some do not for
// a while, those tell what the load is.
func TestReadinessThatFlapsHoldsNoScaleOut(t *testing.T) {
	p := eager(t, "target-cpu=50", "warm-up=90s", "max=100")
	for _, age := range []time.Duration{6 * time.Minute, 20 * time.Minute, 3 * time.Hour} {
		for steady := range 5 {
			s := snapshot(noon, 5, pods(noon, steady, "1", warm(age, age-2*time.Minute)), pods(noon, 5-steady, "1", warm(age, age-30*time.Second)))
			if d, _ := recommend(p, s, History{}); d.Desired != 10 {
				t.Errorf("pods of %v, %d of which have been ready for 2 minutes: %d -> %d, want 10\n%s", age, steady, d.Current, d.Desired, steps(d))
			}
		}
	}
}
