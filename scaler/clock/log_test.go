package clock

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// TestALogFollowsEachThing: timestamps are followed by what they are of, in whatever order they come.
func TestALogFollowsEachThing(t *testing.T) {
	timestamp := func(seconds time.Duration) metav1.Time { return metav1.NewTime(noon.Add(seconds * second)) }
	ages := func(now time.Time, taken []time.Time) (ages []time.Duration) {
		for _, at := range taken {
			ages = append(ages, now.Sub(at))
		}
		return ages
	}
	pod := func(name string, at time.Duration) *sample.Pod {
		return &sample.Pod{Name: name, Time: timestamp(at).Time, Window: 15 * second}
	}
	custom := func(name string, at time.Duration) custommetricsv1beta2.MetricValue {
		return custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: name}, Timestamp: timestamp(at)}
	}
	external := func(queue string, at time.Duration) externalmetricsv1beta1.ExternalMetricValue {
		return externalmetricsv1beta1.ExternalMetricValue{MetricLabels: map[string]string{"queue": queue}, Timestamp: timestamp(at)}
	}
	later := noon.Add(30 * second)
	for name, got := range map[string][2][]time.Duration{
		"pods": func() [2][]time.Duration {
			log, first := Log(nil).Pods([]*sample.Pod{pod("a", -3), pod("b", 600)}, noon)
			_, second := log.Pods([]*sample.Pod{pod("b", 600), pod("a", 27)}, later)
			return [2][]time.Duration{ages(noon, first), ages(later, second)}
		}(),
		"custom": func() [2][]time.Duration {
			log, first := Log(nil).Custom([]custommetricsv1beta2.MetricValue{custom("a", -3), custom("b", 600)}, noon)
			_, second := log.Custom([]custommetricsv1beta2.MetricValue{custom("b", 600), custom("a", 27)}, later)
			return [2][]time.Duration{ages(noon, first), ages(later, second)}
		}(),
		"external": func() [2][]time.Duration {
			log, first := Log(nil).External([]externalmetricsv1beta1.ExternalMetricValue{external("a", -3), external("b", 600)}, noon)
			_, second := log.External([]externalmetricsv1beta1.ExternalMetricValue{external("b", 600), external("a", 27)}, later)
			return [2][]time.Duration{ages(noon, first), ages(later, second)}
		}(),
	} {
		want := [2][]time.Duration{{3 * second, second}, {31 * second, 3 * second}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: ages (-want +got):\n%s", name, diff)
		}
	}
}

// TestAnAdapterWhoseClockIsBehind is believed from its second value on; one that says nothing of time is taken to speak of now.
func TestAnAdapterWhoseClockIsBehind(t *testing.T) {
	value := func(at time.Time) []externalmetricsv1beta1.ExternalMetricValue {
		return []externalmetricsv1beta1.ExternalMetricValue{{Timestamp: metav1.NewTime(at)}}
	}
	log, first := Log(nil).External(value(noon.Add(-time.Hour)), noon)
	_, next := log.External(value(noon.Add(-time.Hour+15*second)), noon.Add(15*second))
	if got := noon.Sub(first[0]); got != time.Hour {
		t.Errorf("the first one is %s old", got)
	}
	if got := noon.Add(15 * second).Sub(next[0]); got != second {
		t.Errorf("the next one is %s old", got)
	}
	if _, none := log.External(value(time.Time{}), noon); !none[0].IsZero() {
		t.Errorf("without a timestamp it was taken at %s", none[0])
	}
}

// TestAStuckReplicaMakesNothingNewer: what it serves grows old, whether it answers in turn with another one or beside it, and however
// many are stuck.
func TestAStuckReplicaMakesNothingNewer(t *testing.T) {
	const fresh, stuck = 3 * second, time.Hour
	for name, answer := range map[string]func(i int, now time.Time) []time.Time{
		"in turn": func(i int, now time.Time) []time.Time {
			if i%2 == 1 {
				return []time.Time{noon.Add(-stuck)}
			}
			return []time.Time{now.Add(-fresh)}
		},
		"beside it":   func(_ int, now time.Time) []time.Time { return []time.Time{now.Add(-fresh), noon.Add(-stuck)} },
		"before it":   func(_ int, now time.Time) []time.Time { return []time.Time{noon.Add(-stuck), now.Add(-fresh)} },
		"both, aside": func(int, time.Time) []time.Time { return []time.Time{noon.Add(-fresh), noon.Add(-stuck)} },
		"both, in turn": func(i int, _ time.Time) []time.Time {
			return []time.Time{noon.Add(-fresh - time.Duration(i%2)*15*second)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var external, custom, pods Log
			for i := range 40 {
				now := noon.Add(time.Duration(i) * 15 * second)
				stamps := answer(i, now)
				var e []externalmetricsv1beta1.ExternalMetricValue
				var c []custommetricsv1beta2.MetricValue
				var p []*sample.Pod
				for _, at := range stamps {
					e = append(e, externalmetricsv1beta1.ExternalMetricValue{Timestamp: metav1.NewTime(at)})
					c = append(c, custommetricsv1beta2.MetricValue{Timestamp: metav1.NewTime(at)})
					p = append(p, &sample.Pod{Time: at, Window: 15 * second})
				}
				var taken [3][]time.Time
				external, taken[0] = external.External(e, now)
				custom, taken[1] = custom.Custom(c, now)
				pods, taken[2] = pods.Pods(p, now)
				for _, got := range taken[:2] {
					if diff := cmp.Diff(stamps, got); diff != "" {
						t.Fatalf("look %d: taken (-want +got):\n%s", i, diff)
					}
				}
				if diff := cmp.Diff(stamps, taken[2]); diff != "" && name != "before it" { // the first sample of a pod is never that old
					t.Fatalf("look %d: the pod's taken (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// TestWhatComesBackIsAsOldAsBefore: a sample that stands still is no younger for having been missing, wherever its node's clock stands, for as
// long as its pod is remembered.
func TestWhatComesBackIsAsOldAsBefore(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": -5 * second, "ahead": 10 * time.Minute, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			frozen := []*sample.Pod{{Name: "a", Time: noon.Add(ahead), Window: 15 * second}}
			log, first := Log(nil).Pods(frozen, noon)
			for i := 1; i < 80; i++ {
				now, served := noon.Add(time.Duration(i)*15*second), frozen
				if i%10 != 0 {
					served = nil
				}
				var taken []time.Time
				if log, taken = log.Pods(served, now); served != nil && !taken[0].Equal(first[0]) {
					t.Fatalf("after %s it was taken at %s, at first %s", now.Sub(noon), taken[0], first[0])
				}
			}
			if log, _ = log.Pods(nil, noon.Add(time.Hour)); len(log) > 0 {
				t.Errorf("it is still remembered: %v", log)
			}
		})
	}
}
