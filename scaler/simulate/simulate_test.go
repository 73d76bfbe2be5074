package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// web is a Deployment whose pods request 1 CPU and should use half of it.
func web(limit string, own map[string]string) *annotations.Workload {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Annotations: map[string]string{
		annotations.TargetCPU: "50", annotations.Max: "10"}}}
	maps.Copy(d.Annotations, own)
	c := corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("256Mi")}}}
	if limit != "" {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)}
	}
	d.Spec.Template.Spec.Containers = []corev1.Container{c}
	return annotations.OfDeployment(d)
}

// copyOf shares nothing that a simulation could write to.
func copyOf(w *annotations.Workload) *annotations.Workload {
	own := *w
	own.Annotations, own.Template = maps.Clone(w.Annotations), w.Template.DeepCopy()
	return &own
}

// setup is half an hour of web under a load.
func setup(t *testing.T, load string, own map[string]string) Setup {
	t.Helper()
	s := DefaultSetup()
	s.Workload = web("2", own)
	shape, err := ParseShape(load, Millicores)
	if err != nil {
		t.Fatal(err)
	}
	s.Load = shape
	return policed(t, s)
}

func policed(t *testing.T, s Setup) Setup {
	t.Helper()
	policy, _, problems := annotations.DefaultDefaults().Parse(s.Workload.Annotations)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s.Policy, s.Workload.Replicas = policy, max(s.Workload.Replicas, policy.Min)
	return s
}

