package hpa

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// read reads the spec of an HPA in YAML.
func read(t *testing.T, version, spec string) (*autoscalingv2.HorizontalPodAutoscaler, []Remark) {
	t.Helper()
	text := "apiVersion: autoscaling/" + version + "\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n" + spec
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, remarks, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return o, remarks
}

const behaviorMin = `scaleDown:
  policies:
  - periodSeconds: 60
    type: Pods
    value: 2
  selectPolicy: Min
`

func TestAnnotations(t *testing.T) {
	for name, test := range map[string]struct {
		version, spec string
		want          map[string]string
	}{
		"nothing but a max":   {"v2", "spec: {maxReplicas: 10}", map[string]string{annotations.TargetCPU: "80", annotations.Max: "10"}},
		"v1 without a target": {"v1", "spec: {maxReplicas: 10}", map[string]string{annotations.TargetCPU: "80", annotations.Max: "10"}},
		"v1": {"v1", "spec: {maxReplicas: 10, minReplicas: 2, targetCPUUtilizationPercentage: 50}",
			map[string]string{annotations.TargetCPU: "50", annotations.Min: "2", annotations.Max: "10"}},
		"a percent that could be meant as an amount": {"v1", "spec: {maxReplicas: 10, targetCPUUtilizationPercentage: 1500}",
			map[string]string{annotations.TargetCPU: "1500%", annotations.Max: "10"}},
		"v2beta1": {"v2beta1", "spec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory, targetAverageValue: 500Mi}}, {type: Resource, resource: {name: cpu, targetAverageValue: '0.5'}}]}",
			map[string]string{annotations.TargetMemory: "500Mi", annotations.TargetCPU: "500m", annotations.Max: "3"}},
		"bytes": {"v2", "spec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1500000}}}]}",
			map[string]string{annotations.TargetMemory: "1500k", annotations.Max: "3"}},
		"odd bytes": {"v2", "spec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1500001}}}]}",
			map[string]string{annotations.Metrics: "- resource:\n    name: memory\n    target:\n      averageValue: \"1500001\"\n      type: AverageValue\n  type: Resource\n", annotations.Max: "3"}},
		"one container": {"v2", "spec: {maxReplicas: 3, metrics: [{type: ContainerResource, containerResource: {name: cpu, container: app, target: {type: Utilization, averageUtilization: 60}}}]}",
			map[string]string{annotations.TargetCPU: "60", annotations.Container: "app", annotations.Max: "3"}},
		"the same twice": {"v2beta2", "spec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}, {type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1}}}]}",
			map[string]string{annotations.Max: "3", annotations.Metrics: "- resource:\n    name: cpu\n    target:\n      averageUtilization: 60\n      type: Utilization\n  type: Resource\n- resource:\n    name: cpu\n    target:\n      averageValue: \"1\"\n      type: AverageValue\n  type: Resource\n"}},
		"an empty behavior": {"v2", "spec: {maxReplicas: 3, behavior: {}}",
			map[string]string{annotations.TargetCPU: "80", annotations.Max: "3", annotations.ScaleUpPolicies: "4 pods/15s, 100%/15s"}},
		"a behavior": {"v2", "spec: {maxReplicas: 3, behavior: {scaleUp: {stabilizationWindowSeconds: 90, policies: [{type: Percent, value: 50, periodSeconds: 3600}, {type: Pods, value: 1, periodSeconds: 60}]}, scaleDown: {selectPolicy: Disabled}}}",
			map[string]string{annotations.TargetCPU: "80", annotations.Max: "3", annotations.Behavior: "scaleDown:\n  selectPolicy: Disabled\nscaleUp:\n  policies:\n  - periodSeconds: 3600\n    type: Percent\n    value: 50\n  - periodSeconds: 60\n    type: Pods\n    value: 1\n  stabilizationWindowSeconds: 90\n"}},
		"a behavior in short": {"v2", "spec: {maxReplicas: 3, behavior: {scaleUp: {stabilizationWindowSeconds: 90, policies: [{type: Percent, value: 50, periodSeconds: 120}, {type: Pods, value: 1, periodSeconds: 60}], tolerance: 0.05}, scaleDown: {selectPolicy: Disabled, tolerance: 50m}}}",
			map[string]string{annotations.TargetCPU: "80", annotations.Max: "3", annotations.ScaleUpStabilization: "1m30s", annotations.ScaleUpPolicies: "50%/2m, 1 pod/1m",
				annotations.ScaleDownPolicies: "disabled", annotations.Tolerance: "5%"}},
		"the smaller change": {"v2", "spec: {maxReplicas: 3, behavior: {scaleDown: {selectPolicy: Min, policies: [{type: Pods, value: 2, periodSeconds: 60}]}}}",
			map[string]string{annotations.TargetCPU: "80", annotations.Max: "3", annotations.Behavior: behaviorMin}},
	} {
		t.Run(name, func(t *testing.T) {
			o, remarks := read(t, test.version, test.spec)
			if diff := cmp.Diff(test.want, Annotations(&o.Spec)); diff != "" || len(remarks) > 0 {
				t.Errorf("remarks %v, annotations (-want +got):\n%s", remarks, diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	v1 := `{"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "annotations": {
		"autoscaling.alpha.kubernetes.io/metrics": "[{\"type\":\"Object\",\"object\":{\"target\":{\"kind\":\"Service\",\"name\":\"web\"},\"metricName\":\"hits\",\"targetValue\":\"10k\"}}]",
		"autoscaling.alpha.kubernetes.io/behavior": "{\"ScaleUp\":{\"StabilizationWindowSeconds\":30,\"SelectPolicy\":null,\"Policies\":null},\"ScaleDown\":null}"}},
		"spec": {"maxReplicas": 4, "targetCPUUtilizationPercentage": 70, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}`
	o, remarks, err := Read([]byte(v1))
	if err != nil || len(remarks) > 0 {
		t.Fatal(err, remarks)
	}
	want := map[string]string{annotations.Max: "4", annotations.TargetCPU: "70", annotations.ScaleUpStabilization: "30s",
		annotations.Metrics: "- object:\n    describedObject:\n      kind: Service\n      name: web\n    metric:\n      name: hits\n    target:\n      type: Value\n      value: 10k\n  type: Object\n"}
	if diff := cmp.Diff(want, Annotations(&o.Spec)); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

// TestQuantitiesTakeNoTime: each of these is refused, or not read, because to read it, or to compare what was read, takes hours.
func TestQuantitiesTakeNoTime(t *testing.T) {
	const usage = "spec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, %s}}]}"
	for name, test := range map[string]struct {
		version, spec string
		// refused is the field that the error names, remarked what a remark says of an annotation, which then counts as not there.
		refused, remarked string
	}{
		"large":              {"v2", fmt.Sprintf(usage, "target: {type: AverageValue, averageValue: 1e999999999}"), "spec.metrics[0].resource.target.averageValue", ""},
		"small":              {"v2beta2", fmt.Sprintf(usage, "target: {type: AverageValue, averageValue: '1e-999999999'}"), "spec.metrics[0].resource.target.averageValue", ""},
		"long":               {"v2", fmt.Sprintf(usage, "target: {type: AverageValue, averageValue: '1"+strings.Repeat("0", 1000)+"'}"), "spec.metrics[0].resource.target.averageValue", ""},
		"a tolerance":        {"v2", "spec: {maxReplicas: 3, behavior: {scaleDown: {tolerance: '1e-999999999'}}}", "spec.behavior.scaleDown.tolerance", ""},
		"of another version": {"v2beta1", fmt.Sprintf(usage, "targetAverageValue: 1e999999999"), "spec.metrics[0].resource.targetAverageValue", ""},
		"metrics of v1": {"v1", `spec: {maxReplicas: 3}
metadata: {annotations: {autoscaling.alpha.kubernetes.io/metrics: '[{"type":"Resource","resource":{"name":"cpu","targetAverageValue":"1e-999999999"}}]'}}`, "", `[0].resource.targetAverageValue: Invalid value: "1e-999999999"`},
		"a behavior of v1": {"v1", `spec: {maxReplicas: 3}
metadata: {annotations: {autoscaling.alpha.kubernetes.io/behavior: '{"ScaleUp":{"Tolerance":"1e-999999999"}}'}}`, "", `ScaleUp.Tolerance: Invalid value: "1e-999999999"`},
		"a status": {"v2", "spec: {maxReplicas: 3}\nstatus: {currentMetrics: [{type: External, external: {current: {value: '1e-999999999'}}}]}", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := yaml.YAMLToJSON([]byte("apiVersion: autoscaling/" + test.version + "\nkind: HorizontalPodAutoscaler\n" + test.spec))
			if err != nil {
				t.Fatal(err)
			}
			o, remarks, err := Read(data)
			var of *field.Error
			if got := errors.As(err, &of); got != (test.refused != "") || got && of.Field != test.refused {
				t.Errorf("%v, want one of %q", err, test.refused)
			}
			said := ""
			for _, r := range remarks {
				said += r.Why
			}
			if (said == "") != (test.remarked == "") || !strings.Contains(said, test.remarked) {
				t.Errorf("remarks %q, want %q", said, test.remarked)
			}
			if err == nil && Annotations(&o.Spec)[annotations.TargetCPU] != "80" {
				t.Errorf("%v, want what an HPA without metrics has", Annotations(&o.Spec))
			}
		})
	}
}

func TestReadRemarks(t *testing.T) {
	for name, test := range map[string]struct {
		version, spec string
		want          []string
	}{
		"misspelt": {"v2", "spec: {maxReplica: 3, maxReplicas: 4, metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 50}}]}",
			[]string{"spec.maxReplica", "spec.metrics[0].resource.targetAverageUtilization"}},
		"v2 in v1":      {"v1", "spec: {maxReplicas: 4, metrics: [{type: Resource}]}", []string{"spec.metrics"}},
		"v1 in v2":      {"v2", "spec: {maxReplicas: 4, targetCPUUtilizationPercentage: 50}", []string{"spec.targetCPUUtilizationPercentage"}},
		"v1 in v2beta1": {"v2beta1", "spec: {maxReplicas: 4, targetCPUUtilizationPercentage: 50}", []string{"spec.targetCPUUtilizationPercentage"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, remarks := read(t, test.version, test.spec)
			var paths []string
			for _, r := range remarks {
				paths = append(paths, r.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%+v", diff, remarks)
			}
		})
	}
	for _, text := range []string{"", "[]", `{"apiVersion": "autoscaling/v3"}`, `{"apiVersion": "apps/v1"}`, `{"apiVersion": "autoscaling/v2", "spec": {"maxReplicas": "3"}}`, `{"apiVersion": "a/b/c"}`} {
		if _, _, err := Read([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	unreadable := `{"apiVersion": "autoscaling/v1", "metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}}, "spec": {"maxReplicas": 4}}`
	if _, remarks, err := Read([]byte(unreadable)); err != nil || len(remarks) != 1 || !remarks[0].Lost {
		t.Errorf("%v %+v", err, remarks)
	}
}

func TestOf(t *testing.T) {
	basic := map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}
	for name, test := range map[string]struct {
		set    map[string]string
		isNone bool
		lost   []string
		told   int
	}{
		"nothing is lost": {set: map[string]string{annotations.TargetMemory: "512Mi", annotations.ModeKey: "auto", annotations.ScaleDownPolicies: "disabled"}},
		"all that has no field": {set: map[string]string{annotations.ModeKey: "observe", annotations.ScheduleKey: "daily 08:00-20:00 min=3", annotations.WarmUp: "1m",
			annotations.SyncPeriod: "5s", annotations.FallbackKey: "3 after 2m", annotations.SourcesKey: "rabbit queue=a target=1\nrabbit queue=b target=1"},
			lost: []string{annotations.FallbackKey, annotations.ModeKey, annotations.ScheduleKey, annotations.SourcesKey, annotations.SourcesKey, annotations.SyncPeriod, annotations.WarmUp}},
		"off":                 {set: map[string]string{annotations.Min: "0", annotations.Max: "0"}, isNone: true, lost: []string{annotations.Max}},
		"nothing to scale on": {set: map[string]string{annotations.TargetCPU: "", annotations.SourcesKey: "rabbit queue=a target=1"}, isNone: true, lost: []string{annotations.SourcesKey, ""}},
		"sleeps by a source":  {set: map[string]string{annotations.Min: "0", annotations.SourcesKey: "rabbit queue=a target=1"}, lost: []string{annotations.SourcesKey, annotations.Min}},
		"sleeps": {set: map[string]string{annotations.Min: "0", annotations.SleepAfter: "10m", annotations.Metrics: "[{type: External, external: {metric: {name: q}, target: {type: Value, value: 1}}}]"},
			lost: []string{annotations.SleepAfter}, told: 1},
		"tolerance": {set: map[string]string{annotations.Tolerance: "5%"}, told: 1},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]string{}
			for _, pairs := range []map[string]string{basic, test.set} {
				for key, value := range pairs {
					if all[key] = value; value == "" {
						delete(all, key)
					}
				}
			}
			spec, remarks, problems := Of(all)
			var lost []string
			told := 0
			for _, r := range remarks {
				if !r.Lost {
					told++
					continue
				}
				key := ""
				for _, row := range annotations.Rows() {
					if at := annotations.Path(row.Name).String(); r.Path == at || len(r.Path) > len(at) && r.Path[:len(at)] == at {
						key = row.Name
					}
				}
				lost = append(lost, key)
			}
			if diff := cmp.Diff(test.lost, lost); diff != "" || (spec == nil) != test.isNone || told != test.told || len(problems) > 0 {
				t.Errorf("spec %v, problems %v, remarks %+v, lost (-want +got):\n%s", spec, problems, remarks, diff)
			}
		})
	}
	if _, _, problems := Of(map[string]string{annotations.Max: "ten"}); len(problems) == 0 {
		t.Error("what cannot be followed is no HPA")
	}
}

// TestOfKnowsEveryAnnotation: what is new in the table is lost until somebody says where it goes.
func TestOfKnowsEveryAnnotation(t *testing.T) {
	kept := []string{annotations.TargetCPU, annotations.TargetMemory, annotations.Container, annotations.Min, annotations.Max, annotations.Metrics, annotations.Behavior,
		annotations.Tolerance, annotations.ScaleUpStabilization, annotations.ScaleDownStabilization, annotations.ScaleUpPolicies, annotations.ScaleDownPolicies}
	for _, row := range annotations.Rows() {
		if slices.Contains(kept, row.Name) {
			continue
		}
		w := writer{all: map[string]string{row.Name: row.Examples[0]}, policy: &annotations.Policy{Mode: annotations.ModePaused,
			Metrics: []annotations.Metric{{Line: &annotations.SourceLine{Number: 1}}}}}
		if w.judge(row.Name); len(w.remarks) != 1 || !w.remarks[0].Lost {
			t.Errorf("%s: %+v", row.Name, w.remarks)
		}
	}
}

// anyHPA is a valid one with whatever a seed leads to.
func anyHPA(r *rand.Rand) *autoscalingv2.HorizontalPodAutoscaler {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	quantity := func() *resource.Quantity {
		return new(resource.MustParse(pick("1", "100m", "0.5", "1500m", "512Mi", "1500k", "1500001", "2Gi", "1u", "3e3", "20Ti", "8Pi")))
	}
	identifier := func() autoscalingv2.MetricIdentifier {
		m := autoscalingv2.MetricIdentifier{Name: pick("hits", "queue.length", "a-b_c")}
		if r.IntN(2) == 0 {
			m.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"queue": pick("a", "yes", "1", "")}}
		}
		return m
	}
	usage := func() autoscalingv2.MetricTarget {
		if r.IntN(2) == 0 {
			return autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new([]int32{1, 50, 100, 101, 1000, 5000}[r.IntN(6)])}
		}
		return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity()}
	}
	value := func() autoscalingv2.MetricTarget {
		if r.IntN(2) == 0 {
			return autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: quantity()}
		}
		return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity()}
	}
	o := &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 1 + r.Int32N(100)}}
	if r.IntN(2) == 0 {
		o.Spec.MinReplicas = new(1 + r.Int32N(o.Spec.MaxReplicas))
	}
	for range r.IntN(4) {
		resources := corev1.ResourceName(pick("cpu", "cpu", "memory", "ephemeral-storage"))
		o.Spec.Metrics = append(o.Spec.Metrics, []autoscalingv2.MetricSpec{
			{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: resources, Target: usage()}},
			{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: resources, Target: usage()}},
			{Type: "ContainerResource", ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: resources, Container: pick("app", "proxy"), Target: usage()}},
			{Type: "Pods", Pods: &autoscalingv2.PodsMetricSource{Metric: identifier(), Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity()}}},
			{Type: "Object", Object: &autoscalingv2.ObjectMetricSource{DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Service", Name: "web", APIVersion: "v1"}, Metric: identifier(), Target: value()}},
			{Type: "External", External: &autoscalingv2.ExternalMetricSource{Metric: identifier(), Target: value()}},
		}[r.IntN(6)])
	}
	rules := func() *autoscalingv2.HPAScalingRules {
		if r.IntN(4) == 0 {
			return nil
		}
		rules := &autoscalingv2.HPAScalingRules{}
		if r.IntN(2) == 0 {
			rules.StabilizationWindowSeconds = new([]int32{0, 1, 60, 300, 3600}[r.IntN(5)])
		}
		if r.IntN(2) == 0 {
			rules.SelectPolicy = new([]autoscalingv2.ScalingPolicySelect{"Max", "Min", "Disabled"}[r.IntN(3)])
		}
		if r.IntN(2) == 0 {
			rules.Tolerance = new(resource.MustParse(pick("0.1", "50m", "0", "1", "0.055", "1n")))
		}
		if r.IntN(2) == 0 {
			for range 1 + r.IntN(4) {
				rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.HPAScalingPolicyType(pick("Pods", "Percent")),
					Value: []int32{1, 2, 100, 1 << 30}[r.IntN(4)], PeriodSeconds: []int32{1, 15, 90, 1800}[r.IntN(4)]})
			}
		}
		return rules
	}
	if r.IntN(3) > 0 {
		o.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: rules(), ScaleDown: rules()}
	}
	return o
}

