package scaler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// backlog wants 10 messages for each pod.
const backlog = "- {type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 10}}}"

// newWorker is a workload that sleeps when its backlog is empty, with more annotations.
func newWorker(t *testing.T, pairs ...string) *cluster {
	all := map[string]string{"min": "0", "max": "10", "metrics": backlog, "scale-down-stabilization": "0s"}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if all[key] = value; value == "" {
			delete(all, key)
		}
	}
	return newCluster(t, all)
}

// waits looks once, while so many messages wait; an error is that of the source.
func (c *cluster) waits(messages any) *cluster {
	c.t.Helper()
	c.answers = map[string]any{"backlog": messages}
	return c.reconcile(tick)
}

// goesOn looks every 15 s for a time.
func (c *cluster) goesOn(messages any, during time.Duration) *cluster {
	c.t.Helper()
	for end := c.now.Add(during); c.now.Before(end); {
		c.waits(messages)
	}
	return c
}

const (
	empty = int64(0)
	some  = int64(23)
)

// wantShown compares the series of the workload that begin with one of the names.
func (c *cluster) wantShown(want ...string) *cluster {
	c.t.Helper()
	var got []string
	for _, series := range standings(c.t, c.scaler.telemetry.board) {
		for _, name := range []string{"asleep", "wakes_total", "workload_mode", "condition ScalingActive", "min_replicas", "max_replicas", "failed_metrics"} {
			if strings.HasPrefix(series, name) {
				got = append(got, series)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("shown (-want +got):\n%s", diff)
	}
	return c
}

func TestSleepAndWakeAreTold(t *testing.T) {
	c := newWorker(t)
	c.waits(some).wantWrites(3).wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23 for 1 replicas above target 10 for each")
	c.waits(empty).wantWrites(3, 0).
		wantEvents("Normal SuccessfulRescale New size: 0; reason: no external or object metric is above 0: there is nothing to do")
	c.goesOn(empty, time.Hour).wantEvents()
	c.waits(some).wantWrites(3, 0, 3).wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23, target 10, above 0: wakes")
}

func TestAWakeThatIsHeldBackSaysByWhat(t *testing.T) {
	c := newWorker(t)
	c.waits(empty).waits(int64(90)).waits(int64(200)).wantWrites(0, 4, 8).wantEvents(
		"Normal SuccessfulRescale New size: 0; reason: no external or object metric is above 0: there is nothing to do",
		"Normal SuccessfulRescale New size: 4; reason: backlog 90, target 10, above 0: wakes; 4 instead of 9: 4 pods/15s, 100%/15s: no further than 4 now",
		"Normal SuccessfulRescale New size: 8; reason: backlog 200 for 4 replicas above target 10 for each; 10 instead of 20: 20 is not within 0..10; 8 instead of 10: 4 pods/15s, 100%/15s: no further than 8 now",
		"Warning ScalingLimited the load asks for more than mini-hpa/max 10: backlog 200 for 4 replicas above target 10 for each")
}

func TestSleepThatIsPutOffSaysForHowLong(t *testing.T) {
	c := newWorker(t, "sleep-after=5m")
	c.waits(some).waits(empty).wantWrites(3, 1).wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23 for 1 replicas above target 10 for each",
		"Normal SuccessfulRescale New size: 1; reason: no external or object metric is above 0: there is nothing to do; 1 instead of 0: known to be inactive for 15s; it sleeps after 5m0s")
	c.goesOn(empty, 5*time.Minute).wantWrites(3, 1, 0)
}

// night is off at night, and holds the load to 2 on Saturdays.
const night = "zone Europe/Berlin\nSat 00:00-24:00 max=2\ndaily 20:00-08:00 replicas=0\ndaily 08:00-20:00 min=2"

func TestAScheduleIsTold(t *testing.T) {
	c := newWorker(t, "schedule="+night, "metrics=", "max=3")
	c.now = time.Date(2026, 1, 1, 18, 59, 50, 0, time.UTC) // a Thursday, before 20:00 in Berlin
	c.reconcile(tick).wantEvents(`Normal SuccessfulRescale New size: 2; reason: current number of replicas 1 below min 2 of line 4, "daily 08:00-20:00", Europe/Berlin`)
	c.wantShown("asleep = 0", "max_replicas = 3", "min_replicas = 2", "wakes_total = 0", "workload_mode auto = 1")
	c.reconcile(tick).wantEvents(`Normal SuccessfulRescale New size: 0; reason: current number of replicas 2 above max 0 of line 3, "daily 20:00-08:00", Europe/Berlin`)
	c.reconcile(12*time.Hour).wantShown("asleep = 1", "condition ScalingActive = 1", "max_replicas = 0", "min_replicas = 0", "wakes_total = 0", "workload_mode asleep = 1").wantEvents()
	c.reconcile(tick).wantEvents(`Normal SuccessfulRescale New size: 2; reason: current number of replicas 0 below min 2 of line 4, "daily 08:00-20:00", Europe/Berlin`)
	c.reconcile(tick).wantShown("asleep = 0", "condition ScalingActive = 1", "max_replicas = 3", "min_replicas = 2", "wakes_total = 1", "workload_mode auto = 1").wantEvents()
}

// TestALineThatHoldsTheLoadIsToldOnce: it is meant to, each Saturday. Of nights without replicas nothing is told at all.
func TestALineThatHoldsTheLoadIsToldOnce(t *testing.T) {
	c := newWorker(t, "schedule="+night)
	c.now = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) // a Friday
	var told []string
	for until := c.now.AddDate(0, 0, 21); c.now.Before(until); c.now = c.now.Add(10 * time.Minute) {
		c.waits(int64(70))
		for _, event := range drain(c) {
			if strings.Contains(event, "Warning") {
				told = append(told, event)
			}
		}
	}
	want := []string{`Warning ScalingLimited the load asks for more than the max 2 of line 2, "Sat 00:00-24:00", Europe/Berlin of mini-hpa/schedule: backlog 70 for 2 replicas above target 10 for each`}
	if len(told) != 1 || !strings.HasPrefix(told[0], want[0][:80]) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestALineThatSaysNothingOfMax leaves that to the annotation.
func TestALineThatSaysNothingOfMax(t *testing.T) {
	c := newWorker(t, "schedule=daily 00:00-24:00 min=1", "max=3")
	c.waits(int64(70)).wantWrites(3).wantEvents(
		`Normal SuccessfulRescale New size: 3; reason: backlog 70 for 1 replicas above target 10 for each; 3 instead of 7: 7 is not within 1..3 of line 1, "daily 00:00-24:00", UTC`,
		"Warning ScalingLimited the load asks for more than mini-hpa/max 3: backlog 70 for 1 replicas above target 10 for each")
	c.waits(int64(10)).waits(int64(70))
	c.overwrite("kubectl", "scale", 12)
	c.waits(int64(70))
	if all := strings.Join(drain(c), "\n"); !strings.Contains(all, "current number of replicas 12 above mini-hpa/max 3") {
		t.Errorf("Events %s", all)
	}
}

// drain takes the Events since the last look at them.
func drain(c *cluster) []string {
	var all []string
	for len(c.events.Events) > 0 {
		all = append(all, <-c.events.Events)
	}
	return all
}

func TestAMetricThatFailsDuringSleepIsToldOnce(t *testing.T) {
	c := newWorker(t, "target-cpu=50")
	c.milliCPU = 500
	c.waits(empty).wantWrites(0)
	c.wantEvents("Normal SuccessfulRescale New size: 0; reason: no external or object metric is above 0: there is nothing to do")
	c.waits(empty).wantShown("asleep = 1", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode asleep = 1")
	c.samplesErr = errRoute // there are no pods that it could be about
	c.goesOn(empty, 10*time.Minute).wantEvents()
	c.goesOn(errRoute, time.Hour).wantWrites(0).wantEvents("Warning FailedGetExternalMetric metric backlog: no route; until it is back, the workload stays asleep")
	c.wantShown("asleep = 1", "condition ScalingActive = 0", "failed_metrics = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode asleep = 1")
	c.goesOn(empty, time.Minute).wantEvents("Normal ValidMetricFound metrics are usable again: no external or object metric is above 0: it stays asleep")
	c.samplesErr = nil
	c.waits(some).wantWrites(0, 3)
}

func TestAPartThatFailsDuringSleep(t *testing.T) {
	c := newWorker(t, "metrics="+backlog+"\n- {type: External, external: {metric: {name: mails}, target: {type: AverageValue, averageValue: 10}}}", "fallback=2 after 5m")
	look := func(backlog, mails any) {
		c.answers = map[string]any{"backlog": backlog, "mails": mails}
		c.reconcile(tick)
	}
	for range 3 {
		look(empty, empty)
	}
	c.wantWrites(0).wantEvents("Normal SuccessfulRescale New size: 0; reason: no external or object metric is above 0: there is nothing to do")
	for range 10 {
		look(empty, errRoute)
	}
	c.wantEvents("Warning FailedGetExternalMetric metric mails: no route; until it is back, the workload stays asleep unless another metric wakes it, or until a metric has failed for 5m0s (mini-hpa/fallback)").
		wantShown("asleep = 1", "condition ScalingActive = 1", "failed_metrics = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode asleep = 1")
	for range 12 {
		look(empty, errRoute)
	}
	c.wantWrites(0, 2).wantEvents("Normal SuccessfulRescale New size: 2; reason: a metric has failed for 5m0s, so that there are at least 2 (mini-hpa/fallback): metric mails: no route")
}

// TestACPUThatFailedBeforeSleep is not known to work again while there are no pods.
func TestACPUThatFailedBeforeSleep(t *testing.T) {
	c := newWorker(t, "target-cpu=50", "schedule=daily 13:00-14:00 replicas=0")
	c.samplesErr = errRoute
	c.goesOn(some, time.Minute).wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23 for 1 replicas above target 10 for each",
		"Warning FailedGetResourceMetric metric cpu: no route; until it is back, replicas may go up for the other metrics but not down")
	c.now = noon.Add(time.Hour)
	c.goesOn(empty, 10*time.Minute).wantEvents(`Normal SuccessfulRescale New size: 0; reason: current number of replicas 3 above max 0 of line 1, "daily 13:00-14:00", UTC`)
	c.samplesErr, c.now = nil, noon.Add(2*time.Hour)
	c.waits(some)
	c.wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23, target 10, above 0: wakes")
	c.goesOn(some, time.Minute)
	if events := len(c.events.Events); events != 1 || !strings.HasPrefix(<-c.events.Events, "Normal ValidMetricFound") {
		t.Errorf("%d Events, want that CPU works again", events)
	}
}

// TestASidecarIsToldOnceWhateverTheSleep: while there are no pods, it is not known what they lack.
func TestASidecarIsToldOnceWhateverTheSleep(t *testing.T) {
	c := newWorker(t, "target-cpu=50")
	c.injected = true
	for range 3 {
		c.waits(some).waits(some).waits(empty).waits(empty)
	}
	missing := 0
	for _, event := range drain(c) {
		if strings.Contains(event, "MissingRequest") {
			missing++
		}
	}
	if missing != 1 {
		t.Errorf("told %d times, want once", missing)
	}
}

func TestWhoPausesAnAwakeWorkloadIsToldHowToPauseASleepingOne(t *testing.T) {
	c := newWorker(t)
	c.waits(some)
	c.overwrite("kubectl", "scale", 0)
	c.goesOn(some, 10*time.Minute).wantWrites(3).wantEvents("Normal SuccessfulRescale New size: 3; reason: backlog 23 for 1 replicas above target 10 for each",
		`Normal ScalingDisabled somebody has set the replicas to 0: scaling is disabled until somebody sets them above 0. A workload that is asleep already is paused by mini-hpa/mode: paused`)
	c.wantShown("asleep = 0", "condition ScalingActive = 0", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode disabled = 1")
}

// waking is the histogram of how long wakes took.
func (c *cluster) waking() *dto.Histogram {
	c.t.Helper()
	families, err := c.registry.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "mini_hpa_wake_duration_seconds" })
	if i < 0 {
		c.t.Fatal("no mini_hpa_wake_duration_seconds")
	}
	return families[i].GetMetric()[0].GetHistogram()
}

