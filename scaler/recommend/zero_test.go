package recommend

import (
	stdcmp "cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// queue is a workload with a backlog, whose pods follow the replicas at once.
type queue struct{ *workload }

func newQueue(t *testing.T, replicas int32, pairs ...string) queue {
	return queue{&workload{t: t, policy: worker(t, pairs...), rules: DefaultRules(), now: noon, replicas: replicas}}
}

// looks evaluates every 15 s for a time, while so much waits. An empty backlog is one that fails.
func (q queue) looks(backlog string, during time.Duration) queue {
	for end := q.now.Add(during); q.now.Before(end); {
		q.look(backlog)
	}
	return q
}

func (q queue) look(backlog string) queue {
	s := withBacklog(snapshot(q.now, q.replicas, pods(q.now, int(q.replicas), "200m")), stdcmp.Or(backlog, "0"))
	if backlog == "" {
		s.ExternalMetrics, s.Errors = nil, map[string]string{"backlog": "the adapter is down"}
	}
	q.see(s, tick)
	return q
}

func (q queue) wants(replicas int32) queue {
	q.t.Helper()
	q.want(replicas)
	return q
}

func TestAnIdleWorkloadSleepsAndWakes(t *testing.T) {
	q := newQueue(t, 4).looks("400", time.Minute).wants(4)
	q.looks("0", 4*time.Minute).wants(4)
	q.looks("0", 2*time.Minute).wants(0)
	if q.changes != 1 {
		t.Errorf("%d changes, want 1", q.changes)
	}
	q.looks("0", time.Hour).wants(0)
	if !q.last.Asleep || q.last.Active != ActiveValidMetric || q.last.Failure != nil {
		t.Errorf("asleep %t, active %q, failure %v", q.last.Asleep, q.last.Active, q.last.Failure)
	}
	var sizes []int32
	for range 5 {
		sizes = append(sizes, q.look("5200").replicas)
	}
	if diff := cmp.Diff([]int32{4, 8, 16, 32, 40}, sizes); diff != "" {
		t.Errorf("replicas after 5200 messages (-want +got):\n%s", diff)
	}
	q.looks("0", 6*time.Minute).wants(0)
}

func TestReasonsOfSleepAndWake(t *testing.T) {
	q := newQueue(t, 1, "scale-down-stabilization=0s", "wake-replicas=2").look("0").wants(0)
	if want := "no external or object metric is above 0: there is nothing to do"; q.last.Reason.String() != want {
		t.Errorf("reason %q, want %q", q.last.Reason, want)
	}
	q.look("0").wants(0)
	if want := "no external or object metric is above 0: it stays asleep"; q.last.Reason.String() != want {
		t.Errorf("reason %q, want %q", q.last.Reason, want)
	}
	q.look("30").wants(2)
	if want := "backlog 30, target 100, above 0: wakes"; q.last.Reason.String() != want {
		t.Errorf("reason %q, want %q", q.last.Reason, want)
	}
	if !strings.Contains(steps(q.last), "ceil(30 / 100) = 1") {
		t.Errorf("the arithmetic is missing:\n%s", steps(q.last))
	}
}

func TestAMetricThatFailsPutsNothingToSleep(t *testing.T) {
	newQueue(t, 3).looks("100", time.Minute).looks("", time.Hour).wants(3).looks("0", 4*time.Minute).wants(3).looks("0", 2*time.Minute).wants(0).
		looks("", time.Hour).wants(0).looks("0", time.Minute).wants(0).look("1").wants(1)
}

// TestAMetricThatFailsWakesNothing has two metrics: the one that can be evaluated says that there is nothing to do.
func TestAMetricThatFailsWakesNothing(t *testing.T) {
	q := newQueue(t, 0)
	q.policy = policy(t, "min=0", "max=40", "metrics=[{type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 100}}}, "+
		"{type: External, external: {metric: {name: orders}, target: {type: AverageValue, averageValue: 100}}}]")
	for range 4 {
		s := withBacklog(snapshot(q.now, q.replicas, nil), "0")
		s.Errors = map[string]string{"orders": "the adapter is down"}
		q.see(s, tick)
	}
	q.wants(0)
}

func TestSleepWaitsForSleepAfter(t *testing.T) {
	q := newQueue(t, 3, "sleep-after=10m").looks("300", time.Minute).looks("0", 6*time.Minute).wants(1)
	if d := q.last.Next.Sub(q.last.Time); d <= 0 || d > 5*time.Minute {
		t.Errorf("next look in %s, want when it may sleep", d)
	}
	q.looks("0", 5*time.Minute).wants(0)
}

// TestHeldOffSleepIsARepair: a decision without a repair is the HPA controller's, which puts a workload to sleep that was active within the
// window if nothing was recommended within it.
func TestHeldOffSleepIsARepair(t *testing.T) {
	for name, c := range map[string]struct {
		idle time.Duration
		want Repairs
	}{
		"within the window":                    {time.Minute, RepairIdle},
		"after it, as the annotations ask for": {10 * time.Minute, 0},
	} {
		q := newQueue(t, 1, "sleep-after=1h")
		q.history = History{Recommendations: []Recommendation{{Time: noon.Add(-tick)}}, active: noon.Add(-c.idle), left: 1}
		if q.look("0").wants(1); q.last.Repairs != c.want {
			t.Errorf("%s: repairs %v, want %v", name, q.last.Repairs.Names(), c.want.Names())
		}
	}
}

func TestFallbackIsAFloor(t *testing.T) {
	q := newQueue(t, 1, "fallback=3 after 2m", "scale-down-stabilization=1m").looks("100", time.Minute).wants(1)
	q.looks("", time.Minute).wants(1)
	if got := q.last.Next.Sub(q.last.Time); got <= 0 || got > 2*time.Minute {
		t.Errorf("next look in %s, want when the fallback is due", got)
	}
	for range 6 {
		if q.look(""); q.changes > 0 {
			break
		}
	}
	q.wants(3)
	if want := "a metric has failed for 2m0s, so that there are at least 3 (mini-hpa/fallback): metric backlog: the adapter is down"; q.last.Reason.String() != want {
		t.Errorf("reason %q, want %q", q.last.Reason, want)
	}
	q.looks("900", time.Minute).wants(9).looks("", 10*time.Minute).wants(9) // it never lowers
	q.looks("0", 3*time.Minute).wants(0).looks("", time.Minute).wants(0).looks("", 90*time.Second).wants(3)
}

// TestAStrandedWorkloadWakes, whatever its metrics say, and whether it has any; but not where a schedule asks for 0.
func TestAStrandedWorkloadWakes(t *testing.T) {
	const because = "requests can wake it no more: Service \"web\" is headless: wakes"
	for name, c := range map[string]struct {
		pairs   []string
		backlog string
		want    int32
		reason  string
	}{
		"nothing to do":       {nil, "0", 1, because},
		"its metric fails":    {[]string{"wake-replicas=2"}, "", 2, because},
		"something to do":     {nil, "400", 4, "backlog 400, target 100, above 0: wakes"},
		"it has no metric":    {[]string{"target-cpu=50", "schedule=Sat 00:00-24:00 min=1"}, "0", 1, because},
		"the schedule says 0": {[]string{"schedule=daily 00:00-24:00 replicas=0"}, "0", 0, ""},
	} {
		q := newQueue(t, 0, c.pairs...)
		if name == "it has no metric" {
			q.policy = policy(t, append(c.pairs, "min=0", "max=40")...)
		}
		s := withBacklog(snapshot(q.now, 0, nil), stdcmp.Or(c.backlog, "0"))
		if s.Stranded = `Service "web" is headless`; c.backlog == "" {
			s.ExternalMetrics, s.Errors = nil, map[string]string{"backlog": "the adapter is down"}
		}
		if q.see(s, tick); q.replicas != c.want || c.reason != "" && !strings.HasPrefix(q.last.Reason.String(), c.reason) {
			t.Errorf("%s: %d replicas because %q; want %d because %q", name, q.replicas, q.last.Reason, c.want, c.reason)
		}
	}
}

func TestWhoSetsZero(t *testing.T) {
	paused := func(by string) func(*Snapshot) { return func(s *Snapshot) { s.Paused = by } }
	tests := map[string]struct {
		pairs  []string
		before []string // backlogs of looks before, from 1 replica
		see    func(*Snapshot)
		compat bool
		want   int32
		active string
	}{
		"it slept":                            {before: []string{"0"}, want: 4, active: ActiveValidMetric},
		"it slept, as the HPA":                {before: []string{"0"}, compat: true, want: 4, active: ActiveValidMetric},
		"kubectl, awake before":               {before: []string{"900"}, see: paused("kubectl"), want: 0, active: ActiveDisabled},
		"a manifest, awake before":            {before: []string{"900"}, want: 4, active: ActiveValidMetric},
		"a manifest, as the HPA":              {before: []string{"900"}, compat: true, want: 0, active: ActiveDisabled},
		"at creation":                         {want: 4, active: ActiveValidMetric},
		"at creation, said to be a pause":     {see: paused("somebody"), want: 0, active: ActiveDisabled},
		"it slept, and min is raised":         {pairs: []string{"min=2"}, before: []string{"0"}, want: 2},
		"and the source fails":                {pairs: []string{"min=2"}, before: []string{"0"}, see: failing, want: 2},
		"as the HPA":                          {pairs: []string{"min=2"}, before: []string{"0"}, compat: true, want: 4, active: ActiveValidMetric},
		"as the HPA, and the source fails":    {pairs: []string{"min=2"}, before: []string{"0"}, compat: true, see: failing, want: 0, active: ActiveFailedExternal},
		"it is switched off":                  {pairs: []string{"max=0"}, before: []string{"0"}, want: 0, active: ActiveDisabled},
		"a manifest, and it may never sleep":  {pairs: []string{"min=1"}, before: []string{"900"}, want: 0, active: ActiveDisabled},
		"a manifest, a line lets it sleep":    {pairs: []string{"min=1", "schedule=Sat 00:00-24:00 replicas=0"}, before: []string{"900"}, want: 1},
		"kubectl, and a line raises the min":  {pairs: []string{"schedule=daily 00:00-24:00 min=2"}, before: []string{"900"}, see: paused("kubectl"), want: 0, active: ActiveDisabled},
		"it slept, and a line raises the min": {pairs: []string{"schedule=daily 00:00-24:00 min=2"}, before: []string{"0"}, want: 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q := newQueue(t, 1, "scale-down-stabilization=0s")
			q.rules.Compat = tc.compat
			for _, backlog := range tc.before {
				q.look(backlog)
			}
			q.policy, q.replicas = worker(t, "scale-down-stabilization=0s"), 0
			if len(tc.pairs) > 0 {
				q.policy = policy(t, append([]string{"min=0", "max=40", "metrics=" + backlog, "scale-down-stabilization=0s"}, tc.pairs...)...)
			}
			s := withBacklog(snapshot(q.now, 0), "400")
			if tc.see != nil {
				tc.see(&s)
			}
			if q.see(s, tick); q.last.Active != tc.active {
				t.Errorf("active %q, want %q: %s", q.last.Active, tc.active, q.last.Reason)
			}
			q.want(tc.want)
		})
	}
}

