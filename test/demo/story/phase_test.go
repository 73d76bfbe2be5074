package story

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
)

var paces = map[string]Pace{"simulated": Simulated(5 * time.Second), "slowly simulated": Simulated(15 * time.Second), "real": Real(15 * time.Second), "really slow": Real(time.Minute)}

// The annotations of the story are read by the product's own parser, so that a typing error cannot hide in the demo.
func TestAnnotationsAreValid(t *testing.T) {
	for name, pace := range paces {
		for _, phase := range Workshop(pace) {
			for _, w := range phase.Workloads {
				policy, warnings, errs := annotations.Parse(w.Annotations)
				if len(warnings) > 0 || len(errs) > 0 {
					t.Fatalf("%s: %s: warnings %v, errors %v", name, w.Name, warnings, errs)
				}
				if policy.Min != 1 || policy.Max != limit || len(policy.Metrics) != 1 {
					t.Errorf("%s: %s has min %d, max %d and %d metrics", name, w.Name, policy.Min, policy.Max, len(policy.Metrics))
				}
			}
		}
	}
}

func TestOnlyFlappyIsWithoutGuards(t *testing.T) {
	want := map[string]int32{"web": 30, "flappy": 0, "steady": 300}
	got := map[string]int32{}
	for _, phase := range Workshop(paces["simulated"]) {
		for _, w := range phase.Workloads {
			policy, _, _ := annotations.Parse(w.Annotations)
			got[w.Name] = *policy.Down.StabilizationWindowSeconds
			if unguarded := policy.Up.Tolerance.IsZero() && policy.Down.Tolerance.IsZero(); unguarded != (w.Name == "flappy") {
				t.Errorf("%s has tolerances %v and %v", w.Name, policy.Up.Tolerance, policy.Down.Tolerance)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scale-down stabilization in seconds (-want +got):\n%s", diff)
	}
}

// The expected replicas follow from load and target; the story must not expect what the arithmetic doesn't give.
func TestExpectedReplicasFollowFromTheLoad(t *testing.T) {
	for name, pace := range paces {
		for _, phase := range Workshop(pace) {
			reaches, ok := phase.Expect.(Reaches)
			if !ok {
				continue
			}
			want := min(limit, int32(max(1, math.Ceil(float64(phase.Load.Low)/float64(Target)))))
			if reaches.Replicas != want {
				t.Errorf("%s: %s: %d%% at a target of %d%% needs %d replicas, the story expects %d", name, phase.Title, phase.Load.Low, Target, want, reaches.Replicas)
			}
			each := float64(phase.Load.Low) / float64(want) / float64(Target)
			if want > 1 && (each < 0.8 || each > 1.05) {
				t.Errorf("%s: %s: %d replicas would be at %.2f of the target", name, phase.Title, want, each)
			}
			short := float64(phase.Load.Low) / float64(want-1) / float64(Target)
			if strings.Contains(name, "real") && want > 1 && short < 1.15 {
				t.Errorf("%s: %s: %d replicas would be at %.2f of the target, too close to the tolerance to go on to %d", name, phase.Title, want-1, short, want)
			}
		}
	}
}

func TestPhasesLastLongEnough(t *testing.T) {
	for name, pace := range paces {
		for _, phase := range Workshop(pace) {
			switch e := phase.Expect.(type) {
			case Reaches:
				// A change within the last 15 s would let the scale-up policy cut the next step short.
				if e.Hold < 15*time.Second && e.Replicas > 1 {
					t.Errorf("%s: %s holds %s, less than the period of the scale-up policy", name, phase.Title, e.Hold)
				}
			case Calmer:
				if half := phase.Load.On; half < pace.Sample {
					t.Errorf("%s: a burst of %s may fall between two samples that take %s", name, half, pace.Sample)
				}
			}
		}
	}
}

func TestSimulatedStoryFitsIntoFiveMinutes(t *testing.T) {
	if longest := Longest(Workshop(paces["simulated"])); longest > 280*time.Second {
		t.Errorf("it may take %s, which leaves less than 20s for the start", longest)
	}
}

// Every verdict is final after Longest, whatever was seen: otherwise the demo could hang.
func TestLongestIsTheEnd(t *testing.T) {
	for name, pace := range paces {
		for _, phase := range Workshop(pace) {
			tracks := []Track{sights("web", 3, time.Second), sights("flappy", 3, time.Second), sights("steady", 3, time.Second)}
			seen := Seen{Began: began, Now: began + phase.Expect.Longest() + time.Second, Tracks: tracks}
			if verdict := phase.Expect.Judge(seen); verdict.State != Failed {
				t.Errorf("%s: %s: %+v after everything was late, want a failure", name, phase.Title, verdict)
			}
		}
	}
}
