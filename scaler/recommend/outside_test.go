package recommend

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// lowered is what is seen a second after somebody else has lowered the replicas of 12 pods.
type lowered struct {
	pairs []string
	// before is each pod's usage until then; 500m is the target.
	before string
	to     int32
	seen   func(now time.Time) Snapshot
	want   int32
}

func TestSomebodyElsesScaleIn(t *testing.T) {
	all := func(to int32, usage string) func(time.Time) Snapshot {
		return func(now time.Time) Snapshot { return surging(snapshot(now, to, pods(now, 12, usage)), 12) }
	}
	for name, c := range map[string]lowered{
		"the pods still carry all of it":                {before: "500m", to: 1, seen: all(1, "500m"), want: 12},
		"they carry more by now":                        {before: "500m", to: 1, seen: all(1, "800m"), want: 20},
		"they carry less by now":                        {before: "500m", to: 1, seen: all(1, "300m"), want: 8},
		"they carry what is left of them":               {before: "500m", to: 1, seen: all(1, "40m"), want: 1},
		"one fewer is within the tolerance":             {before: "500m", to: 11, seen: all(11, "500m"), want: 11},
		"one fewer is not":                              {before: "530m", to: 11, seen: all(11, "530m"), want: 13},
		"somebody is right, the window would have held": {before: "100m", to: 4, seen: all(4, "100m"), want: 4},
		"a policy that would take long":                 {pairs: []string{"scale-up-policies=1 pod/10m"}, before: "500m", to: 1, seen: all(1, "500m"), want: 12},
		"a policy, and more load":                       {pairs: []string{"scale-up-policies=2 pods/10m"}, before: "500m", to: 1, seen: all(1, "900m"), want: 14},
		"a window for scale-up":                         {pairs: []string{"scale-up-stabilization=1h"}, before: "500m", to: 1, seen: all(1, "500m"), want: 12},
		"never upwards":                                 {pairs: []string{"scale-up-policies=disabled"}, before: "500m", to: 1, seen: all(1, "500m"), want: 1},
		"below min":                                     {pairs: []string{"min=3"}, before: "500m", to: 1, seen: all(1, "500m"), want: 12},
		"below min, never upwards":                      {pairs: []string{"min=3", "scale-up-policies=disabled"}, before: "500m", to: 1, seen: all(1, "500m"), want: 3},
		"below min, no metrics": {pairs: []string{"min=3"}, before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return Snapshot{Time: now, Replicas: 1, StatusReplicas: 12, Pods: all(1, "500m")(now).Pods, MetricsError: "down"}
		}, want: 3},
		"below a min of now": {pairs: []string{"min=2"}, before: "500m", to: 1, seen: all(1, "0"), want: 2},
		"no metrics": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return Snapshot{Time: now, Replicas: 1, StatusReplicas: 12, Pods: all(1, "500m")(now).Pods, MetricsError: "down"}
		}, want: 1},
		"a pause": {before: "500m", to: 0, seen: all(0, "500m"), want: 0},
		"the pods are being ended": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 1, "500m"), pods(now, 11, "500m", deleted)), 1)
		}, want: 12},
		"the pods are gone, the status is late": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 1, "500m")), 12)
		}, want: 12},
		"half of them are gone, and had little to do": {before: "100m", to: 6, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 6, pods(now, 6, "100m"), pods(now, 6, "100m", deleted)), 6)
		}, want: 6},
		"half of them have no sample": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 6, "500m"), pods(now, 6, "0", without)), 12)
		}, want: 12},
		"half of them have no sample, the others less to do": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 6, "400m"), pods(now, 6, "0", without)), 12)
		}, want: 12},
		"half of them are not heard of": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 6, "850m"), pods(now, 6, "540m", ready("Unknown", time.Second))), 12)
		}, want: 17},
		"half of them are not heard of, the others less to do": {before: "500m", to: 1, seen: func(now time.Time) Snapshot {
			return surging(snapshot(now, 1, pods(now, 6, "400m"), pods(now, 6, "540m", ready("Unknown", time.Second))), 12)
		}, want: 10},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 12, append([]string{"target-cpu=50", "max=40"}, c.pairs...)...)
			w.see(snapshot(w.now, 12, pods(w.now, 12, c.before)), time.Second)
			w.replicas = c.to
			w.see(c.seen(w.now), time.Second).want(c.want)
			for _, step := range w.last.Steps {
				if written := arithmetic.FindStringSubmatch(step.Detail.String()); written != nil {
					ratio, _ := strconv.ParseFloat(written[1], 64)
					pods, _ := strconv.ParseFloat(written[2], 64)
					aside, _ := strconv.ParseFloat(written[3], 64)
					made, _ := strconv.ParseFloat(written[4], 64)
					if made != math.Ceil(ratio*pods+aside-1e-9) {
						t.Errorf("%q is not true", step.Detail)
					}
				}
			}
		})
	}
}

