package recommend

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// TestOneEvaluation gives each workload no history: only the stages up to the proposal and the bounds matter.
func TestOneEvaluation(t *testing.T) {
	type want struct {
		desired int32
		active  string
		failure string
	}
	cpu50 := []string{"target-cpu=50", "max=100", "scale-up-policies=1000%/15s", "scale-down-stabilization=0s"}
	with := func(pairs ...string) []string { return append(pairs, cpu50[1:]...) }
	memory, never := with("target-memory=100%"), ready(corev1.ConditionFalse, time.Hour)
	cases := map[string]struct {
		policy   []string
		replicas int32
		pods     [][]fixture
		compat   bool
		want     want
	}{
		"exactly +10 % is within tolerance":     {cpu50, 4, groups(pods(noon, 4, "550m")), false, want{4, ActiveValidMetric, ""}},
		"+12 % is outside":                      {cpu50, 4, groups(pods(noon, 4, "560m")), false, want{5, ActiveValidMetric, ""}},
		"exactly -10 % is within tolerance":     {cpu50, 4, groups(pods(noon, 4, "450m")), false, want{4, ActiveValidMetric, ""}},
		"utilization is truncated to a percent": {cpu50, 4, groups(pods(noon, 4, "449m")), false, want{4, ActiveValidMetric, ""}},
		"absolute CPU needs no request": {with("target-cpu=250m"), 2, groups(pods(noon, 2, "500m", noRequest)), false,
			want{4, ActiveValidMetric, ""}},
		"memory utilization": {with("target-memory=25%"), 2, groups(pods(noon, 2, "1m")), false, want{4, ActiveValidMetric, ""}},
		"absolute memory":    {with("target-memory=256Mi"), 3, groups(pods(noon, 3, "1m")), false, want{6, ActiveValidMetric, ""}},
		"the largest proposal wins": {with("target-memory=25%", "target-cpu=50"), 2, groups(pods(noon, 2, "900m")), false,
			want{4, ActiveValidMetric, ""}},
		"a sidecar counts": {cpu50, 2, groups(pods(noon, 2, "0", sidecar("1", "2"))), false, want{4, ActiveValidMetric, ""}},
		"only the named container counts": {with("target-cpu=50", "container=app"), 2, groups(pods(noon, 2, "500m", sidecar("1", "2"))), false,
			want{2, ActiveValidMetric, ""}},
		"a container that does not exist": {with("target-cpu=50", "container=web"), 2, groups(pods(noon, 2, "500m")), false,
			want{2, ActiveFailedContainer, ReasonContainerNotFound}},
		"a missing request":           {cpu50, 2, groups(pods(noon, 2, "900m", noRequest)), false, want{2, ActiveFailedResource, ReasonMissingRequest}},
		"a request of zero":           {cpu50, 2, groups(pods(noon, 2, "900m", requesting("0"))), false, want{2, ActiveFailedResource, ReasonMissingRequest}},
		"the pod's own request wins":  {cpu50, 2, groups(pods(noon, 2, "1", podLevel("4"))), false, want{1, ActiveValidMetric, ""}},
		"no pods":                     {cpu50, 2, nil, false, want{2, ActiveFailedResource, ReasonNoPods}},
		"no samples":                  {cpu50, 2, groups(pods(noon, 2, "0", without)), false, want{2, ActiveFailedResource, ReasonNoSamples}},
		"no samples yet":              {cpu50, 2, groups(pods(noon, 2, "0", without, started(20*time.Second))), false, want{2, ActiveFailedResource, ReasonAwaitingSample}},
		"stale samples":               {cpu50, 2, groups(pods(noon, 2, "10m", sampled(45*time.Second))), false, want{2, ActiveFailedResource, ReasonNoSamples}},
		"almost stale samples":        {cpu50, 2, groups(pods(noon, 2, "10m", sampled(44*time.Second))), false, want{1, ActiveValidMetric, ""}},
		"stale samples, as the HPA":   {cpu50, 2, groups(pods(noon, 2, "10m", sampled(time.Hour))), true, want{1, ActiveValidMetric, ""}},
		"failed and deleted pods":     {cpu50, 2, groups(pods(noon, 2, "900m"), pods(noon, 5, "0", failed), pods(noon, 5, "0", deleted)), false, want{4, ActiveValidMetric, ""}},
		"pending pods on the way out": {cpu50, 5, groups(pods(noon, 1, "2200m"), pods(noon, 4, "0", pending)), false, want{5, ActiveValidMetric, ""}},
		"missing pods count as full on the way in": {cpu50, 10, groups(pods(noon, 9, "100m"), pods(noon, 1, "0", without)), false,
			want{4, ActiveValidMetric, ""}},
		"so many missing pods that the direction turns": {cpu50, 10, groups(pods(noon, 5, "100m"), pods(noon, 5, "0", without)), false,
			want{10, ActiveValidMetric, ""}},
		"missing pods count as their target where it is above 100 %": {with("target-cpu=200"), 10,
			groups(pods(noon, 9, "1"), pods(noon, 1, "0", without)), false, want{6, ActiveValidMetric, ""}},
		"missing pods count as idle on the way out": {cpu50, 4, groups(pods(noon, 2, "900m"), pods(noon, 2, "0", without)), false,
			want{4, ActiveValidMetric, ""}},
		"surge below target does not scale out":    {with("target-cpu=40"), 4, groups(pods(noon, 5, "340m")), false, want{4, ActiveValidMetric, ""}},
		"surge below target, as the HPA":           {with("target-cpu=40"), 4, groups(pods(noon, 5, "340m")), true, want{5, ActiveValidMetric, ""}},
		"pods that turned unready on the way in":   {with("target-cpu=80"), 10, groups(pods(noon, 5, "700m"), unreadyAgain(5)), false, want{10, ActiveValidMetric, ""}},
		"also those with a sample, however old":    {cpu50, 10, groups(pods(noon, 5, "100m"), pods(noon, 5, "10m", ready("False", time.Minute))), false, want{6, ActiveValidMetric, ""}},
		"all pods turned unready":                  {cpu50, 6, groups(pods(noon, 6, "10m", ready("False", time.Minute))), false, want{6, ActiveValidMetric, ""}},
		"all pods turned unready, as the HPA":      {cpu50, 6, groups(pods(noon, 6, "10m", ready("False", time.Minute))), true, want{1, ActiveValidMetric, ""}},
		"no more of them than are asked for":       {cpu50, 10, groups(pods(noon, 8, "400m"), unreadyAgain(5)), false, want{9, ActiveValidMetric, ""}},
		"pods that were never ready on the way in": {with("target-cpu=80"), 10, groups(pods(noon, 5, "700m"), starting(5)), false, want{5, ActiveValidMetric, ""}},
		"they hold nothing without a sample either": {cpu50, 10, groups(pods(noon, 4, "20m"), pods(noon, 3, "0", pending), pods(noon, 3, "0", without, ready("False", time.Hour))), false,
			want{1, ActiveValidMetric, ""}},
		"whatever memory they use": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "100Mi")), pods(noon, 6, "0", usingMemory("1Gi", "1Gi"), never)), false,
			want{1, ActiveValidMetric, ""}},
		"and whichever way they would have it": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "100Mi")), pods(noon, 6, "0", usingMemory("1Gi", "3Gi"), never)), false,
			want{1, ActiveValidMetric, ""}},
		"and without a sample of it": {memory, 10, groups(pods(noon, 4, "0"), pods(noon, 6, "0", without, never)), false, want{2, ActiveValidMetric, ""}},
		"much memory of theirs asks for nothing": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "1200Mi")), pods(noon, 6, "0", usingMemory("1Gi", "3Gi"), never)), false,
			want{10, ActiveValidMetric, ""}},
		"little memory of theirs ends nothing": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "1200Mi")), pods(noon, 6, "0", usingMemory("1Gi", "100Mi"), never)), false,
			want{10, ActiveValidMetric, ""}},
		"more than they will take over": {memory, 5, groups(pods(noon, 4, "0", usingMemory("1Gi", "2Gi")), pods(noon, 1, "0", usingMemory("1Gi", "100Mi"), never)), false,
			want{8, ActiveValidMetric, ""}},
		"the others at their target": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "1Gi")), pods(noon, 6, "0", usingMemory("1Gi", "3Gi"), never)), false,
			want{10, ActiveValidMetric, ""}},
		"no pod was ever ready": {memory, 4, groups(pods(noon, 4, "0", usingMemory("1Gi", "2Gi"), never)), false, want{8, ActiveValidMetric, ""}},
		"memory of pods that were never ready, as the HPA": {memory, 10, groups(pods(noon, 4, "0", usingMemory("1Gi", "100Mi")), pods(noon, 6, "0", usingMemory("1Gi", "3Gi"), never)), true,
			want{19, ActiveValidMetric, ""}},
		"they count as idle on the way out": {cpu50, 10, groups(pods(noon, 4, "900m"), pods(noon, 2, "0", without, ready("False", time.Hour))), false,
			want{10, ActiveValidMetric, ""}},
		"succeeded pods do not take part on the way in": {cpu50, 10, groups(pods(noon, 10, "100m"), pods(noon, 10, "0", succeeded)), false, want{2, ActiveValidMetric, ""}},
		"nor on the way out":                            {cpu50, 4, groups(pods(noon, 4, "1500m"), pods(noon, 20, "0", succeeded)), false, want{12, ActiveValidMetric, ""}},
		"nor without a request":                         {cpu50, 4, groups(pods(noon, 4, "1"), pods(noon, 1, "0", succeeded, noRequest)), false, want{8, ActiveValidMetric, ""}},
		"succeeded pods, as the HPA":                    {cpu50, 10, groups(pods(noon, 10, "100m"), pods(noon, 10, "0", succeeded)), true, want{10, ActiveValidMetric, ""}},
		"only succeeded pods":                           {cpu50, 4, groups(pods(noon, 4, "0", succeeded)), false, want{4, ActiveFailedResource, ReasonNoPods}},
		"unknown readiness with samples that are fresh": {cpu50, 10, groups(pods(noon, 5, "900m"), pods(noon, 5, "10m", ready("Unknown", time.Minute))), false, want{14, ActiveValidMetric, ""}},
		"and with more than the target":                 {cpu50, 10, groups(pods(noon, 5, "900m"), pods(noon, 5, "750m", ready("Unknown", time.Minute))), false, want{17, ActiveValidMetric, ""}},
		"one unknown pod of ten":                        {cpu50, 10, groups(pods(noon, 9, "560m"), pods(noon, 1, "0", without, ready("Unknown", time.Minute))), false, want{12, ActiveValidMetric, ""}},
		"unknown pods beside others that are starting":  {cpu50, 14, groups(pods(noon, 5, "900m"), pods(noon, 5, "0", without, ready("Unknown", time.Minute)), starting(4)), false, want{14, ActiveValidMetric, ""}},
		"unknown readiness holds on the way in":         {cpu50, 10, groups(pods(noon, 5, "100m"), pods(noon, 5, "0", ready("Unknown", time.Minute))), false, want{6, ActiveValidMetric, ""}},
		"and more so without samples":                   {cpu50, 10, groups(pods(noon, 5, "100m"), pods(noon, 5, "0", without, ready("Unknown", time.Minute))), false, want{10, ActiveValidMetric, ""}},
		"usage below zero":                              {cpu50, 6, groups(pods(noon, 5, "500m"), pods(noon, 1, "-5")), false, want{6, ActiveValidMetric, ""}},
		"usage below zero of one container":             {cpu50, 2, groups(pods(noon, 1, "900m"), pods(noon, 1, "1500m", sidecar("1", "-600m"))), false, want{2, ActiveValidMetric, ""}},
		"usage below zero on the way in":                {cpu50, 6, groups(pods(noon, 5, "100m"), pods(noon, 1, "-5")), false, want{3, ActiveValidMetric, ""}},
		"usage below zero everywhere":                   {cpu50, 6, groups(pods(noon, 6, "-1n")), false, want{6, ActiveFailedResource, ReasonNoSamples}},
		"usage below zero, as the HPA":                  {cpu50, 6, groups(pods(noon, 5, "500m"), pods(noon, 1, "-5")), true, want{1, ActiveValidMetric, ""}},
		"unready pods on the way in, as the HPA":        {with("target-cpu=80"), 10, groups(pods(noon, 5, "700m"), starting(5)), true, want{5, ActiveValidMetric, ""}},
		"two of six ready, as the HPA":                  {cpu50, 6, groups(pods(noon, 2, "20m"), pods(noon, 4, "0", pending)), true, want{1, ActiveValidMetric, ""}},
		"usage beyond any number saturates at max":      {cpu50, 4, groups(pods(noon, 4, "9000000000000000000")), false, want{44, ActiveValidMetric, ""}},
		"requests beyond any number do not wrap":        {cpu50, 4, groups(pods(noon, 4, "1", requesting("9223372036854775807"))), false, want{1, ActiveValidMetric, ""}},
		"a pod whose readiness is unknown is ready":     {cpu50, 2, groups(pods(noon, 2, "900m", ready(corev1.ConditionUnknown, time.Minute))), false, want{4, ActiveValidMetric, ""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rules := DefaultRules()
			rules.Compat = c.compat
			d, _ := rules.Recommend(policy(t, c.policy...), snapshot(noon, c.replicas, c.pods...), History{})
			got := want{desired: d.Desired, active: d.Active}
			if d.Failure != nil {
				got.failure = d.Failure.Reason
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("decision (-want +got):\n%s%s", diff, steps(d))
			}
		})
	}
}

