package explain

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

// ofEachKind is a cluster with a StatefulSet, ReplicaSets with and without a Deployment, and a custom resource with fields of its own.
func ofEachKind() cluster.Clients {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u1", Annotations: map[string]string{"mini-hpa/max": "10"}}
	controlled := meta
	controlled.Name, controlled.OwnerReferences = "web-1", []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "u2", Controller: new(true)}}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "trains.example.com"},
		"spec": map[string]any{"group": "example.com", "scope": "Namespaced", "names": map[string]any{"plural": "trains", "kind": "Train"},
			"versions": []any{map[string]any{"name": "v1alpha2", "served": true, "storage": true, "subresources": map[string]any{"scale": map[string]any{
				"specReplicasPath": ".spec.wagons.count", "statusReplicasPath": ".status.wagons"}}}}},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}},
	}}
	train := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1alpha2", "kind": "Train",
		"metadata": map[string]any{"namespace": "shop", "name": "web", "uid": "u3", "annotations": map[string]any{"mini-hpa/max": "10"}},
		"spec":     map[string]any{"wagons": map[string]any{"count": int64(4)}}}}
	return cluster.Clients{
		Act: fake.NewClientset(&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(4))}},
			&appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(4))}}, &appsv1.ReplicaSet{ObjectMeta: controlled}),
		Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
			definitions: "CustomResourceDefinitionList", {Group: "example.com", Version: "v1alpha2", Resource: "trains"}: "TrainList"}, definition, train),
	}
}

func TestEachKindIsRead(t *testing.T) {
	for form, want := range map[string]string{"sts/web": "statefulsets.apps/shop/web", "rs/web": "replicasets.apps/shop/web", "trains.example.com/web": "trains.example.com/shop/web"} {
		o, err := objectOf([]string{form})
		if err != nil {
			t.Fatal(err)
		}
		o.namespace = "shop"
		w, err := o.read(t.Context(), ofEachKind())
		if err != nil || w.String() != want || w.Replicas != 4 {
			t.Errorf("%s: %+v, %v", form, w, err)
		}
	}
	for form, want := range map[string]string{
		"rs/web-1":                "replicaset shop/web-1 is controlled by deployment web, so mini-hpa never scales it; explain that one",
		"sts/api":                 `cannot read statefulset shop/api: statefulsets.apps "api" not found`,
		"ships.example.com/web":   `cannot read the CustomResourceDefinition of ships.example.com: customresourcedefinitions.apiextensions.k8s.io "ships.example.com" not found`,
		"trains.example.com/ship": `cannot read trains.example.com shop/ship: trains.example.com "ship" not found`,
	} {
		o, err := objectOf([]string{form})
		if err != nil {
			t.Fatal(err)
		}
		o.namespace = "shop"
		if _, err := o.read(t.Context(), ofEachKind()); err == nil || err.Error() != want {
			t.Errorf("%s: error %v\nwant %s", form, err, want)
		}
	}
}

// TestACustomResourceIsWatched by the informers that the controller has.
func TestACustomResourceIsWatched(t *testing.T) {
	api := ofEachKind()
	api.Watch = api.Act
	o := object{resource: schema.GroupResource{Group: "example.com", Resource: "trains"}, namespace: "shop", name: "web"}
	ctx, cancel := context.WithCancel(t.Context())
	set, end, err := o.watch(ctx, api, []schema.GroupResource{o.resource})
	defer func() { cancel(); end() }()
	if err != nil {
		t.Fatal(err)
	}
	w, err := o.read(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	if seen := set.Workload(w.Key); seen == nil || seen.Replicas != 4 || !strings.HasPrefix(seen.APIVersion, "example.com/") {
		t.Errorf("watched: %+v", seen)
	}
}
