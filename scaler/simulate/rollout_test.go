package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// TestPodsThatWarmUp: a JVM uses 1500m for 90 s after it is ready, and the load asks for 6 pods.
func TestPodsThatWarmUp(t *testing.T) {
	jvm := func(own map[string]string, compat bool) int32 {
		s := setup(t, "step:from=1600,to=2600,at=5m", nil)
		s.Workload = web("", own)
		s.Workload.Annotations[annotations.Max] = "40"
		s.Workload.Replicas = 4
		s.Rules.Compat = compat
		s.WarmUp, s.WarmUpMilli, s.Duration = 90*time.Second, 1500, 20*time.Minute
		return slices.Max(sizes(play(t, policed(t, s))))
	}
	for name, tt := range map[string]struct {
		own    map[string]string
		compat bool
		want   int32
	}{
		"with a warm-up":                     {map[string]string{annotations.WarmUp: "90s"}, false, 6},
		"with a longer one":                  {map[string]string{annotations.WarmUp: "5m"}, false, 6},
		"with an amount for its target":      {map[string]string{annotations.WarmUp: "90s", annotations.TargetCPU: "500m"}, false, 6},
		"in the words of autoscaling/v2":     {map[string]string{annotations.WarmUp: "90s", annotations.Metrics: inFull}, false, 6},
		"without one":                        {nil, false, 40},
		"as the HPA, which does not know it": {map[string]string{annotations.WarmUp: "90s"}, true, 40},
	} {
		if got := jvm(tt.own, tt.compat); got != tt.want {
			t.Errorf("%s: up to %d replicas, want %d", name, got, tt.want)
		}
	}
}

const inFull = `[{"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app",
	"target": {"type": "Utilization", "averageUtilization": 50}}}]`

// TestPodsThatComeOneAfterAnother: at no time is more than one of them not ready, nor are there more than the replicas, whether the
// replicas change, a rollout is on, or both.
func TestPodsThatComeOneAfterAnother(t *testing.T) {
	for name, rollout := range map[string]*Rollout{"no rollout": nil, "a rollout while it scales out": {At: 5*time.Minute + 30*time.Second, Surge: intstr.FromInt32(0), Unavailable: intstr.FromInt32(1)}} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, "spike:from=900,to=3900,at=5m,for=10m", map[string]string{annotations.ScaleDownStabilization: "30s"})
			s.OrderedReady, s.Startup, s.Rollout = true, 40*time.Second, rollout
			replaced := map[string]bool{}
			s.distort = func(seen recommend.Snapshot) recommend.Snapshot {
				var unready []string
				for _, p := range seen.Pods {
					replaced[p.Name] = true
					if p.Ready.Status != "True" {
						unready = append(unready, p.Name)
					}
				}
				if len(unready) > 1 || len(seen.Pods) > int(seen.Replicas) {
					t.Errorf("at %s %d pods of %d replicas, of which %q are not ready", seen.Time, len(seen.Pods), seen.Replicas, unready)
				}
				return seen
			}
			run := play(t, s)
			last := run.Moments[len(run.Moments)-1]
			if most := slices.Max(sizes(run)); most < 7 || last.Ready != last.Replicas || last.Replicas > 3 {
				t.Errorf("up to %d replicas, and %d of %d pods are ready at the end", most, last.Ready, last.Replicas)
			}
			if rollout != nil && len(replaced) < 9 {
				t.Errorf("pods were %v, want all replaced", replaced)
			}
		})
	}
}

// TestARolloutKeepsItsBounds looks at every second of rollouts of every kind: never too many pods, never too few that take load.
func TestARolloutKeepsItsBounds(t *testing.T) {
	for text, want := range map[string]struct{ most, least int32 }{ // of 8 replicas
		"surge=25%,unavailable=25%":  {10, 6},
		"surge=1,unavailable=0":      {9, 8},
		"surge=0,unavailable=1":      {8, 7},
		"surge=0,unavailable=1%":     {8, 7},
		"surge=100%,unavailable=0%":  {16, 8},
		"surge=0%,unavailable=100%":  {8, 0},
		"surge=10%,unavailable=10%":  {9, 8},
		"surge=5000,unavailable=90%": {16, 1},
	} {
		s := setup(t, "steady:load=4000", nil)
		s.Workload.Replicas, s.Duration = 8, 10*time.Minute
		var err error
		if s.Rollout, err = ParseRollout("at=1m,"+text, appsv1.DeploymentStrategy{}); err != nil {
			t.Fatal(err)
		}
		w := newWorld(s)
		most, least := int32(0), int32(8)
		for w.now = 0; w.now < s.Duration; w.now += Tick {
			w.roll()
			w.refresh()
			m := w.use()
			most, least = max(most, int32(len(w.pods))), min(least, m.Ready)
		}
		if old, _ := w.count(true); old > 0 || len(w.pods) != 8 || most > want.most || least < want.least {
			t.Errorf("%s: %d of %d pods are old at the end; at most %d (want %d), at least %d ready (want %d)", text, old, len(w.pods), most, want.most, least, want.least)
		}
	}
}

