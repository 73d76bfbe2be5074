package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

const s = time.Second

func paces() map[string]pace {
	return map[string]pace{"simulated": paceOf(5*s, true), "slowly simulated": paceOf(15*s, true), "real": paceOf(15*s, false), "really slow": paceOf(time.Minute, false)}
}

// The annotations of the story are read by the product's own parser, so that a typing error cannot hide in the demo.
func TestOnlyFlappyIsWithoutGuards(t *testing.T) {
	got := map[string]int32{}
	for _, phase := range workshop(paces()["simulated"]) {
		for _, w := range phase.workloads {
			policy, warnings, errs := annotations.DefaultDefaults().Parse(w.annotations)
			if len(warnings)+len(errs) > 0 || policy.Min != 1 || policy.Max != limit || len(policy.Metrics) != 1 {
				t.Fatalf("%s: warnings %v, errors %v, policy %+v", w.name, warnings, errs, policy)
			}
			got[w.name] = *policy.Down.StabilizationWindowSeconds
			if unguarded := policy.Up.Tolerance.IsZero() && policy.Down.Tolerance.IsZero(); unguarded != (w.name == "flappy") {
				t.Errorf("%s has tolerances %v and %v", w.name, policy.Up.Tolerance, policy.Down.Tolerance)
			}
		}
	}
	if diff := cmp.Diff(map[string]int32{"web": 30, "flappy": 0, "steady": 300}, got); diff != "" {
		t.Errorf("scale-down stabilization in seconds (-want +got):\n%s", diff)
	}
}

// The expected replicas follow from load and target; the story must not expect what the arithmetic doesn't give.
func TestExpectedReplicasFollowFromTheLoad(t *testing.T) {
	for name, pace := range paces() {
		for _, phase := range workshop(pace) {
			expect, ok := phase.expect.(reaches)
			if !ok {
				if phase.load.period/2 < pace.sample {
					t.Errorf("%s: a burst of %s may fall between two samples that take %s", name, phase.load.period/2, pace.sample)
				}
				continue
			}
			at := float64(phase.load.low) / target
			want := min(limit, int32(max(1, math.Ceil(at))))
			if each := at / float64(want); expect.replicas != want || want > 1 && (each < 0.8 || each > 1.05) {
				t.Errorf("%s: %s: needs %d replicas at %.2f of the target, the story expects %d", name, phase.title, want, each, expect.replicas)
			}
			if short := at / float64(want-1); strings.Contains(name, "real") && want > 1 && short < 1.15 {
				t.Errorf("%s: %s: one short would be at %.2f of the target, too close to the tolerance to go on", name, phase.title, short)
			}
			// A change within the last 15 s would let the scale-up policy cut the next step short.
			if expect.hold < 15*s && expect.replicas > 1 {
				t.Errorf("%s: %s holds %s, less than the period of the scale-up policy", name, phase.title, expect.hold)
			}
		}
	}
}

// Every verdict is final after longest, whatever was seen: otherwise the demo could hang. The simulated story fits into five minutes.
func TestLongestIsTheEnd(t *testing.T) {
	for name, pace := range paces() {
		sum := time.Duration(0)
		for _, phase := range workshop(pace) {
			sum += phase.expect.longest()
			all := map[string]*sight{"web": {replicas: 3}, "flappy": {replicas: 3}, "steady": {replicas: 3}}
			if v := phase.expect.judge(seen{elapsed: phase.expect.longest() + s, workloads: all}); !v.known || v.held {
				t.Errorf("%s: %s: %+v after everything was late, want a failure", name, phase.title, v)
			}
		}
		if name == "simulated" && sum > 280*s {
			t.Errorf("it may take %s, which leaves less than 20s for the start", sum)
		}
	}
}

