package recommend

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// hitsOfPods is an eager policy with a Pods metric, target 40 for each.
func hitsOfPods(t testing.TB) annotations.Policy {
	p := eager(t, "target-cpu=50")
	q := resource.MustParse("40")
	p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "hits"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q}}}})
	return p
}

// ofPods gives each pod the same value, of that time.
func ofPods(s Snapshot, value string, at time.Time, window *int64) Snapshot {
	var values []custommetricsv1beta2.MetricValue
	for _, pod := range s.Pods {
		v := custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name}, WindowSeconds: window, Value: resource.MustParse(value)}
		if !at.IsZero() {
			v.Timestamp = metav1.NewTime(at)
		}
		values = append(values, v)
	}
	s.CustomMetrics = map[string][]custommetricsv1beta2.MetricValue{"hits": values}
	return s
}

func TestCoarseObservationsScaleIn(t *testing.T) {
	w := newWorkload(t, 10, "target-cpu=50", "max=10")
	for range 3 {
		w.load(100, 10*time.Minute)
	}
	w.want(1)
}

func TestAGapDoesNotHoldScaleOut(t *testing.T) {
	w := newWorkload(t, 4, "target-cpu=50", "max=10", "scale-up-stabilization=10m")
	w.load(2000, time.Hour).want(4)
	w.load(8000, tick).want(8)
}

func TestSamplesWithoutATimeAreNotFromBeforeAChange(t *testing.T) {
	p, s := hitsOfPods(t), snapshot(noon, 8, pods(noon, 8, "0"))
	h := History{Changes: []Change{{Time: noon.Add(-time.Hour), Delta: 4}}}
	if d, _ := recommend(p, ofPods(s, "1", time.Time{}, nil), h); d.Desired != 1 {
		t.Errorf("desired = %d, want 1\n%s", d.Desired, steps(d))
	}
}

func TestAValueOfOneMomentIsNotStaleAtOnce(t *testing.T) {
	p, s, moment := hitsOfPods(t), snapshot(noon, 4, pods(noon, 4, "0")), int64(0)
	for ago, want := range map[time.Duration]int32{20 * time.Second: 12, time.Hour: 4} {
		if d, _ := recommend(p, ofPods(s, "120", noon.Add(-ago), &moment), History{}); d.Desired != want {
			t.Errorf("%s old: desired = %d, want %d\n%s", ago, d.Desired, want, steps(d))
		}
	}
}

// TestAStuckRolloutScalesIn: 10 pods of the old version carry next to nothing, 10 of the new one never start.
func TestAStuckRolloutScalesIn(t *testing.T) {
	s := surging(snapshot(noon, 10, pods(noon, 10, "20m"), pods(noon, 10, "0", pending)), 20)
	if d, _ := recommend(eager(t, "target-cpu=50"), s, History{}); d.Desired != 1 || d.Repairs != 0 {
		t.Errorf("desired = %d, repairs %v; want 1 and none\n%s", d.Desired, d.Repairs.Names(), steps(d))
	}
}

func TestAStaleTotalHolds(t *testing.T) {
	for ago, want := range map[time.Duration]int32{6 * time.Hour: 10, 3 * time.Minute: 1} {
		s := withBacklog(snapshot(noon, 10, pods(noon, 10, "0")), "100")
		s.ExternalMetrics["backlog"][0].Timestamp = metav1.NewTime(noon.Add(-ago))
		d, _ := recommend(totals(t, autoscalingv2.ExternalMetricSourceType, "100"), s, History{})
		if d.Desired != want || (d.Repairs == RepairStale) != (want == 10) {
			t.Errorf("%s old: desired = %d, repairs %v; want %d\n%s", ago, d.Desired, d.Repairs.Names(), want, steps(d))
		}
	}
}

func TestOneOfTwoMetricsOfANameFails(t *testing.T) {
	p, s := hitsOfPods(t), ofPods(snapshot(noon, 4, pods(noon, 4, "0")), "120", noon, nil)
	external := totals(t, autoscalingv2.ExternalMetricSourceType, "100").Metrics[0].Spec
	external.External.Metric.Name = "hits"
	p.Metrics = annotations.MetricsOf([]autoscalingv2.MetricSpec{p.Metrics[0].Spec, external})
	s.Errors = map[string]string{"hits": "the adapter is down"}
	if d, _ := recommend(p, s, History{}); d.Desired != 12 || d.Failure == nil {
		t.Errorf("desired = %d, failure %v; want 12 with one metric that failed\n%s", d.Desired, d.Failure, steps(d))
	}
}

