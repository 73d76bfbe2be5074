package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// conversion is what mini-hpa migrate -o json says of one object.
type conversion struct {
	From        struct{ APIVersion, Kind, Name string }
	Annotations map[string]string
}

// converted runs mini-hpa migrate.
func (a *admission) converted(t *testing.T, args ...string) map[string]conversion {
	t.Helper()
	var read struct{ Workloads []conversion }
	if err := json.Unmarshal([]byte(a.runs(t, append([]string{"migrate", "-o", "json"}, args...)...)), &read); err != nil {
		t.Fatal(err)
	}
	all := map[string]conversion{}
	for _, c := range read.Workloads {
		all[c.From.Name] = c
	}
	return all
}

// runs is what the program writes, which may have to tell of what is lost.
func (a *admission) runs(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); err != nil && !strings.Contains(told.String(), ": lost: ") {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, told.String())
	}
	return out.String()
}

// converts holds migrate and export to the API server: what it fills in and stores of twenty HPAs is what their annotations say, admission takes these,
// and it stores what they are as HPAs again.
func (a *admission) converts(t *testing.T) {
	t.Parallel()
	before, between, after := a.space(t, "convert-hpas", false), a.space(t, "convert-annotations", true), a.space(t, "convert-back", false)
	a.awaitRefusal(t, between)
	files := filepath.Join("..", "..", "cmd", "internal", "migrate", "testdata")
	fromFile := a.converted(t, "-f", filepath.Join(files, "hpas.yaml"))
	if len(fromFile) != 20 {
		t.Errorf("%d HPAs are converted, want 20", len(fromFile))
	}
	want := map[string]*autoscalingv2.HorizontalPodAutoscalerSpec{}
	text, err := os.ReadFile(filepath.Join(files, "hpas.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		o := object(t, document)
		if strings.HasPrefix(o.GetAPIVersion(), "autoscaling/v2beta") { // no API server has that any more
			data, err := o.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			old, _, err := hpa.Read(data)
			if err != nil {
				t.Fatal(err)
			}
			want[o.GetName()] = &old.Spec
			continue
		}
		a.must(t, document, "-n", before, "create", "-f", "-")
	}
	for _, stored := range a.hpasOf(t, before) {
		want[stored.Name] = &stored.Spec
	}
	if len(want) != 20 {
		t.Errorf("%d specs, want 20", len(want))
	}
	served := a.converted(t, "hpa", "-n", before, "--kubeconfig", a.kubeconfig)
	for name, c := range served {
		if diff := cmp.Diff(c.Annotations, fromFile[name].Annotations); diff != "" {
			t.Errorf("%s: what the file says is not what the API server has made of it (-server +file):\n%s", name, diff)
		}
	}
	if len(served) != 16 {
		t.Errorf("%d HPAs of the cluster are converted, want 16", len(served))
	}
	for name, c := range fromFile {
		if s := a.kubectl(t, carrier(t, name, c.Annotations), "-n", between, "create", "-f", "-"); s.code != 0 || s.verdict() != accepted {
			t.Errorf("%s: admission does not take %v: %s", name, c.Annotations, s)
		}
	}
	exported := a.runs(t, "export", "deploy", "-n", between, "--kubeconfig", a.kubeconfig)
	a.must(t, strings.ReplaceAll(exported, "namespace: "+between, "namespace: "+after), "create", "-f", "-")
	back := a.hpasOf(t, after)
	for _, got := range back {
		spec := want[got.Name]
		inOrder(spec.Metrics)
		inOrder(got.Spec.Metrics)
		spec.ScaleTargetRef.APIVersion = "apps/v1"
		if spec.Behavior == nil { // of which migrate tells: mini-hpa has the limits of an empty one
			o := autoscalingv2.HorizontalPodAutoscaler{Spec: *spec}
			o.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
			hpa.Default(&o)
			spec = &o.Spec
		}
		if !equality.Semantic.DeepEqual(*spec, got.Spec) {
			t.Errorf("%s: there and back (-HPA +HPA of its annotations):\n%s", got.Name, cmp.Diff(*spec, got.Spec))
		}
	}
	if len(back) != 20 {
		t.Errorf("%d HPAs came back, want 20", len(back))
	}
}

// hpasOf are those of a namespace, as the API server has them in autoscaling/v2.
func (a *admission) hpasOf(t *testing.T, ns string) []autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	list, err := a.client.AutoscalingV2().HorizontalPodAutoscalers(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// inOrder sorts metrics, whose order means nothing.
func inOrder(metrics []autoscalingv2.MetricSpec) {
	text := func(m autoscalingv2.MetricSpec) string {
		data, _ := json.Marshal(m) // what was read can be written
		return string(data)
	}
	slices.SortFunc(metrics, func(a, b autoscalingv2.MetricSpec) int { return strings.Compare(text(a), text(b)) })
}

// carrier is a Deployment with annotations, and with the requests that any target needs.
func carrier(t *testing.T, name string, annotations map[string]string) string {
	t.Helper()
	container := func(name string) map[string]any {
		return map[string]any{"name": name, "image": "registry.example/" + name, "resources": map[string]any{"requests": map[string]any{"cpu": "2", "memory": "1Gi"}}}
	}
	labels := map[string]any{"app": name}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name, "annotations": annotations},
		"spec": map[string]any{"paused": true, "selector": map[string]any{"matchLabels": labels}, "template": map[string]any{
			"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"containers": []any{container("app"), container("proxy")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// gaps are what migrate leaves open in the administrator's file, and what somebody might fill in.
var gaps = strings.NewReplacer("<URL of the management API, such as https://rabbitmq.mq.svc:15671, as in RABBITMQ_URL of the workload's environment>", "https://mq.svc:15671",
	"<servers of nats.nats.svc:8222, as HOST:PORT such as nats.nats.svc:4222>", "nats:4222", "<address, as HOST:PORT>", "db:3306", "<name of the database>", "shop")

// convertsScaledObjects holds migrate to the API server for ten ScaledObjects: it reads them from the cluster as from a file, and admission, which knows the
// administrator's file that migrate writes, takes their annotations, also while the ScaledObjects are still there. Of the annotations that the API server has it takes the
// HPA again that there is without sources.
func (a *admission) convertsScaledObjects(t *testing.T) {
	ns := a.space(t, "convert-scaledobjects", true)
	text, err := os.ReadFile(filepath.Join("..", "..", "cmd", "internal", "migrate", "testdata", "scaledobjects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, listed := filepath.Join(t.TempDir(), "scaledobjects.yaml"), filepath.Join(t.TempDir(), "sources.yaml")
	document := strings.ReplaceAll(string(text), "namespace: shop", "namespace: "+ns)
	if err := os.WriteFile(objects, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(listed, []byte(gaps.Replace(a.runs(t, "migrate", "-f", objects, "-o", "sources"))), 0o600); err != nil {
		t.Fatal(err)
	}
	a.serve(t, "--sources="+listed)
	a.awaitRefusal(t, ns)
	a.must(t, document, "create", "-f", "-")
	a.awaitNeighbors(t)
	fromFile, served := a.converted(t, "-f", objects), a.converted(t, "scaledobject", "-n", ns, "--kubeconfig", a.kubeconfig)
	if len(served) != 10 || len(fromFile) != 10 {
		t.Errorf("%d ScaledObjects of the cluster and %d of the file are converted, want 10", len(served), len(fromFile))
	}
	for name, c := range served {
		if diff := cmp.Diff(fromFile[name].Annotations, c.Annotations); diff != "" {
			t.Errorf("%s: (-file +server)\n%s", name, diff)
		}
		workload := carrier(t, name, c.Annotations)
		if name == "s10" {
			workload = strings.NewReplacer("kind: Deployment", "kind: StatefulSet", "  paused: true\n", "").Replace(workload)
		}
		s := a.kubectl(t, workload, "-n", ns, "create", "-f", "-")
		if s.code != 0 || !strings.Contains(s.err, `ScaledObject "`+name+`" already scales this `) {
			t.Errorf("%s: want %v to be taken, with a warning of the ScaledObject: %s", name, c.Annotations, s)
		}
	}
	exported := a.runs(t, "export", "deploy", "sts", "-n", ns, "--kubeconfig", a.kubeconfig)
	after := a.space(t, "convert-scaledobjects-back", false)
	a.must(t, strings.ReplaceAll(exported, "namespace: "+ns, "namespace: "+after), "create", "-f", "-")
	want := autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(2)), MaxReplicas: 10, Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{},
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "s03"},
		Metrics: []autoscalingv2.MetricSpec{{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu",
			Target: autoscalingv2.MetricTarget{Type: "Utilization", AverageUtilization: new(int32(60))}}}}}}
	hpa.Default(&want)
	back := a.hpasOf(t, after)
	if len(back) != 1 || back[0].Name != "s03" || !equality.Semantic.DeepEqual(want.Spec, back[0].Spec) {
		t.Errorf("of the annotations of ten ScaledObjects the API server has the HPAs %+v, want that of s03: %+v", back, want.Spec)
	}
}