func TestReaches(t *testing.T) {
	hold := reaches{workload: "web", replicas: 1, within: 20 * s, hold: 10 * s}
	out := reaches{workload: "web", replicas: 5, within: 20 * s, hold: 10 * s}
	in := reaches{workload: "web", replicas: 1, notBefore: 25 * s, within: 50 * s, hold: 5 * s}
	const began = 100 * s
	at := func(after time.Duration, from, to int32) change {
		return change{at: began + after*s, from: from, to: to}
	}
	ok := func(says string) verdict { return verdict{true, true, says} }
	bad := func(says string) verdict { return verdict{known: true, says: says} }
	for name, tt := range map[string]struct {
		expect  reaches
		from    int32
		now     time.Duration
		changes []change
		want    verdict
	}{
		"staying is not yet proven":          {hold, 1, 9, nil, verdict{}},
		"staying is enough":                  {hold, 1, 10, nil, ok("web stayed at 1")},
		"any change breaks staying":          {hold, 1, 9, []change{at(3, 1, 2)}, bad("web went 1 -> 2 after 3s, expected 1")},
		"arrived, but not for long enough":   {out, 1, 15, []change{at(6, 1, 5)}, verdict{}},
		"arrived and stayed":                 {out, 1, 16, []change{at(6, 1, 5)}, ok("web went 1 -> 5 in 6s and stayed there")},
		"steps on the way are fine":          {out, 1, 30, []change{at(6, 1, 3), at(11, 3, 5)}, ok("web went 1 -> 3 -> 5 in 11s and stayed there")},
		"overshoot is not":                   {out, 1, 7, []change{at(6, 1, 6)}, bad("web went 1 -> 6 after 6s, expected 5")},
		"nor is a step back":                 {out, 2, 7, []change{at(6, 2, 1)}, bad("web went 2 -> 1 after 6s, expected 5")},
		"nor leaving again":                  {out, 1, 12, []change{at(6, 1, 5), at(11, 5, 4)}, bad("web went 5 -> 4 after 11s, expected 5")},
		"never arriving":                     {out, 1, 21, []change{at(6, 1, 4)}, bad("web is at 4 after 21s, expected 5")},
		"arriving too late, seen late":       {out, 1, 40, []change{at(25, 1, 5)}, bad("web went 1 -> 5 only after 25s, expected it within 20s")},
		"waiting for the window":             {in, 10, 30, nil, verdict{}},
		"scale-in before the window is over": {in, 10, 13, []change{at(12, 10, 1)}, bad("web went 10 -> 1 after 12s already, expected nothing before 25s")},
		"scale-in after the window":          {in, 10, 40, []change{at(31, 10, 1)}, ok("web went 10 -> 1 in 31s and stayed there")},
	} {
		w := &sight{replicas: tt.from, changes: tt.changes}
		if n := len(tt.changes); n > 0 {
			w.replicas = tt.changes[n-1].to
		}
		if got := tt.expect.judge(seen{began, tt.now * s, map[string]*sight{"web": w}}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestCalmer(t *testing.T) {
	expect := calmer{wild: "flappy", calm: "steady", times: 3, within: 90 * s}
	for name, tt := range map[string]struct {
		now        time.Duration
		wild, calm int
		want       verdict
	}{
		"too early to tell":     {90*s - 1, 9, 1, verdict{}},
		"three times as many":   {90 * s, 6, 2, verdict{true, true, "flappy changed its replicas 6 times, steady 2 times"}},
		"not quite three times": {90 * s, 5, 2, verdict{true, false, "flappy changed its replicas 5 times, steady 2 times, expected at least 3 times as many"}},
		"steady never moved":    {90 * s, 5, 0, verdict{true, false, "flappy changed its replicas 5 times, steady 0 times: the load never reached steady"}},
	} {
		all := map[string]*sight{"flappy": {changes: make([]change, tt.wild)}, "steady": {changes: make([]change, tt.calm)}}
		if got := expect.judge(seen{elapsed: tt.now, workloads: all}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// What the demo prints as the load is what loadsim makes of it.
func TestCurveIsTheLoad(t *testing.T) {
	for _, request := range []int64{wholeCPU, tenthCPU} {
		for _, phase := range workshop(paces()["simulated"]) {
			text := curve(phase.load, request)
			simulated, err := loadsim.ParseCurve(text)
			if err != nil {
				t.Fatalf("%s: %v", phase.title, err)
			}
			for since := time.Duration(0); since < time.Minute; since += 100 * time.Millisecond {
				if got, want := simulated(since), phase.load.at(since, request); got != want {
					t.Fatalf("%s: after %s %q is %dm, the table says %dm", phase.title, since, text, got, want)
				}
			}
		}
	}
}
