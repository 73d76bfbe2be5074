package recommend

import (
	"encoding/json"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// repairStory is what happens to a workload where one repair matters.
type repairStory struct {
	repair Repairs
	// told is the situation, for docs/decisions.md.
	told   string
	policy annotations.Policy
	// before is what was seen earlier, changed what was scaled since; neither has to be.
	before  []Snapshot
	changed []Change
	now     Snapshot
	// hpa and ours are the replicas that each decides on.
	hpa, ours int32
}

func (s repairStory) decide(rules Rules) Decision {
	h := History{Changes: s.changed}
	for _, seen := range s.before {
		var d Decision
		d, h = rules.Recommend(s.policy, seen, h)
		h = h.Applied(d)
	}
	d, _ := rules.Recommend(s.policy, s.now, h)
	return d
}

// worker is a policy of a workload that may sleep: 100 messages of an External backlog for each pod, and what the pairs say.
func worker(t testing.TB, pairs ...string) annotations.Policy {
	return policy(t, append(pairs, "min=0", "max=40", "metrics="+backlog)...)
}

const backlog = "[{type: External, external: {metric: {name: backlog}, target: {type: AverageValue, averageValue: 100}}}]"

// eager is a policy that nothing but the metrics holds back.
func eager(t testing.TB, pairs ...string) annotations.Policy {
	return policy(t, append(pairs, "max=40", "scale-up-policies=1000%/15s", "scale-down-stabilization=0s")...)
}

// totals is an eager policy with one External target for each pod, or one Object target for the total.
func totals(t testing.TB, kind autoscalingv2.MetricSourceType, target string) annotations.Policy {
	p := eager(t, "target-cpu=50")
	q := resource.MustParse(target)
	if kind == autoscalingv2.ExternalMetricSourceType {
		p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: kind, External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: "backlog"},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q}}}})
		return p
	}
	p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: kind, Object: &autoscalingv2.ObjectMetricSource{
		DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Ingress", Name: "front", APIVersion: "networking.k8s.io/v1"},
		Metric:          autoscalingv2.MetricIdentifier{Name: "hits"},
		Target:          autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: &q}}}})
	return p
}

func withBacklog(s Snapshot, value string) Snapshot {
	s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{"backlog": {{Value: resource.MustParse(value)}}}
	return s
}

func withHits(s Snapshot, value string) Snapshot {
	s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"hits": {{
		DescribedObject: corev1.ObjectReference{Kind: "Ingress", Name: "front"}, Value: resource.MustParse(value)}}}
	return s
}

func surging(s Snapshot, status int32) Snapshot {
	s.StatusReplicas = status
	return s
}

func refusing(s Snapshot) Snapshot {
	s.Refused = "exceeded quota: pods, requested: pods=1, used: pods=3, limited: pods=3"
	return s
}

func usingMemory(request, usage string) option {
	return func(f *fixture, _ time.Time) {
		f.pod.Spec.Containers[0] = container("app", "1", request)
		f.uses(corev1.ResourceMemory, usage)
	}
}

// outage is what is seen every minute while the metrics API fails.
func outage(from, to time.Time, replicas int32) []Snapshot {
	var seen []Snapshot
	for now := from.Add(time.Minute); now.Before(to); now = now.Add(time.Minute) {
		s := snapshot(now, replicas, pods(now, int(replicas), "0"))
		s.PodMetrics, s.MetricsError = nil, "the metrics API answers 503"
		seen = append(seen, s)
	}
	return seen
}

