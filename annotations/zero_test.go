package annotations

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const lag = "- type: External\n  external:\n    metric: {name: lag}\n    target: {type: AverageValue, averageValue: 100}\n"

func TestWhatSleepsMustHaveSomethingThatWakesIt(t *testing.T) {
	const cpu, metrics, up, lines = TargetCPU, Metrics, ScaleUpPolicies, ScheduleKey
	tests := map[string]struct {
		pairs map[string]string
		wakes bool
	}{
		"CPU alone":                    {map[string]string{cpu: "50"}, false},
		"an external metric":           {map[string]string{metrics: lag}, true},
		"and CPU":                      {map[string]string{metrics: lag, cpu: "50"}, true},
		"but no scaling up":            {map[string]string{metrics: lag, up: "disabled"}, false},
		"switched off":                 {map[string]string{cpu: "50", Max: "0"}, true},
		"a line with a min":            {map[string]string{cpu: "50", lines: "Mon-Fri 08:00-18:00 min=1"}, true},
		"a line with replicas":         {map[string]string{lines: "Mon-Fri 08:00-18:00 replicas=3"}, true},
		"a line that only lowers max":  {map[string]string{cpu: "50", lines: "Mon-Fri 08:00-18:00 max=3"}, false},
		"a metric of pods is no total": {map[string]string{metrics: "- type: Pods\n  pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: 1}}"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := &Workload{Annotations: map[string]string{Min: "0", Max: "10"}}
			for key, value := range tc.pairs {
				w.Annotations[key] = value
			}
			var found []string
			for _, problem := range DefaultDefaults().Review(w, Surroundings{}).Problems {
				found = append(found, problem.Origin)
			}
			var want []string
			if !tc.wakes {
				want = []string{FoundNothingWakes}
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBoundsOfTheMoment(t *testing.T) {
	p, warnings, errs := parse(map[string]string{Min: "2", Max: "10", ScheduleKey: "zone Europe/Berlin\nMon-Fri 08:00-18:00 min=5 max=40\nSat 00:00-24:00 replicas=0\ndaily 22:00-23:00 max=3"})
	if len(errs)+len(warnings) > 0 {
		t.Fatalf("%v %v", errs, warnings)
	}
	for at, want := range map[string][2]int32{
		"2026-11-27T08:00:00+01:00": {5, 40}, "2026-11-27T18:00:00+01:00": {2, 10}, "2026-11-27T22:30:00+01:00": {2, 3}, "2026-11-28T22:30:00+01:00": {0, 0},
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if now := p.At(moment); now.Min != want[0] || now.Max != want[1] {
			t.Errorf("at %s: %d..%d, want %d..%d", at, now.Min, now.Max, want[0], want[1])
		}
	}
	if fewest, most := p.Widest(); fewest != 0 || most != 40 {
		t.Errorf("at any time %d..%d, want 0..40", fewest, most)
	}
}

func TestWhatHasNoEffectIsTold(t *testing.T) {
	tests := map[string]struct {
		pairs map[string]string
		want  string
	}{
		"never sleeps":        {map[string]string{SleepAfter: "10m"}, "metadata.annotations[mini-hpa/sleep-after]: has no effect: the workload never sleeps, as it always has a replica or more"},
		"wakes beyond max":    {map[string]string{Min: "0", Metrics: lag, WakeReplicas: "11"}, "metadata.annotations[mini-hpa/wake-replicas]: is more than 10, which is the most that there will be"},
		"falls back beyond":   {map[string]string{FallbackKey: "11 after 1m"}, "metadata.annotations[mini-hpa/fallback]: is more than 10, which is the most that there will be"},
		"a line in the shade": {map[string]string{ScheduleKey: "daily 00:00-24:00 min=2\nSat 01:00-02:00 min=3"}, `metadata.annotations[mini-hpa/schedule]: line 2, "Sat 01:00-02:00", UTC never counts: lines above it cover all of its hours, and the first that fits counts`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, warnings, errs := parse(basic(tc.pairs))
			if len(errs) > 0 || len(warnings) != 1 || warnings[0].String() != tc.want {
				t.Errorf("%v %v, want only %q", errs, warnings, tc.want)
			}
		})
	}
}

func TestALineWhoseDatesAreOver(t *testing.T) {
	w := &Workload{Annotations: map[string]string{Max: "10", ScheduleKey: "2026-11-27..2026-11-30 00:00-24:00 min=5\nMon-Fri 08:00-18:00 min=2"}}
	for at, want := range map[string]int{"": 0, "2026-11-28T00:00:00Z": 0, "2026-12-24T00:00:00Z": 1} {
		var now time.Time
		if at != "" {
			now, _ = time.Parse(time.RFC3339, at)
		}
		v := DefaultDefaults().Review(w, Surroundings{Now: now})
		if until := time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC); v.Until.Equal(until) != now.Before(until) && at != "" || v.Until.IsZero() != (at == "" || want > 0) {
			t.Errorf("at %s: until %s", at, v.Until)
		}
		if len(v.Problems) > 0 || len(v.Warnings) != want {
			t.Errorf("at %s: %v %v, want %d warnings", at, v.Problems, v.Warnings, want)
		}
		for _, warning := range v.Warnings {
			if message := `metadata.annotations[mini-hpa/schedule]: line 1, "2026-11-27..2026-11-30 00:00-24:00", UTC never counts any more: all its dates are over`; warning.String() != message || warning.Rule != FoundSchedulePast {
				t.Errorf("got %q, want %q", warning, message)
			}
		}
	}
}