func TestManyUnseenReplicasCostNothing(t *testing.T) {
	p, s := eager(t, "target-cpu=50"), snapshot(noon, 40, pods(noon, 1, "10m"))
	p.Max, s.Replicas, s.StatusReplicas = 2_000_000_000, 2_000_000_000, 2_000_000_000
	if n := testing.AllocsPerRun(5, func() { recommend(p, s, History{}) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
	if d, _ := recommend(p, s, History{}); d.Desired != s.Replicas {
		t.Errorf("desired = %d, want %d\n%s", d.Desired, s.Replicas, steps(d))
	}
}

// TestTheLastCompleteSampleOfANameCounts, as in the HPA controller.
func TestTheLastCompleteSampleOfANameCounts(t *testing.T) {
	s := snapshot(noon, 2, pods(noon, 2, "900m"))
	for _, pod := range s.Pods {
		s.PodMetrics = append(s.PodMetrics, &sample.Pod{Name: pod.Name})
	}
	compat := DefaultRules()
	compat.Compat = true
	for name, rules := range map[string]Rules{"compat": compat, "default": DefaultRules()} {
		if d, _ := rules.Recommend(eager(t, "target-cpu=50"), s, History{}); d.Desired != 4 {
			t.Errorf("%s: desired = %d, want 4\n%s", name, d.Desired, steps(d))
		}
	}
}

func TestRatiosBeyondNumbersCanBeWritten(t *testing.T) {
	for _, value := range []string{"-5", "5", "0"} {
		s := withBacklog(surging(snapshot(noon, 4, pods(noon, 4, "0")), 0), value)
		d, _ := recommend(totals(t, autoscalingv2.ExternalMetricSourceType, "100"), s, History{})
		if _, err := json.Marshal(d); err != nil {
			t.Errorf("backlog %s: %v", value, err)
		}
	}
}

// TestNextIsWhenAPodIsInitialized: the sample counts from then on.
func TestNextIsWhenAPodIsInitialized(t *testing.T) {
	young := pods(noon, 2, "900m", started(295*time.Second), sampled(2*time.Second), ready(corev1.ConditionTrue, 10*time.Second))
	d, _ := recommend(eager(t, "target-cpu=50"), snapshot(noon, 4, pods(noon, 2, "900m"), young), History{})
	if want := noon.Add(5 * time.Second); !d.Next.Equal(want) {
		t.Errorf("next = %s, want %s", d.Next, want)
	}
}

// TestADeletedPodIsNobodysSidecar: it neither warns nor is it named as one.
func TestADeletedPodIsNobodysSidecar(t *testing.T) {
	s := snapshot(noon, 2, pods(noon, 2, "900m"), pods(noon, 1, "0", sidecar("", "300m"), deleted))
	d, _ := recommend(eager(t, "target-cpu=50"), s, History{})
	if d.Desired != 4 || d.Omitted != "" || d.Repairs != RepairParticipants {
		t.Errorf("desired = %d, omitted %q, repairs %v; want 4, nothing and only-participants", d.Desired, d.Omitted, d.Repairs.Names())
	}
}

// TestATotalDoesNotDependOnPods: a rollout doubles the pods, and they come and go while the backlog grows and shrinks.
func TestATotalDoesNotDependOnPods(t *testing.T) {
	for name, metric := range map[string]func(Snapshot, string) (annotations.Policy, Snapshot){
		"External": func(s Snapshot, total string) (annotations.Policy, Snapshot) {
			return totals(t, autoscalingv2.ExternalMetricSourceType, "100"), withBacklog(s, total)
		},
		"Object": func(s Snapshot, total string) (annotations.Policy, Snapshot) {
			p, each := totals(t, autoscalingv2.ObjectMetricSourceType, "100"), resource.MustParse("100")
			p.Metrics[0].Spec.Object.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &each}
			return p, withHits(s, total)
		},
	} {
		for total, want := range map[string]int32{"1500": 15, "1900": 19, "1101": 12, "1100": 10, "1000": 10, "900": 10, "899": 9, "100": 1} {
			for status := int32(0); status <= 20; status += 5 {
				p, s := metric(surging(snapshot(noon, 10, pods(noon, int(status), "0")), status), total)
				if d, _ := recommend(p, s, History{}); d.Desired != want {
					t.Errorf("%s metric of %s with %d pods: desired = %d, want %d\n%s", name, total, status, d.Desired, want, steps(d))
				}
			}
		}
	}
}

// TestNamesCostWhatTheMetricsDo: as many metrics as an annotation holds are looked at in time that grows with their number.
func TestNamesCostWhatTheMetricsDo(t *testing.T) {
	allocations := func(n int) float64 {
		p, s := queues(t, n)
		return testing.AllocsPerRun(5, func() { recommend(p, s, History{}) })
	}
	if few, many := allocations(16), allocations(128); many > 12*few {
		t.Errorf("%v allocations for 16 metrics, %v for 128", few, many)
	}
}

func BenchmarkManyMetrics(b *testing.B) {
	p, s := queues(b, 126)
	b.ReportAllocs()
	for b.Loop() {
		recommend(p, s, History{})
	}
}

// queues is a policy with so many External metrics of one name, and a look at them.
func queues(t testing.TB, n int) (annotations.Policy, Snapshot) {
	p := totals(t, autoscalingv2.ExternalMetricSourceType, "100")
	specs := []autoscalingv2.MetricSpec{p.Metrics[0].Spec}
	for i := range n - 1 {
		m := *specs[0].DeepCopy()
		m.External.Metric.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"queue": fmt.Sprint(i)}}
		specs = append(specs, m)
	}
	p.Metrics = annotations.MetricsOf(specs)
	return p, withBacklog(snapshot(noon, 10, pods(noon, 10, "0")), "1000")
}

// TestASettledSampleBeyondNumbersIsNoRepair where the numbers wrap around: nothing of the HPA's was computed.
func TestASettledSampleBeyondNumbersIsNoRepair(t *testing.T) {
	p, changed := hitsOfPods(t), History{Changes: []Change{{Time: noon.Add(-time.Second), Delta: -32, From: 40}}}
	s := ofPods(snapshot(noon, 8, pods(noon, 8, "0")), "9e15", noon.Add(-2*time.Second), nil)
	rules := DefaultRules()
	rules.Without = RepairSaturation
	if d, _ := rules.Recommend(p, s, changed); d.Repairs&RepairSaturation != 0 {
		t.Errorf("repairs %v, and saturation is switched off\n%s", d.Repairs.Names(), steps(d))
	}
}
