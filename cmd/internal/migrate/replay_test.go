package migrate

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	"sigs.k8s.io/yaml"

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

// policyOf is what the HPA controller goes by, with its flags where the HPA says nothing, for an HPA with a behavior.
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

// controller is the HPA controller, for one HPA.
type controller struct {
	*trace.Replay
	policy    annotations.Policy
	limitless bool
}

// compat are the HPA controller's rules.
func compat() recommend.Rules {
	rules := recommend.DefaultRules()
	rules.Compat = true
	return rules
}

// controllerOf has no policy for scale-out where the HPA has no behavior.
func controllerOf(spec *autoscalingv2.HorizontalPodAutoscalerSpec) controller {
	c := controller{policy: policyOf(spec), limitless: spec.Behavior == nil}
	if c.limitless {
		c.policy.Up.Policies = []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 10000, PeriodSeconds: 1}}
	}
	c.Replay = trace.NewReplay(c.policy, compat())
	return c
}

// Next is what is decided. Of an HPA without a behavior it is the HPA controller's convertDesiredReplicasWithRules and calculateScaleUpLimit that limit it.
func (c controller) Next(s recommend.Snapshot) trace.Outcome {
	o := c.Replay.Next(s)
	if most := max(2*o.Current, 4); c.limitless && o.Current >= c.policy.Min && o.Desired > most {
		o.Desired, o.Limited = most, recommend.LimitedUp
	}
	return o
}

// contest holds annotations to an HPA.
type contest struct {
	name string
	hpa  controller
	// bounded is the same HPA with the behavior that the API server fills in where it is empty, if it has none.
	bounded        *trace.Replay
	annotations    *trace.Replay
	looks, changed int
	// theirs and ours are what was decided last.
	theirs, ours int32
	// apart is how often the replicas that are added are others, because the HPA has no behavior.
	apart int
}

// contestOf has an HPA and a policy compete.
func contestOf(name string, spec *autoscalingv2.HorizontalPodAutoscalerSpec, p annotations.Policy) *contest {
	return &contest{name: name, hpa: controllerOf(spec), bounded: trace.NewReplay(policyOf(spec), compat()), annotations: trace.NewReplay(p, compat())}
}

// look has all decide. Annotations are to decide as the HPA with an empty behavior, and as the HPA itself. If that has none, they may differ in how many are added, and in
// nothing else, where one of them is held back by its own limit.
func (c *contest) look(t *testing.T, s, translated recommend.Snapshot) {
	t.Helper()
	first := s
	first.Unwritten = c.theirs != s.Replicas // the hour goes its own way
	s.Unwritten, translated.Unwritten = c.ours != s.Replicas, c.ours != s.Replicas
	want, bounded, got := c.hpa.Next(first), c.bounded.Next(s), c.annotations.Next(translated)
	c.theirs, c.ours = want.Desired, got.Desired
	if bounded.Desired != got.Desired || bounded.Able != got.Able || bounded.Active != got.Active || bounded.Limited != got.Limited {
		t.Fatalf("%s with a behavior at %s: %d, %s, %s, %s (%s) instead of %d, %s, %s, %s", c.name, s.Time, got.Desired, got.Able, got.Active, got.Limited, got.Because(),
			bounded.Desired, bounded.Able, bounded.Active, bounded.Limited)
	}
	if c.looks++; want.Desired != want.Current {
		c.changed++
	}
	if c.hpa.limitless && want.Desired >= want.Current && got.Desired >= got.Current && (want.Limited == recommend.LimitedUp || got.Limited == recommend.LimitedUp) {
		if want.Desired != got.Desired {
			c.apart++
		}
		return
	}
	if want.Desired != got.Desired || want.Active != got.Active {
		t.Fatalf("%s at %s: %d, %s, %s (%s) instead of %d, %s, %s", c.name, s.Time, got.Desired, got.Active, got.Limited, got.Because(), want.Desired, want.Active, want.Limited)
	}
}

