package recommend

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// TestInvariants plays random workloads and looks at what must hold in each decision. The seed is the name on failure.
func TestInvariants(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

// FuzzInvariants lets the fuzzer make the choices that a seed makes in TestInvariants.
func FuzzInvariants(f *testing.F) {
	for seed := range uint64(8) {
		choices := make([]byte, 512)
		rng := rand.New(rand.NewPCG(seed, 2))
		for i := range choices {
			choices[i] = byte(rng.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) { play(t, rand.New(&chosen{choices: choices})) })
}

// chosen is a source of numbers that begins with given ones.
type chosen struct {
	choices []byte
	rest    uint64
}

// Uint64 is the next number.
func (c *chosen) Uint64() uint64 {
	if len(c.choices) == 0 {
		c.rest += 0x9e3779b97f4a7c15
		return c.rest * (c.rest>>32 | 1)
	}
	n := min(len(c.choices), 8)
	var number [8]byte
	copy(number[8-n:], c.choices[:n])
	c.choices = c.choices[n:]
	return binary.BigEndian.Uint64(number[:])
}

// play follows one random workload.
func play(t *testing.T, rng *rand.Rand) {
	p := randomPolicy(t, rng)
	replicas, history, now := p.Min+rng.Int32N(p.Max-p.Min+1), History{}, noon
	for range 60 {
		s := randomSnapshot(rng, now, replicas)
		d, next := p.decide(s, history)
		p.check(t, s, d)
		p.attribute(t, s, history, d)
		if history = next; d.Desired != replicas {
			history, replicas = history.Applied(d), d.Desired
		}
		if rng.IntN(10) == 0 {
			replicas = rng.Int32N(p.Max + 3)
		}
		now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
	}
}

type randomized struct {
	Rules
	policy []string
	Min    int32
	Max    int32
	parsed annotations.Policy
	decide func(Snapshot, History) (Decision, History)
}

func randomPolicy(t *testing.T, rng *rand.Rand) randomized {
	low := 1 + rng.Int32N(5)
	high := low + rng.Int32N(20)
	pairs := []string{fmt.Sprintf("min=%d", low), fmt.Sprintf("max=%d", high), fmt.Sprintf("tolerance=%d%%", rng.IntN(30)),
		fmt.Sprintf("scale-up-stabilization=%ds", rng.IntN(60)), fmt.Sprintf("scale-down-stabilization=%ds", rng.IntN(120)),
		fmt.Sprintf("scale-up-policies=%d pods/%ds", 1+rng.IntN(5), 1+rng.IntN(60)),
		fmt.Sprintf("scale-down-policies=%d%%/%ds", 1+rng.IntN(100), 1+rng.IntN(60)),
		[]string{"target-cpu=50", "target-cpu=150", "target-cpu=300m", "target-memory=40"}[rng.IntN(4)],
		[]string{"warm-up=0s", "warm-up=90s"}[rng.IntN(2)]}
	p := policy(t, pairs...)
	for range rng.IntN(3) {
		p.Metrics = append(p.Metrics, annotations.MetricsOf([]autoscalingv2.MetricSpec{randomMetric(rng)})...)
	}
	if rng.IntN(3) == 0 && len(p.Metrics) > 1 {
		p.Metrics = p.Metrics[1:] // none of a resource
	}
	return randomized{Rules: DefaultRules(), policy: pairs, parsed: p, Min: p.Min, Max: p.Max, decide: func(s Snapshot, h History) (Decision, History) {
		return DefaultRules().Recommend(p, s, h)
	}}
}

// randomMetric is a custom or external metric; randomValues has values for it.
func randomMetric(rng *rand.Rand) autoscalingv2.MetricSpec {
	q := resource.MustParse("40")
	average := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q}
	value := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: &q}
	id := autoscalingv2.MetricIdentifier{Name: "m"}
	switch rng.IntN(5) {
	case 0:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: id, Target: average}}
	case 1:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: id, Target: average}}
	case 2:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: id, Target: value}}
	case 3:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: id, Target: average}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: id, Target: value}}
}

