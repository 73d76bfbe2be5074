package trace

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

func policyOf(t testing.TB, set map[string]string) annotations.Policy {
	t.Helper()
	p, _, problems := annotations.DefaultDefaults().Parse(set)
	if len(problems) > 0 {
		t.Fatal(problems.ToAggregate())
	}
	return p
}

// TestAgainstTheHPAController replays what the HPA controller saw and compares with what it did, line by line.
func TestAgainstTheHPAController(t *testing.T) {
	files, err := filepath.Glob("testdata/*.trace.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			r, err := NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			rules := recommend.DefaultRules()
			rules.Compat = true
			replay := NewReplay(policyOf(t, r.Workload().Annotations), rules)
			for _, want := range hpaOutcomes(t, strings.TrimSuffix(file, ".trace.jsonl.gz")+".hpa.jsonl") {
				s, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				got := replay.Next(s)
				if diff := cmp.Diff(want, Outcome{Time: got.Time, Current: got.Current, Desired: got.Desired,
					Active: got.Active, Able: got.Able, Limited: got.Limited}); diff != "" {
					t.Fatalf("line %d (-HPA +replay):\n%s%+v", r.line, diff, got.Steps)
				}
			}
			if s, err := r.Next(); err == nil {
				t.Errorf("an observation that the HPA controller did not decide on: %+v", s)
			}
		})
	}
}

func hpaOutcomes(t *testing.T, file string) []Outcome {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var all []Outcome
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var o Outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		t.Fatalf("%s is empty", file)
	}
	return all
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// bare is an observation of a workload without pods and samples.
func bare(second int, replicas int32) recommend.Snapshot {
	return recommend.Snapshot{Time: noon.Add(time.Duration(second) * time.Second), Replicas: replicas, StatusReplicas: replicas}
}

func TestConditionsAreKept(t *testing.T) {
	replay := NewReplay(policyOf(t, map[string]string{"mini-hpa/min": "2", "mini-hpa/max": "10", "mini-hpa/target-cpu": "50"}), recommend.DefaultRules())
	type conditions struct{ Desired, Active, Able, Limited any }
	for i, c := range []struct {
		replicas int32
		want     conditions
	}{
		{12, conditions{int32(10), "", "SucceededRescale", ""}},
		{10, conditions{int32(10), "FailedGetResourceMetric", "SucceededGetScale", ""}},
		{1, conditions{int32(2), "FailedGetResourceMetric", "SucceededRescale", ""}},
		{0, conditions{int32(0), "ScalingDisabled", "SucceededGetScale", ""}},
	} {
		o := replay.Next(bare(15*i, c.replicas))
		if diff := cmp.Diff(c.want, conditions{o.Desired, o.Active, o.Able, o.Limited}); diff != "" {
			t.Errorf("observation %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestEditedAnnotations: what is remembered outlasts an edit of the annotations; nothing is recommended anew.
func TestEditedAnnotations(t *testing.T) {
	text := map[string]string{"mini-hpa/min": "2", "mini-hpa/max": "10", "mini-hpa/target-cpu": "50"}
	replay := NewReplay(policyOf(t, text), recommend.DefaultRules())
	replay.Next(bare(0, 12))
	text["mini-hpa/max"] = "11"
	replay.Edit(policyOf(t, text))
	if o := replay.Next(bare(15, 12)); o.Desired != 11 {
		t.Errorf("by the edited annotations %d replicas, want 11", o.Desired)
	}
	if n := len(replay.history.Changes); n != 1 {
		t.Errorf("%d changes are remembered, want the one before the edit", n)
	}
}

func TestOutcomeAsJSON(t *testing.T) {
	cases := map[string]struct {
		o    Outcome
		want string
	}{
		"steps": {Outcome{Time: noon, Current: 4, Desired: 7, Active: "ValidMetricFound", Able: "SucceededRescale", Limited: "DesiredWithinRange",
			Steps: []recommend.Step{{Stage: "ratio", Metric: "cpu", From: 4, To: 4, Reason: "UsageMeasured", Detail: recommend.Plain("d")}}},
			`{"time":"2026-01-01T12:00:00Z","current":4,"desired":7,"active":"ValidMetricFound","able":"SucceededRescale","limited":"DesiredWithinRange",` +
				`"steps":[{"stage":"ratio","metric":"cpu","from":4,"to":4,"reason":"UsageMeasured","detail":"d"}]}`},
		"repairs": {Outcome{Time: noon, Steps: []recommend.Step{}, Reason: recommend.Plain("r"), Repairs: recommend.RepairStale},
			`{"time":"2026-01-01T12:00:00Z","current":0,"desired":0,"active":"","able":"","limited":"","steps":[],"reason":"r","repairs":["stale-is-missing"]}`},
	}
	for name, c := range cases {
		got, err := json.Marshal(c.o)
		if string(got) != c.want || err != nil {
			t.Errorf("%s: error %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	decision := func(second int, current, desired int32, ratios ...float64) recommend.Decision {
		d := recommend.Decision{Time: noon.Add(time.Duration(second) * time.Second), Current: current, Desired: desired}
		for _, ratio := range ratios {
			d.Metrics = append(d.Metrics, recommend.MetricResult{Ratio: ratio})
		}
		return d
	}
	failed := decision(90, 3, 3)
	failed.Failure = &recommend.Failure{Reason: recommend.ReasonNoSamples}
	var s Summary
	s.Until(noon) // nothing has run yet
	for _, d := range []recommend.Decision{
		decision(0, 2, 4, 0.5, 1.5), // 30 s above
		decision(30, 3, 3, 1),       // somebody else scaled to 3 in between
		failed,                      // 60 s later
	} {
		s.Add(d)
	}
	s.Until(noon.Add(120 * time.Second))
	want := Summary{Evaluations: 3, Failures: 1, Changes: 1, Moves: 1, AboveTarget: 30 * time.Second, Unmeasured: 30 * time.Second,
		ReplicaHours: (4*30 + 3*60 + 3*30) / 3600., SeenReplicaHours: (3*30 + 3*60 + 3*30) / 3600.,
		First: noon, Last: noon.Add(120 * time.Second), desired: 3}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(Summary{}), near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Span() != 2*time.Minute {
		t.Errorf("span %s, want 2m", s.Span())
	}
}
