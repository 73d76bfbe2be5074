package annotations

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	listedCPU    = `[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]`
	listedMemory = `[{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}]`
	listedApp    = `[{"type":"ContainerResource","containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization","averageUtilization":80}}}]`
	listedPods   = `[{"type":"Pods","pods":{"metric":{"name":"rps"},"target":{"type":"AverageValue","averageValue":"40"}}}]`
)

func TestMetricsAreJoined(t *testing.T) {
	cpu, memory := corev1.ResourceCPU, corev1.ResourceMemory
	tests := map[string]struct {
		annotations map[string]string
		want        []autoscalingv2.MetricSpec
	}{
		"the list alone": {map[string]string{Metrics: listedPods}, []autoscalingv2.MetricSpec{ofPods("rps", averageOf("40"))}},
		"targets come first": {map[string]string{Metrics: listedPods, TargetMemory: "1Gi", TargetCPU: "50"},
			[]autoscalingv2.MetricSpec{utilization(cpu, 50), average(memory, "1Gi"), ofPods("rps", averageOf("40"))}},
		"another resource": {map[string]string{Metrics: listedMemory, TargetCPU: "50"},
			[]autoscalingv2.MetricSpec{utilization(cpu, 50), average(memory, "1Gi")}},
		"all containers and one of them": {map[string]string{Metrics: listedApp, TargetCPU: "50"},
			[]autoscalingv2.MetricSpec{utilization(cpu, 50), ofContainer("app", utilization(cpu, 80))}},
		"one container and all of them": {map[string]string{Metrics: listedCPU, TargetCPU: "50", Container: "app"},
			[]autoscalingv2.MetricSpec{ofContainer("app", utilization(cpu, 50)), utilization(cpu, 80)}},
		"two containers": {map[string]string{Metrics: listedApp, TargetCPU: "50", Container: "proxy"},
			[]autoscalingv2.MetricSpec{ofContainer("proxy", utilization(cpu, 50)), ofContainer("app", utilization(cpu, 80))}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.annotations[Max] = "10"
			got, warnings, errs := parse(tc.annotations)
			if diff := cmp.Diff(MetricsOf(tc.want), got.Metrics); diff != "" || len(errs)+len(warnings) > 0 {
				t.Errorf("errors %v, warnings %v, metrics (-want +got):\n%s", errs, warnings, diff)
			}
		})
	}
}

