package migrate

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// hour is what a controller would have recorded in an hour.
func hour(t *testing.T) []recommend.Snapshot {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hour.trace.jsonl")
	if code, _, stderr := clitest.Call(t, simulate.Command(), "--load", "sine:low=500,high=9000,period=17m", "--duration", "1h", "--record", path, "--set", "mini-hpa/max=40"); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := trace.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []recommend.Snapshot
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

// policyOf is what the HPA controller goes by, with its flags where the HPA says nothing.
func policyOf(spec *autoscalingv2.HorizontalPodAutoscalerSpec) annotations.Policy {
	defaults := annotations.DefaultDefaults()
	o := autoscalingv2.HorizontalPodAutoscaler{Spec: *spec.DeepCopy()}
	if o.Spec.Behavior == nil {
		o.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	}
	hpa.Default(&o)
	p := annotations.Policy{Min: *o.Spec.MinReplicas, Max: o.Spec.MaxReplicas, Metrics: annotations.MetricsOf(o.Spec.Metrics),
		Up: *o.Spec.Behavior.ScaleUp, Down: *o.Spec.Behavior.ScaleDown, Mode: annotations.ModeAuto, SyncPeriod: defaults.SyncPeriod}
	for _, rules := range []*autoscalingv2.HPAScalingRules{&p.Up, &p.Down} {
		if rules.Tolerance == nil {
			rules.Tolerance = &defaults.Tolerance
		}
		if rules.StabilizationWindowSeconds == nil {
			rules.StabilizationWindowSeconds = new(int32(defaults.ScaleDownStabilization / time.Second))
		}
	}
	return p
}

// measured adds what the metrics APIs would have said, which goes up and down.
func measured(s recommend.Snapshot, metrics []annotations.Metric) recommend.Snapshot {
	s.CustomMetrics, s.ExternalMetrics = map[string][]custommetricsv1beta2.MetricValue{}, map[string][]externalmetricsv1beta1.ExternalMetricValue{}
	wave := 1 + math.Sin(s.Time.Sub(time.Unix(0, 0)).Minutes()/3)
	at := metav1.NewTime(s.Time)
	for i := range metrics {
		switch m := &metrics[i]; {
		case m.Spec.Pods != nil:
			for _, pod := range s.Pods {
				s.CustomMetrics[m.ID] = append(s.CustomMetrics[m.ID], custommetricsv1beta2.MetricValue{DescribedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name}, Timestamp: at,
					Value: times(m.Spec.Pods.Target.AverageValue, wave)})
			}
		case m.Spec.Object != nil:
			s.CustomMetrics[m.ID] = []custommetricsv1beta2.MetricValue{{Timestamp: at, Value: times(either(&m.Spec.Object.Target), 4*wave)}}
		case m.Spec.External != nil:
			s.ExternalMetrics[m.ID] = []externalmetricsv1beta1.ExternalMetricValue{{Timestamp: at, Value: times(either(&m.Spec.External.Target), 4*wave)}}
		}
	}
	return s
}

func either(t *autoscalingv2.MetricTarget) *resource.Quantity {
	if t.Value != nil {
		return t.Value
	}
	return t.AverageValue
}

func times(q *resource.Quantity, factor float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(float64(q.MilliValue())*factor), resource.DecimalSI)
}

// TestTheSameIsDecided: in a recorded hour, each of twenty HPAs and its annotations decide the same at each look, as the HPA controller does.
func TestTheSameIsDecided(t *testing.T) {
	snapshots := hour(t)
	if last := snapshots[len(snapshots)-1].Time.Sub(snapshots[0].Time); last < 59*time.Minute {
		t.Fatalf("the hour lasts %v", last)
	}
	rules := recommend.DefaultRules()
	rules.Compat = true
	i := &input{files: []string{"testdata/hpas.yaml"}}
	found, err := i.read(t.Context(), nil, cli.Streams{}, rivals())
	if err != nil {
		t.Fatal(err)
	}
	looks, changes := 0, 0
	for _, o := range found.objects {
		before, _, err := hpa.Read(o.json())
		if err != nil {
			t.Fatal(err)
		}
		policy, _, problems := annotations.DefaultDefaults().Parse(hpa.Annotations(&before.Spec))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		first := policyOf(&before.Spec)
		one, other, changed := trace.NewReplay(first, rules), trace.NewReplay(policy, rules), 0
		for _, s := range snapshots {
			s = measured(s, first.Metrics)
			want, got := one.Next(s), other.Next(s)
			if looks++; want.Desired != want.Current {
				changed++
			}
			if want.Desired != got.Desired || want.Able != got.Able || want.Active != got.Active || want.Limited != got.Limited {
				t.Fatalf("%s at %s: %d, %s, %s, %s instead of %d, %s, %s, %s", o.Name, s.Time, got.Desired, got.Able, got.Active, got.Limited, want.Desired, want.Able, want.Active, want.Limited)
			}
		}
		if changed == 0 {
			t.Errorf("%s: nothing is changed in an hour, so that nothing is compared", o.Name)
		}
		changes += changed
	}
	t.Logf("%d HPAs, %d looks, of which %d change something", len(found.objects), looks, changes)
}