func failing(s *Snapshot) {
	s.ExternalMetrics, s.Errors = nil, map[string]string{"backlog": "the adapter is down"}
}

// TestAStartIsNoSleep has a target for the total, which is multiplied by the pods that are ready, while none is. The HPA controller puts the
// workload to sleep again and again.
func TestAStartIsNoSleep(t *testing.T) {
	const value = "metrics=[{type: External, external: {metric: {name: backlog}, target: {type: Value, value: 100}}}]"
	sizes := func(compat bool) []int32 {
		q := newQueue(t, 0)
		q.policy, q.rules.Compat = policy(t, "min=0", "max=40", "scale-down-stabilization=0s", value), compat
		q.history = History{slept: true, active: noon}
		var all []int32
		for range 6 {
			unready := pods(q.now, int(q.replicas), "200m", started(10*time.Second), ready("False", 10*time.Second))
			q.see(withBacklog(snapshot(q.now, q.replicas, unready), "300"), tick)
			all = append(all, q.replicas)
		}
		return all
	}
	if diff := cmp.Diff([]int32{3, 3, 3, 3, 3, 3}, sizes(false)); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{3, 0, 3, 0, 3, 0}, sizes(true)); diff != "" {
		t.Errorf("as the HPA controller (-want +got):\n%s", diff)
	}
}

