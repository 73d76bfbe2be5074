package annotations

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMetricsHaveAnIDOfTheirOwn(t *testing.T) {
	mail := &metav1.LabelSelector{MatchLabels: map[string]string{"queue": "mail"}}
	target := averageOf("1")
	cpu, hits, backlog := utilization(corev1.ResourceCPU, 50), ofPods("hits", target), external("backlog", nil, target)
	for name, tc := range map[string]struct {
		specs []autoscalingv2.MetricSpec
		want  []string
	}{
		"none":                      {nil, []string{}},
		"each has its name":         {[]autoscalingv2.MetricSpec{cpu, hits, external("backlog", mail, target)}, []string{" ", "custom hits", "external backlog"}},
		"with and without selector": {[]autoscalingv2.MetricSpec{backlog, external("backlog", mail, target)}, []string{"external backlog", "external backlog{queue=mail}"}},
		"all values and none":       {[]autoscalingv2.MetricSpec{backlog, external("backlog", &metav1.LabelSelector{}, target)}, []string{"external backlog", "external backlog{<none>}"}},
		"an object's and others": {[]autoscalingv2.MetricSpec{ofIngress("networking.k8s.io/v1", target), ofPods("ingress_hits", target), external("hits", nil, target)},
			[]string{"custom ingress_hits of Ingress.networking.k8s.io/front", "custom ingress_hits of pods", "external hits"}},
		"measured twice":        {[]autoscalingv2.MetricSpec{backlog, external("backlog", nil, averageOf("9"))}, []string{"external backlog", "external backlog"}},
		"a name like another's": {[]autoscalingv2.MetricSpec{hits, external("hits", nil, target), external("hits of pods", nil, target)}, []string{"custom hits of pods", "external hits", "external hits of pods'"}},
	} {
		got := []string{}
		for _, m := range MetricsOf(tc.specs) {
			got = append(got, m.Source+" "+m.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: source and ID (-want +got):\n%s", name, diff)
		}
	}
}