func play(t *testing.T, s Setup) *Run {
	t.Helper()
	run, err := Simulate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// sizes are the replicas in order, each once.
func sizes(r *Run) []int32 {
	all := []int32{r.Evaluations[0].Current}
	for _, m := range r.Moments {
		if m.Replicas != all[len(all)-1] {
			all = append(all, m.Replicas)
		}
	}
	return all
}

var bare = map[string]string{annotations.Tolerance: "0", annotations.ScaleDownStabilization: "0s"}

func TestFlappingAndItsCure(t *testing.T) {
	flapping, cured := play(t, setup(t, "burst", bare)), play(t, setup(t, "burst", nil))
	if flapping.Summary.Changes < 15 {
		t.Errorf("without guards the replicas change %d times in ten bursts", flapping.Summary.Changes)
	}
	if cured.Summary.Changes != 1 {
		t.Errorf("with the defaults the replicas change %d times: %d", cured.Summary.Changes, sizes(cured))
	}
	if cured.Above*4 > flapping.Above {
		t.Errorf("above target for %s with the defaults, %s without guards", cured.Above, flapping.Above)
	}
	if cured.Summary.ReplicaHours <= flapping.Summary.ReplicaHours {
		t.Errorf("calm costs nothing: %v and %v replica-hours", cured.Summary.ReplicaHours, flapping.Summary.ReplicaHours)
	}
}

func TestStories(t *testing.T) {
	tests := map[string]struct {
		load   string
		own    map[string]string
		change func(*Setup)
		want   []int32
	}{
		"a load at the target changes nothing":        {load: "steady:load=500", want: []int32{1}},
		"within the tolerance neither":                {load: "steady:load=545", want: []int32{1}},
		"it begins with spec.replicas":                {load: "steady:load=1500", change: func(s *Setup) { s.Workload.Replicas = 3 }, want: []int32{3}},
		"replicas 0 stay":                             {load: "steady:load=1500", change: func(s *Setup) { s.Workload.Replicas = 0 }, want: []int32{0}},
		"replicas out of bounds are corrected":        {load: "steady:load=5000", change: func(s *Setup) { s.Workload.Replicas = 12 }, want: []int32{12, 10}},
		"more than max is never there":                {load: "steady:load=20000", want: []int32{1, 4, 8, 10}},
		"pods that start slowly lead to no overshoot": {load: "step:to=2000,at=1m", change: func(s *Setup) { s.Startup = 2 * time.Minute }, want: []int32{1, 4}},
		"starting that costs CPU counts for nothing":  {load: "step:to=2000,at=1m", change: func(s *Setup) { s.Startup, s.StartupMilli = 2*time.Minute, 1500 }, want: []int32{1, 4}},
		"without a limit a pod serves everything":     {load: "step:to=4000,at=1m", change: func(s *Setup) { s.Workload = web("", nil) }, want: []int32{1, 5, 8}},
		"a spike is waited out":                       {load: "spike:to=1500", own: map[string]string{annotations.ScaleDownStabilization: "1m"}, want: []int32{1, 3, 1}},
		"policies allow one pod a minute":             {load: "step:to=2000,at=1m", own: map[string]string{annotations.ScaleUpPolicies: "1 pods/1m"}, want: []int32{1, 2, 3, 4}},
		"memory is half of its request":               {load: "steady:load=500", own: map[string]string{annotations.TargetMemory: "25"}, want: []int32{1, 2, 4, 8, 10}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t, tt.load, tt.own)
			if tt.change != nil {
				tt.change(&s)
			}
			run := play(t, s)
			if diff := cmp.Diff(tt.want, sizes(run)); diff != "" {
				t.Errorf("replicas (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing was written, so that it is decided anew each time: policies count nothing as used up.
func TestModeObserveDecidesAndDoesNotScale(t *testing.T) {
	own := map[string]string{annotations.ModeKey: "observe", annotations.ScaleUpPolicies: "1 pods/20m"}
	run := play(t, setup(t, "step:to=2000,at=1m", own))
	if run.Changes != 0 || run.ReplicaHours < 0.499 || run.ReplicaHours > 0.501 || !cmp.Equal(sizes(run), []int32{1}) {
		t.Errorf("%d changes to %d, %v replica-hours", run.Changes, sizes(run), run.ReplicaHours)
	}
	last := run.Evaluations[len(run.Evaluations)-1]
	if last.Desired != 2 || last.Able == recommend.AbleSucceededRescale {
		t.Errorf("at last it would be %d, %s", last.Desired, last.Able)
	}
}

func TestModePausedDecidesNothing(t *testing.T) {
	run := play(t, setup(t, "step:to=2000,at=1m", map[string]string{annotations.ModeKey: "paused"}))
	if len(run.Evaluations) != 0 || run.Above != 29*time.Minute {
		t.Errorf("%d evaluations, %s above the target", len(run.Evaluations), run.Above)
	}
}

// What the run counts is what its decisions come to.
func TestTheSumsOfTheRunAreThoseOfTheDecisions(t *testing.T) {
	run := play(t, setup(t, "burst", bare))
	if run.Changes != run.Summary.Changes || math.Abs(run.ReplicaHours-run.Summary.ReplicaHours) > 1e-9 {
		t.Errorf("%d and %d changes, %v and %v replica-hours", run.Changes, run.Summary.Changes, run.ReplicaHours, run.Summary.ReplicaHours)
	}
}

func TestUnservedLoadIsCounted(t *testing.T) {
	s := setup(t, "steady:load=5000", map[string]string{annotations.Max: "1"})
	s.Duration = time.Minute
	run := play(t, s)
	if got, want := run.UnservedCores, 3.0*60; got != want {
		t.Errorf("%v core-seconds unserved, want %v: 5 cores for a pod of 2", got, want)
	}
	if run.Above != time.Minute {
		t.Errorf("above target for %s", run.Above)
	}
	for _, e := range run.Evaluations {
		if e.Usage != 2000 {
			t.Errorf("at %s the pod uses %v, want its limit", e.Moment.At, e.Usage)
		}
	}
}

// Samples tell of the past: at a step, the first one that lies after it is read a period and a delay later.
func TestMetricsAreLate(t *testing.T) {
	s := setup(t, "step:to=5000,at=1m", nil)
	s.MetricsPeriod, s.MetricsDelay = 30*time.Second, 10*time.Second
	for _, e := range play(t, s).Evaluations {
		if at := e.Moment.At; at < 100*time.Second && e.Usage != 500 {
			t.Errorf("at %s the samples know of %vm", at, e.Usage)
		} else if at >= 100*time.Second {
			if e.Usage != 2000 {
				t.Errorf("at %s the samples know of %vm", at, e.Usage)
			}
			return
		}
	}
}

func TestTheHPAControllerLooksOncePerPeriod(t *testing.T) {
	s := setup(t, "sine", map[string]string{annotations.SyncPeriod: "20s"})
	times := func() (all []time.Duration) {
		for _, e := range play(t, s).Evaluations {
			all = append(all, e.Moment.At)
		}
		return all[:5]
	}
	const second = time.Second
	s.Rules.Compat = true
	if diff := cmp.Diff([]time.Duration{12 * second, 32 * second, 52 * second, 72 * second, 92 * second}, times()); diff != "" {
		t.Errorf("compat (-want +got):\n%s", diff)
	}
	s.Rules.Compat = false
	if diff := cmp.Diff([]time.Duration{0, 5 * second, 20 * second, 35 * second, 50 * second}, times()); diff != "" {
		t.Errorf("when there are new samples (-want +got):\n%s", diff)
	}
}

func TestTheSameSetupGivesTheSameRun(t *testing.T) {
	var texts, traces [2]bytes.Buffer
	for i := range texts {
		s := setup(t, "noise:load=3000,by=2500", bare)
		var err error
		if s.Record, err = trace.NewWriter(&traces[i], annotations.OfDeployment(&appsv1.Deployment{})); err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&texts[i]).Encode(play(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(texts[0].Bytes(), texts[1].Bytes()) || !bytes.Equal(traces[0].Bytes(), traces[1].Bytes()) {
		t.Error("two runs differ")
	}
}

// What is recorded, replayed, comes to what was decided.
func TestARecordedSimulationCanBeReplayed(t *testing.T) {
	canBeReplayed(t, setup(t, "noise:load=3000,by=2500", bare))
	canBeReplayed(t, queue(t, "burst:low=0,high=40,period=10m,on=1m", map[string]string{annotations.FallbackKey: "2 after 1m"}))
}

func canBeReplayed(t *testing.T, s Setup) {
	var file bytes.Buffer
	w, err := trace.NewWriter(&file, annotations.OfDeployment(&appsv1.Deployment{}))
	if err != nil {
		t.Fatal(err)
	}
	s.Record = w
	run := play(t, s)
	r, err := trace.NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	replay := trace.NewReplay(s.Policy, s.Rules)
	for _, want := range run.Evaluations {
		seen, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Steps, replay.Next(seen).Steps); diff != "" {
			t.Fatalf("at %s (-simulated +replayed):\n%s", want.Moment.At, diff)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last evaluation: %v", err)
	}
}

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestRecordingThatFails(t *testing.T) {
	s := setup(t, "burst", nil)
	var err error
	if s.Record, err = trace.NewWriter(&full{left: 3000}, annotations.OfDeployment(&appsv1.Deployment{})); err != nil {
		t.Fatal(err)
	}
	if _, err := Simulate(t.Context(), s); err == nil || !strings.HasPrefix(err.Error(), "cannot record: ") {
		t.Errorf("%v", err)
	}
}

func TestSetupsThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		change func(*Setup)
		want   string
	}{
		"no workload":             {func(s *Setup) { s.Workload = nil }, "there is no workload or no load"},
		"no containers":           {func(s *Setup) { s.Workload.Template.Spec.Containers = nil }, "spec.template.spec.containers is empty; want at least one container, with its requests"},
		"no time between samples": {func(s *Setup) { s.MetricsPeriod = 0 }, "the time between two samples is 0s; want at least 1s"},
		"too many pods":           {func(s *Setup) { s.Workload.Replicas = 5001 }, "it begins with 5001 replicas; a simulation has 0 to 5000"},
		"too much load": {func(s *Setup) {
			s.Policy.Max = 1 << 30
			s.Load, _ = ParseShape("steady:load=100000000", Millicores)
		}, "the replicas are to be 8192; a simulation has at most 5000"},
		"half a second":   {func(s *Setup) { s.Startup = 1500 * time.Millisecond }, "1.5s is not a whole number of seconds from 0 up"},
		"a negative time": {func(s *Setup) { s.Duration = -time.Second }, "-1s is not a whole number of seconds from 0 up"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t, "burst", nil)
			tt.change(&s)
			if _, err := Simulate(t.Context(), s); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestPerReplica(t *testing.T) {
	two := func(own map[string]string) Setup {
		s := DefaultSetup()
		s.Workload = web("", own)
		side := corev1.Container{Name: "side", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")}}}
		s.Workload.Template.Spec.Containers = append(s.Workload.Template.Spec.Containers, side)
		return policed(t, s)
	}
	tests := map[string]struct {
		own  map[string]string
		want float64
	}{
		"percent of the requests":        {nil, 625},
		"an amount":                      {map[string]string{annotations.TargetCPU: "300m"}, 300},
		"a container's part of the load": {map[string]string{annotations.Container: "app"}, 625},
		"a container's amount":           {map[string]string{annotations.Container: "side", annotations.TargetCPU: "100m"}, 500},
	}
	for name, tt := range tests {
		s := two(tt.own)
		if got := s.PerReplica(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	memory := setup(t, "steady", nil)
	memory.Policy.Metrics = nil
	if got := memory.PerReplica(); got != 0 {
		t.Errorf("without a CPU target: %v", got)
	}
}

func TestSimulateWritesToNothingItWasGiven(t *testing.T) {
	s := setup(t, "burst", bare)
	workload, policy := copyOf(s.Workload), s.Policy
	play(t, s)
	if diff := cmp.Diff(workload, s.Workload); diff != "" || !cmp.Equal(policy, s.Policy) {
		t.Errorf("the setup changed: %s", diff)
	}
	if s.Rules != recommend.DefaultRules() {
		t.Error("the rules changed")
	}
}

func BenchmarkSimulate(b *testing.B) {
	s := DefaultSetup()
	s.Workload = web("2", nil)
	s.Policy, _, _ = annotations.DefaultDefaults().Parse(s.Workload.Annotations)
	s.Load, _ = ParseShape("burst", Millicores)
	for b.Loop() {
		if _, err := Simulate(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
