package simulate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

const second = time.Second

// until lets time go by without evaluations.
func (w *world) until(end time.Duration) {
	for ; w.now < end; w.now += Tick {
		w.refresh()
		w.use()
	}
}

func TestAPodStarts(t *testing.T) {
	s := setup(t, "steady:load=500", nil)
	s.Startup, s.StartupMilli = time.Minute, 3000
	w := newWorld(s)
	w.scale(2)
	type state struct {
		phase corev1.PodPhase
		ready corev1.ConditionStatus
		used  float64 // millicore-seconds; its limit is 2000 millicores
	}
	got := map[time.Duration]state{}
	for _, at := range []time.Duration{0, 29 * second, 30 * second, 59 * second, 60 * second, 70 * second} {
		w.until(at)
		pod := w.template.object(w.pods[1], w.now)
		got[at] = state{pod.Phase, pod.Ready.Status, w.pods[1].used[0]}
	}
	want := map[time.Duration]state{
		0: {corev1.PodPending, corev1.ConditionFalse, 0}, 29 * second: {corev1.PodPending, corev1.ConditionFalse, 0},
		30 * second: {corev1.PodRunning, corev1.ConditionFalse, 0}, 59 * second: {corev1.PodRunning, corev1.ConditionFalse, 58_000},
		60 * second: {corev1.PodRunning, corev1.ConditionTrue, 60_000}, 70 * second: {corev1.PodRunning, corev1.ConditionTrue, 62_500},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(state{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheOldestPodsStay(t *testing.T) {
	w := newWorld(setup(t, "steady", nil))
	w.scale(4)
	w.scale(2)
	w.scale(3)
	var names []string
	for _, p := range w.pods {
		names = append(names, p.name)
	}
	if diff := cmp.Diff([]string{"web-0", "web-1", "web-4"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// As with metrics-server, the first sample is of ten seconds at least.
func TestTheFirstSampleOfAPod(t *testing.T) {
	for created, want := range map[time.Duration]time.Duration{
		20 * second: 10 * second, 21 * second: 15 * second, // at 0:30 it runs for 9 s only
	} {
		s := setup(t, "steady", nil)
		s.Startup = 0
		w := newWorld(s)
		w.now = 0
		w.until(created)
		w.scale(2)
		for w.pods[1].sample == nil {
			w.until(w.now + Tick)
		}
		if got := w.pods[1].sample.Window; got != want {
			t.Errorf("created at %s: a window of %s, want %s", created, got, want)
		}
	}
}

// A window that ends between two samples is noticed when it ends.
func TestTimeAloneAsksForAnEvaluation(t *testing.T) {
	s := setup(t, "spike:to=2000,at=1m,for=1m", map[string]string{annotations.ScaleDownStabilization: "70s", annotations.SyncPeriod: "1h"})
	s.MetricsPeriod = time.Minute
	early := 0
	for _, e := range play(t, s).Evaluations {
		if at := e.Moment.At; at > 0 && at%time.Minute != 5*second {
			early++
		}
	}
	if early == 0 {
		t.Error("evaluated at new samples only")
	}
}

func TestWhatASimulationDoesNotHave(t *testing.T) {
	s := setup(t, "steady", nil)
	s.Policy.Metrics = append(s.Policy.Metrics, annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "backlog"}}}})...)
	want := map[string]string{"backlog": "a simulation has CPU and memory only"}
	if diff := cmp.Diff(want, newWorld(s).snapshot().Errors); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheSummaryEndsWithTheSimulation(t *testing.T) {
	s := setup(t, "steady:load=500", nil)
	s.Duration = 29 * second
	run := play(t, s)
	if got := run.Summary.Span(); got != s.Duration {
		t.Errorf("it sums up %s", got)
	}
	if run.Above != 0 {
		t.Errorf("a load exactly at the target is above it for %s", run.Above)
	}
}

func TestASimulationCanBeStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := Simulate(ctx, setup(t, "steady", nil)); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}