func TestNothingIsSetTwice(t *testing.T) {
	const at = "metadata.annotations[mini-hpa/"
	const full = `{"scaleUp":{"stabilizationWindowSeconds":1,"selectPolicy":"Min","policies":[{"type":"Pods","value":1,"periodSeconds":1}],"tolerance":"0.2"},` +
		`"scaleDown":{"stabilizationWindowSeconds":1,"selectPolicy":"Min","policies":[{"type":"Pods","value":1,"periodSeconds":1}],"tolerance":"0.2"}}`
	both := func(field, key string) string {
		return at + `behavior].` + field + `: Forbidden: is set both here and by mini-hpa/` + key + `; remove one of them`
	}
	tests := map[string]struct {
		annotations map[string]string
		want        []string
	}{
		"CPU": {map[string]string{Metrics: listedCPU, TargetCPU: "50"}, []string{
			at + `metrics][0]: Forbidden: measures the same as mini-hpa/target-cpu; remove one of them`}},
		"CPU as an amount": {map[string]string{Metrics: listedCPU, TargetCPU: "500m"}, []string{
			at + `metrics][0]: Forbidden: measures the same as mini-hpa/target-cpu; remove one of them`}},
		"memory": {map[string]string{Metrics: listedMemory, TargetMemory: "50"}, []string{
			at + `metrics][0]: Forbidden: measures the same as mini-hpa/target-memory; remove one of them`}},
		"a container": {map[string]string{Metrics: listedApp, TargetCPU: "50", Container: "app"}, []string{
			at + `metrics][0]: Forbidden: measures the same as mini-hpa/target-cpu; remove one of them`}},
		"also if one of them cannot be read": {map[string]string{Metrics: listedCPU, TargetCPU: "fast"}, []string{
			at + `metrics][0]: Forbidden: measures the same as mini-hpa/target-cpu; remove one of them`,
			at + `target-cpu]: Invalid value: "fast": ` + cpuAllowed}},
		"a container without a name is no other one": {map[string]string{TargetCPU: "50", Metrics: `[{"type":"ContainerResource","containerResource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]`}, []string{
			at + `metrics][0].containerResource.container: Required value: must name a container such as "app"`}},
		"tolerance": {map[string]string{TargetCPU: "50", Behavior: full, Tolerance: "10%"}, []string{
			both("scaleUp.tolerance", "tolerance"), both("scaleDown.tolerance", "tolerance")}},
		"tolerance of one direction": {map[string]string{TargetCPU: "50", Behavior: `{"scaleDown":{"tolerance":0}}`, Tolerance: "10%"}, []string{
			both("scaleDown.tolerance", "tolerance")}},
		"windows": {map[string]string{TargetCPU: "50", Behavior: full, ScaleUpStabilization: "5s", ScaleDownStabilization: "5s"}, []string{
			both("scaleUp.stabilizationWindowSeconds", "scale-up-stabilization"),
			both("scaleDown.stabilizationWindowSeconds", "scale-down-stabilization")}},
		"policies": {map[string]string{TargetCPU: "50", Behavior: full, ScaleUpPolicies: "1 pod/1s", ScaleDownPolicies: "disabled"}, []string{
			both("scaleUp.selectPolicy", "scale-up-policies"), both("scaleUp.policies", "scale-up-policies"),
			both("scaleDown.selectPolicy", "scale-down-policies"), both("scaleDown.policies", "scale-down-policies")}},
		"the choice between policies": {map[string]string{TargetCPU: "50", Behavior: `{"scaleUp":{"selectPolicy":"Min"}}`, ScaleUpPolicies: "1 pod/1s"}, []string{
			both("scaleUp.selectPolicy", "scale-up-policies")}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.annotations[Max] = "10"
			_, _, errs := parse(tc.annotations)
			if diff := cmp.Diff(tc.want, texts(errs)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBehaviorBesideShortAnnotations: what collides are fields, not annotations.
func TestBehaviorBesideShortAnnotations(t *testing.T) {
	all := basic(map[string]string{
		Behavior:             `{"scaleUp":{"policies":[{"type":"Pods","value":1,"periodSeconds":1}]},"scaleDown":{"stabilizationWindowSeconds":7}}`,
		Tolerance:            "20%",
		ScaleUpStabilization: "5s", ScaleDownPolicies: "disabled",
	})
	want := basicPolicy(func(p *Policy) {
		*p.Up.Tolerance, *p.Down.Tolerance = resource.MustParse("0.2"), resource.MustParse("0.2")
		*p.Up.StabilizationWindowSeconds, *p.Down.StabilizationWindowSeconds = 5, 7
		p.Up.Policies = []autoscalingv2.HPAScalingPolicy{pods(1, 1)}
		off(&p.Down)
	})
	got, warnings, errs := parse(all)
	if diff := cmp.Diff(want, got); diff != "" || len(errs)+len(warnings) > 0 {
		t.Errorf("errors %v, warnings %v, policy (-want +got):\n%s", errs, warnings, diff)
	}
}

func TestContainerWithoutATarget(t *testing.T) {
	_, got, errs := parse(map[string]string{Max: "10", Metrics: listedPods, Container: "app"})
	want := []Warning{{Key: Container, Rule: FoundDoubtful, Message: `has no effect without mini-hpa/target-cpu or mini-hpa/target-memory; ` +
		`metrics of one container are of type "ContainerResource"`}}
	if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
		t.Errorf("errors %v, warnings (-want +got):\n%s", errs, diff)
	}
}

// TestDocumentsShareNothing: each policy has its own memory, also for what its documents hold.
func TestDocumentsShareNothing(t *testing.T) {
	all := map[string]string{Max: "10", Metrics: exampleMetrics, Behavior: exampleBehavior}
	first, _, _ := parse(all)
	second, _, _ := parse(all)
	want, _, _ := parse(all)

	first.Metrics[0].Spec.Pods.Target.AverageValue.Add(resource.MustParse("7"))
	first.Metrics[1].Spec.External.Metric.Selector.MatchLabels["queue"] = "others"
	first.Metrics[1].Spec.Type = autoscalingv2.PodsMetricSourceType
	first.Down.Policies[0].Value, *first.Down.SelectPolicy = 7, autoscalingv2.DisabledPolicySelect
	*first.Up.StabilizationWindowSeconds = 7
	first.Down.Tolerance.Add(resource.MustParse("7"))
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("writing to one policy changed another:\n%s", diff)
	}
	if got := first.Up.Tolerance.String(); got != "100m" {
		t.Errorf("the directions share a tolerance: %s", got)
	}
}