func groups(g ...[]fixture) [][]fixture { return g }

func starting(n int) []fixture {
	return pods(noon, n, "0", started(time.Minute), ready(corev1.ConditionFalse, time.Minute))
}

func unreadyAgain(n int) []fixture {
	return pods(noon, n, "0", started(time.Minute), ready(corev1.ConditionFalse, 20*time.Second))
}

func requesting(cpu string) option {
	return func(f *fixture, _ time.Time) { f.pod.Spec.Containers[0] = container("app", cpu, "1Gi") }
}

func podLevel(cpu string) option {
	return func(f *fixture, _ time.Time) {
		f.pod.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}
	}
}

// TestReadiness walks the drawing at Rules.unready.
func TestReadiness(t *testing.T) {
	cases := map[string]struct {
		options []option
		unready bool
	}{
		"young, ready, sample begins after":    {[]option{started(time.Minute), ready("True", 30*time.Second), sampled(10 * time.Second)}, false},
		"young, ready, sample begins before":   {[]option{started(time.Minute), ready("True", 30*time.Second), sampled(16 * time.Second)}, true},
		"young, sample begins with readiness":  {[]option{started(time.Minute), ready("True", 30*time.Second), sampled(15 * time.Second)}, false},
		"young, not ready":                     {[]option{started(time.Minute), ready("False", 30*time.Second)}, true},
		"old, never ready":                     {[]option{started(time.Hour), ready("False", time.Hour-29*time.Second)}, true},
		"old, unready at the delay's end":      {[]option{started(time.Hour), ready("False", time.Hour-30*time.Second)}, false},
		"old, unready after having been ready": {[]option{started(time.Hour), ready("False", time.Minute)}, false},
		"no condition":                         {[]option{func(f *fixture, _ time.Time) { f.pod.Ready = podspec.Condition{} }}, true},
		"no start time":                        {[]option{func(f *fixture, _ time.Time) { f.pod.Started = time.Time{} }}, true},
		"at the initialization period's end":   {[]option{started(5 * time.Minute), ready("True", time.Second)}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := snapshot(noon, 1, pods(noon, 1, "500m", c.options...))
			facts, failure := factsOf(DefaultRules(), s, cpuHalf)
			if want := map[bool]group{true: inUnready, false: inReady}[c.unready]; failure != nil || facts.group != want {
				t.Errorf("%+v, failure = %v; want unready: %t", facts, failure, c.unready)
			}
		})
	}
}

