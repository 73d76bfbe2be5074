package dashboard

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/get"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestRatios(t *testing.T) {
	for name, c := range map[string]struct {
		target scaler.Target
		want   float64
	}{
		"percent":          {scaler.Target{Value: "75%", Target: "50%"}, 1.5},
		"millicores":       {scaler.Target{Value: "100m", Target: "200m"}, 0.5},
		"memory":           {scaler.Target{Value: "512Mi", Target: "1Gi"}, 0.5},
		"not measured":     {scaler.Target{Value: "?", Target: "50%"}, math.NaN()},
		"without a target": {scaler.Target{Value: "3"}, math.NaN()},
		"of nothing":       {scaler.Target{Value: "3", Target: "0"}, math.NaN()},
	} {
		p := pointOf(&scaler.Status{Targets: []scaler.Target{c.target}}, noon)
		if got := p.ratio(); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
}

// seen is a past with a point every so often, as replicas ready and the ratio of one metric say.
func seen(every time.Duration, points ...[2]float64) past {
	var p past
	for i, v := range points {
		p = p.add(point{at: noon.Add(time.Duration(i) * every), replicas: int32(v[0]), ready: int32(v[0]), ratios: []float64{v[1]}})
	}
	return p
}

// TestThePastIsBounded: an hour, and no closer than a quarter of a minute.
func TestThePastIsBounded(t *testing.T) {
	var p past
	for i := range 3 * 3600 {
		p = p.add(point{at: noon.Add(time.Duration(i) * time.Second), replicas: int32(i)})
	}
	if len(p) > 241 || len(p) < 239 {
		t.Errorf("%d points, want 240", len(p))
	}
	if last := p[len(p)-1]; last.replicas != 3*3600-1 {
		t.Errorf("the newest is %d", last.replicas)
	}
}

// TestTheSmallPicture has the last point of each minute, as the page reads it.
func TestTheSmallPicture(t *testing.T) {
	p := seen(30*time.Second, [2]float64{1, 2}, [2]float64{2, 1.5}, [2]float64{4, 0.5}, [2]float64{4, math.NaN()})
	p = p.add(point{at: noon.Add(4 * time.Minute), replicas: 3, ready: 2, ratios: []float64{math.NaN(), 0.25}})
	text, err := json.Marshal(p.minutes())
	if want := "[[1767268800,2,2,1.500],[1767268860,4,4,null],[1767269040,3,2,0.250]]"; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}

// TestWhatWasRecorded is the past of its workload.
func TestWhatWasRecorded(t *testing.T) {
	pasts, d := map[string]past{}, cli.DefaultDecisionFlags()
	recorded, now := recordedFor(t, noon, time.Hour)
	err := readTrace(recorded, &d, now, pasts)
	if err != nil || len(pasts) != 1 {
		t.Fatal(err, pasts)
	}
	for name, p := range pasts {
		measured := slices.IndexFunc(p, func(q point) bool { return !math.IsNaN(q.ratio()) && q.ready > 0 })
		if !strings.HasPrefix(name, "deployments.apps/") || len(p) < 2 || measured < 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for path, want := range map[string]string{"nothing-here": "no such file", "past_test.go": "line 1"} {
		if err := readTrace(path, &d, now, pasts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// recordedFor is a trace of a load, and when it ends.
func recordedFor(t *testing.T, start time.Time, length time.Duration) (path string, end time.Time) {
	t.Helper()
	pairs := map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}
	policy, _, problems := annotations.DefaultDefaults().Parse(pairs)
	load, err := simulate.ParseShape("sine:low=600,high=3600,period=28m", simulate.Millicores)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	w := &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), APIVersion: "apps/v1", Annotations: pairs, Replicas: 2, Template: &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}}}
	path = filepath.Join(t.TempDir(), "it")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	setup := simulate.DefaultSetup()
	if setup.Record, err = trace.NewWriter(file, w); err != nil {
		t.Fatal(err)
	}
	setup.Workload, setup.Policy, setup.Load, setup.Start, setup.Duration = w, policy, load, start, length
	if _, err := simulate.Simulate(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	return path, start.Add(length)
}