// end says whether anything was compared, and whether the difference was told.
func (c *contest) end(t *testing.T, remarks []hpa.Remark) {
	t.Helper()
	if c.changed == 0 {
		t.Errorf("%s: nothing is changed in an hour, so that nothing is compared", c.name)
	}
	isTold := slices.ContainsFunc(remarks, func(r hpa.Remark) bool { return strings.Contains(r.Why, "at most doubles") })
	if c.apart > 0 && !isTold {
		t.Errorf("%s: other replicas are added at %d looks, of which nothing was told", c.name, c.apart)
	}
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

// TestTheSameIsDecided: in a recorded hour, each of twenty HPAs and its annotations decide the same at each look, as the HPA controller does, but for the limits of
// scale-out of an HPA without a behavior.
func TestTheSameIsDecided(t *testing.T) {
	snapshots := hour(t)
	if last := snapshots[len(snapshots)-1].Time.Sub(snapshots[0].Time); last < 59*time.Minute {
		t.Fatalf("the hour lasts %v", last)
	}
	i := &input{files: []string{"testdata/hpas.yaml"}}
	found, err := i.read(t.Context(), nil, cli.Streams{}, offer{kinds: convertible()})
	if err != nil {
		t.Fatal(err)
	}
	results, _ := made(t, "-f", "testdata/hpas.yaml")
	looks, changes, apart := 0, 0, 0
	for n, o := range found.objects {
		before, _, err := hpa.Read(o.json())
		if err != nil {
			t.Fatal(err)
		}
		c := contestOf(o.Name, &before.Spec, policyFor(t, &results[n]))
		for _, s := range snapshots {
			s = measured(s, c.hpa.policy.Metrics)
			c.look(t, s, s)
		}
		c.end(t, results[n].Remarks)
		looks, changes, apart = looks+c.looks, changes+c.changed, apart+c.apart
	}
	if apart == 0 {
		t.Error("the limits of an HPA without a behavior make no difference anywhere, so that they are not compared")
	}
	t.Logf("%d HPAs, %d looks, of which %d change something; at %d of them other replicas are added, by the limits of an HPA without a behavior", len(found.objects), looks, changes, apart)
}

// TestExportedDecideAsBefore: the HPAs that export makes of the annotations of twenty HPAs decide as the annotations at each look.
func TestExportedDecideAsBefore(t *testing.T) {
	snapshots := hour(t)
	results, _ := made(t, "-f", "testdata/hpas.yaml")
	for i := range results {
		r := &results[i]
		spec, _, problems := hpa.Of(r.Annotations)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		c := contestOf(r.From.Name, spec, policyFor(t, r))
		for _, s := range snapshots {
			s = measured(s, c.hpa.policy.Metrics)
			c.look(t, s, s)
		}
		if c.end(t, nil); c.hpa.limitless {
			t.Errorf("%s: has other limits of scale-out", c.name)
		}
	}
}

// kedaTarget is what a trigger asks of the HPA that KEDA makes: an amount for each replica, or one in all.
type kedaTarget struct {
	value string
	total bool
}

// kedaHPAs are what KEDA makes of testdata/scaledobjects.yaml, by its own documentation: an External metric for each trigger, or one of the formula, and one replica at
// least, because the last one is KEDA's. That of s09 is there when it is resumed; what its external scaler answers is made up. s04 has hours alone.
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
	"s09": {min: 1, max: 100, triggers: []kedaTarget{{value: "10"}, {value: "7"}}},
	"s10": {min: 1, max: 100, triggers: []kedaTarget{{value: "2"}}}, // of trig_one + 2
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

// external are the IDs of a policy's External metrics.
func external(all []annotations.Metric) (ids []string) {
	for i := range all {
		if all[i].Spec.External != nil {
			ids = append(ids, all[i].ID)
		}
	}
	return ids
}

// renamed is what was measured for the External metrics of one policy, under the names that another one has for them. A line without a target gets it from its source.
func renamed(s recommend.Snapshot, from, to []annotations.Metric) recommend.Snapshot {
	values, names := map[string][]externalmetricsv1beta1.ExternalMetricValue{}, external(to)
	s.Hints = map[string]recommend.Hint{}
	n := 0
	for i := range from {
		if from[i].Spec.External == nil {
			continue
		}
		values[names[n]] = s.ExternalMetrics[from[i].ID]
		s.Hints[names[n]] = recommend.Hint{Target: from[i].Spec.External.Target.AverageValue}
		n++
	}
	s.ExternalMetrics = values
	return s
}

// policyFor is what annotations say.
func policyFor(t *testing.T, r *result) annotations.Policy {
	t.Helper()
	policy, _, problems := annotations.DefaultDefaults().Parse(r.Annotations)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return policy
}

// scaledObjects are the results of testdata/scaledobjects.yaml by their names.
func scaledObjects(t *testing.T) map[string]*result {
	t.Helper()
	all, _ := made(t, "-f", "testdata/scaledobjects.yaml")
	byName := map[string]*result{}
	for i := range all {
		byName[all[i].From.Name] = &all[i]
	}
	if len(byName) != 10 {
		t.Fatalf("%d ScaledObjects, want 10", len(byName))
	}
	return byName
}

// TestTheSameIsDecidedOfScaledObjects: in a recorded hour the annotations of a ScaledObject decide at each look as the HPA does that KEDA makes of it, while
// something is to be done, but for the limits of scale-out where it has no behavior.
func TestTheSameIsDecidedOfScaledObjects(t *testing.T) {
	snapshots, objects := hour(t), scaledObjects(t)
	looks, changes, apart := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(kedaHPAs)) {
		if name == "s10" {
			continue
		}
		policy := policyFor(t, objects[name])
		c := contestOf(name, kedaSpec(name), policy)
		for _, s := range snapshots {
			s = measured(s, c.hpa.policy.Metrics)
			c.look(t, s, renamed(s, c.hpa.policy.Metrics, policy.Metrics))
		}
		c.end(t, objects[name].Remarks)
		looks, changes, apart = looks+c.looks, changes+c.changed, apart+c.apart
	}
	t.Logf("%d ScaledObjects, %d looks, of which %d change something; at %d of them other replicas are added, by the limits of an HPA without a behavior", len(kedaHPAs)-1, looks, changes, apart)
	if policy := policyFor(t, objects["s09"]); policy.Mode != annotations.ModePaused {
		t.Errorf("s09 is %s, and KEDA's is paused", policy.Mode)
	}
}

