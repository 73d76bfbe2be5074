package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// loadFor is a load, in millicores over all pods, under which a workload comes to so many replicas, 9 at most, and stays there: one whose pods request 1 CPU, with a
// target of 50 % and the default tolerance.
//
// Usage is the average over a window, so that the first sample after a change shows a part of the load only, and the replicas may go to any number in between. There
// the whole load must be beyond the tolerance, or that number is where they rightly stay:
//
//	one less   56 % or more, which is outside of 1 ± 10 %; utilization is without its fraction, so that 55.9 % is within
//	as many    45 to 50 %, which is within, and no more are needed
//	one more   less than 45 %
//
// It is in the middle of what there is between these. With 10 replicas there is nothing: 9 at 56 % want more than 10. See [loadBeyond].
func loadFor(replicas int32) int64 {
	const within, atTarget, beyond = 450, 500, 560 // for each pod
	least, most := max(within*replicas, beyond*(replicas-1)), atTarget*replicas
	if replicas < 1 || least > most {
		panic(fmt.Sprintf("there is no load under which a workload comes to %d replicas for certain", replicas))
	}
	return int64(least+most) / 2
}

// loadBeyond is a load, in millicores, under which such a workload goes to a maximum of so many replicas and stays there: it is too much for all of them.
func loadBeyond(most int32) int64 { return int64(most) * 1000 }

// TestAPartOfALoadLeadsToTheSameReplicas: under the loads of these tests a workload of any size goes towards one size and not past it, and stays nowhere else. This is
// what the controller decides of a sample of the whole load.
func TestAPartOfALoadLeadsToTheSameReplicas(t *testing.T) {
	t.Parallel()
	type story struct {
		most int32
		load int64
		// stays are the replicas at which the workload stays. Where there are several, it depends on the samples before at which of them.
		stays []int32
	}
	stories := map[string]story{
		// These are not good enough. A target is met by 4.4 pods, which 5 are needed for, and 4 are within the tolerance.
		"2200": {10, 2200, []int32{4, 5}}, "3900": {10, 3900, []int32{7, 8}}, "4800": {10, 4800, []int32{9, 10}},
	}
	for n := int32(1); n <= 9; n++ {
		stories[fmt.Sprint("for ", n)] = story{20, loadFor(n), []int32{n}}
	}
	for _, most := range []int32{2, 5, 7, 10, 16, 40} {
		stories[fmt.Sprint("beyond ", most)] = story{most, loadBeyond(most), []int32{most}}
	}
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			var stays []int32
			for n := int32(1); n <= s.most; n++ {
				if to := decided(t, n, s.most, s.load); to == n {
					stays = append(stays, n)
				} else if last := s.stays[len(s.stays)-1]; n < last && to > last || n > last && to < last {
					t.Errorf("%d replicas go to %d, past %d", n, to, last)
				}
			}
			if diff := cmp.Diff(s.stays, stays); diff != "" {
				t.Errorf("it stays at (-want +got):\n%s", diff)
			}
		})
	}
}

// decided is how many replicas there are to be next of a workload that has had so many for an hour, when a sample shows a load that all of them share.
func decided(t *testing.T, replicas, most int32, load int64) int32 {
	t.Helper()
	policy, _, problems := annotations.DefaultDefaults().Parse(prefixed(map[string]string{"target-cpu": "50", "max": fmt.Sprint(most),
		"scale-down-stabilization": "0s", "scale-up-policies": "100 pods/1s"}))
	if len(problems) > 0 {
		t.Fatal(problems.ToAggregate())
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	began := now.Add(-time.Hour)
	container := corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}
	used := corev1.ResourceList{corev1.ResourceCPU: *resource.NewScaledQuantity(load*1_000_000/int64(replicas), resource.Nano)}
	s := recommend.Snapshot{Time: now, Replicas: replicas, StatusReplicas: replicas}
	for i := range replicas {
		name := fmt.Sprint("web-", i)
		s.Pods = append(s.Pods, &podspec.Pod{Name: name, Created: began, Started: began, Phase: corev1.PodRunning,
			Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: began}, Spec: &podspec.Spec{Containers: []corev1.Container{container}}})
		s.PodMetrics = append(s.PodMetrics, &sample.Pod{Name: name, Time: now, Window: samplePeriod, Containers: []sample.Container{{Name: "app", Usage: sample.UsageOf(used)}}})
	}
	decision, _ := recommend.DefaultRules().Recommend(policy, s, recommend.History{})
	return decision.Desired
}
