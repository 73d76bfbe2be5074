package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}}
}

// replicaSet is a revision of the Deployment with that UID.
func replicaSet(name string, owner types.UID, image string) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: owner, Controller: new(true)}}}}
	rs.Spec.Template = template(image)
	rs.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = name
	return rs
}

func inReview(t *testing.T, image string) []byte {
	d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "ours"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d.Spec.Template = template(image)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestARollbackIsATemplateOfBefore(t *testing.T) {
	client := fake.NewClientset(replicaSet("one", "ours", "app:1"), replicaSet("two", "ours", "app:2"), replicaSet("foreign", "theirs", "app:3"))
	for image, want := range map[string]bool{"app:1": true, "app:2": true, "app:3": false, "app:4": false} {
		if got, err := NewRevisions(client).Had(t.Context(), "shop", inReview(t, image)); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", image, got, err, want)
		}
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	broken := fake.NewClientset()
	broken.PrependReactor("list", "replicasets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	for name, tc := range map[string]struct{ text, want string }{
		"too large":            {`{"metadata":{"name":"` + strings.Repeat("x", maxRevised) + `"}}`, "is not compared"},
		"no JSON":              {`{`, "reading the Deployment"},
		"no selector":          {`{"spec":{"selector":{"matchExpressions":[{"operator":"Odd"}]}}}`, "reading the selector"},
		"no answer of the API": {string(inReview(t, "app:1")), "connection refused"},
	} {
		if _, err := NewRevisions(broken).Had(t.Context(), "shop", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tc.want)
		}
	}
}