func TestUnreadyPodsDoNotMatterForMemory(t *testing.T) {
	s := snapshot(noon, 2, pods(noon, 2, "1", ready(corev1.ConditionFalse, time.Minute), started(time.Minute)))
	d, _ := recommend(policy(t, "target-memory=25", "max=10"), s, History{})
	if d.Desired != 4 {
		t.Errorf("desired = %d, want 4\n%s", d.Desired, steps(d))
	}
}

// TestAtTargetIsNotRoundedBelowIt: with a tolerance of 0, one percent less would scale in.
func TestAtTargetIsNotRoundedBelowIt(t *testing.T) {
	var n numbers
	for request := int64(1); request < 3000; request += 7 {
		for _, target := range []int64{1, 33, 50, 99, 100, 150} {
			m := podMetric{utilization: true, target: target}
			used := m.atTarget(&n, &reading{request: request})
			if got := n.utilization(used, request); got < target || used > 1 && n.utilization(used-1, request) >= target {
				t.Errorf("a pod with a request of %dm at a target of %d%% uses %dm, which is %d%%", request, target, used, got)
			}
		}
	}
}

func TestPartialFailureScalesOutButNeverIn(t *testing.T) {
	p := policy(t, "target-cpu=50", "target-memory=128Mi", "max=100", "scale-up-policies=1000%/15s", "scale-down-stabilization=0s")
	for name, c := range map[string]struct {
		memory string
		want   int32
	}{"out": {"512Mi", 8}, "in": {"1Mi", 2}} {
		t.Run(name, func(t *testing.T) {
			made := pods(noon, 2, "1", noRequest)
			for _, f := range made {
				f.uses(corev1.ResourceMemory, c.memory)
			}
			d, _ := recommend(p, snapshot(noon, 2, made), History{})
			if d.Desired != c.want || d.Failure == nil || d.Failure.Reason != ReasonMissingRequest {
				t.Errorf("desired = %d, failure = %v; want %d and %s\n%s", d.Desired, d.Failure, c.want, ReasonMissingRequest, steps(d))
			}
		})
	}
}

