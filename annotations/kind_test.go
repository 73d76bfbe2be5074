package annotations

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// fields are those of an object.
type fields = map[string]any

// crd is a CustomResourceDefinition of trains.example.com with these versions.
func crd(versions ...any) fields {
	return fields{"spec": fields{"group": "example.com", "scope": "Namespaced", "names": fields{"kind": "Train", "plural": "trains"}, "versions": versions}}
}

// train is one of its versions.
func train(name string, served, stored bool, scale fields) fields {
	return fields{"name": name, "served": served, "storage": stored, "subresources": fields{"scale": scale}}
}

func trainKind(version string) Kind {
	return Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: version, Kind: "Train"}, Resource: "trains",
		ReplicasPath: ".spec.workers.count", StatusReplicasPath: ".status.workers", SelectorPath: ".status.selector"}
}

func TestKindOfADefinition(t *testing.T) {
	paths := fields{"specReplicasPath": ".spec.workers.count", "statusReplicasPath": ".status.workers", "labelSelectorPath": ".status.selector"}
	other := func(name, value string) fields {
		changed := crd(train("v1", true, true, paths))
		spec := maps.Clone(changed["spec"].(fields))
		spec[name] = value
		return fields{"spec": spec}
	}
	for name, tc := range map[string]struct {
		definition fields
		want       Kind
		err        string
	}{
		"one version":               {crd(train("v1", true, true, paths)), trainKind("v1"), ""},
		"the stored version":        {crd(train("v2", true, false, paths), train("v1", true, true, paths)), trainKind("v1"), ""},
		"the first one served":      {crd(train("v1", false, true, paths), train("v2", true, false, paths), train("v3", true, false, paths)), trainKind("v2"), ""},
		"no scale subresource":      {crd(train("v1", true, true, nil)), Kind{}, `version "v1" of trains.example.com has no scale subresource`},
		"no version":                {crd(), Kind{}, "no version of trains.example.com is served"},
		"of the cluster":            {other("scope", "Cluster"), Kind{}, `spec.scope of trains.example.com is "Cluster"`},
		"no group":                  {other("group", ""), Kind{}, `spec.group is ""`},
		"no definition":             {fields{"spec": 1}, Kind{}, `spec.group is ""`},
		"a version of another type": {crd("v1"), Kind{}, "no version"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadKind(tc.definition)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
		})
	}
}

func TestACustomResourceIsAWorkload(t *testing.T) {
	controlled := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Line", Name: "north", UID: "n", Controller: new(true)}
	pod := fields{"metadata": fields{"labels": fields{"app": "web"}}, "spec": fields{"containers": []any{
		fields{"name": "app", "resources": fields{"requests": fields{"cpu": "100m"}}}}}}
	o := &unstructured.Unstructured{Object: fields{"apiVersion": "example.com/v1", "kind": "Train",
		"spec": fields{"workers": fields{"count": int64(4)}, "template": pod}, "status": fields{"workers": int64(3), "selector": "app=web"}}}
	o.SetNamespace("shop")
	o.SetName("web")
	o.SetUID("u")
	o.SetResourceVersion("7")
	o.SetAnnotations(map[string]string{Max: "9"})
	o.SetOwnerReferences([]metav1.OwnerReference{controlled})
	o.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: FieldManager, Subresource: "scale", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:workers":{"f:count":{}}}}`)},
		{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{},"f:template":{"f:count":{}}}}`)}})
	want := &Workload{Key: Key{Kind: schema.GroupKind{Group: "example.com", Kind: "Train"}, Namespace: "shop", Name: "web"},
		APIVersion: "example.com/v1", Resource: "trains", UID: "u", Version: "7", Owner: &controlled, Annotations: map[string]string{Max: "9"},
		Replicas: 4, StatusReplicas: 3, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		ScaledBy: FieldManager, ScaledByUs: true, SetBy: FieldManager,
		Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")}}}}}}}
	k := trainKind("v1")
	if diff := cmp.Diff(want, k.Read(o), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFieldsOfAnotherType: nobody may have checked a custom resource.
func TestFieldsOfAnotherType(t *testing.T) {
	k := trainKind("v1")
	for name, tc := range map[string]struct {
		count    any
		want     int32
		selector any
		template any
		isRead   bool
	}{
		"a text":         {count: "4", selector: 1, template: "none"},
		"an object":      {count: fields{}, selector: fields{}, template: fields{"spec": fields{"containers": []any{}}}},
		"below zero":     {count: int64(-1), selector: "a in (", template: fields{"spec": fields{"containers": "app"}}},
		"too many":       {count: int64(1 << 40)},
		"a fraction":     {count: 1.5},
		"a whole number": {count: 4.0, want: 4},
		"an amount that takes hours": {count: int64(2), want: 2, isRead: true, template: fields{"spec": fields{"containers": []any{
			fields{"name": "app", "resources": fields{"requests": fields{"cpu": "1e-999999999"}}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{Object: fields{"spec": fields{"workers": fields{"count": tc.count}, "template": tc.template}, "status": fields{"selector": tc.selector}}}
			w := k.Read(o)
			if w.Replicas != tc.want || w.Selector != nil || (w.Template != nil) != tc.isRead {
				t.Errorf("%d replicas, selector %v, template %v; want %d, none, a template: %t", w.Replicas, w.Selector, w.Template, tc.want, tc.isRead)
			}
		})
	}
	if w := k.Read(&unstructured.Unstructured{Object: fields{"spec": 1}}); w.Replicas != 0 || w.Template != nil {
		t.Errorf("%+v of a spec that is a number", w)
	}
}

func TestStatefulSetsAndReplicaSetsAreWorkloads(t *testing.T) {
	four, deletes := int32(4), appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "u", ResourceVersion: "7"}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}
	s := &appsv1.StatefulSet{ObjectMeta: meta, Status: appsv1.StatefulSetStatus{Replicas: 3}, Spec: appsv1.StatefulSetSpec{Replicas: &four, Selector: selector,
		VolumeClaimTemplates:                 []corev1.PersistentVolumeClaim{{}},
		PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: deletes}}}
	want := &Workload{Key: Key{Kind: schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, Namespace: "shop", Name: "db"}, APIVersion: "apps/v1", Resource: "statefulsets",
		UID: "u", Version: "7", Replicas: 4, StatusReplicas: 3, Selector: selector, Template: &s.Spec.Template, DeletesClaims: true}
	if diff := cmp.Diff(want, OfStatefulSet(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Spec.VolumeClaimTemplates = nil
	if OfStatefulSet(s).DeletesClaims {
		t.Error("a StatefulSet without claims deletes them")
	}
	r := &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector}, Status: appsv1.ReplicaSetStatus{Replicas: 3, Conditions: []appsv1.ReplicaSetCondition{
		{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "quota"}}}}
	want = &Workload{Key: Key{Kind: schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}, Namespace: "shop", Name: "db"}, APIVersion: "apps/v1", Resource: "replicasets",
		UID: "u", Version: "7", Replicas: 1, StatusReplicas: 3, Selector: selector, Template: &r.Spec.Template, Refused: "quota"}
	if diff := cmp.Diff(want, OfReplicaSet(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
