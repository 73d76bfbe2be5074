package recommend

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	if want := "current number of replicas 1 below mini-hpa/min 3"; w.last.Reason.String() != want {
		t.Errorf("reason = %q, want %q", w.last.Reason, want)
	}
}

func TestZeroReplicasIsPaused(t *testing.T) {
	w := newWorkload(t, 1, "target-cpu=50", "min=2", "max=10")
	w.see(snapshot(w.now, 1), tick)
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
	return func(f *fixture, now time.Time) { f.pod.Created = now.Add(-ago) }
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
	d, _ := recommend(p, snapshot(noon, 10, pods(noon, 4, "440m")), History{})
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

// TestAScaleInTakesItsStepsAtThePoliciesPace: what holds it between two steps is the policy alone, though each step leaves samples from
// before it, and nobody recommended the numbers on the way.
func TestAScaleInTakesItsStepsAtThePoliciesPace(t *testing.T) {
	for policies, c := range map[string]struct {
		replicas int32
		want     time.Duration
	}{
		"1 pod/60s":    {10, 8 * time.Minute},
		"1 pod/15s":    {10, 2 * time.Minute},
		"10%/60s":      {60, 25 * time.Minute},
		"50%/2m":       {40, 10 * time.Minute},
		"3 pods/10m":   {10, 20 * time.Minute},
		"1 pod/1s":     {10, 2 * time.Minute},
		"100%/15s":     {10, 0},
		"1000 pods/5m": {60, 0},
	} {
		t.Run(policies, func(t *testing.T) {
			w := newWorkload(t, c.replicas, "target-cpu=50", "max=100", "scale-down-policies="+policies)
			for range 19 {
				w.load(300, tick).want(c.replicas)
			}
			recommended, began := map[string]bool{fmt.Sprint(c.replicas): true}, time.Time{}
			for end := w.now.Add(time.Hour); w.replicas > 1 && w.now.Before(end); {
				w.load(300, tick)
				if began.IsZero() && w.changes > 0 {
					began = w.last.Time
				}
				for _, step := range w.last.Steps {
					n, _, told := strings.Cut(step.Detail.String(), " is the highest recommendation")
					if recommended[fmt.Sprint(step.To)] = recommended[fmt.Sprint(step.To)] || step.Stage == StageLargest; told && !recommended[n] {
						t.Fatalf("%q, which nobody recommended", step.Detail)
					}
				}
			}
			if took := w.last.Time.Sub(began); w.replicas > 1 || took > c.want {
				t.Errorf("%d replicas after %s, want 1 after at most %s", w.replicas, took, c.want)
			}
		})
	}
}

// TestALoadThatFallsBetweenTwoSamples: the second step comes with the next sample after the first.
func TestALoadThatFallsBetweenTwoSamples(t *testing.T) {
	w := newWorkload(t, 8, "target-cpu=50", "max=10")
	w.load(4000, tick).want(8)
	w.load(3300, tick).want(8) // 41 %, which asks for 7
	for range 18 {
		w.load(400, tick).want(8)
	}
	w.load(400, tick).want(7)
	w.load(400, tick).want(1)
}

// TestTheBusiestPodsGoFirst: what is left uses less than the average, and still one sample drives one scale-in.
func TestTheBusiestPodsGoFirst(t *testing.T) {
	w := newWorkload(t, 10, "target-cpu=50", "max=10", "scale-down-stabilization=0s")
	uneven := func(idle, busy int) Snapshot {
		return snapshot(w.now, w.replicas, pods(noon, idle, "50m"), pods(noon, busy, "800m"))
	}
	w.see(uneven(5, 5), time.Second).want(9) // 42 %
	for busy := 4; busy >= 2; busy-- {
		w.see(uneven(5, busy), time.Second).want(9)
	}
	w.now = noon.Add(20 * time.Second)
	w.load(3000, tick).want(6)
}

// TestWhatIsAssumedHoldsNow and not for a window more, unless there was nothing else for a window.
func TestWhatIsAssumedHoldsNow(t *testing.T) {
	half := func(w *workload) Snapshot {
		return snapshot(w.now, w.replicas, pods(w.now, int(w.replicas)/2, "100m"), pods(w.now, int(w.replicas)/2, "0", without))
	}
	for name, c := range map[string]struct {
		without int // looks of 15 s at which half of the samples are missing
		want    int // looks after those until it scales in
	}{
		"one look":                  {1, 15},
		"for less than the window":  {10, 6},
		"for almost a whole window": {15, 1},
		"for longer than a window":  {40, 20},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkload(t, 10, "target-cpu=50", "max=10")
			for range 5 {
				w.load(1000, tick).want(10)
			}
			for range c.without {
				w.see(half(w), tick).want(10)
			}
			for range c.want - 1 {
				w.load(1000, tick).want(10)
			}
			w.load(1000, tick)
			w.load(1000, tick).want(2)
		})
	}
}