// arithmetic is what a decision writes of its own.
var arithmetic = regexp.MustCompile(`ceil\(([\d.]+) \* (\d+) pods(?: \+ ([\d.]+) for .*)?\) = (\d+)`)

// TestTheWayBackIsFree: afterwards the policies stand where they would stand had nobody interfered.
func TestTheWayBackIsFree(t *testing.T) {
	w := newWorkload(t, 10, "target-cpu=50", "max=40", "scale-up-policies=4 pods/60s")
	w.load(6000, time.Second).want(12)
	w.replicas = 1
	w.see(surging(snapshot(w.now, 1, pods(w.now, 12, "500m")), 12), time.Second).want(12)
	w.load(12000, time.Second).want(14) // two of the four pods of the minute are left
	w.now = noon.Add(time.Minute)
	w.load(12000, time.Second).want(16) // and the two of the first write are given back
}

// TestATotalThatSomebodyElseHides: the total stays at the target while all the pods run.
func TestATotalThatSomebodyElseHides(t *testing.T) {
	for name, c := range map[string]struct {
		hits string
		want int32
	}{"at the target": {"100", 12}, "below": {"60", 8}, "above": {"200", 24}} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 12, "target-cpu=50", "max=40")
			w.policy.Metrics = totals(t, autoscalingv2.ObjectMetricSourceType, "100").Metrics
			w.see(withHits(snapshot(w.now, 12, pods(w.now, 12, "0")), "100"), time.Second)
			w.replicas = 1
			w.see(withHits(surging(snapshot(w.now, 1, pods(w.now, 12, "0")), 12), c.hits), time.Second).want(c.want)
		})
	}
}

// TestAWriteThatIsRefusedIsTriedAgain: the pods go meanwhile, and with them what could be measured.
func TestAWriteThatIsRefusedIsTriedAgain(t *testing.T) {
	w := newWorkload(t, 12, "target-cpu=50", "max=40")
	w.load(6000, tick).want(12)
	w.replicas = 1
	look := func(s Snapshot, want int32) {
		t.Helper()
		w.last, w.history = w.rules.Recommend(w.policy, s, w.history)
		if w.now = w.now.Add(5 * time.Second); w.last.Desired != want {
			t.Fatalf("desired = %d, want %d\n%s", w.last.Desired, want, steps(w.last))
		}
	}
	look(surging(snapshot(w.now, 1, pods(w.now, 12, "500m")), 12), 12)
	look(snapshot(w.now, 1, pods(w.now, 1, "500m")), 12)
	look(snapshot(w.now, 1, pods(w.now, 1, "2")), 12) // all that a pod may use
	for w.now.Before(noon.Add(2 * time.Minute)) {
		look(snapshot(w.now, 1, pods(w.now, 1, "2")), 12)
	}
	look(snapshot(w.now, 1, pods(w.now, 1, "500m")), 1) // the load has gone: somebody else's number will do
	look(snapshot(w.now, 1, pods(w.now, 1, "2")), 4)
}

// TestARivalThatWritesAgain is met with the same number each time, also while the pods come and go.
func TestARivalThatWritesAgain(t *testing.T) {
	w := newWorkload(t, 12, "target-cpu=50", "max=40", "scale-up-policies=1 pod/10m")
	w.load(6000, time.Second).want(12)
	left := 12
	for range 5 {
		w.replicas = 1
		w.see(surging(snapshot(w.now, 1, pods(w.now, left, "500m")), 12), 500*time.Millisecond).want(12)
		left = 4 // the others have not started again
		w.see(snapshot(w.now, 12, pods(w.now, left, "500m"), pods(w.now, 8, "0", pending)), 500*time.Millisecond).want(12)
	}
}

