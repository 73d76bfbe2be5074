package recommend

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const tick = 15 * time.Second

func TestIdleHoldsAtMin(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "max=10")
	for range 40 {
		w.load(100, tick).want(1)
	}
}

func TestLoadScalesOutSettlesAndScalesIn(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "max=10")
	w.load(2200, tick).want(5) // 220 % of a 50 % target: ceil(4.4)
	w.load(4800, tick).want(10)
	for range 20 {
		w.load(4800, tick).want(10) // 48 %: within tolerance
	}
	for range 19 {
		w.load(100, tick).want(10) // the last high recommendation leaves the window after 5 minutes
	}
	w.load(100, tick).want(1)
}

func TestFlapsWithoutGuardsAndNotWithThem(t *testing.T) {
	unguarded := newWorkload(t, 2, "target-cpu=50", "max=10", "tolerance=0", "scale-down-stabilization=0s")
	guarded := newWorkload(t, 2, "target-cpu=50", "max=10")
	for i := range 40 {
		load := 1000
		if i/2%2 == 1 {
			load = 4000
		}
		unguarded.load(load, tick)
		guarded.load(load, tick)
	}
	if guarded.changes > 2 || unguarded.changes < 15 {
		t.Errorf("replica changes: unguarded %d, want at least 15; guarded %d, want at most 2", unguarded.changes, guarded.changes)
	}
}

func TestScaleUpStabilizationWaitsForTheLowest(t *testing.T) {
	w := newWorkload(t, 2, "target-cpu=50", "max=10", "scale-up-stabilization=60s")
	for range 4 {
		w.load(2000, tick).want(2) // the first recommendation of 2 is within the window
	}
	w.load(2000, tick).want(4)
}

func TestPoliciesLimitTheRate(t *testing.T) {
	w := newWorkload(t, 2, "target-cpu=50", "max=100", "scale-up-policies=3 pods/40s")
	w.load(20000, tick).want(5)
	for range 2 {
		w.load(20000, tick).want(5)
		if want := noon.Add(40 * time.Second); !w.last.Next.Equal(want) {
			t.Fatalf("next = %s, want %s: the moment at which the policy grants again", w.last.Next, want)
		}
	}
	w.load(20000, tick).want(8)
}

func TestDisabledPolicyFreezesOneDirection(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=10", "scale-down-policies=disabled", "scale-down-stabilization=0s")
	w.load(10, tick).want(4)
	w.load(4000, tick).want(8)
	w.load(10, tick).want(8)
}

func TestReplicasOutOfBoundsAreCorrectedAtOnce(t *testing.T) {
	w := newWorkload(t, 20, "target-cpu=50", "min=3", "max=10")
	w.load(100, tick).want(10)
	w.replicas = 1 // somebody else scaled
	w.load(100, tick).want(3)
	if want := "current number of replicas 1 below mini-hpa/min 3"; w.last.Reason != want {
		t.Errorf("reason = %q, want %q", w.last.Reason, want)
	}
}

func TestZeroReplicasIsPaused(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "min=2", "max=10")
	w.replicas = 0
	w.see(snapshot(w.now, 0), tick).want(0)
	if w.last.Active != ActiveDisabled {
		t.Errorf("active = %q, want %q", w.last.Active, ActiveDisabled)
	}
}

func TestARestartHoldsScaleInForOneWindow(t *testing.T) {
	w := newWorkload(t, 8, "target-cpu=50", "max=10")
	for range 20 {
		w.load(100, tick).want(8)
	}
	w.load(100, tick).want(1)
}

