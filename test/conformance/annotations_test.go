package conformance

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
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/test/conformance/record"
)

// anything makes values of autoscaling/v2, mostly valid ones.
type anything struct {
	*rand.Rand
	wrong float64
}

func some[T any](a anything, right, wrong []T) T {
	if len(wrong) > 0 && a.Float64() < a.wrong {
		return wrong[a.IntN(len(wrong))]
	}
	return right[a.IntN(len(right))]
}

func maybe[T any](a anything, value T) *T {
	if a.IntN(3) == 0 {
		return nil
	}
	return &value
}

func (a anything) quantity(wrong ...string) resource.Quantity {
	return resource.MustParse(some(a, []string{"0.1", "50m", "1", "5", "100m", "1n", "10001", "1e3", "2Pi", "8Ei", "1e20", "1e99", "1e-99"}, wrong))
}

func (a anything) rules() *autoscalingv2.HPAScalingRules {
	r := &autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: maybe(a, some(a, []int32{0, 1, 300, 3600}, []int32{-1, 3601, 1 << 30})),
		SelectPolicy: maybe(a, some(a, []autoscalingv2.ScalingPolicySelect{"Max", "Min", "Disabled"},
			[]autoscalingv2.ScalingPolicySelect{"", "max", "None"})),
		Tolerance: maybe(a, a.quantity("-0.1", "-1m")),
	}
	for range a.IntN(4) {
		r.Policies = append(r.Policies, autoscalingv2.HPAScalingPolicy{
			Type:          some(a, []autoscalingv2.HPAScalingPolicyType{"Pods", "Percent"}, []autoscalingv2.HPAScalingPolicyType{"", "pods", "Max"}),
			Value:         some(a, []int32{1, 4, 100, 1000}, []int32{0, -1}),
			PeriodSeconds: some(a, []int32{1, 15, 1800}, []int32{0, -1, 1801}),
		})
	}
	return r
}

func (a anything) target(types ...autoscalingv2.MetricTargetType) autoscalingv2.MetricTarget {
	t := autoscalingv2.MetricTarget{Type: some(a, types, []autoscalingv2.MetricTargetType{"", "Value", "AverageValue", "Utilization", "utilization"})}
	of := t.Type
	if a.Float64() < a.wrong {
		of = types[a.IntN(len(types))]
	}
	if extra := a.Float64() < a.wrong; extra || of == autoscalingv2.UtilizationMetricType {
		t.AverageUtilization = ptr(some(a, []int32{1, 50, 200}, []int32{0, -1}))
	}
	if extra := a.Float64() < a.wrong; extra || of == autoscalingv2.ValueMetricType {
		t.Value = ptr(a.quantity("0", "-1"))
	}
	if extra := a.Float64() < a.wrong; extra || of == autoscalingv2.AverageValueMetricType {
		t.AverageValue = ptr(a.quantity("0", "-1"))
	}
	return t
}

func (a anything) identifier() autoscalingv2.MetricIdentifier {
	id := autoscalingv2.MetricIdentifier{Name: some(a, []string{"hits", "a.b_c", "example.com:rate"}, []string{"", "a/b", "a%b", ".", ".."})}
	switch a.IntN(4) {
	case 0:
		id.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{some(a, []string{"queue", "example.com/q"}, []string{"", "a b"}): some(a, []string{"mail", ""}, []string{"a b"})}}
	case 1:
		id.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "zone",
			Operator: some(a, []metav1.LabelSelectorOperator{"In"}, []metav1.LabelSelectorOperator{"", "Exists", "Is"}), Values: []string{"a"}}}}
	}
	return id
}

func (a anything) metric() autoscalingv2.MetricSpec {
	m := autoscalingv2.MetricSpec{Type: some(a, []autoscalingv2.MetricSourceType{"Resource", "ContainerResource", "Pods", "Object", "External"},
		[]autoscalingv2.MetricSourceType{"", "resource", "Nodes"})}
	kind := m.Type
	names := []corev1.ResourceName{"cpu", "memory"}
	odd := []corev1.ResourceName{"", "storage", "nvidia.com/gpu", "ephemeral-storage", "a b"}
	if a.Float64() < a.wrong {
		kind = some(a, []autoscalingv2.MetricSourceType{"Resource", "ContainerResource", "Pods", "Object", "External"}, nil)
	}
	for range 1 + a.IntN(10)/9 {
		switch kind {
		case "Resource":
			m.Resource = &autoscalingv2.ResourceMetricSource{Name: some(a, names, odd), Target: a.target("Utilization", "AverageValue")}
		case "ContainerResource":
			m.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{Name: some(a, names, odd),
				Container: some(a, []string{"app", "c-1"}, []string{"", "App", "a.b", "a_b", strings.Repeat("a", 64)}), Target: a.target("Utilization", "AverageValue")}
		case "Pods":
			m.Pods = &autoscalingv2.PodsMetricSource{Metric: a.identifier(), Target: a.target("AverageValue")}
		case "Object":
			m.Object = &autoscalingv2.ObjectMetricSource{Metric: a.identifier(), Target: a.target("Value", "AverageValue"),
				DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: some(a, []string{"Service", "Ingress"}, []string{"", "a/b"}),
					Name: some(a, []string{"front", "a.b"}, []string{"", "a/b", ".."}), APIVersion: some(a, []string{"v1", "apps/v1"}, []string{"", "a/b/c", "/v1", "Apps/v1", "apps/"})}}
		case "External":
			m.External = &autoscalingv2.ExternalMetricSource{Metric: a.identifier(), Target: a.target("Value", "AverageValue")}
		}
		kind = some(a, []autoscalingv2.MetricSourceType{"Resource", "Pods", "External"}, nil)
	}
	return m
}