func TestAWakeIsMeasuredToTheFirstReadyPod(t *testing.T) {
	c := newWorker(t)
	c.waits(empty).waits(some).wantWrites(0, 3)
	c.unready = true
	c.goesOn(some, 5*time.Minute)
	if n := c.waking().GetSampleCount(); n != 0 {
		t.Fatalf("%d wakes measured before a pod was ready", n)
	}
	c.unready = false
	c.waits(some).goesOn(some, time.Minute)
	if h := c.waking(); h.GetSampleCount() != 1 || h.GetSampleSum() != (5*time.Minute+tick).Seconds() {
		t.Errorf("measured %v", h)
	}
	c.wantShown("asleep = 0", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 1", "workload_mode auto = 1")
}

// TestWakesThatEndEarlyAreNotMeasured: nobody knows how long they would have taken.
func TestWakesThatEndEarlyAreNotMeasured(t *testing.T) {
	for name, end := range map[string]func(*cluster){
		"asleep again":        func(c *cluster) { c.waits(empty) },
		"paused":              func(c *cluster) { c.deployment.Annotations[annotations.ModeKey] = "paused" },
		"set to 0 by another": func(c *cluster) { c.overwrite("kubectl", "scale", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newWorker(t)
			c.waits(empty)
			c.unready = true
			c.waits(some)
			end(c)
			c.waits(empty)
			c.unready = false
			delete(c.deployment.Annotations, annotations.ModeKey)
			c.overwrite("kubectl", "scale", 2)
			c.waits(some).waits(some)
			if h := c.waking(); h.GetSampleCount() != 0 {
				t.Errorf("measured %v", h)
			}
		})
	}
}

// TestScalingByHandIsNoWake, nor is the first look at a workload.
func TestScalingByHandIsNoWake(t *testing.T) {
	c := newWorker(t)
	c.waits(some).waits(empty).wantWrites(3, 0)
	c.overwrite("kubectl", "scale", 2)
	c.waits(some).wantWrites(3, 0, 3).wantShown("asleep = 0", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode auto = 1")
	if h := c.waking(); h.GetSampleCount() != 0 {
		t.Errorf("measured %v", h)
	}
}

// TestWhoNeverSleepsHasNoSeriesOfSleep, and who goes takes them along.
func TestWhoNeverSleepsHasNoSeriesOfSleep(t *testing.T) {
	c := newWorker(t, "min=1")
	c.waits(some).wantShown("condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 1", "workload_mode auto = 1")
	c = newWorker(t)
	c.waits(empty).waits(some).wantShown("asleep = 1", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 1", "workload_mode asleep = 1")
	c.annotate(nil)
	if c.reconcile(tick); len(standings(t, c.scaler.telemetry.board)) != 0 {
		t.Error("a workload without annotations is still shown")
	}
	c.annotate(map[string]string{"min": "0", "max": "10", "metrics": backlog})
	c.waits(some).wantShown("asleep = 0", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode auto = 1")
}

// TestAPausedWorkloadShowsTheBoundsOfTheMoment: nothing is decided on, but the clock goes on.
func TestAPausedWorkloadShowsTheBoundsOfTheMoment(t *testing.T) {
	c := newWorker(t, "mode=paused", "schedule=daily 13:00-14:00 min=4")
	c.reconcile(time.Hour).wantShown("condition ScalingActive = 0", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode paused = 1")
	if c.lastWait != time.Hour {
		t.Errorf("next look in %s, want it at 13:00", c.lastWait)
	}
	c.reconcile(tick).wantShown("condition ScalingActive = 0", "max_replicas = 10", "min_replicas = 4", "wakes_total = 0", "workload_mode paused = 1")
}

// TestWhoIsOnlyWatchedIsShownAsThat, asleep or not: what it would do is not written.
func TestWhoIsOnlyWatchedIsShownAsThat(t *testing.T) {
	c := newWorker(t, "mode=observe")
	c.overwrite(annotations.FieldManager, "scale", 0)
	c.waits(empty).wantShown("asleep = 1", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode observe = 1")
	c.waits(some).wantWrites().wantEvents("Normal RescaleObserved Would set size: 3; reason: backlog 23, target 10, above 0: wakes (mini-hpa/mode is observe)")
	c.wantShown("asleep = 1", "condition ScalingActive = 1", "max_replicas = 10", "min_replicas = 0", "wakes_total = 0", "workload_mode observe = 1")
}

// TestAnIdleWorkloadIsExplainedToSleep: an explanation remembers nothing, so nothing speaks against what the metrics ask for now.
func TestAnIdleWorkloadIsExplainedToSleep(t *testing.T) {
	c := newWorker(t, "sleep-after=5m", "scale-down-stabilization=5m")
	c.answers = map[string]any{"backlog": empty}
	e, err := Explain(t.Context(), c.scaler.observer, web)
	if err != nil || e.Decision.Desired != 0 || e.Decision.Reason.String() != "no external or object metric is above 0: there is nothing to do" {
		t.Errorf("explained to %d: %s; error %v", e.Decision.Desired, e.Decision.Reason, err)
	}
	c.scaler.observer.Rules.Compat = true
	if e, err = Explain(t.Context(), c.scaler.observer, web); err != nil || e.Policy.SleepAfter != 0 || !e.Policy.Schedule.IsZero() {
		t.Errorf("by the HPA's rules, the policy has what does not count: %+v, error %v", e.Policy, err)
	}
}

// TestARestartDuringSleep: what set the 0 is in managedFields, and nothing else is known.
func TestARestartDuringSleep(t *testing.T) {
	const paused, lifted = "disabled", "lifted"
	for name, test := range map[string]struct {
		manager, subresource string
		min0, min2           string // what becomes of it while there is nothing to do
	}{
		"mini-hpa":                         {"mini-hpa", "scale", "asleep", lifted},
		"somebody who has applied a scale": {"kubectl", "scale", paused, paused},
		"kubectl scale, an HPA or KEDA":    {"", "", paused, paused},
		"a manifest":                       {"kubectl-client-side-apply", "", "asleep", paused},
	} {
		for min, want := range map[string]string{"0": test.min0, "2": test.min2} {
			t.Run(name+", min "+min, func(t *testing.T) {
				c := newWorker(t, "min="+min)
				c.overwrite("", "", 0)
				c.deployment.ManagedFields = signed(test.manager, test.subresource, 1)
				c.waits(empty)
				switch want {
				case lifted:
					c.wantWrites(2).wantEvents("Normal SuccessfulRescale New size: 2; reason: current number of replicas 0 below mini-hpa/min 2")
				case paused:
					c.goesOn(some, time.Minute).wantWrites()
				default:
					c.wantWrites().wantEvents().waits(some).wantWrites(3)
				}
			})
		}
	}
}

// TestMinIsRaisedDuringADowntimeAndTheSourceFails: what the user asks for needs no metric.
func TestMinIsRaisedDuringADowntimeAndTheSourceFails(t *testing.T) {
	c := newWorker(t, "min=2")
	c.overwrite("mini-hpa", "scale", 0)
	c.waits(errRoute).wantWrites(2)
}