func TestARestartInAScaleOutRespectsThePolicysPeriod(t *testing.T) {
	for name, c := range map[string]struct {
		pods []fixture
		want int32
	}{
		"pods created 5 s ago use up the budget": {append(pods(noon, 3, "4"), pods(noon, 4, "4", created(5*time.Second))...), 7},
		"pods not created yet do, too":           {pods(noon, 3, "4"), 7},
		"part of the budget is left":             {append(pods(noon, 5, "4"), pods(noon, 2, "4", created(5*time.Second))...), 9},
		"pods created before the period do not":  {pods(noon, 7, "4", created(17*time.Second)), 11},
		"evicted pods are replaced":              {append(pods(noon, 3, "4"), pods(noon, 4, "4", failed)...), 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 7, "target-cpu=50", "max=20", "scale-up-policies=4 pods/15s")
			s := snapshot(noon, 7, c.pods)
			w.history = Restored(s)
			w.see(s, 15*time.Second).want(c.want)
			if w.now = noon.Add(16 * time.Second); c.want == 7 {
				w.load(40000, tick).want(11)
			}
		})
	}
}

func created(ago time.Duration) option {
	return func(f *fixture, now time.Time) { f.pod.CreationTimestamp = metav1.NewTime(now.Add(-ago)) }
}

func TestARestartInAScaleInRespectsThePolicysPeriod(t *testing.T) {
	w := newWorkload(t, 7, "target-cpu=50", "max=20", "scale-down-policies=1 pod/60s", "scale-down-stabilization=0s")
	w.history = Restored(snapshot(noon, 7, pods(noon, 7, "10m")))
	for range 4 {
		w.load(10, tick).want(7)
	}
	w.load(10, tick).want(6)
}

func TestNextIsWhenTheHoldingRecommendationEnds(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "max=10", "scale-down-stabilization=40s")
	w.load(2200, tick).want(5)
	w.load(2200, tick).want(5)
	w.load(100, tick).want(5)
	if want := noon.Add(tick + 40*time.Second); !w.last.Next.Equal(want) {
		t.Fatalf("next = %s, want %s", w.last.Next, want)
	}
	w.now = w.last.Next
	w.load(100, tick).want(1)
}

func TestLoweringMaxActsAtOnce(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "max=10")
	w.load(2200, tick).want(5)
	w.policy.Max = 3
	w.load(2200, tick).want(3)
}

// TestOneSampleScalesInOnce: each pod that goes is a reason to look again, with the samples of those that stay.
func TestOneSampleScalesInOnce(t *testing.T) {
	w := newWorkload(t, 40, "target-cpu=50", "max=40", "scale-down-stabilization=0s")
	before := func(n int) []fixture { return pods(noon, n, "100m") }
	w.see(snapshot(w.now, 40, before(40)), time.Second).want(8)
	for left := 40; left >= 8; left -= 8 {
		terminating := pods(noon, left-8, "100m", deleted)
		w.see(snapshot(w.now, 8, before(8), terminating), 2*time.Second).want(8)
	}
	w.now = noon.Add(30 * time.Second) // the samples' windows begin after the change
	w.load(4000, tick).want(8)
	w.load(400, tick).want(1)
}

// TestPodsThatAreNotSeenAreMissing: the status counts 10, but the ReplicaSet of six of them is not known yet.
func TestPodsThatAreNotSeenAreMissing(t *testing.T) {
	p := policy(t, "target-cpu=50", "max=20", "scale-down-stabilization=0s")
	d, _ := Recommend(p, snapshot(noon, 10, pods(noon, 4, "440m")), History{})
	if d.Desired != 10 {
		t.Errorf("desired = %d, want 10\n%s", d.Desired, steps(d))
	}
}

// TestAfterAGapScaleInWaitsForAWindow: a pause of an hour, and replicas that somebody raised from 0.
func TestAfterAGapScaleInWaitsForAWindow(t *testing.T) {
	for name, gap := range map[string]func(*workload){
		"pause": func(w *workload) { w.now = w.now.Add(time.Hour) },
		"zero": func(w *workload) {
			w.replicas = 0
			for range 40 {
				w.see(snapshot(w.now, 0), tick)
			}
			w.replicas = 10
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 10, "target-cpu=50", "max=10")
			w.load(5000, tick).want(10)
			gap(w)
			for range 20 {
				w.load(100, tick).want(10)
			}
			w.load(100, tick).want(1)
		})
	}
}