// TestExportOfScaledObjects: of what the annotations of ten ScaledObjects say, an HPA has what needs no source and no hours; of the others none is made, and all that is
// lost is told.
func TestExportOfScaledObjects(t *testing.T) {
	_, patches, _ := clitest.Call(t, Command(), "-f", "testdata/scaledobjects.yaml")
	code, stdout, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, patches))
	var read struct {
		Metadata struct{ Name string }
		Spec     autoscalingv2.HorizontalPodAutoscalerSpec
	}
	if err := yaml.Unmarshal([]byte(stdout), &read); err != nil || code != cli.ExitFailure {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	want := kedaSpec("s03") // without its trigger of Prometheus
	want.Metrics, want.Behavior = want.Metrics[:1], &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	want.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "s03"}
	asked, got := autoscalingv2.HorizontalPodAutoscaler{Spec: *want}, autoscalingv2.HorizontalPodAutoscaler{Spec: read.Spec}
	hpa.Default(&asked)
	hpa.Default(&got)
	if diff := cmp.Diff(asked.Spec, got.Spec); read.Metadata.Name != "s03" || diff != "" {
		t.Errorf("%s (-want +got):\n%s", read.Metadata.Name, diff)
	}
	for name, r := range scaledObjects(t) {
		title := ` "shop/` + name + `": metadata.annotations`
		if none := strings.Contains(stderr, title+" have no metric that an HPA can scale on; none is made"); none != (name != "s03") {
			t.Errorf("%s: that no HPA is made is told: %t\n%s", name, none, stderr)
		}
		for _, key := range []string{annotations.SourcesKey, annotations.ScheduleKey, annotations.SleepAfter, annotations.FallbackKey, annotations.ModeKey, annotations.SyncPeriod} {
			if told := strings.Contains(stderr, title+"["+key+"]"); told != (r.Annotations[key] != "") {
				t.Errorf("%s: that %s is lost is told: %t", name, key, told)
			}
		}
	}
}

