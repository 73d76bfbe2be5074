package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// stage is a state in which a Rollout of Argo can be for hours.
type stage struct {
	name string
	// canary is the share of the pods that are of the new template.
	canary float64
	// spec and status are a merge patch of each, "" for none.
	spec, status string
	// hasNoTemplate says that it refers to the Deployment whose template it has.
	hasNoTemplate bool
}

func stages() []stage {
	return []stage{
		{name: "paused", spec: `{"spec":{"paused":true}}`},
		{name: "aborted", status: `{"status":{"abort":true,"phase":"Degraded"}}`},
		{name: "step", canary: 0.5, status: `{"status":{"phase":"Paused","pauseConditions":[{"reason":"CanaryPauseStep","startTime":"2026-01-01T00:00:00Z"}]}}`},
		{name: "referring", hasNoTemplate: true},
	}
}

// TestRolloutsInEveryState: a Rollout of Argo that is paused, aborted, in a canary step or refers to a Deployment for its template is
// scaled as any other, and as the HPA controller scales the same Rollout beside it: of a Rollout it sees the scale and the pods only.
func TestRolloutsInEveryState(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	kind := shared.define(t, rollouts(t))
	shared.permit(t, kind)
	var ours, all []*workload
	for _, s := range stages() {
		d, theirs := s.begin(t, kind, ns, s.name, quick()), s.begin(t, kind, ns, s.name+"-by-hpa", nil)
		theirs.autoscale()
		ours, all = append(ours, d), append(all, d, theirs)
	}
	for _, d := range all {
		d.awaitPods(2)
	}
	c := shared.controller(t, ns, named(kind))
	for _, replicas := range []int32{6, 1} {
		for _, d := range all {
			d.setLoad(loadFor(replicas))
		}
		for _, d := range all {
			d.await(replicas)
		}
	}
	for i, d := range ours {
		d.wantTurns(2, 6, 1)
		d.wantTold(stages()[i].hasNoTemplate)
	}
	referred, err := shared.client.AppsV1().Deployments(ns).Get(t.Context(), "referring-template", metav1.GetOptions{})
	if err != nil || *referred.Spec.Replicas != 0 {
		t.Errorf("the Deployment that a Rollout refers to has %+v, error %v; want its 0 replicas as they were", referred.Spec.Replicas, err)
	}
	if events := shared.workload(t, deployments, ns, "referring-template").events(); len(events) > 0 {
		t.Errorf("Events of a Deployment that is not annotated: %q", events)
	}
	c.running()
}

// begin creates a Rollout with two pods, which its load needs.
func (s stage) begin(t *testing.T, kind annotations.Kind, ns, name string, pairs map[string]string) *workload {
	t.Helper()
	d := shared.workload(t, kind, ns, name)
	d.canary = s.canary
	manifest := d.manifest(2, pairs)
	if s.hasNoTemplate {
		d.refer(manifest)
	}
	d.create(manifest, loadFor(2))
	d.record()
	if s.spec != "" {
		d.merge(s.spec)
	}
	if s.status != "" {
		d.merge(s.status, "status")
	}
	return d
}

func (d *workload) merge(change string, subresources ...string) {
	d.t.Helper()
	if _, err := d.objects().Patch(d.t.Context(), d.name, types.MergePatchType, []byte(change), metav1.PatchOptions{}, subresources...); err != nil {
		d.t.Fatal(err)
	}
}

// refer takes the template away from the manifest of a Rollout, which refers to a Deployment instead. That is scaled to zero, as Argo does.
func (d *workload) refer(manifest *unstructured.Unstructured) {
	d.t.Helper()
	template := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: d.name + "-template"},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: d.labels()}, Template: d.template()}}
	if _, err := d.w.client.AppsV1().Deployments(d.namespace).Create(d.t.Context(), template, metav1.CreateOptions{}); err != nil {
		d.t.Fatal(err)
	}
	unstructured.RemoveNestedField(manifest.Object, "spec", "selector")
	unstructured.RemoveNestedField(manifest.Object, "spec", "template")
	d.put(manifest.Object, map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": template.Name}, ".spec.workloadRef")
}

// autoscale has the HPA controller scale the workload as the annotations of quick would.
func (d *workload) autoscale() {
	d.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: d.name}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: d.kind.GroupVersion().String(), Kind: d.kind.Kind, Name: d.name},
		MaxReplicas:    10,
		Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))}}}},
		Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(3))}},
	}}
	if _, err := d.w.client.AutoscalingV2().HorizontalPodAutoscalers(d.namespace).Create(d.t.Context(), hpa, metav1.CreateOptions{}); err != nil {
		d.t.Fatal(err)
	}
}

// wantTold wants nothing but rescales in the Events of the workload and, if it has no pod template, a warning of that; and in explain the
// requests of its pods.
func (d *workload) wantTold(hasNoTemplate bool) {
	d.t.Helper()
	others := d.otherEvents()
	if hasNoTemplate && len(others) == 1 && strings.HasPrefix(others[0], "1 Warning AnnotationWarning ") && strings.Contains(others[0], "no pod template") {
		others = nil
	}
	if len(others) > 0 {
		d.t.Errorf("Events of %s: %q, want none of these", d.title(), others)
	}
	explain := exec.CommandContext(d.t.Context(), program, "explain", "--kubeconfig", d.w.cluster.Kubeconfig(), "-n", d.namespace, fmt.Sprint(d.kind.GroupResource(), "/", d.name))
	if out, err := explain.CombinedOutput(); err != nil || !strings.Contains(string(out), " / requests ") {
		d.t.Errorf("explain of %s (%v) does not show the arithmetic:\n%s", d.title(), err, out)
	}
}
