package recommend

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

var (
	cpuHalf    = podMetric{name: "cpu", resource: "cpu", utilization: true, target: 50}
	memoryHalf = podMetric{name: "memory", resource: "memory", utilization: true, target: 50}
)

// factsOf is what a metric sees of the first pod.
func factsOf(r Rules, s Snapshot, m podMetric, changes ...Change) (podFacts, *Failure) {
	v, n := &view{Rules: r, Snapshot: s, history: History{Changes: changes}, initial: s.Time.Add(-r.CPUInitializationPeriod)}, numbers{}
	f := v.samples(&n, &m)
	return v.read(&n, &f, s.Pods[0])
}

// TestFactsOfAPod: one pod, one metric.
func TestFactsOfAPod(t *testing.T) {
	const mebi = 1000 << 20
	usual, compat := DefaultRules(), DefaultRules()
	compat.Compat = true
	taken := noon.Add(-2 * time.Second)
	fresh := 2*sampleWindow + sampleResolution - 2*time.Second
	busy := reading{usage: 500, settled: 500, request: 1000}
	with := func(r reading, change func(*reading)) reading {
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		rules   Rules
		metric  podMetric
		options []option
		changes []Change
		want    podFacts
		failure string
	}{
		"ready": {rules: usual, metric: cpuHalf, want: podFacts{reading: busy, taken: taken, fresh: fresh}},
		"ready, for a target in absolute values": {rules: usual, metric: podMetric{name: "cpu", resource: "cpu", target: 300},
			want: podFacts{reading: with(busy, func(r *reading) { r.request = 0 }), taken: taken, fresh: fresh}},
		"ready, of memory": {rules: usual, metric: memoryHalf,
			want: podFacts{reading: reading{usage: 512 * mebi, settled: 512 * mebi, request: 1024 * mebi}, taken: taken, fresh: fresh}},
		"pending": {rules: usual, metric: cpuHalf, options: []option{pending},
			want: podFacts{reading: reading{group: inUnready, mark: neverReady, request: 1000}}},
		"without a sample": {rules: usual, metric: cpuHalf, options: []option{without},
			want: podFacts{reading: reading{group: inMissing, request: 1000}}},
		"without a sample, never ready": {rules: usual, metric: cpuHalf, options: []option{ready(corev1.ConditionFalse, time.Hour), without},
			want: podFacts{reading: reading{group: inMissing, mark: neverSampled, request: 1000}}},
		"without a sample, and nobody knows of it": {rules: usual, metric: cpuHalf, options: []option{ready(corev1.ConditionUnknown, time.Minute), without},
			want: podFacts{reading: reading{group: inMissing, mark: lost, request: 1000}}},
		"with a sample that is stale": {rules: usual, metric: cpuHalf, options: []option{sampled(time.Minute)},
			want: podFacts{reading: reading{group: inMissing, request: 1000}, taken: noon.Add(-time.Minute), repairs: RepairStale}},
		"with a sample that the HPA does not call stale": {rules: compat, metric: cpuHalf, options: []option{sampled(time.Minute)},
			want: podFacts{reading: busy, taken: noon.Add(-time.Minute)}},
		"that uses less than nothing": {rules: usual, metric: cpuHalf, options: []option{negative},
			want: podFacts{reading: reading{group: inMissing, request: 1000}, repairs: RepairNegative}},
		"that uses less than nothing, in the HPA": {rules: compat, metric: cpuHalf, options: []option{negative},
			want: podFacts{reading: reading{usage: -3000, settled: -3000, request: 1000}, taken: taken}},
		"young, and ready after its sample began": {rules: usual, metric: cpuHalf, options: []option{started(time.Minute), ready(corev1.ConditionTrue, 5*time.Second)},
			want: podFacts{reading: reading{group: inUnready, request: 1000}, fresh: fresh, changes: noon.Add(4 * time.Minute)}},
		"young, and ready after its sample began, of memory": {rules: usual, metric: memoryHalf, options: []option{started(time.Minute), ready(corev1.ConditionTrue, 5*time.Second)},
			want: podFacts{reading: reading{usage: 512 * mebi, settled: 512 * mebi, request: 1024 * mebi}, taken: taken, fresh: fresh}},
		"turned unready": {rules: usual, metric: cpuHalf, options: []option{ready(corev1.ConditionFalse, time.Minute)},
			want: podFacts{reading: with(busy, func(r *reading) { r.mark = turnedUnready }), taken: taken, fresh: fresh}},
		"of which nobody knows": {rules: usual, metric: cpuHalf, options: []option{ready(corev1.ConditionUnknown, time.Minute)},
			want: podFacts{reading: with(busy, func(r *reading) { r.mark = unknownReady }), taken: taken, fresh: fresh}},
		"of which nobody knows, in the HPA": {rules: compat, metric: cpuHalf, options: []option{ready(corev1.ConditionUnknown, time.Minute)},
			want: podFacts{reading: busy, taken: taken}},
		"with a sample from before the last change": {rules: usual, metric: cpuHalf, changes: []Change{{Time: noon.Add(-2 * time.Second), Delta: -1, From: 2}},
			want: podFacts{reading: with(busy, func(r *reading) { r.settled = 1000 }), taken: taken, fresh: fresh, early: true}},
		"with a sidecar that requests nothing": {rules: usual, metric: cpuHalf, options: []option{sidecar("", "200m")},
			want: podFacts{reading: busy, taken: taken, fresh: fresh, omitted: "proxy", repairs: RepairSidecar}},
		"with a sidecar": {rules: usual, metric: cpuHalf, options: []option{sidecar("100m", "200m")},
			want: podFacts{reading: reading{usage: 700, settled: 700, request: 1100}, taken: taken, fresh: fresh}},
		"with a sidecar that requests nothing, in the HPA": {rules: compat, metric: cpuHalf, options: []option{sidecar("", "200m")}, failure: ReasonMissingRequest},
		"that requests nothing":                            {rules: usual, metric: cpuHalf, options: []option{noRequest}, failure: ReasonMissingRequest},
		"without the container": {rules: usual, metric: podMetric{name: "cpu", resource: "cpu", container: "db", utilization: true, target: 50},
			failure: ReasonContainerNotFound},
		"being deleted": {rules: usual, metric: cpuHalf, options: []option{deleted}, want: podFacts{ignored: true}},
		"being deleted, and it requests nothing": {rules: usual, metric: cpuHalf, options: []option{deleted, noRequest},
			want: podFacts{ignored: true, repairs: RepairParticipants}},
		"being deleted, and it requests nothing, in the HPA": {rules: compat, metric: cpuHalf, options: []option{deleted, noRequest}, failure: ReasonMissingRequest},
		"ended": {rules: usual, metric: cpuHalf, options: []option{succeeded}, want: podFacts{ignored: true, repairs: RepairParticipants}},
		"ended, in the HPA": {rules: compat, metric: cpuHalf, options: []option{succeeded},
			want: podFacts{reading: reading{group: inMissing, request: 1000}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, failure := factsOf(c.rules, snapshot(noon, 1, pods(noon, 1, "500m", c.options...)), c.metric, c.changes...)
			if failure != nil || c.failure != "" {
				if failure == nil || failure.Reason != c.failure {
					t.Errorf("failure %+v, want %q", failure, c.failure)
				}
				return
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(podFacts{}, reading{}, warmUp{})); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFactsTogether: what many pods come to.
func TestFactsTogether(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	var c cohort
	for _, facts := range []podFacts{
		{reading: reading{usage: 500, request: 1000}, taken: at(-9), fresh: 40 * time.Second},
		{reading: reading{usage: 700, request: 1000, mark: unknownReady}, taken: at(-20), fresh: 20 * time.Second, early: true},
		{reading: reading{group: inUnready, request: 1000}, changes: at(60)},
		{reading: reading{group: inUnready, request: 1000}, changes: at(30)},
		{reading: reading{group: inMissing, request: 1000}, taken: at(-80), repairs: RepairStale},
		{reading: reading{group: inMissing, request: 1000}, taken: at(-70), omitted: "proxy", repairs: RepairStale | RepairSidecar},
		{ignored: true, repairs: RepairParticipants},
	} {
		c.join(&facts)
	}
	if got, want := c.counts(), (podCounts{known: 1, others: 1, unready: 2, missing: 2, ignored: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	type rest struct {
		Oldest, Newest, Changes time.Time
		Fresh                   time.Duration
		Early                   int
		Omitted                 string
		Repairs                 Repairs
	}
	want := rest{at(-20), at(-70), at(30), 20 * time.Second, 1, "proxy", RepairStale | RepairSidecar | RepairParticipants}
	if diff := cmp.Diff(want, rest{c.oldest, c.newest, c.changes, c.fresh, c.early, c.omitted, c.repairs}); diff != "" {
		t.Errorf("cohort (-want +got):\n%s", diff)
	}
}

// TestSums: what pods use together depends on what they count as. Each requests 1000m, and the target is 50 %.
func TestSums(t *testing.T) {
	of := func(g group, m mark, usage int64) reading {
		return reading{group: g, mark: m, usage: usage, settled: 2 * usage, request: 1000}
	}
	all := []reading{of(inReady, unmarked, 600), of(inReady, unmarked, 400), of(inReady, unknownReady, 100), of(inUnready, unmarked, 0), of(inMissing, unmarked, 0),
		{group: inMissing, mark: unseen, request: 1000, times: 3}}
	atTargets := careful(0.8)
	atTargets.group[inUnready], atTargets.unready = atTarget, 1
	wayOut := careful(1.2)
	wayOut.mark[unknownReady], wayOut.mark[lost] = beside, beside
	settledAs := everyKnown()
	settledAs.group[inReady] = settled
	warming := everyReady()
	warming.group[inReady], warming.warm = atMostOthers, sum{used: 400, requested: 1000, pods: 1}
	for name, c := range map[string]struct {
		as   treatments
		warm int
		want sum
	}{
		"ready ones":                         {as: everyReady(), want: sum{used: 1100, requested: 3000, pods: 3, ready: 3}},
		"those that are known to be":         {as: everyKnown(), want: sum{used: 1000, requested: 2000, pods: 2, ready: 2}},
		"missing ones use their request":     {as: careful(0.8), want: sum{used: 5100, requested: 7000, pods: 7, ready: 3, assumed: 4}},
		"and unready ones their target":      {as: atTargets, want: sum{used: 5600, requested: 8000, pods: 8, ready: 3, assumed: 5}},
		"the others use nothing":             {as: careful(1.2), want: sum{used: 1100, requested: 8000, pods: 8, ready: 3, assumed: 5}},
		"the lost keep their place":          {as: wayOut, want: sum{used: 1000, requested: 7000, pods: 7, ready: 2, assumed: 5, aside: 1, targets: 1}},
		"what more of them carried":          {as: settledAs, want: sum{used: 2000, requested: 2000, pods: 2, ready: 2, shifted: 2}},
		"one that warms up is like the rest": {as: warming, warm: 1, want: sum{used: 900, requested: 3000, pods: 3, ready: 3, capped: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var cohort cohort
			for i, r := range all {
				r.warming = i < c.warm
				cohort.add(&r)
			}
			if got := cohort.sum(&numbers{}, &cpuHalf, &c.as); got != c.want {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
		})
	}
}