// TestScalingInARollout: the old and the new pods have their shares, and the surge goes on to be allowed.
func TestScalingInARollout(t *testing.T) {
	for to, want := range map[int32]string{16: "4 old of 20", 4: "1 old of 5", 1: "0 old of 2", 0: "0 old of 0"} {
		s := setup(t, "steady:load=4000", nil)
		s.Workload.Replicas, s.Startup = 8, time.Minute
		s.Rollout = &Rollout{Surge: intstr.FromString("25%"), Unavailable: intstr.FromString("100%")}
		w := newWorld(s)
		w.now = 0
		for _, p := range w.pods {
			p.old = true
		}
		w.remove(6, true)
		w.add(8)
		w.scale(to)
		old, _ := w.count(true)
		if got := fmt.Sprintf("%d old of %d", old, len(w.pods)); got != want {
			t.Errorf("to %d: %s, want %s", to, got, want)
		}
		for w.now = Tick; w.now < 3*time.Minute; w.now += Tick {
			w.roll()
		}
		if old, _ := w.count(true); old > 0 || int32(len(w.pods)) != to {
			t.Errorf("to %d: in the end %d pods, %d of them old", to, len(w.pods), old)
		}
	}
}

// TestTheStrategyIsTheManifests: what a rollout leaves open, the Deployment says.
func TestTheStrategyIsTheManifests(t *testing.T) {
	two, half := intstr.FromInt32(2), intstr.FromString("50%")
	rolling := appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &two, MaxUnavailable: &half}}
	for _, tt := range []struct {
		text     string
		strategy appsv1.DeploymentStrategy
		want     string
	}{
		{"at=1m", appsv1.DeploymentStrategy{}, "1m0s 25% 25%"},
		{"at=1m", rolling, "1m0s 2 50%"},
		{"surge=3,at=90", rolling, "1m30s 3 50%"},
		{"at=1m", appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, "1m0s 0 100%"},
	} {
		r, err := ParseRollout(tt.text, tt.strategy)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s %s", r.At, r.Surge.String(), r.Unavailable.String()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestEventsAreRefused(t *testing.T) {
	none := appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: new(intstr.FromString("0%")), MaxUnavailable: new(intstr.FromInt32(0))}}
	if _, err := ParseRollout("at=1m", none); err == nil || !strings.HasPrefix(err.Error(), "surge is 0% and unavailable is 0") {
		t.Errorf("a strategy that the API server refuses: %v", err)
	}
	for text, want := range map[string]string{
		"":                              `"": is not known`,
		"surge=1":                       "at is missing",
		"at=x":                          `"at": "x" is not a time`,
		"at=1m,at=2m":                   `"at": is there twice`,
		"at=1m,surge=-1":                `"surge": "-1" is neither a number of pods`,
		"at=1m,surge=1001%":             `"surge": "1001%" is neither a number of pods`,
		"at=1m,unavailable=101%":        `"unavailable": "101%" is neither a number of pods`,
		"at=1m,surge=0,unavailable=00%": "surge is 0 and unavailable is 00%, so that no pod could ever be replaced",
		"at=1m,surge=0%,unavailable=0":  "surge is 0% and unavailable is 0, so that no pod could ever be replaced",
		"at=500ms":                      `"at": "500ms" is not a whole number of seconds`,
		"at=1m,unavailable=5001":        `"unavailable": "5001" is neither a number of pods`,
		"at=1m,unavailable=1e3":         `"unavailable": "1e3" is neither a number of pods`,
		"at=1m,for=1m":                  `"for": is not known`,
		"at=1m,surge=1,extra=yes":       `"extra": is not known`,
	} {
		if _, err := ParseRollout(text, appsv1.DeploymentStrategy{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("rollout %q: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"": `"": is not known`, "for=1m": "at is missing", "at=1m": "for is missing", "at=1m,for=0": `"for": "0" is too short; want at least 1s`, "at=1m,for=1.5s": `"for": "1.5s" is not a whole number of seconds`,
		"at=1m,for=1m,for=1m": `"for": is there twice`, "at=-1s,for=1m": `"at": "-1s" is not a time`,
	} {
		if _, err := ParseOutage(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("outage %q: %v, want %s", text, err, want)
		}
	}
}

// TestAnOutageHoldsAndSaysSo: while the metrics API fails nothing changes, and after it the load is found.
func TestAnOutageHoldsAndSaysSo(t *testing.T) {
	s := setup(t, "step:from=500,to=2000,at=6m", nil)
	s.Outage = &Outage{At: 5 * time.Minute, For: 5 * time.Minute}
	run := play(t, s)
	for _, e := range run.Evaluations {
		failed := e.Decision.Failure != nil && e.Decision.Failure.Reason == recommend.ReasonMetricsUnavailable
		if failed != (s.Outage.At <= e.Moment.At && e.Moment.At < 10*time.Minute) {
			t.Errorf("at %s: failed is %v", e.Moment.At, failed)
		}
	}
	if at := run.Moments[9*60+59]; at.Replicas != 1 {
		t.Errorf("at the end of the outage there are %d replicas", at.Replicas)
	}
	if diff := cmp.Diff([]int32{1, 4}, sizes(run)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBeyondTheTolerance: a load that the tolerance allows is above the target and not beyond.
func TestBeyondTheTolerance(t *testing.T) {
	run := play(t, setup(t, "steady:load=540", nil))
	if run.Above != 30*time.Minute || run.Beyond != 0 {
		t.Errorf("above the target %s, beyond the tolerance %s; want all of 30m and nothing", run.Above, run.Beyond)
	}
}
