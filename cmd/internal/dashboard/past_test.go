package dashboard

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
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
	err := readTrace("../../../scaler/trace/testdata/0000.trace.jsonl.gz", &d, pasts)
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
		if err := readTrace(path, &d, pasts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
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