// randomValues fills in the custom and external metrics, some of which fail or are of extreme size.
func randomValues(rng *rand.Rand, s *Snapshot) {
	amount := func() resource.Quantity {
		if rng.IntN(40) == 0 {
			return resource.MustParse([]string{"9e18", "-3", "0", "1e30"}[rng.IntN(4)])
		}
		return *resource.NewQuantity(rng.Int64N(1000), resource.DecimalSI)
	}
	usual := func() resource.Quantity {
		if rng.IntN(100) == 0 {
			return amount()
		}
		return *resource.NewQuantity(rng.Int64N(90), resource.DecimalSI)
	}
	if rng.IntN(8) == 0 {
		s.Errors = map[string]string{"m": []string{"the adapter is down", ErrorPending}[rng.IntN(2)]}
		return
	}
	values := []custommetricsv1beta2.MetricValue{{DescribedObject: corev1.ObjectReference{Kind: "Ingress", Name: "front"}, Value: amount()}}
	for _, pod := range s.Pods {
		if rng.IntN(5) > 0 {
			values = append(values, custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name},
				Timestamp: metav1.NewTime(s.Time.Add(-time.Duration(rng.IntN(200)) * time.Second)), Value: usual()})
		}
	}
	s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"m": values}
	s.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{"m": {{Value: amount()}, {Value: amount()}}}
}

func randomSnapshot(rng *rand.Rand, now time.Time, replicas int32) Snapshot {
	states := []option{func(*fixture, time.Time) {}, without, pending, failed, deleted, started(20 * time.Second),
		sampled(time.Minute), ready(corev1.ConditionFalse, time.Hour), noRequest, succeeded, negative,
		ready(corev1.ConditionUnknown, time.Minute), func(f *fixture, now time.Time) { without(f, now); ready(corev1.ConditionFalse, time.Hour)(f, now) },
		func(f *fixture, now time.Time) { without(f, now); ready(corev1.ConditionUnknown, time.Minute)(f, now) }, requesting("0"), sidecar("", "200m"), warm(time.Minute, 20*time.Second)}
	healthy := rng.IntN(2) == 0
	unheard := ready(corev1.ConditionUnknown, time.Minute)
	atTarget := rng.IntN(8) == 0 // the pods that are known to be ready
	if atTarget {
		states, healthy = []option{states[0], unheard}, false
	}
	var made []fixture
	for i := range max(int(replicas)+rng.IntN(3)-1, 0) {
		state := states[0]
		if !healthy {
			state = states[rng.IntN(len(states))]
		}
		f := newFixture(now, i, fmt.Sprintf("%dm", rng.IntN(1500)), state)
		if atTarget && !unknown(f.pod) {
			f.uses(corev1.ResourceCPU, "500m")
		}
		made = append(made, f)
	}
	s := snapshot(now, replicas, made)
	if !healthy && rng.IntN(4) == 0 {
		s.PodMetrics = append(s.PodMetrics, newFixture(now, 900, "1").sample)
	}
	if rng.IntN(12) == 0 {
		s.PodMetrics, s.MetricsError = nil, "down"
	}
	randomValues(rng, &s)
	s.StatusReplicas = max(replicas+rng.Int32N(3)-1, 0)
	return s
}

func (r randomized) check(t *testing.T, s Snapshot, d Decision) {
	t.Helper()
	complain := func(what string) {
		t.Errorf("%s: %d -> %d with %v\n%s", what, d.Current, d.Desired, r.policy, steps(d))
	}
	if d.Current != 0 && (d.Desired < r.Min || d.Desired > r.Max) {
		complain("out of bounds")
	}
	if d.Current == 0 && d.Desired != 0 {
		complain("woke a workload that is paused")
	}
	inBounds := d.Current >= r.Min && d.Current <= r.Max
	largest, failed := 0.0, 0
	for _, m := range d.Metrics {
		if largest = max(largest, m.Ratio); m.Failed {
			failed++
		}
	}
	if inBounds && failed == len(d.Metrics) && d.Desired != d.Current {
		complain("changed without a metric")
	}
	if inBounds && failed > 0 && d.Desired < d.Current {
		complain("scaled in while a metric fails")
	}
	scaledOutside := d.Repairs&RepairOutside != 0 // the pods that are measured are not those that are asked for
	if inBounds && !scaledOutside && d.Active == ActiveValidMetric && (largest <= 1 && d.Desired > d.Current || largest >= 1 && d.Desired < d.Current) {
		complain(fmt.Sprintf("against the largest ratio %v", largest))
	}
	if !d.Next.IsZero() && !d.Next.After(s.Time) {
		complain("the next look is in the past")
	}
	if inBounds && d.Active == ActiveValidMetric && len(d.Steps) > 0 && d.Desired < d.Current {
		for _, step := range d.Steps {
			if step.Stage == StageTolerance && step.To >= d.Current {
				complain("scaled in although no metric is below its target now")
			}
		}
	}
}