// TestAFormulaIsLost: of s10 KEDA makes an HPA with one metric, which is trig_one + 2. Its annotations decide otherwise, and that is told as lost.
func TestAFormulaIsLost(t *testing.T) {
	r := scaledObjects(t)["s10"]
	policy, keda := policyFor(t, r), controllerOf(kedaSpec("s10"))
	names, formula := external(policy.Metrics), external(keda.policy.Metrics)[0]
	annotated, apart := trace.NewReplay(policy, compat()), 0
	for _, s := range hour(t) {
		first := measured(s, policy.Metrics)
		composite := s
		value := first.ExternalMetrics[names[0]][0]
		value.Value.Add(resource.MustParse("2"))
		composite.ExternalMetrics = map[string][]externalmetricsv1beta1.ExternalMetricValue{formula: {value}}
		if keda.Next(composite).Desired != annotated.Next(first).Desired {
			apart++
		}
	}
	if apart == 0 || !slices.ContainsFunc(r.Remarks, func(m hpa.Remark) bool { return m.Lost && m.Path == "spec.advanced.scalingModifiers.formula" }) {
		t.Errorf("at %d looks the formula makes a difference; remarks %+v", apart, r.Remarks)
	}
}

// TestASchedule: s04 has hours alone. It has as many replicas as KEDA gives it, but for a minute after these begin, in which KEDA's HPA doubles them step by
// step, and for the time after it closes, in which KEDA cools down.
func TestASchedule(t *testing.T) {
	r := scaledObjects(t)["s04"]
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	monday := time.Date(2026, 6, 1, 0, 0, 0, 0, zone)
	opens, closes := monday.Add(6*time.Hour), monday.Add(20*time.Hour)
	spec := &autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(1)), MaxReplicas: 10, Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "cron"},
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("1"))}}}}}
	keda, annotated := controllerOf(spec), trace.NewReplay(policyFor(t, r), recommend.DefaultRules())
	theirs, ours, lastActive := int32(0), int32(0), time.Time{}
	slower, longer := 0, 0
	for at := monday; at.Before(monday.Add(24 * time.Hour)); at = at.Add(15 * time.Second) {
		isActive, value := !at.Before(opens) && at.Before(closes), int64(1) // the scaler's defaultDesiredReplicas
		if isActive {
			value, lastActive = 10, at
		}
		switch { // what KEDA does by itself: from 0 to 1, and to 0 after cooldownPeriod
		case theirs == 0 && isActive:
			theirs = 1
		case theirs > 0 && !isActive && at.Sub(lastActive) >= 300*time.Second:
			theirs = 0
		case theirs > 0:
			s := recommend.Snapshot{Time: at, Replicas: theirs, StatusReplicas: theirs, ExternalMetrics: map[string][]externalmetricsv1beta1.ExternalMetricValue{
				keda.policy.Metrics[0].ID: {{Timestamp: metav1.NewTime(at), Value: *resource.NewQuantity(value, resource.DecimalSI)}}}}
			theirs = keda.Next(s).Desired
		}
		ours = annotated.Next(recommend.Snapshot{Time: at, Replicas: ours, StatusReplicas: ours}).Desired
		switch sinceOpen, sinceClose := at.Sub(opens), at.Sub(closes); {
		case theirs == ours:
		case sinceOpen >= 0 && sinceOpen < time.Minute && ours == 10:
			slower++
		case sinceClose >= 0 && sinceClose < 5*time.Minute && theirs == 10 && ours == 0:
			longer++
		default:
			t.Fatalf("%s: %d replicas, with KEDA %d", at, ours, theirs)
		}
	}
	isTold := func(words string) bool {
		return slices.ContainsFunc(r.Remarks, func(m hpa.Remark) bool { return strings.Contains(m.Why, words) })
	}
	if slower == 0 || longer == 0 || !isTold("at most doubles") || !isTold("where KEDA waits for cooldownPeriod") {
		t.Errorf("KEDA is slower at %d looks and waits at %d; told is %+v", slower, longer, r.Remarks)
	}
}
