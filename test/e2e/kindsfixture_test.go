package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

// The kinds that are built in.
var (
	deployments  = annotations.Builtin()[0]
	statefulSets = annotations.Builtin()[1]
	replicaSets  = annotations.Builtin()[2]
)

// trains defines a kind whose objects own pods and have no template of them, with the fields of its scale subresource where no other kind
// has them.
func trains(t *testing.T, group string) *unstructured.Unstructured {
	t.Helper()
	return object(t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trains.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Train, plural: trains}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.workers.count, statusReplicasPath: .status.current, labelSelectorPath: .status.podSelector}
`, group))
}

// argo is the release of which rollouts has the definition.
const argo = "github.com/argoproj/argo-rollouts@v1.8.3"

// rollouts is Argo's own definition of its Rollouts, which own pods by a ReplicaSet. Go fetches it, as it does the programs of the control
// plane, and knows its hash.
func rollouts(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", argo)
	download.Dir = t.TempDir() // of no module
	said, err := download.Output()
	var module struct{ Dir, Error string }
	if parsed := json.Unmarshal(said, &module); err != nil || parsed != nil {
		t.Fatalf("download %s: %v, %s", argo, err, module.Error)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "manifests", "crds", "rollout-crd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return object(t, string(text))
}

// definitions are what CustomResourceDefinitions are called in the API.
var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define has the API server serve a kind, if it does not yet.
func (w *world) define(t *testing.T, definition *unstructured.Unstructured) annotations.Kind {
	t.Helper()
	kind, err := annotations.ReadKind(definition.Object)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.objects.Resource(definitions).Create(t.Context(), definition, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	eventually(t, definition.GetName()+" are served", func(ctx context.Context) (bool, string) {
		_, err := w.objects.Resource(kind.GroupVersionResource()).List(ctx, metav1.ListOptions{})
		return err == nil, fmt.Sprint(err)
	})
	return kind
}

// permit lets controllers scale custom kinds, as the chart does with controller.kinds.
func (w *world) permit(t *testing.T, kinds ...annotations.Kind) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "kinds-" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))}}
	for _, kind := range kinds {
		role.Rules = append(role.Rules, readable(kind),
			rbacv1.PolicyRule{APIGroups: []string{kind.Group}, Resources: []string{kind.Resource}, Verbs: []string{"list", "watch"}},
			rbacv1.PolicyRule{APIGroups: []string{kind.Group}, Resources: []string{kind.Resource + "/scale"}, Verbs: []string{"update", "patch"}})
	}
	w.entitle(t, role)
}

// readable is the right to read the CustomResourceDefinition of a kind.
func readable(kind annotations.Kind) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{definitions.Group}, Resources: []string{definitions.Resource},
		ResourceNames: []string{kind.GroupResource().String()}, Verbs: []string{"list", "watch"}}
}

// entitle gives a role to controllers.
func (w *world) entitle(t *testing.T, role *rbacv1.ClusterRole) {
	t.Helper()
	err := bind(t.Context(), w.client, role, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user},
		rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: user})
	if err != nil {
		t.Fatal(err)
	}
}

// named is the flag that names custom kinds.
func named(kinds ...annotations.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.GroupResource().String()
	}
	return "--kinds=" + strings.Join(names, ",")
}

// hasTemplate says whether the objects of a kind say what their pods are made from.
func hasTemplate(kind annotations.Kind) bool { return kind.Kind != "Train" }

// run creates an object of any kind whose pods request 1 CPU each, with a constant load in millicores over all of them, and returns when
// its pods are ready. Custom kinds have a controller of the test's until it ends.
func (w *world) run(t *testing.T, kind annotations.Kind, namespace, name string, replicas int32, load int64, pairs map[string]string) *workload {
	t.Helper()
	d := w.begin(t, kind, namespace, name, replicas, load, pairs)
	d.record()
	d.awaitPods(replicas)
	return d
}

// begin is run without a record of the replicas, and returns at once.
func (w *world) begin(t *testing.T, kind annotations.Kind, namespace, name string, replicas int32, load int64, pairs map[string]string) *workload {
	t.Helper()
	d := w.workload(t, kind, namespace, name)
	d.create(d.manifest(replicas, pairs), load)
	return d
}

// create creates the object, under a load.
func (d *workload) create(manifest *unstructured.Unstructured, load int64) {
	d.t.Helper()
	d.setLoad(load)
	if _, err := d.objects().Create(d.t.Context(), manifest, metav1.CreateOptions{}); err != nil {
		d.t.Fatal(err)
	}
	d.rest = func() {}
	switch d.kind.Kind {
	case "Train":
		d.play(d.staff)
	case "Rollout":
		d.play(d.roll)
	}
}

// awaitPods returns when so many of the workload's pods are ready.
func (d *workload) awaitPods(replicas int32) {
	d.t.Helper()
	d.eventually("all pods are ready", func(ctx context.Context) (bool, string) {
		pods, err := d.pods(ctx)
		ready := slices.DeleteFunc(pods, func(p corev1.Pod) bool {
			return !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
		})
		return err == nil && len(ready) >= int(replicas), fmt.Sprint(len(ready), " pods are ready, ", err)
	})
}

// title is the workload's name, for other kinds than Deployments with the kind.
func (d *workload) title() string {
	if d.kind == deployments {
		return d.name
	}
	return d.kind.Kind + "/" + d.name
}

// labels are those of the workload's pods, and of nobody else's.
func (d *workload) labels() map[string]string {
	return map[string]string{"app": strings.ReplaceAll(d.title(), "/", "-")}
}

func (d *workload) template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: d.labels()}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "app", Image: "app", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}}
}

// manifest is what creates the object.
func (d *workload) manifest(replicas int32, pairs map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetGroupVersionKind(d.kind.GroupVersionKind)
	o.SetName(d.name)
	o.SetAnnotations(prefixed(pairs))
	d.put(o.Object, int64(replicas), d.kind.ReplicasPath)
	if hasTemplate(d.kind) {
		selector := &metav1.LabelSelector{MatchLabels: d.labels()}
		template := d.template()
		d.put(o.Object, d.fields(selector), ".spec.selector")
		d.put(o.Object, d.fields(&template), ".spec.template")
	}
	return o
}

// fields are those of a typed object.
func (d *workload) fields(of any) map[string]any {
	d.t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		d.t.Fatal(err)
	}
	return fields
}

// put sets the field at the end of a path.
func (d *workload) put(object map[string]any, value any, path string) {
	d.t.Helper()
	if err := unstructured.SetNestedField(object, value, annotations.Steps(path)...); err != nil {
		d.t.Fatal(err)
	}
}

// pods are those that have the workload's labels and are not being deleted.
func (d *workload) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := d.w.client.CoreV1().Pods(d.namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: d.labels()})})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// play does for a custom resource what its own controller would do, until it is to rest or the test ends.
func (d *workload) play(step func(context.Context, *annotations.Workload) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var playing sync.WaitGroup
	playing.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			o, err := d.objects().Get(ctx, d.name, metav1.GetOptions{})
			if err == nil {
				err = step(ctx, d.kind.Read(o))
			}
			if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				d.t.Logf("playing the controller of %s, which tries again: %v", d.title(), err)
			}
		}, 200*time.Millisecond)
	})
	d.rest = func() { cancel(); playing.Wait() }
	d.t.Cleanup(d.rest)
}

// staff gives a Train its pods.
func (d *workload) staff(ctx context.Context, train *annotations.Workload) error {
	pods, err := d.pods(ctx)
	if err != nil {
		return err
	}
	client, template := d.w.client.CoreV1().Pods(d.namespace), d.template()
	for range int(train.Replicas) - len(pods) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: d.name + "-", Labels: template.Labels, OwnerReferences: d.owner(train)}, Spec: template.Spec}
		if _, err := client.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, pod := range pods[min(len(pods), int(train.Replicas)):] {
		if err := client.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return d.report(ctx, train, int32(len(pods)))
}

// roll gives a Rollout its ReplicaSets, which have its annotations, as Argo's do: one, or in a canary step a stable one and a new one.
func (d *workload) roll(ctx context.Context, rollout *annotations.Workload) error {
	canary := int32(d.canary * float64(rollout.Replicas))
	shares, sum := []int32{rollout.Replicas - canary}, int32(0)
	if d.canary > 0 {
		shares = append(shares, canary)
	}
	for i, share := range shares {
		set, err := d.replicaSet(ctx, rollout, fmt.Sprintf("%s-%d", d.name, i+1), share)
		if err != nil {
			return err
		}
		sum += set.Status.Replicas
	}
	return d.report(ctx, rollout, sum)
}

// replicaSet gives a Rollout one ReplicaSet of so many replicas.
func (d *workload) replicaSet(ctx context.Context, rollout *annotations.Workload, name string, replicas int32) (*appsv1.ReplicaSet, error) {
	client, labels, template := d.w.client.AppsV1().ReplicaSets(d.namespace), d.labels(), d.template()
	labels["pod-template-hash"] = name // or each of two would take the pods of the other for its own
	template.Labels = labels
	set, err := client.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return client.Create(ctx, &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: rollout.Annotations, OwnerReferences: d.owner(rollout)},
			Spec:       appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		}, metav1.CreateOptions{})
	case err == nil && *set.Spec.Replicas != replicas:
		return client.Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	}
	return set, err
}

// owner is the reference to what controls an object.
func (d *workload) owner(w *annotations.Workload) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: w.APIVersion, Kind: w.Kind.Kind, Name: w.Name, UID: w.UID, Controller: new(true)}}
}

// report writes the status of a custom resource, if it is another one.
func (d *workload) report(ctx context.Context, w *annotations.Workload, replicas int32) error {
	if w.StatusReplicas == replicas && w.Selector != nil {
		return nil
	}
	change := map[string]any{}
	d.put(change, int64(replicas), d.kind.StatusReplicasPath)
	d.put(change, labels.FormatLabels(d.labels()), d.kind.SelectorPath)
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = d.objects().Patch(ctx, d.name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}

// describe is what kubectl describe says of the workload.
func (d *workload) describe() string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.w.cluster.Kubectl(), "--kubeconfig", d.w.cluster.Kubeconfig(), "-n", d.namespace,
		"describe", d.kind.GroupResource().String(), d.name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("kubectl describe: %v\n%s", err, out)
	}
	return string(out)
}

// replay is what `mini-hpa replay` makes of the only trace of the workload in a directory.
func (d *workload) replay(dir string) []trace.Outcome {
	d.t.Helper()
	base := d.name
	if d.kind != deployments {
		base += "_" + d.kind.GroupKind().String()
	}
	files, err := filepath.Glob(filepath.Join(dir, d.namespace, base+"_2*.trace.jsonl"))
	if err != nil || len(files) != 1 {
		d.t.Fatalf("traces of %s: %v, error %v; want one", d.title(), files, err)
	}
	out, err := exec.CommandContext(d.t.Context(), program, "replay", "-o", "json", files[0]).Output()
	if err != nil {
		d.t.Fatalf("replay of %s: %v", files[0], err)
	}
	var outcomes []trace.Outcome
	for lines := json.NewDecoder(bytes.NewReader(out)); ; {
		var o trace.Outcome
		err := lines.Decode(&o)
		if errors.Is(err, io.EOF) {
			return outcomes
		}
		if err != nil {
			d.t.Fatalf("replay of %s: %v", files[0], err)
		}
		outcomes = append(outcomes, o)
	}
}