func TestSomebodyWakesItByHand(t *testing.T) {
	q := newQueue(t, 1).looks("0", 6*time.Minute).wants(0)
	q.replicas = 3
	q.looks("0", 4*time.Minute).wants(3).looks("0", 2*time.Minute).wants(0)
}

// day is a workload on a schedule, which is looked at only when it has to be.
func day(t *testing.T, replicas int32, until time.Duration, pairs ...string) (changes []string, looks int) {
	w := newWorkload(t, replicas, pairs...)
	for end := w.now.Add(until); w.now.Before(end); looks++ {
		before := w.replicas
		w.see(snapshot(w.now, w.replicas, pods(w.now, int(w.replicas), "200m")), 0)
		if w.replicas != before {
			changes = append(changes, fmt.Sprintf("%s %d -> %d", w.now.UTC().Format("02 15:04:05"), before, w.replicas))
		}
		if w.last.Next.IsZero() {
			break
		}
		w.now = w.last.Next
	}
	return changes, looks
}

func TestAScheduleAlone(t *testing.T) {
	// noon is Thursday, 1 January, in Berlin 13:00.
	changes, looks := day(t, 2, 4*24*time.Hour, "min=0", "max=10", "schedule=zone Europe/Berlin\nMon-Fri 07:30-20:00 replicas=3")
	if diff := cmp.Diff([]string{"01 12:00:00 2 -> 3", "01 19:00:00 3 -> 0", "02 06:30:00 0 -> 3", "02 19:00:00 3 -> 0", "05 06:30:00 0 -> 3"}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if looks != 5 {
		t.Errorf("%d looks, want one for each boundary", looks)
	}
}

func TestTheEndOfAWindowGoesByThePolicies(t *testing.T) {
	w := newWorkload(t, 6, "min=1", "max=10", "scale-down-policies=2 pods/60s", "schedule=daily 11:00-12:00 min=6")
	for _, want := range []int32{4, 2, 1} {
		w.see(snapshot(w.now, w.replicas), time.Minute).want(want)
	}
	w = newWorkload(t, 30, "target-cpu=50", "min=1", "max=10", "scale-down-policies=5 pods/60s", "schedule=daily 11:00-12:00 max=40")
	w.load(15000, time.Minute).want(25)
	w.load(15000, time.Minute).want(20)
	w.replicas = 41
	w.load(15000, time.Minute).want(10) // which nothing allows at any time
}

func TestAFloorOfTheScheduleIsNoMetric(t *testing.T) {
	w := newWorkload(t, 2, "target-cpu=50", "max=10", "schedule=daily 11:00-12:01 min=6")
	w.load(1000, time.Minute).want(6)
	w.load(1000, tick).want(2) // the window has ended, and that number was no recommendation
}

// TestInvariantsOfZero plays random backlogs, pauses and failures: 0 only where everything was inactive for the window, nothing lowers while a
// metric fails, nothing is written while paused.
func TestInvariantsOfZero(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 3))
		window := time.Duration(rng.IntN(4)) * time.Minute
		pairs := []string{fmt.Sprintf("scale-down-stabilization=%s", window), fmt.Sprintf("wake-replicas=%d", 1+rng.IntN(3))}
		if rng.IntN(2) == 0 {
			pairs = append(pairs, "target-cpu=50")
		}
		if rng.IntN(2) == 0 {
			pairs = append(pairs, fmt.Sprintf("fallback=%d after 1m", 1+rng.IntN(5)))
		}
		if rng.IntN(3) == 0 {
			pairs = append(pairs, "schedule=daily 12:10-12:20 min=2\ndaily 12:30-12:40 max=1\ndaily 12:50-13:00 replicas=0")
		}
		q := newQueue(t, rng.Int32N(5), pairs...)
		busy, paused := noon, "" // when it was last not known to be inactive, and who pauses
		for range 250 {
			s := withBacklog(snapshot(q.now, q.replicas, pods(q.now, int(q.replicas), fmt.Sprintf("%dm", rng.IntN(900)))), "0")
			fails := false
			switch kind := rng.IntN(20); {
			case kind == 0 && q.replicas > 0:
				s, paused = withBacklog(snapshot(q.now, 0), "700"), "kubectl"
				q.replicas = 0
			case paused != "" && kind < 5:
				paused, q.replicas = "", 2
				continue
			case kind == 1:
				failing(&s)
				fails = true
			case kind == 2:
				s = withBacklog(s, fmt.Sprint(1+rng.IntN(900)))
			}
			active := !fails && s.ExternalMetrics["backlog"][0].Value.Sign() > 0
			if s.Paused = paused; fails || active {
				busy = q.now
			}
			now, before := q.policy.At(q.now), q.replicas
			q.see(s, time.Duration(5+rng.IntN(20))*time.Second)
			where := fmt.Sprintf("seed %d %q, %s: %d -> %d\n%s", seed, pairs, s.Time.Format(time.TimeOnly), before, q.replicas, steps(q.last))
			changed, bounded := q.replicas != before, before >= now.Min && before <= now.Max
			switch {
			case paused != "" && changed:
				t.Fatalf("a write while paused: %s", where)
			case q.replicas > now.Max && changed && q.replicas > before || changed && q.replicas < now.Min:
				t.Fatalf("out of %d..%d: %s", now.Min, now.Max, where)
			case fails && q.replicas < before && bounded:
				t.Fatalf("lowered while the metric fails: %s", where)
			case changed && q.replicas == 0 && now.Max > 0 && s.Time.Sub(busy) < window:
				t.Fatalf("asleep %s after the last activity: %s", s.Time.Sub(busy), where)
			case before == 0 && paused == "" && now.Max > 0 && active && q.replicas == 0:
				t.Fatalf("asleep while active: %s", where)
			}
		}
	}
}