// TestTracesInAnyOrder are one past, of which nothing is older than an hour or later than now.
func TestTracesInAnyOrder(t *testing.T) {
	first, _ := recordedFor(t, noon, 50*time.Minute)
	second, _ := recordedFor(t, noon.Add(50*time.Minute), 50*time.Minute)
	now, d := noon.Add(90*time.Minute), cli.DefaultDecisionFlags()
	for _, paths := range [][]string{{first, second}, {second, first}} {
		pasts := map[string]past{}
		for _, path := range paths {
			if err := readTrace(path, &d, now, pasts); err != nil {
				t.Fatal(err)
			}
		}
		p := pasts[annotations.DeploymentKey("shop", "web").String()].ordered()
		if n := len(p); n < 230 || n > 242 || p[0].at.Before(noon.Add(30*time.Minute)) || p[n-1].at.After(now) || !slices.IsSortedFunc(p, func(a, b point) int { return a.at.Compare(b.at) }) {
			t.Errorf("%d points from %v to %v", n, p[0].at, p[n-1].at)
		}
	}
}

// TestThePace: who opens a page again and again does not make it ask sooner.
func TestThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub("this", head{})
		p := &poller{hub: h, now: time.Now, watched: make(chan struct{}, 1), fleet: &get.Asker{}}
		defer h.look(tableID)()
		for i := range 10 {
			time.AfterFunc(time.Duration(i)*time.Second, p.begin)
		}
		began := time.Now()
		if p.pause(t.Context(), time.Second); time.Since(began) != listPace {
			t.Errorf("it waited %v, want %v", time.Since(began), listPace)
		}
		for i := range 10 {
			time.AfterFunc(time.Duration(i)*time.Second, p.begin)
		}
		began = time.Now()
		if p.pause(t.Context(), 10*time.Second); time.Since(began) != 30*time.Second {
			t.Errorf("after a round of 10 s it waited %v, want 30 s", time.Since(began))
		}
	})
}

// tryOn tries other annotations on a load.
func tryOn(t *testing.T, p past, now, changed map[string]string) *tried {
	t.Helper()
	d := cli.DefaultDecisionFlags()
	policy, _, problems := d.Defaults.Parse(now)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w := &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), Resource: "deployments", Annotations: now}
	tr := trial{workload: w, policy: &policy, decision: d, past: p}
	return tr.try(t.Context(), changed)
}

// TestOtherAnnotationsAreTried on the load that was seen: four pods at their target take two at twice the target, or all that max allows at half of it.
func TestOtherAnnotationsAreTried(t *testing.T) {
	steady := make([][2]float64, 60)
	for i := range steady {
		steady[i] = [2]float64{4, 1}
	}
	p := seen(30*time.Second, steady...)
	now := map[string]string{annotations.TargetCPU: "40", annotations.Max: "6", "other": "x"}
	for name, c := range map[string]struct {
		changed          map[string]string
		end              int32
		problem, invalid string
	}{
		"a higher target": {changed: map[string]string{annotations.TargetCPU: "80"}, end: 2},
		"a lower target":  {changed: map[string]string{annotations.TargetCPU: "20"}, end: 6},
		"and room for it": {changed: map[string]string{annotations.TargetCPU: "20", annotations.Max: "9"}, end: 8},
		"a minimum":       {changed: map[string]string{annotations.Min: "5"}, end: 5},
		"a wrong value":   {changed: map[string]string{annotations.Max: "'; rm -rf /"}, invalid: `metadata.annotations[mini-hpa/max]`},
		"an amount":       {changed: map[string]string{annotations.TargetCPU: "250m"}, problem: "an amount in the place of a percentage"},
		"another metric":  {changed: map[string]string{annotations.TargetMemory: "50%"}, problem: "another metric"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tryOn(t, p, now, c.changed)
			if invalid := strings.Join(got.Invalid, "\n"); (c.problem == "") != (got.Problem == "") || !strings.Contains(got.Problem, c.problem) || (c.invalid == "") != (invalid == "") || !strings.Contains(invalid, c.invalid) {
				t.Errorf("%+v", got)
			}
			if c.problem+c.invalid != "" {
				return
			}
			if n := len(got.Past); n < 2 || got.Past[n-1].replicas != c.end || got.Past[0].replicas != 4 || !got.Past[0].at.Equal(noon) || got.Now.Hours < 1.9 || got.Now.Hours > 2.1 {
				t.Errorf("%+v, want %d replicas at the end", got, c.end)
			}
		})
	}
	if got := tryOn(t, p[:3], now, map[string]string{annotations.Max: "7"}); !strings.Contains(got.Problem, "less than two minutes have been seen") {
		t.Errorf("too little: %+v", got)
	}
}
