package annotations

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestKeysAreToldInFull(t *testing.T) {
	for key, want := range map[Key]string{
		DeploymentKey("shop", "web"): "deployments.apps/shop/web",
		{Kind: schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}, Namespace: "shop", Name: "web"}: "rollouts.argoproj.io/shop/web",
	} {
		if got := key.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := key.NamespacedName().String(); got != "shop/web" {
			t.Errorf("%q without the kind, want shop/web", got)
		}
	}
}

func TestADeploymentIsAWorkload(t *testing.T) {
	five := int32(5)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u", ResourceVersion: "7", Annotations: map[string]string{Max: "10"}},
		Spec: appsv1.DeploymentSpec{Replicas: &five, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}},
		Status: appsv1.DeploymentStatus{Replicas: 4, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "quota"}}},
	}
	want := &Workload{Key: DeploymentKey("shop", "web"), APIVersion: "apps/v1", Resource: "deployments", UID: "u", Version: "7", Annotations: map[string]string{Max: "10"},
		Template: &d.Spec.Template, Replicas: 5, StatusReplicas: 4, Selector: d.Spec.Selector, Refused: "quota"}
	if diff := cmp.Diff(want, OfDeployment(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now := metav1.Now()
	d.Spec.Replicas, d.DeletionTimestamp, d.Status.Conditions[0].Reason = nil, &now, "Other"
	if w := OfDeployment(d); w.Replicas != 1 || !w.Deleting || w.Refused != "" {
		t.Errorf("%d replicas, deleting %t, refused %q; want 1, true and nothing", w.Replicas, w.Deleting, w.Refused)
	}
	ref := OfDeployment(d).Reference()
	if diff := cmp.Diff(&corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", UID: "u", ResourceVersion: "7"}, ref); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoHasSetTheReplicas(t *testing.T) {
	replicas, labels := metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`), metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:replicas":{}}}}`)
	ours := metav1.ManagedFieldsEntry{Manager: FieldManager, Subresource: "scale", FieldsV1: replicas}
	tests := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		setBy   string
		us      bool
		scale   string
	}{
		"nobody":                      {},
		"mini-hpa":                    {[]metav1.ManagedFieldsEntry{ours}, "mini-hpa", true, "mini-hpa"},
		"mini-hpa, other fields":      {[]metav1.ManagedFieldsEntry{{Manager: FieldManager, Subresource: "scale", FieldsV1: labels}}, "", false, ""},
		"of that name, by the object": {[]metav1.ManagedFieldsEntry{{Manager: FieldManager, FieldsV1: replicas}}, "mini-hpa", false, ""},
		"somebody else":               {[]metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: replicas}}, "kubectl", false, ""},
		"both":                        {[]metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: replicas}, ours}, "kubectl, mini-hpa", true, "mini-hpa"},
		"the status":                  {[]metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Subresource: "status", FieldsV1: replicas}}, "", false, ""},
		"no list of fields":           {[]metav1.ManagedFieldsEntry{{Manager: FieldManager, Subresource: "scale"}}, "mini-hpa", true, "mini-hpa"},
		"kubectl scale":               {[]metav1.ManagedFieldsEntry{{Manager: "kubectl", Subresource: "scale", FieldsV1: replicas}}, "kubectl", false, "kubectl"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{ManagedFields: tc.entries}})
			if w.SetBy != tc.setBy || w.ScaledByUs != tc.us || w.ScaledBy != tc.scale {
				t.Errorf("set by %q, by mini-hpa %t, by the scale subresource %q; want %q, %t, %q", w.SetBy, w.ScaledByUs, w.ScaledBy, tc.setBy, tc.us, tc.scale)
			}
		})
	}
}

// FuzzOwns compares with what encoding/json reads in the same list of fields.
func FuzzOwns(f *testing.F) {
	ofDeployment, ofSet := managed()
	for _, entry := range append(ofDeployment, ofSet...) {
		for _, path := range []string{".spec.replicas", ".status.replicas", ".metadata.ownerReferences", ".metadata.annotations." + Max, ".spec", "."} {
			f.Add(string(entry.FieldsV1.GetRawBytes()), path)
		}
	}
	for _, list := range []string{
		`{"f:metadata":{"f:spec":{"f:replicas":{}}},"f:spec":{"f:selector":{}}}`,
		`{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec": {"v:\"f:x\"":{},"f:replicas" :{}}}`,
		`{"f:spec":{".":{},"v:\"f:replicas\"":{}}}`,
		`{"f:spec":"f:replicas","f:metadata":["f:replicas",{"f:replicas":1}]}`,
		`{"x":"f:spec","f:replicas":{}}`,
		`{"f:spec":null,"g":{"f:replicas":{}}}`,
		`{"f:spec":[],"g":{"f:replicas":{}}}`,
		`{}`,
		`null`,
		`[]`,
		`{"f:spec":{"f:replicas":null}}`,
		`{"f:spec":{"x":1},"f:replicas":{}}`,
	} {
		f.Add(list, ".spec.replicas")
	}
	f.Fuzz(func(t *testing.T, list, path string) {
		var whole map[string]any
		if json.Unmarshal([]byte(list), &whole) != nil || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029\ufffd", r) }) {
			t.Skip("it is no list, or no name of a field")
		}
		canonical, err := json.Marshal(whole) // no name twice, and none with escapes that it does not need
		if err != nil {
			t.Fatal(err)
		}
		got := owns(metav1.NewFieldsV1(string(canonical)), path)
		want := true
		for _, step := range Steps(path) {
			var members map[string]json.RawMessage
			if json.Unmarshal(canonical, &members) != nil || members["f:"+step] == nil {
				want = false
				break
			}
			canonical = members["f:"+step]
		}
		if got != want {
			t.Errorf("%q among %s: %t, want %t", path, list, got, want)
		}
	})
}
