package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
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

// remembered makes fake clients that have these ReplicaSets: one for their metadata, one for the whole objects.
func remembered(t *testing.T, sets ...*appsv1.ReplicaSet) (*metadatafake.FakeMetadataClient, *fake.Clientset) {
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var names, objects []runtime.Object
	for _, rs := range sets {
		names = append(names, &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}, ObjectMeta: rs.ObjectMeta})
		objects = append(objects, rs)
	}
	return metadatafake.NewSimpleMetadataClient(scheme, names...), fake.NewClientset(objects...)
}

func TestARollbackIsATemplateOfBefore(t *testing.T) {
	restarted := replicaSet("two", "ours", "app:2")
	restarted.Spec.Template.Annotations = map[string]string{restartedAt: "2026-01-01T00:00:00Z"}
	restarted.Annotations = map[string]string{"mini-hpa/max": "3"}
	other := replicaSet("other", "ours", "app:4")
	other.Spec.Template.Labels["tier"] = "web"
	names, objects := remembered(t, replicaSet("one", "ours", "app:1"), restarted, replicaSet("foreign", "theirs", "app:3"), other)
	for image, want := range map[string]bool{"app:1": true, "app:2": true, "app:3": false, "app:4": false, "app:5": false} {
		got, err := NewRevisions(names, objects).Find(t.Context(), deployments, "shop", inReview(t, image))
		if err != nil || (got != nil) != want {
			t.Errorf("%s: %v %v, want one: %v", image, got, err, want)
		}
		if image == "app:2" && got.Annotations["mini-hpa/max"] != "3" {
			t.Errorf("annotations of the revision: %v", got.Annotations)
		}
	}
	for _, a := range objects.Actions() {
		if get, ok := a.(clienttesting.GetAction); ok && get.GetName() == "foreign" {
			t.Error("the ReplicaSet of another Deployment was read")
		}
	}
}

// TestARollbackOfAStatefulSet goes back to one of its ControllerRevisions, which has the pod template as a patch.
func TestARollbackOfAStatefulSet(t *testing.T) {
	revision := func(name string, owner types.UID, data string) *appsv1.ControllerRevision {
		return &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{"mini-hpa/max": "3"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "web", UID: owner, Controller: new(true)}},
			Labels:          map[string]string{"app": "web"}}, Data: runtime.RawExtension{Raw: []byte(data)}}
	}
	patch := func(image string) string {
		return `{"spec":{"template":{"$patch":"replace","metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"` + image + `","resources":{}}]}}}}`
	}
	names, objects := remembered(t)
	for _, r := range []*appsv1.ControllerRevision{revision("one", "ours", patch("app:1")), revision("two", "ours", patch("app:2")), revision("foreign", "theirs", patch("app:3"))} {
		of := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ControllerRevision"}, ObjectMeta: r.ObjectMeta}
		if err := names.Tracker().Create(appsv1.SchemeGroupVersion.WithResource("controllerrevisions"), of, "shop"); err != nil {
			t.Fatal(err)
		}
		if err := objects.Tracker().Add(r); err != nil {
			t.Fatal(err)
		}
	}
	for image, want := range map[string]bool{"app:1": true, "app:2": true, "app:3": false, "app:4": false} {
		got, err := NewRevisions(names, objects).Find(t.Context(), statefulSets, "shop", inReview(t, image))
		if err != nil || (got != nil) != want {
			t.Errorf("%s: %v %v, want one: %v", image, got, err, want)
		}
		if want && got.Annotations["mini-hpa/max"] != "3" {
			t.Errorf("%s: annotations of the revision: %v", image, got.Annotations)
		}
	}
	if err := objects.Tracker().Update(appsv1.SchemeGroupVersion.WithResource("controllerrevisions"), revision("one", "ours", "3"), "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRevisions(names, objects).Find(t.Context(), statefulSets, "shop", inReview(t, "app:4")); err == nil || !strings.Contains(err.Error(), "its data cannot be decoded") {
		t.Errorf("a revision that is none: %v", err)
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	names, objects := remembered(t)
	names.PrependReactor("list", "replicasets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	for name, tc := range map[string]struct{ text, want string }{
		"too large":            {`{"metadata":{"name":"` + strings.Repeat("x", maxComparedBytes) + `"}}`, "is not compared"},
		"no JSON":              {`{`, "cannot be decoded"},
		"a bad selector":       {`{"metadata":{"uid":"u"},"spec":{"selector":{"matchExpressions":[{"operator":"Odd"}]}}}`, "has no selector"},
		"no selector":          {`{"metadata":{"uid":"u"}}`, "has no selector"},
		"an empty selector":    {`{"metadata":{"uid":"u"},"spec":{"selector":{}}}`, "has no selector"},
		"no UID":               {`{"spec":{"selector":{"matchLabels":{"a":"b"}}}}`, "has no selector"},
		"no answer of the API": {string(inReview(t, "app:1")), "connection refused"},
	} {
		if _, err := NewRevisions(names, objects).Find(t.Context(), deployments, "shop", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tc.want)
		}
	}
	if _, err := NewRevisions(names, objects).Find(t.Context(), deployments, "", inReview(t, "app:1")); err == nil || !strings.Contains(err.Error(), "has no selector") {
		t.Errorf("without a namespace: %v", err)
	}
}

// TestFewAreComparedAtATime: the others wait, and then give up.
func TestFewAreComparedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, objects := remembered(t)
		r := NewRevisions(names, objects).(*revisions)
		for range maxLookups {
			r.turns <- struct{}{}
		}
		if _, err := r.Find(t.Context(), deployments, "shop", inReview(t, "app:1")); err == nil {
			t.Error("no error, want one: there is no turn left")
		}
		<-r.turns
		if _, err := r.Find(t.Context(), deployments, "shop", inReview(t, "app:1")); err != nil {
			t.Error(err)
		}
	})
}