func TestMetricsErrorHolds(t *testing.T) {
	s := snapshot(noon, 8, pods(noon, 8, "10m"))
	s.MetricsError = "the metrics API answers 503"
	d, h := recommend(policy(t, "target-cpu=50", "max=10", "scale-down-stabilization=0s"), s, History{})
	want := &Failure{Metric: "cpu", Reason: ReasonMetricsUnavailable, Detail: s.MetricsError}
	if diff := cmp.Diff(want, d.Failure); diff != "" || d.Desired != 8 || len(h.Recommendations) != 1 {
		t.Errorf("desired = %d, samples = %v, failure (-want +got):\n%s", d.Desired, h.Recommendations, diff)
	}
}

// TestPodsThatAreNotReadyAreNotCalledSo, though the HPA controller counts them among those that are.
func TestPodsThatAreNotReadyAreNotCalledSo(t *testing.T) {
	s := snapshot(noon, 10, pods(noon, 4, "0"), pods(noon, 5, "0", ready(corev1.ConditionFalse, time.Hour)), pods(noon, 1, "0", ready(corev1.ConditionUnknown, time.Minute)))
	d, _ := recommend(eager(t, "target-memory=100%"), s, History{})
	const want = "10 pods: 4 ready, 6 not known to be, 0 unready, 0 without a current sample, 0 ignored"
	if d.Steps[0].Detail.String() != want || !strings.Contains(d.Reason.String(), "(4 of 10 pods") {
		t.Errorf("%q, reason %q; want %q", d.Steps[0].Detail, d.Reason, want)
	}
}