// attribute holds a decision without repairs to be the HPA controller's, and one without any repair switched on, too.
func (r randomized) attribute(t *testing.T, s Snapshot, h History, d Decision) {
	t.Helper()
	compat, none := r.Rules, r.Rules
	compat.Compat, none.Without = true, ^Repairs(0)
	h.unplaced, h.resumed, h.outside, h.left = false, Recommendation{}, outside{}, 0 // of these the HPA knows nothing
	want, _ := compat.Recommend(r.parsed, s, h)
	off, _ := none.Recommend(r.parsed, s, h)
	fewer, some := r.Rules, d
	for range len(RepairTable()) { // without those that had a say, and those that have one then
		fewer.Without |= some.Repairs
		some, _ = fewer.Recommend(r.parsed, s, h)
	}
	for name, got := range map[string]Decision{"by default": d, "with every repair switched off": off, "without those that had a say": some} {
		same := got.Desired == want.Desired && got.Active == want.Active && got.Able == want.Able && got.Limited == want.Limited
		if got.Repairs == 0 && !same || got.Repairs != 0 && name != "by default" {
			t.Errorf("%s, repairs %v: %d %s %s %s, want %d %s %s %s\n%s\nHPA:\n%s", name, got.Repairs.Names(), got.Desired, got.Active, got.Able,
				got.Limited, want.Desired, want.Active, want.Able, want.Limited, steps(got), steps(want))
		}
	}
}

// TestNodeClocksDoNotMatter: whatever the clocks of the nodes show, the decision is that of right ones.
func TestNodeClocksDoNotMatter(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 4))
		p, replicas := randomPolicy(t, rng), 1+rng.Int32N(20)
		h := History{Recommendations: []Recommendation{{Time: noon.Add(-time.Minute), Replicas: replicas}},
			Changes: []Change{{Time: noon.Add(-time.Duration(rng.IntN(60)) * time.Second), Delta: -1, From: replicas + 1}}}
		s := randomSnapshot(rng, noon, replicas)
		want, _ := p.decide(behind(s, 0, 0), h)
		for _, by := range []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, 10 * time.Minute, -20 * time.Second, -time.Minute, -10 * time.Minute} {
			s.Taken = Taken{}
			n := rng.IntN(len(s.Pods) + 1)
			got, _ := p.decide(behind(s, by, n), h)
			want.Repairs, got.Repairs = 0, 0
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, the clock of %d pods %s behind (-right clocks +got):\n%s", seed, n, by, diff)
			}
			s.Taken = Taken{}
			behind(s, -by, n)
			for i := range s.PodMetrics { // the samples' clock may be off by itself
				s.Taken.PodMetrics = append(s.Taken.PodMetrics, s.PodMetrics[i].Time)
				if i%2 == 0 {
					s.PodMetrics[i].Time = s.PodMetrics[i].Time.Add(-by)
				}
			}
			got, _ = p.decide(s, h)
			got.Repairs = 0
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, the samples of every other pod %s behind (-right clocks +got):\n%s", seed, by, diff)
			}
			for i := range s.PodMetrics {
				s.PodMetrics[i].Time = s.Taken.PodMetrics[i]
			}
		}
	}
}