// TestAPodWithoutASampleGoes in a scale-in that policies spread over many steps: they go on at their pace, for what was assumed of it would
// have let them. Where it held the number, that holds for a window more.
func TestAPodWithoutASampleGoes(t *testing.T) {
	for _, left := range []int{9, 7, 4} { // the replicas without it
		w := newWorkload(t, 10, "target-cpu=50", "max=40", "scale-down-policies=1 pod/60s")
		var steps []time.Duration
		for w.now.Before(noon.Add(20 * time.Minute)) {
			before := w.replicas
			if measured := int(before); measured > left {
				w.see(snapshot(w.now, before, pods(w.now, measured-1, "10m"), pods(w.now, 1, "0", without)), tick)
			} else {
				w.see(snapshot(w.now, before, pods(w.now, measured, "10m")), tick)
			}
			if w.replicas != before {
				steps = append(steps, w.now.Sub(noon))
			}
		}
		w.want(1)
		for i := 1; i < 7; i++ {
			if took := steps[i] - steps[i-1]; took > time.Minute+tick {
				t.Errorf("with the pod gone at %d: step %d took %s", left, i, took)
			}
		}
	}
}

// TestAssumptionsAreStabilizedAmongThemselves: a pod that never has a sample does not switch the window off.
func TestAssumptionsAreStabilizedAmongThemselves(t *testing.T) {
	w := newWorkload(t, 10, "target-cpu=50", "max=10")
	for i := range 100 {
		each := "400m"
		if i%4 > 0 {
			each = "100m"
		}
		w.see(snapshot(w.now, w.replicas, pods(w.now, int(w.replicas)-1, each), pods(w.now, 1, "0", without)), tick)
	}
	w.want(10)
}

// TestARaiseBySomebodyElseHoldsForAWindow, with or without pods that start, but not where it only takes back what was just scaled in.
func TestARaiseBySomebodyElseHoldsForAWindow(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=20")
	for range 21 {
		w.load(1600, tick).want(4)
	}
	w.replicas = 12
	w.see(snapshot(w.now, 12, pods(w.now, 4, "400m"), pods(w.now, 8, "0", pending)), tick).want(12)
	for range 19 {
		w.load(1600, tick).want(12)
	}
	w.load(1600, tick).want(4)
	w.replicas = 12
	w.load(1600, tick).want(4)
}

// TestNobodyRecommendsNothing: where nobody hears of any pod that has a sample, there is no recommendation without assumptions.
func TestNobodyRecommendsNothing(t *testing.T) {
	w := newWorkload(t, 5, "target-cpu=50", "max=20", "scale-up-stabilization=60s")
	unheard := snapshot(w.now, 5, pods(w.now, 4, "100m", ready(corev1.ConditionUnknown, 30*time.Second)), pods(w.now, 1, "0", without))
	w.see(unheard, tick).want(5)
	w.load(4000, tick).want(5)
	if held := steps(w.last); strings.Contains(held, " 0 is the lowest recommendation") {
		t.Errorf("nobody has recommended 0:\n%s", held)
	}
	w.now = noon.Add(time.Minute)
	w.load(4000, tick).want(8)
}