// TestATimeWithoutALookIsNotIdle: nobody knows what there was to do while the annotations said paused.
func TestATimeWithoutALookIsNotIdle(t *testing.T) {
	q := newQueue(t, 3, "sleep-after=30m", "scale-down-stabilization=0s").looks("300", time.Minute).wants(3)
	q.now = q.now.Add(time.Hour)
	q.look("0").wants(1).looks("0", 28*time.Minute).wants(1).looks("0", 3*time.Minute).wants(0)
}

// TestWhatMayNotBeScaledInWaitsAsItIs: workers that must not be ended while they work go to 0 in one step, when that is due.
func TestWhatMayNotBeScaledInWaitsAsItIs(t *testing.T) {
	newQueue(t, 5, "scale-down-policies=disabled", "scale-down-stabilization=0s", "sleep-after=10m").looks("500", time.Minute).
		looks("0", 9*time.Minute).wants(5).looks("0", 2*time.Minute).wants(0)
}

// TestABoundDoesNotDelayTheFallback: a look at which only the bounds count says nothing about metrics.
func TestABoundDoesNotDelayTheFallback(t *testing.T) {
	q := newQueue(t, 2, "fallback=8 after 10m", "schedule=daily 12:09-13:00 min=3").looks("", 9*time.Minute+30*time.Second).wants(3)
	q.looks("", 2*time.Minute).wants(8)
}
