package trace

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// ofKinds are workloads of one name and of different kinds: with a template, without one, and with the fields elsewhere.
func ofKinds() map[string]*annotations.Workload {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u1", Annotations: map[string]string{"mini-hpa/max": "10", "mini-hpa/target-cpu": "50"}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector.MatchLabels}, Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")}}}}}}
	train := annotations.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Train"}, Resource: "trains",
		ReplicasPath: ".spec.wagons.count", SelectorPath: ".status.selector"}
	own := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"wagons": map[string]any{"count": int64(3)}}, "status": map[string]any{"selector": "app=web"}}}
	own.SetNamespace(meta.Namespace)
	own.SetName(meta.Name)
	own.SetUID(meta.UID)
	own.SetAnnotations(meta.Annotations)
	return map[string]*annotations.Workload{
		"shop/web": annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)), Selector: selector, Template: template}}),
		"shop/web_StatefulSet.apps": annotations.OfStatefulSet(&appsv1.StatefulSet{ObjectMeta: meta,
			Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), Selector: selector, Template: template}}),
		"shop/web_ReplicaSet.apps": annotations.OfReplicaSet(&appsv1.ReplicaSet{ObjectMeta: meta,
			Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(3)), Selector: selector, Template: template}}),
		"shop/web_Train.example.com": train.Read(own),
	}
}

// TestEachKindIsRecordedAndRead: workloads of one name and of different kinds have files of their own, also in the next process.
func TestEachKindIsRecordedAndRead(t *testing.T) {
	s := newShelf(t, DefaultLimits())
	for _, w := range ofKinds() {
		s.r.Trace(w, bare(10, 3), true)
	}
	s.close()
	for base, want := range ofKinds() {
		f, err := os.Open(filepath.Join(s.dir, base+"_20260101T120010.000Z.trace.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := NewReader(f)
		if err != nil {
			t.Fatalf("%s: %v", base, err)
		}
		if base == "shop/web_Train.example.com" {
			want.Resource = "" // which only its CustomResourceDefinition knows
			want.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
		}
		if diff := cmp.Diff(want, r.Workload()); diff != "" {
			t.Errorf("%s (-recorded +read):\n%s", base, diff)
		}
		if seen, err := r.Next(); err != nil || seen.Replicas != 3 {
			t.Errorf("%s: replicas %d, error %v", base, seen.Replicas, err)
		}
		if at := workloadAt(base); at != want.Key {
			t.Errorf("%s is of %v, want %v", base, at, want.Key)
		}
	}
	s.open().close()
	if got := len(s.r.store.files); got != 4 {
		t.Errorf("%d files found by the next process, want 4", got)
	}
}

// TestAnObjectInItsOwnForm: as kubectl prints it, with fields that have other types than those of group apps.
func TestAnObjectInItsOwnForm(t *testing.T) {
	const text = `{"workload":{"apiVersion":"example.com/v1","kind":"Train","metadata":{"namespace":"shop","name":"web","annotations":{"mini-hpa/max":"10"}},` +
		`"spec":{"replicas":4,"selector":"app=web","template":"small","huge":1e-999999999},"status":{"replicas":3}}}`
	r, err := NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	w := r.Workload()
	if w.String() != "trains.example.com/shop/web" || w.Replicas != 4 || w.Template != nil || metav1.FormatLabelSelector(w.Selector) != "app=web" || w.Annotations[annotations.Max] != "10" {
		t.Errorf("read %+v", w)
	}
}

// TestNamesOfFiles: a path of others is nobody's, and a long name is made shorter whatever its kind.
func TestNamesOfFiles(t *testing.T) {
	long := strings.Repeat("a", 190)
	kind := schema.GroupKind{Group: "workloads.example.com", Kind: "LongTrain"}
	first, err := basePath(annotations.Key{Kind: kind, Namespace: "shop", Name: long})
	second, err2 := basePath(annotations.Key{Kind: schema.GroupKind{Group: "workloads.example.org", Kind: "LongTrain"}, Namespace: "shop", Name: long})
	if err != nil || err2 != nil || first == second || len(first) != len("shop/")+longestName {
		t.Errorf("%q and %q, errors %v, %v", first, second, err, err2)
	}
	if !recorded.MatchString(first + "_20260101T120010.000Z.trace.jsonl") {
		t.Errorf("%q is not found again", first)
	}
	for _, bad := range []schema.GroupKind{{Group: "example.com", Kind: "../Train"}, {Group: "../..", Kind: "Train"}, {Kind: "Pod"}} {
		if path, err := basePath(annotations.Key{Kind: bad, Namespace: "shop", Name: "web"}); err == nil {
			t.Errorf("%v is written to %q", bad, path)
		}
	}
	if slices.Contains(recorded.FindStringSubmatch("shop/web_20260101T120010.000Z.trace.jsonl"), "shop/web_20260101T120010.000Z") {
		t.Error("the time counts as a kind")
	}
}