// TestMonotoneInLoad: more load on the same pods never means fewer replicas, whatever there is beside them.
func TestMonotoneInLoad(t *testing.T) {
	unheard := ready(corev1.ConditionUnknown, 30*time.Second)
	for name, others := range map[string]func() []fixture{
		"nothing":                   func() []fixture { return nil },
		"idle pods nobody hears of": func() []fixture { return pods(noon, 5, "10m", unheard) },
		"busy ones":                 func() []fixture { return pods(noon, 5, "1500m", unheard) },
		"ones without a sample":     func() []fixture { return pods(noon, 5, "0", unheard, without) },
		"young ones": func() []fixture {
			return pods(noon, 5, "10m", started(4*time.Minute), sampled(20*time.Second), unheard)
		},
	} {
		for _, tolerance := range []string{"0", "10%"} {
			t.Run(name+", tolerance "+tolerance, func(t *testing.T) {
				p := policy(t, "target-cpu=80", "max=1000", "scale-up-policies=1000%/15s", "scale-down-stabilization=0s", "tolerance="+tolerance)
				last := int32(0)
				for load := 0; load < 2000; load += 10 {
					s := snapshot(noon, 10, pods(noon, 5, fmt.Sprintf("%dm", load)), starting(3), pods(noon, 2, "0", without), others())
					d, _ := recommend(p, s, History{})
					if d.Desired < last {
						t.Fatalf("at %dm for each pod: %d replicas, at 10m less %d\n%s", load, d.Desired, last, steps(d))
					}
					last = d.Desired
				}
				if last <= 10 {
					t.Fatalf("the highest load asks for %d replicas, want more than the present 10", last)
				}
			})
		}
	}
}

// TestSeeingLessNeverScalesIn: with a part of the samples or of the pods gone, there are never fewer replicas than with
// all of them, unless the HPA's rule for missing samples says so: a pod that is not measured uses its whole request.
func TestSeeingLessNeverScalesIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	p := policy(t, "target-cpu=100", "max=100", "scale-up-policies=1000%/15s", "scale-down-stabilization=0s")
	for range 500 {
		load := 50 + rng.IntN(900)
		all := pods(noon, 10, fmt.Sprintf("%dm", load))
		full, _ := recommend(p, snapshot(noon, 10, all), History{})
		s := snapshot(noon, 10, all)
		if rng.IntN(2) == 0 {
			s.PodMetrics = s.PodMetrics[:1+rng.IntN(9)]
		} else {
			s.Pods = s.Pods[:1+rng.IntN(9)]
		}
		less, _ := recommend(p, s, History{})
		if less.Desired < full.Desired {
			t.Fatalf("at %dm with %d pods and %d samples: %d replicas, with all of them %d\n%s", load, len(s.Pods), len(s.PodMetrics), less.Desired, full.Desired, steps(less))
		}
	}
}