func TestReasonsTellTheNumbers(t *testing.T) {
	cases := map[string]struct {
		policy []string
		want   string
	}{
		"utilization": {[]string{"target-cpu=50"}, "cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)"},
		"absolute":    {[]string{"target-cpu=3000m"}, "cpu 2200m below target 3000m (1 of 1 pods, sample 2s old)"},
		"memory":      {[]string{"target-memory=512Mi"}, "memory 512Mi at target 512Mi (1 of 1 pods, sample 2s old)"},
		"container":   {[]string{"target-cpu=50", "container=app"}, "cpu of container app utilization 220% above target 50% (1 of 1 pods, sample 2s old)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d, _ := recommend(policy(t, append(c.policy, "max=10")...), snapshot(noon, 1, pods(noon, 1, "2200m")), History{})
			if diff := cmp.Diff(c.want, d.Reason.String()); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStepsAreTheArithmetic(t *testing.T) {
	d, _ := recommend(policy(t, "target-cpu=50", "max=10"), snapshot(noon, 1, pods(noon, 1, "2200m")), History{})
	want := []Step{
		{StagePods, "cpu", 1, 1, ReasonCounted, Plain("1 pods: 1 ready, 0 unready, 0 without a current sample, 0 ignored")},
		{StageRatio, "cpu", 1, 1, ReasonMeasured, Plain("usage 2200m / requests 1000m = 220%; 220% / target 50% = ratio 4.4")},
		{StageTolerance, "cpu", 1, 5, ReasonOutside, Plain("ratio 4.4 is outside 0.9..1.1; ceil(4.4 * 1 pods) = 5")},
		{StageLargest, "cpu", 1, 5, ReasonLargest, Plain("cpu utilization 220% above target 50% (1 of 1 pods, sample 2s old)")},
		{StageStabilize, "", 5, 5, AbleReady, Plain("no recommendation of the windows stands against it")},
		{StageBounds, "", 5, 5, LimitedNot, Plain("within 1..10")},
		{StagePolicy, "", 5, 5, LimitedNot, Plain("4 pods/15s, 100%/15s would allow 5")},
	}
	if diff := cmp.Diff(want, d.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func BenchmarkRecommend(b *testing.B) {
	p := policy(b, "target-cpu=50", "max=2000")
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			s := snapshot(noon, int32(n), pods(noon, n, "480m"))
			b.ReportAllocs()
			for b.Loop() {
				recommend(p, s, History{})
			}
		})
	}
}

// TestSamplesOfPodsThatDoNotExist: without pods there is nothing to measure, also where one is assumed because the spec asks for it.
func TestSamplesOfPodsThatDoNotExist(t *testing.T) {
	s := ofPods(snapshot(noon, 5, pods(noon, 4, "0")), "40", noon, nil)
	s.Pods = nil
	for name, rules := range map[string]Rules{"HPA": {Compat: true}, "all samples count": {Without: RepairParticipants}, "repaired": {}} {
		if d, _ := rules.Recommend(hitsOfPods(t), s, History{}); d.Failure == nil || d.Active != "FailedGetPodsMetric" {
			t.Errorf("%s: %d -> %d (%s), want a failure\n%s", name, d.Current, d.Desired, d.Active, steps(d))
		}
	}
}