func ptr[T any](value T) *T { return &value }

// TestAnnotationsAreHPAs holds the metrics and behavior annotations to the API server: they are refused when it would
// refuse the HPA, and otherwise come to the same rules, its defaults included.
func TestAnnotationsAreHPAs(t *testing.T) {
	accepted, differences := 0, 0
	for seed := range uint64(20000) {
		a := anything{rand.New(rand.NewPCG(seed, 1)), []float64{0, 0.02, 0.1}[seed%3]}
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "load", Namespace: "default"}}
		hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "load", APIVersion: "apps/v1"}
		hpa.Spec.MaxReplicas = 10
		for range 1 + a.IntN(2) {
			hpa.Spec.Metrics = append(hpa.Spec.Metrics, a.metric())
		}
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
		if a.IntN(4) > 0 {
			hpa.Spec.Behavior.ScaleUp = a.rules()
		}
		if a.IntN(4) > 0 {
			hpa.Spec.Behavior.ScaleDown = a.rules()
		}
		hpa.Spec.MinReplicas = maybe(a, some(a, []int32{0, 1, 10}, []int32{-1, 11}))
		text := map[string]string{annotations.Max: "10", annotations.Metrics: encode(t, hpa.Spec.Metrics), annotations.Behavior: encode(t, hpa.Spec.Behavior)}
		if hpa.Spec.MinReplicas != nil {
			text[annotations.Min] = fmt.Sprint(*hpa.Spec.MinReplicas)
		}
		hpa = reread(t, hpa)
		filled := record.Defaulted(hpa)
		if up := filled.Spec.Behavior.ScaleUp; *filled.Spec.MinReplicas == 0 && up.SelectPolicy != nil && *up.SelectPolicy == autoscalingv2.DisabledPolicySelect {
			continue // such an HPA would never wake, so mini-hpa refuses it
		}
		want := errors.Join(record.Validate(filled), selectors(filled))
		policy, _, errs := annotations.DefaultDefaults().Parse(text)
		if len(errs) == 0 {
			errs = neverWoken(text)
		}
		switch {
		case (want == nil) != (len(errs) == 0):
			differences++
			t.Errorf("seed %d: API server: %v\n  annotations: %v\n  %s\n  %s", seed, want, errs.ToAggregate(), text[annotations.Metrics], text[annotations.Behavior])
		case want == nil:
			accepted++
			if diff := cmp.Diff(rules(filled), []any{policy.Min, policy.Max, policy.Metrics, policy.Up, policy.Down}); diff != "" {
				differences++
				t.Errorf("seed %d: (-HPA +annotations)\n%s", seed, diff)
			}
		}
		if differences > 20 {
			t.Fatal("and more")
		}
	}
	t.Logf("%d of 20000 accepted by both", accepted)
	if accepted < 5000 || accepted > 15000 {
		t.Errorf("%d of 20000 are accepted: the generator is lopsided", accepted)
	}
}

// neverWoken is what the checks of a workload say of one that nothing would wake; of an HPA the API server says it.
func neverWoken(pairs map[string]string) field.ErrorList {
	w := &annotations.Workload{Key: annotations.DeploymentKey("default", "load"), Annotations: pairs}
	return slices.DeleteFunc(annotations.DefaultDefaults().Review(w, annotations.Surroundings{}).Problems, func(e *field.Error) bool { return e.Origin != annotations.FoundNothingWakes })
}

// selectors says whether the controller can use the metrics' selectors. The API server takes any, and the controller
// fails on them at every sync, so the annotations refuse them.
func selectors(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	var errs []error
	for _, m := range hpa.Spec.Metrics {
		var id autoscalingv2.MetricIdentifier
		switch {
		case m.Pods != nil:
			id = m.Pods.Metric
		case m.Object != nil:
			id = m.Object.Metric
		case m.External != nil:
			id = m.External.Metric
		}
		_, err := metav1.LabelSelectorAsSelector(id.Selector)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// rules are what the controller makes of an HPA, with the defaults of its flags filled in.
func rules(hpa *autoscalingv2.HorizontalPodAutoscaler) []any {
	up, down := *hpa.Spec.Behavior.ScaleUp, *hpa.Spec.Behavior.ScaleDown
	if down.StabilizationWindowSeconds == nil {
		down.StabilizationWindowSeconds = ptr(int32(300))
	}
	for _, r := range []*autoscalingv2.HPAScalingRules{&up, &down} {
		if r.Tolerance == nil {
			r.Tolerance = ptr(resource.MustParse("0.1"))
		}
	}
	return []any{*hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas, annotations.MetricsOf(hpa.Spec.Metrics), up, down}
}

// reread is the HPA as the API server decodes it.
func reread(t *testing.T, hpa *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	read := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := json.Unmarshal([]byte(encode(t, hpa)), read); err != nil {
		t.Fatal(err)
	}
	return read
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