// TestAWriteThatIsNotSeenIsNobodysScaleIn: a trace may go on with the replicas of before a decision.
func TestAWriteThatIsNotSeenIsNobodysScaleIn(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=40", "scale-down-stabilization=0s")
	w.load(4000, time.Minute).want(8)
	w.replicas = 4
	w.load(1200, time.Minute).want(3)
}

// TestSomebodyElsesScaleOutIsRespected until the windows say otherwise.
func TestSomebodyElsesScaleOutIsRespected(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=40")
	w.load(2000, tick).want(4)
	w.replicas = 12
	w.see(snapshot(w.now, 12, pods(w.now, 4, "500m")), tick).want(12)
}

// TestAnotherControllersChangeUsesUpThePolicies, for it goes by the same annotations.
func TestAnotherControllersChangeUsesUpThePolicies(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=40", "scale-up-policies=2 pods/60s")
	w.load(2000, time.Second).want(4)
	w.history, w.replicas = w.history.Adopted(w.now, 6), 6
	w.load(6000, time.Second).want(6)
	w.now = noon.Add(61 * time.Second)
	w.load(6000, time.Second).want(8)
	w.history, w.replicas = w.history.Adopted(w.now, 3), 3
	w.see(surging(snapshot(w.now, 3, pods(w.now, 8, "500m")), 8), time.Second).want(3) // it has its reasons, which are ours
}

// TestATotalForEachPod asks for the same, whatever pods there are.
func TestATotalForEachPod(t *testing.T) {
	w := newWorkload(t, 12, "target-cpu=50", "max=40", "scale-up-policies=1 pod/10m")
	w.policy.Metrics = totals(t, autoscalingv2.ExternalMetricSourceType, "100").Metrics
	w.see(withBacklog(snapshot(w.now, 12, pods(w.now, 12, "0")), "1200"), time.Second).want(12)
	w.replicas = 1
	w.see(withBacklog(surging(snapshot(w.now, 1, pods(w.now, 1, "0")), 12), "1200"), time.Second).want(12)
}

// TestANumberThatIsTakenBackStaysSo: nobody has measured that the load would ask for it, only that the pods of before carry theirs.
func TestANumberThatIsTakenBackStaysSo(t *testing.T) {
	hits := func(s Snapshot) Snapshot { return withHits(s, "100") }
	plain := func(s Snapshot) Snapshot { return s }
	for name, c := range map[string]struct {
		typo, want int32
		usage      string
		coming     []option
		with       func(Snapshot) Snapshot
	}{
		"pending":                      {40, 4, "500m", []option{pending}, plain},
		"a few more":                   {6, 4, "500m", []option{pending}, plain},
		"started, without a sample":    {40, 4, "500m", []option{without}, plain},
		"within the tolerance":         {40, 4, "530m", []option{without}, plain},
		"a little below the target":    {40, 4, "470m", []option{pending}, plain},
		"half of the target":           {40, 4, "250m", []option{pending}, plain},
		"too much for those of before": {40, 8, "900m", []option{pending}, plain},
		"a total":                      {40, 4, "0", []option{pending, ready("False", time.Second)}, hits},
	} {
		t.Run(name, func(t *testing.T) {
			for how, going := range map[string][]option{"they still come": c.coming, "they are being deleted": append([]option{deleted}, c.coming...)} {
				w := newWorkload(t, 4, "target-cpu=50", "max=50")
				if c.usage == "0" {
					w.policy.Metrics = totals(t, autoscalingv2.ObjectMetricSourceType, "100").Metrics
				}
				seen := func(n, others int32, as []option) {
					t.Helper()
					w.see(c.with(surging(snapshot(w.now, n, pods(w.now, 4, c.usage), pods(w.now, int(others), "0", as...)), 4+others)), time.Second)
				}
				seen(4, 0, nil)
				w.replicas = c.typo
				seen(c.typo, 0, nil)
				seen(c.typo, c.typo-4, c.coming)
				w.replicas = 4
				seen(4, c.typo-4, going)
				t.Log(how)
				w.want(c.want)
				seen(w.replicas, 0, nil)
				w.want(c.want)
			}
		})
	}
}