// TestThereAndBack: what an HPA says is what its annotations say as an HPA, but for the order of the metrics; and where it says nothing of a behavior, that
// has the limits of mini-hpa then, which are those of an empty one.
func TestThereAndBack(t *testing.T) {
	short := 0
	const rounds = 1500
	for seed := range uint64(rounds) {
		want := anyHPA(rand.New(rand.NewPCG(seed, 1)))
		Default(want)
		all := Annotations(&want.Spec)
		if want.Spec.Behavior == nil {
			want.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
			Default(want)
		}
		if all[annotations.Metrics]+all[annotations.Behavior] == "" {
			short++
		}
		spec, remarks, problems := Of(all)
		if len(problems) > 0 || slices.ContainsFunc(remarks, func(r Remark) bool { return r.Lost }) {
			t.Fatalf("seed %d: %v %v: %v", seed, problems, remarks, all)
		}
		got := &autoscalingv2.HorizontalPodAutoscaler{Spec: *spec}
		Default(got)
		inOrder(want.Spec.Metrics)
		inOrder(got.Spec.Metrics)
		if !equality.Semantic.DeepEqual(want.Spec, got.Spec) {
			t.Fatalf("seed %d: %v\n%s", seed, all, cmp.Diff(want.Spec, got.Spec))
		}
	}
	if short < rounds/10 {
		t.Errorf("only %d of %d need neither metrics nor behavior", short, rounds)
	}
}

// inOrder sorts metrics by what they say.
func inOrder(metrics []autoscalingv2.MetricSpec) {
	slices.SortFunc(metrics, func(a, b autoscalingv2.MetricSpec) int {
		text := func(m autoscalingv2.MetricSpec) string {
			data, _ := json.Marshal(m)
			return string(data)
		}
		return strings.Compare(text(a), text(b))
	})
}

func ExampleAnnotations() {
	o, _, err := Read([]byte(`{"apiVersion": "autoscaling/v1", "spec": {"minReplicas": 2, "maxReplicas": 10, "targetCPUUtilizationPercentage": 60}}`))
	fmt.Println(Annotations(&o.Spec), err)
	// Output: map[mini-hpa/max:10 mini-hpa/min:2 mini-hpa/target-cpu:60] <nil>
}