// repairStories has one story for each row of RepairTable, in its order.
func repairStories(t testing.TB) []repairStory {
	notReady := ready(corev1.ConditionFalse, 30*time.Second)
	later := noon.Add(time.Hour)
	idle := func(after time.Duration, measured int) Snapshot {
		now := noon.Add(after)
		return snapshot(now, 10, pods(now, measured, "100m"), pods(now, 10-measured, "0", without))
	}
	return []repairStory{
		{repair: RepairAgainst, told: "A rollout of 4 replicas has a fifth pod in surge. Usage is 34 %, the target 40 %.",
			policy: eager(t, "target-cpu=40"), now: surging(snapshot(noon, 4, pods(noon, 5, "340m")), 5), hpa: 5, ours: 4},
		{repair: RepairUnready, told: "Of 10 replicas 5 have just restarted and are not ready; the others use 70 % of a target of 80 %.",
			policy: eager(t, "target-cpu=80"), now: snapshot(noon, 10, pods(noon, 5, "700m"), pods(noon, 5, "0", started(time.Minute), notReady)), hpa: 5, ours: 10},
		{repair: RepairSpec, told: "A rollout of 10 replicas has an eleventh pod in surge. The backlog is 1000, the target 100 for each.",
			policy: totals(t, autoscalingv2.ExternalMetricSourceType, "100"), now: withBacklog(surging(snapshot(noon, 10, pods(noon, 11, "0")), 11), "1000"), hpa: 11, ours: 10},
		{repair: RepairAllUnready, told: "The database is down, and none of 6 pods is ready. The ingress still gets 600 hits, the target is 100.",
			policy: totals(t, autoscalingv2.ObjectMetricSourceType, "100"), now: withHits(snapshot(noon, 6, pods(noon, 6, "0", notReady)), "600"), hpa: 1, ours: 6},
		{repair: RepairParticipants, told: "2 replicas use 90 % of a target of 50 %. A pod from before the requests were set is being deleted.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 2, pods(noon, 2, "900m"), pods(noon, 1, "0", noRequest, deleted)), hpa: 2, ours: 4},
		{repair: RepairSidecar, told: "2 replicas use 90 % of a target of 50 %. A service mesh has injected a sidecar without a CPU request.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 2, pods(noon, 2, "900m", sidecar("", "300m"))), hpa: 2, ours: 4},
		{repair: RepairSaturation, told: "4 database pods request 8Ti of memory each and use 24Ti; the target is 100 %.",
			policy: eager(t, "target-memory=100%"), now: snapshot(noon, 4, pods(noon, 4, "0", usingMemory("8Ti", "24Ti"))), hpa: 1, ours: 12},
		{repair: RepairStale, told: "The node of 2 pods is cut off. Their last samples say 1 %, and are an hour old.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 2, pods(noon, 2, "10m", sampled(time.Hour))), hpa: 1, ours: 2},
		{repair: RepairSettled, told: "1 s after a scale-in from 40 to 8, the samples are still those of before it: 10 % of a target of 50 %.",
			policy: eager(t, "target-cpu=50"), changed: []Change{{Time: noon.Add(-time.Second), Delta: -32, From: 40}}, now: snapshot(noon, 8, pods(noon, 8, "100m")), hpa: 2, ours: 8},
		{repair: RepairUnseen, told: "The status counts 10 pods, 4 of them are known so far, and they use 44 % of a target of 50 %.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 10, pods(noon, 4, "440m")), hpa: 4, ours: 10},
		{repair: RepairBlind, told: "The metrics API was down for an hour, and said so all the time. The first sample after that says 1 % of a target of 50 %, with a window of 5 minutes for scale-down.",
			policy: policy(t, "target-cpu=50", "max=40"), before: append([]Snapshot{snapshot(noon, 10, pods(noon, 10, "500m"))}, outage(noon, later, 10)...),
			now: snapshot(later, 10, pods(later, 10, "10m")), hpa: 1, ours: 10},
		{repair: RepairOutside, told: "12 replicas are at their target of 50 % when a manifest is applied that says 1. Its pods still run.",
			policy: eager(t, "target-cpu=50"), before: []Snapshot{snapshot(noon, 12, pods(noon, 12, "500m"))},
			now: surging(snapshot(noon.Add(time.Second), 1, pods(noon, 12, "500m")), 12), hpa: 1, ours: 12},
		{repair: RepairRefused, told: "A quota lets 3 pods be, and 6 replicas have been asked for since a minute ago. The 3 pods use eight times their target.",
			policy: eager(t, "target-cpu=50"), changed: []Change{{noon.Add(-time.Minute), 3, 3}},
			now: refusing(surging(snapshot(noon, 6, pods(noon, 3, "4")), 3)), hpa: 24, ours: 6},
		{repair: RepairWarmUp, told: "4 pods use 40 % of a target of 50 %. 2 pods of a JVM that are ready for 30 s use 150 % each, and `mini-hpa/warm-up` is 90 s.",
			policy: eager(t, "target-cpu=50", "warm-up=90s"), now: snapshot(noon, 6, pods(noon, 4, "400m"),
				pods(noon, 2, "1500m", started(time.Minute), ready(corev1.ConditionTrue, 30*time.Second))), hpa: 10, ours: 6},
		{repair: RepairClock, told: "2 of 4 pods are ready for 5 s, on a node whose clock is 10 minutes behind; they have used 1900m to start. The other 2 use 50 % of a target of 50 %.",
			policy: eager(t, "target-cpu=50"), now: behind(snapshot(noon, 4, pods(noon, 2, "500m"),
				pods(noon, 2, "1900m", started(time.Minute), ready(corev1.ConditionTrue, 5*time.Second))), 10*time.Minute, 2), hpa: 10, ours: 4},
		{repair: RepairAssumed, told: "10 pods have used 10 % of a target of 50 % for 5 minutes. One minute ago the samples of half of them were missing.",
			policy: policy(t, "target-cpu=50", "max=40"), before: []Snapshot{idle(0, 10), idle(2*time.Minute, 10), idle(4*time.Minute, 5)},
			now: idle(5*time.Minute, 10), hpa: 10, ours: 2},
		{repair: RepairNever, told: "10 replicas are wanted; 4 pods use 2 % of a target of 50 %, the containers of the others end as soon as they start.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 10, pods(noon, 4, "10m"), pods(noon, 6, "0", without, ready(corev1.ConditionFalse, time.Hour))), hpa: 10, ours: 1},
		{repair: RepairUnknown, told: "The nodes of 5 of 10 pods are not heard of any more. Their share of the load has gone to the others, which use 90 % of a target of 50 %.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 10, pods(noon, 5, "900m"), pods(noon, 5, "10m", without, ready(corev1.ConditionUnknown, time.Minute))), hpa: 10, ours: 14},
		{repair: RepairNegative, told: "5 of 6 pods use 50 % of a target of 50 %. The sixth is said to use -5 cores.",
			policy: eager(t, "target-cpu=50"), now: snapshot(noon, 6, pods(noon, 5, "500m"), pods(noon, 1, "-5")), hpa: 1, ours: 6},
		{repair: RepairFromZero, told: "The workload has slept for an hour, and its policies of scale-up are of percent only. Now 500 messages wait, of a target of 100 for each pod.",
			policy: worker(t, "scale-up-policies=100%/15s", "scale-down-stabilization=0s"), before: []Snapshot{withBacklog(snapshot(noon, 1, pods(noon, 1, "500m")), "0")},
			now: withBacklog(snapshot(noon.Add(time.Hour), 0), "500"), hpa: 0, ours: 1},
		{repair: RepairIdle, told: "No message waits. The pods, such as JVMs, use 20 % of their CPU all the same, of a target of 50 %.",
			policy: worker(t, "target-cpu=50", "scale-down-stabilization=0s"), now: withBacklog(snapshot(noon, 3, pods(noon, 3, "200m")), "0"), hpa: 2, ours: 0},
		{repair: RepairLastStep, told: "No message waits. Pods must not be ended while they work, so scale-down is disabled.",
			policy: worker(t, "scale-down-policies=disabled", "scale-down-stabilization=0s"), now: withBacklog(snapshot(noon, 3, pods(noon, 3, "200m")), "0"), hpa: 3, ours: 0},
	}
}

// behind sets back the clock of the node of the last n pods: what it stamps, but not when that was taken.
func behind(s Snapshot, by time.Duration, n int) Snapshot {
	for _, sample := range s.PodMetrics {
		s.Taken.PodMetrics = append(s.Taken.PodMetrics, sample.Time)
	}
	for _, pod := range s.Pods[len(s.Pods)-n:] {
		pod.Started, pod.Ready.Since = pod.Started.Add(-by), pod.Ready.Since.Add(-by)
		for _, sample := range s.PodMetrics {
			if sample.Name == pod.Name {
				sample.Time = sample.Time.Add(-by)
			}
		}
	}
	return s
}

func TestRepairs(t *testing.T) {
	stories := repairStories(t)
	if len(stories) != len(RepairTable()) {
		t.Fatalf("%d stories for %d repairs", len(stories), len(RepairTable()))
	}
	for i, repair := range RepairTable() {
		t.Run(repair.Name, func(t *testing.T) {
			story := stories[i]
			compat, alone, none := DefaultRules(), DefaultRules(), DefaultRules()
			compat.Compat, alone.Without, none.Without = true, ^repair.Bit, ^Repairs(0)
			ours, hpa := story.decide(DefaultRules()), story.decide(compat)
			if story.repair != repair.Bit || ours.Desired != story.ours || hpa.Desired != story.hpa {
				t.Errorf("repair %v: %d replicas, want %d; HPA: %d, want %d\n%s\nHPA:\n%s", story.repair.Names(), ours.Desired,
					story.ours, hpa.Desired, story.hpa, steps(ours), steps(hpa))
			}
			if ours.Repairs != repair.Bit || hpa.Repairs != 0 {
				t.Errorf("repairs named: %v, want only %s; HPA: %v", ours.Repairs.Names(), repair.Name, hpa.Repairs.Names())
			}
			if got := story.decide(alone).Desired; got != story.ours {
				t.Errorf("with this repair alone: %d replicas, want %d", got, story.ours)
			}
			if d := story.decide(none); d.Desired != story.hpa || d.Repairs != 0 {
				t.Errorf("with every repair switched off: %d replicas, want %d; repairs %v", d.Desired, story.hpa, d.Repairs.Names())
			}
		})
	}
}

// TestOnlyRepairsThatHadASayAreNamed: what is computed aside, or overruled by another repair, is not.
func TestOnlyRepairsThatHadASayAreNamed(t *testing.T) {
	cut := func(s Snapshot) Snapshot {
		s.Replicas, s.Time = 1, noon.Add(time.Second)
		return surging(s, 12)
	}
	for name, c := range map[string]struct {
		policy annotations.Policy
		looks  []Snapshot
		to     int32
		want   Repairs
	}{
		"what the measured pods ask for would be against the ratio": {eager(t, "target-cpu=40"),
			[]Snapshot{snapshot(noon, 4, pods(noon, 5, "340m"), pods(noon, 1, "0", without))}, 4, 0},
		"the pods that still run carry more than somebody else has left": {eager(t, "target-cpu=50"),
			[]Snapshot{snapshot(noon, 12, pods(noon, 12, "400m")), cut(snapshot(noon, 12, pods(noon, 12, "400m")))}, 10, RepairOutside},
		"so does a total": {totals(t, autoscalingv2.ObjectMetricSourceType, "100"),
			[]Snapshot{withHits(snapshot(noon, 12, pods(noon, 12, "0")), "80"), withHits(cut(snapshot(noon, 12, pods(noon, 12, "0"))), "80")}, 10, RepairOutside},
	} {
		t.Run(name, func(t *testing.T) {
			var d Decision
			h := History{}
			for _, s := range c.looks {
				d, h = recommend(c.policy, s, h)
			}
			if d.Desired != c.to || d.Repairs != c.want {
				t.Errorf("%d -> %d with repairs %v, want %d with %v\n%s", d.Current, d.Desired, d.Repairs.Names(), c.to, c.want.Names(), steps(d))
			}
		})
	}
}

func TestRepairsInJSON(t *testing.T) {
	for _, set := range []Repairs{0, RepairStale, RepairAgainst | RepairBlind} {
		raw, err := json.Marshal(Decision{Repairs: set})
		var back Decision
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || back.Repairs != set {
			t.Errorf("%v came back as %v from %s, error %v", set.Names(), back.Repairs.Names(), raw, err)
		}
	}
}

// TestSidecarIsNamed: the workload goes on scaling, and somebody can see why the numbers are lower than the pods' usage.
func TestSidecarIsNamed(t *testing.T) {
	d, _ := recommend(eager(t, "target-cpu=50"), snapshot(noon, 2, pods(noon, 2, "900m", sidecar("", "300m"))), History{})
	want := "container proxy has no cpu request and is left out of the cpu utilization"
	if d.Omitted != want || d.Failure != nil {
		t.Errorf("omitted = %q, failure = %v; want %q", d.Omitted, d.Failure, want)
	}
}
