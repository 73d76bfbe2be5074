package migrate

import (
	"errors"
	"fmt"
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

// kedaTarget is what a trigger asks of the HPA that KEDA makes: an amount for each replica, or one in all.
type kedaTarget struct {
	value string
	total bool
}

// kedaHPAs are what KEDA makes of testdata/scaledobjects.yaml, by its own documentation: an External metric for each trigger, and one replica at least, because the
// last one is KEDA's. s04 has hours alone, s09 is paused.
var kedaHPAs = map[string]struct {
	min, max int32
	cpu      int32
	triggers []kedaTarget
	down     *autoscalingv2.HPAScalingRules
}{
	"s01": {min: 1, max: 12, triggers: []kedaTarget{{value: "50"}}},
	"s02": {min: 1, max: 30, triggers: []kedaTarget{{value: "20"}}},
	"s03": {min: 2, max: 10, cpu: 60, triggers: []kedaTarget{{value: "100.5"}}},
	"s05": {min: 1, max: 20, triggers: []kedaTarget{{value: "5"}}},
	"s06": {min: 1, max: 4, triggers: []kedaTarget{{value: "1"}}},
	"s07": {min: 1, max: 100, triggers: []kedaTarget{{value: "10"}}, down: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(120)),
		Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 50, PeriodSeconds: 30}}}},
	"s08": {min: 1, max: 100, triggers: []kedaTarget{{value: "0.5"}, {value: "8", total: true}}},
	"s10": {min: 1, max: 100, triggers: []kedaTarget{{value: "5"}, {value: "4.4"}}},
}

// kedaSpec is such an HPA.
func kedaSpec(name string) *autoscalingv2.HorizontalPodAutoscalerSpec {
	k := kedaHPAs[name]
	spec := &autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &k.min, MaxReplicas: k.max}
	if k.down != nil {
		spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: k.down}
	}
	if k.cpu > 0 {
		spec.Metrics = append(spec.Metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU,
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &k.cpu}}})
	}
	for i, trigger := range k.triggers {
		value := resource.MustParse(trigger.value)
		target := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &value}
		if trigger.total {
			target = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: &value}
		}
		spec.Metrics = append(spec.Metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: fmt.Sprintf("s%d", i)}, Target: target}})
	}
	return spec
}

// renamed is what was measured for the External metrics of one policy, under the names that another one has for them.
func renamed(s recommend.Snapshot, from, to []annotations.Metric) recommend.Snapshot {
	external := func(all []annotations.Metric) (ids []string) {
		for i := range all {
			if all[i].Spec.External != nil {
				ids = append(ids, all[i].ID)
			}
		}
		return ids
	}
	values, names := map[string][]externalmetricsv1beta1.ExternalMetricValue{}, external(to)
	for i, id := range external(from) {
		values[names[i]] = s.ExternalMetrics[id]
	}
	s.ExternalMetrics = values
	return s
}

// TestTheSameIsDecidedOfScaledObjects: in a recorded hour the annotations of a ScaledObject decide at each look as the HPA does that KEDA makes of it, while
// something is to be done.
func TestTheSameIsDecidedOfScaledObjects(t *testing.T) {
	snapshots, rules := hour(t), recommend.DefaultRules()
	rules.Compat = true
	objects, _ := made(t, "-f", "testdata/scaledobjects.yaml")
	compared := 0
	for _, o := range objects {
		if _, ok := kedaHPAs[o.From.Name]; !ok {
			continue
		}
		policy, _, problems := annotations.DefaultDefaults().Parse(o.Annotations)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		first, changed := policyOf(kedaSpec(o.From.Name)), 0
		one, other := trace.NewReplay(first, rules), trace.NewReplay(policy, rules)
		for _, s := range snapshots {
			s = measured(s, first.Metrics)
			want, got := one.Next(s), other.Next(renamed(s, first.Metrics, policy.Metrics))
			if want.Desired != want.Current {
				changed++
			}
			if want.Desired != got.Desired {
				t.Fatalf("%s at %s: %d replicas (%s) instead of %d", o.From.Name, s.Time, got.Desired, got.Because(), want.Desired)
			}
		}
		if changed == 0 {
			t.Errorf("%s: nothing is changed in an hour, so that nothing is compared", o.From.Name)
		}
		compared++
	}
	if compared != len(kedaHPAs) {
		t.Errorf("%d ScaledObjects are compared, want %d", compared, len(kedaHPAs))
	}
}