// TestInputsStayUntouched compares deep copies: a decision is a function of its inputs and leaves them as they are.
func TestInputsStayUntouched(t *testing.T) {
	p := policy(t, "target-cpu=50", "target-memory=50", "max=10")
	s := snapshot(noon, 4, pods(noon, 2, "900m"), pods(noon, 1, "0", without), starting(1))
	h := History{Recommendations: []Recommendation{{Time: noon.Add(-time.Minute), Replicas: 7}, {Time: noon.Add(-time.Second), Replicas: 3}},
		Changes: []Change{{Time: noon.Add(-time.Hour), Delta: 2}, {Time: noon.Add(-time.Second), Delta: -1}}}
	before := struct {
		s Snapshot
		h History
	}{Snapshot{Time: s.Time, Replicas: s.Replicas, StatusReplicas: s.StatusReplicas},
		History{Recommendations: append([]Recommendation{}, h.Recommendations...), Changes: append([]Change{}, h.Changes...), Since: h.Since}}
	for _, pod := range s.Pods {
		copied := *pod
		copied.Spec = podspec.Slim(new(pod.Spec.Core()).DeepCopy())
		before.s.Pods = append(before.s.Pods, &copied)
	}
	for _, seen := range s.PodMetrics {
		copied := *seen
		copied.Containers = slices.Clone(seen.Containers)
		for i, c := range seen.Containers {
			copied.Containers[i].Usage = nil
			for _, a := range c.Usage {
				copied.Containers[i].Usage = append(copied.Containers[i].Usage, sample.Amount{Resource: a.Resource, Quantity: a.Quantity.DeepCopy()})
			}
		}
		before.s.PodMetrics = append(before.s.PodMetrics, &copied)
	}
	first, firstHistory := recommend(p, s, h)
	_ = firstHistory.Applied(first)
	second, secondHistory := recommend(p, s, h)
	if diff := cmp.Diff(before.s, s) + cmp.Diff(before.h, h, cmp.AllowUnexported(History{}, outside{})); diff != "" {
		t.Errorf("the inputs changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(first, second) + cmp.Diff(firstHistory, secondHistory, cmp.AllowUnexported(History{}, outside{})); diff != "" {
		t.Errorf("the same inputs, another decision:\n%s", diff)
	}
}

func TestHistoryStaysSmall(t *testing.T) {
	p := policy(t, "target-cpu=50", "max=10", "scale-down-stabilization=1h")
	h := History{}
	for i := range 10000 {
		now := noon.Add(time.Duration(i) * time.Second)
		s := Snapshot{Time: now, Replicas: 1}
		v := DefaultRules().view(&p, &s, h)
		h = v.recorded(v.history, look{int32(i % 10), int32(i % 7)})
		h = h.Applied(Decision{Time: noon.Add(time.Duration(i) * time.Second), Current: 1, Desired: 2})
	}
	if len(h.Recommendations) > 17 || len(h.Changes) > 301 {
		t.Errorf("%d recommendations and %d changes are kept, want at most 17 and 301", len(h.Recommendations), len(h.Changes))
	}
}

// TestHistoryStaysSmallWithoutMetrics, however often somebody else raises the replicas.
func TestHistoryStaysSmallWithoutMetrics(t *testing.T) {
	for name, n := range map[string]func(i int) int32{
		"to and fro": func(i int) int32 { return []int32{4, 12}[i%2] },
		"upwards":    func(i int) int32 { return 1 + int32(i)%20000 },
	} {
		p, h := policy(t, "target-cpu=50", "max=100000", "scale-down-stabilization=5m"), History{}
		most := 0
		for i := range 20000 {
			_, h = recommend(p, Snapshot{Time: noon.Add(time.Duration(i) * time.Second), Replicas: n(i), MetricsError: "down"}, h)
			most = max(most, len(h.Recommendations))
		}
		if most > 302 {
			t.Errorf("%s: %d recommendations are kept, want at most one a second for 5 minutes", name, most)
		}
	}
}

// TestChangesStayFew: a rival that sets the replicas out of bounds again and again is answered each time, and nothing grows.
func TestChangesStayFew(t *testing.T) {
	for _, compat := range []bool{false, true} {
		r, p, h := DefaultRules(), policy(t, "target-cpu=50", "min=5", "max=10"), History{}
		r.Compat = compat
		for i := range 3 * mostChanges {
			var d Decision
			d, h = r.Recommend(p, Snapshot{Time: noon.Add(time.Duration(i) * time.Millisecond), Replicas: 1}, h)
			h = h.Applied(d)
		}
		if len(h.Changes) != mostChanges {
			t.Errorf("compat %v: %d changes are kept, want %d", compat, len(h.Changes), mostChanges)
		}
	}
}

// TestKeptRecommendationsDecideAsAllWould compares the small history with one that forgets nothing.
func TestKeptRecommendationsDecideAsAllWould(t *testing.T) {
	p := policy(t, "target-cpu=50", "max=10", "scale-up-stabilization=30s", "scale-down-stabilization=1m")
	rng := rand.New(rand.NewPCG(7, 7))
	small, all := History{}, History{}
	for i := range 5000 {
		now, desired := noon.Add(time.Duration(i)*7*time.Second), 1+rng.Int32N(10)
		proposed := desired + rng.Int32N(2)
		for _, counted := range []bases{basesOf(Recommended), basesOf(Recommended, Assumed)} {
			got, want := small.envelope(now, desired, &p, counted), all.envelope(now, desired, &p, counted)
			if got.nearest(1) != want.nearest(1) || got.nearest(20) != want.nearest(20) || got.low.ends != want.low.ends || got.high.ends != want.high.ends {
				t.Fatalf("evaluation %d: %+v, want %+v", i, got, want)
			}
		}
		small = (&view{Rules: DefaultRules(), policy: p, Snapshot: Snapshot{Time: now}}).recorded(small, look{proposed, desired})
		all.Recommendations = append(all.Recommendations, Recommendation{Time: now, Replicas: desired})
		if proposed != desired {
			all.Recommendations = append(all.Recommendations, Recommendation{Time: now, Replicas: proposed, Basis: Assumed})
		}
	}
}

func TestConversionsSaturate(t *testing.T) {
	var n numbers
	for text, want := range map[string]int64{"1": 1000, "250m": 250, "1e20": math.MaxInt64, "9223372036854775807": math.MaxInt64,
		"1Ei": math.MaxInt64, "-1": -1000, "-1e20": math.MinInt64, "0": 0,
		"1e999999999": math.MaxInt64, "-1e999999999": math.MinInt64, "9223372036854774": 9223372036854774000} {
		if got := n.milli(new(resource.MustParse(text))); got != want {
			t.Errorf("milli(%s) = %d, want %d", text, got, want)
		}
	}
	for f, want := range map[float64]int32{4.0000001: 5, 4: 4, math.Inf(1): math.MaxInt32, 1e300: math.MaxInt32, -3: 0} {
		if got := n.ceil(f); got != want {
			t.Errorf("ceil(%v) = %d, want %d", f, got, want)
		}
	}
	for name, c := range map[string]struct {
		compute   func(*numbers) int64
		want      int64
		saturated bool
	}{
		"not a number":      {func(n *numbers) int64 { return int64(n.ceil(math.NaN())) }, 0, false},
		"too many":          {func(n *numbers) int64 { return int64(n.ceil(1e300)) }, math.MaxInt32, true},
		"sum":               {func(n *numbers) int64 { return n.add(math.MaxInt64, 1) }, math.MaxInt64, true},
		"sum below":         {func(n *numbers) int64 { return n.add(math.MinInt64, -1) }, math.MinInt64, true},
		"sum of 0":          {func(n *numbers) int64 { return n.add(5, 0) }, 5, false},
		"sum of two signs":  {func(n *numbers) int64 { return n.add(5, -7) }, -2, false},
		"product":           {func(n *numbers) int64 { return n.mulDiv(math.MaxInt64, 100, 1) }, math.MaxInt64, true},
		"large product":     {func(n *numbers) int64 { return n.mulDiv(math.MaxInt64, 100, 100) }, math.MaxInt64, true},
		"quotient":          {func(n *numbers) int64 { return n.mulDiv(7, 100, 3) }, 233, false},
		"negative quotient": {func(n *numbers) int64 { return n.mulDiv(-7, 100, 3) }, -233, false},
		"once":              {func(n *numbers) int64 { return n.times(math.MaxInt64, 1) }, math.MaxInt64, false},
		"times":             {func(n *numbers) int64 { return n.times(math.MaxInt64/2, 3) }, math.MaxInt64, true},
		"replicas":          {func(n *numbers) int64 { return int64(n.plus(math.MaxInt32, 1)) }, math.MaxInt32, true},
		"overdrawn":         {func(n *numbers) int64 { return int64(n.plus(1, -2)) }, -1, false},
		"utilization":       {func(n *numbers) int64 { return n.utilization(math.MaxInt64/100, 1) }, math.MaxInt32, true},
		"quantity":          {func(n *numbers) int64 { return n.milli(new(resource.MustParse("1e20"))) }, math.MaxInt64, true},
	} {
		var n numbers
		if got := c.compute(&n); got != c.want || n.saturated != c.saturated {
			t.Errorf("%s = %d, saturated: %t; want %d, %t", name, got, n.saturated, c.want, c.saturated)
		}
	}
	if got := (&numbers{wrap: true}).milli(new(resource.MustParse("1e999999999"))); got != 0 {
		t.Errorf("milli(1e999999999), wrapped around = %d, want 0", got)
	}
}
