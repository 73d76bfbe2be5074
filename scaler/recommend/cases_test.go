package recommend

import (
	"fmt"
	"slices"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// reported is what people have reported of autoscalers: what was seen, look by look, and the sizes that are right. The replicas of a
// look are those of the one before, whatever was decided then.
type reported struct {
	policy annotations.Policy
	looks  []Snapshot
	want   []int32
}

// every is a look at each 15 s, made by the number of the look.
func every(n int, look func(i int, now time.Time) Snapshot) []Snapshot {
	var all []Snapshot
	for i := range n {
		all = append(all, look(i, noon.Add(time.Duration(i)*tick)))
	}
	return all
}

// then is n times a size, after others.
func then(before []int32, n int, size int32) []int32 {
	return append(before, slices.Repeat([]int32{size}, n)...)
}

func perPod(t testing.TB, each string) annotations.Policy {
	p := policy(t, "target-cpu=50", "max=5")
	q := resource.MustParse(each)
	p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "hits"}, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q}}}})
	return p
}

func reports(t testing.TB) map[string]reported {
	usual := policy(t, "target-cpu=50", "max=20")
	turned := func(status corev1.ConditionStatus, others string, i int, options ...option) func(time.Time) Snapshot {
		return func(now time.Time) Snapshot {
			if i < 3 {
				return snapshot(now, 10, pods(now, 10, "450m"))
			}
			since := time.Duration(i-3)*tick + time.Second
			return snapshot(now, 10, pods(now, 5, "900m"), pods(now, 5, others, append(options, ready(status, since))...))
		}
	}
	lost := func(milliCPU int, others string, options ...option) func(time.Time) Snapshot {
		return func(now time.Time) Snapshot {
			return snapshot(now, 10, pods(now, 5, fmt.Sprintf("%dm", milliCPU)), pods(now, 5, others, append(options, ready(corev1.ConditionUnknown, 30*time.Second))...))
		}
	}
	return map[string]reported{
		"half of the nodes are lost, and the load goes to the others": {usual, every(16, func(i int, now time.Time) Snapshot {
			return turned(corev1.ConditionUnknown, "450m", i, sampled(min(time.Duration(i-2)*tick, 10*time.Minute)))(now)
		}), then(then(nil, 3, 10), 13, 14)},
		"half of the nodes are lost while the others are at their target, and they are still heard of a little": {usual, every(22, func(i int, now time.Time) Snapshot {
			return lost(500, "10m")(now)
		}), then(nil, 22, 10)},
		"the same, and the lost ones were busy": {usual, every(2, func(i int, now time.Time) Snapshot {
			return lost(500, "1500m")(now)
		}), then(nil, 2, 10)},
		"half of the nodes are lost soon after the pods have started": {usual, every(3, func(i int, now time.Time) Snapshot {
			return lost(900, "10m", started(4*time.Minute), sampled(40*time.Second))(now)
		}), then(nil, 3, 14)},
		"half of the pods turn unready and idle": {usual, every(16, func(i int, now time.Time) Snapshot {
			return turned(corev1.ConditionFalse, "10m", i)(now)
		}), then(nil, 16, 10)},
		"all pods are unready under overload": {usual, every(4, func(_ int, now time.Time) Snapshot {
			return snapshot(now, 5, pods(now, 5, "1900m", ready(corev1.ConditionFalse, 100*time.Second)))
		}), then(nil, 4, 10)},
		"evicted pods that have succeeded, on the way in": {usual, every(22, func(_ int, now time.Time) Snapshot {
			return snapshot(now, 10, pods(now, 10, "100m"), pods(now, 10, "0", succeeded))
		}), then(then(nil, 20, 10), 2, 2)},
		"evicted pods that have succeeded, on the way out": {usual, every(2, func(_ int, now time.Time) Snapshot {
			return snapshot(now, 4, pods(now, 4, "1500m"), pods(now, 5, "0", succeeded))
		}), then(nil, 2, 8)},
		"10 wanted, 4 fit, and the load falls": {usual, every(22, func(i int, now time.Time) Snapshot {
			each := "450m"
			if i > 0 {
				each = "10m"
			}
			return snapshot(now, 10, pods(now, 4, each), pods(now, 6, "0", pending))
		}), then(then(nil, 20, 10), 2, 1)},
		"the same with containers that end at once": {usual, every(22, func(i int, now time.Time) Snapshot {
			return snapshot(now, 10, pods(now, 4, "10m"), pods(now, 6, "0", without, ready(corev1.ConditionFalse, time.Hour)))
		}), then(then(nil, 20, 10), 2, 1)},
		"10 wanted, 4 fit, and the hits of their ingress fall": {totals(t, autoscalingv2.ObjectMetricSourceType, "100"), every(2, func(i int, now time.Time) Snapshot {
			return withHits(snapshot(now, 10, pods(now, 4, "0"), pods(now, 6, "0", pending)), "10")
		}), then(nil, 2, 1)},
		"nodes are lost, and the hits of the ingress are too many for the others": {totals(t, autoscalingv2.ObjectMetricSourceType, "100"), every(2, func(i int, now time.Time) Snapshot {
			return withHits(snapshot(now, 10, pods(now, 5, "0"), pods(now, 5, "0", ready(corev1.ConditionUnknown, time.Minute))), "180")
		}), then(nil, 2, 14)},
		"12 wanted, a quota allows 4, and the load falls": {usual, every(22, func(_ int, now time.Time) Snapshot {
			return surging(snapshot(now, 12, pods(now, 4, "10m")), 4)
		}), then(then(nil, 20, 12), 2, 1)},
		"pods that are made are seen one by one, and the status lags": {usual, every(5, func(i int, now time.Time) Snapshot {
			return surging(snapshot(now, 12, pods(now, 8, "756m"), pods(now, i, "0", pending)), 8)
		}), then(nil, 5, 12)},
		"pods that are made are seen late, with a load that grows": {usual, every(3, func(i int, now time.Time) Snapshot {
			return surging(snapshot(now, 12, pods(now, 8, "1"), pods(now, i, "0", pending)), 8)
		}), then(nil, 3, 16)},
		"a surge pod without a value of a custom metric": {perPod(t, "100"), every(2, func(i int, now time.Time) Snapshot {
			s := ofPods(snapshot(now, 1, pods(now, 1, "0")), "60", now, nil)
			s.Pods = append(s.Pods, snapshot(now, 1, nil, pods(now, i, "0")).Pods...)
			return surging(s, int32(1+i))
		}), then(nil, 2, 1)},
		"a surge pod with one": {perPod(t, "100"), every(2, func(i int, now time.Time) Snapshot {
			return surging(ofPods(snapshot(now, 1, pods(now, 1+i, "0")), "60", now, nil), int32(1+i))
		}), then(nil, 2, 1)},
		"a backlog grows while a rollout has doubled the pods": {totals(t, autoscalingv2.ExternalMetricSourceType, "100"), every(3, func(i int, now time.Time) Snapshot {
			s := snapshot(now, 10, pods(now, 10, "0"), pods(now, min(i, 1)*10, "0", pending))
			return withBacklog(surging(s, int32(len(s.Pods))), fmt.Sprint([]int{1000, 1500, 1900}[i]))
		}), []int32{10, 15, 19}},
		"the status says 0 replicas": {totals(t, autoscalingv2.ExternalMetricSourceType, "100"), every(2, func(_ int, now time.Time) Snapshot {
			return withBacklog(surging(snapshot(now, 4, pods(now, 4, "0")), 0), "400")
		}), then(nil, 2, 4)},
		"an empty backlog": {totals(t, autoscalingv2.ExternalMetricSourceType, "100"), every(2, func(_ int, now time.Time) Snapshot {
			return withBacklog(snapshot(now, 5, pods(now, 5, "0")), "0")
		}), then(nil, 2, 1)},
		"an adapter that answers 0 while it is down": {policy(t, "target-cpu=50", "max=20"), every(28, func(i int, now time.Time) Snapshot {
			each := "500m"
			if i > 6 {
				each = "0"
			}
			return snapshot(now, 10, pods(now, 10, each))
		}), then(then(nil, 26, 10), 2, 1)},
		"the controller starts in a dip": {usual, every(20, func(_ int, now time.Time) Snapshot {
			return snapshot(now, 20, pods(now, 20, "50m"))
		}), then(nil, 20, 20)},
		"a sample of one pod of six below zero": {usual, every(2, func(_ int, now time.Time) Snapshot {
			return snapshot(now, 6, pods(now, 5, "500m"), pods(now, 1, "-5"))
		}), then(nil, 2, 6)},
		"a sample that lacks the container which was injected late": {usual, every(2, func(_ int, now time.Time) Snapshot {
			made := pods(now, 4, "900m", sidecar("100m", "0"))
			for _, f := range made {
				f.sample.Containers = f.sample.Containers[:1]
			}
			return snapshot(now, 4, made)
		}), then(nil, 2, 7)},
	}
}

func TestReports(t *testing.T) {
	for name, r := range reports(t) {
		t.Run(name, func(t *testing.T) {
			h := History{}
			for i, s := range r.looks {
				var d Decision
				d, h = recommend(r.policy, s, h)
				h = h.Applied(d)
				if d.Desired != r.want[i] {
					t.Fatalf("look %d of %d: %d -> %d, want %d\n%s", i+1, len(r.looks), d.Current, d.Desired, r.want[i], steps(d))
				}
			}
		})
	}
}
