package webhook

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestWhatIsInjected(t *testing.T) {
	pod := func(app string, containers ...string) runtime.Object {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: app + strings.Join(containers, ""), Labels: map[string]string{"app": app}}}
		for _, name := range containers {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
		}
		p.Spec.InitContainers = []corev1.Container{{Name: "init-" + containers[0]}}
		return p
	}
	for name, tc := range map[string]struct {
		labels map[string]string
		pods   []runtime.Object
		want   annotations.Surroundings
	}{
		"nothing":                   {},
		"a label of the namespace":  {labels: map[string]string{"istio-injection": "enabled"}, want: annotations.Surroundings{Injection: `namespace "shop" has "istio-injection: enabled"`}},
		"a label that says no":      {labels: map[string]string{"istio-injection": "disabled"}},
		"its pods":                  {pods: []runtime.Object{pod("web", "app", "proxy"), pod("web", "app")}, want: annotations.Surroundings{Containers: []string{"app", "proxy"}}},
		"the pods of somebody else": {pods: []runtime.Object{pod("api", "app", "proxy")}},
	} {
		t.Run(name, func(t *testing.T) {
			names, objects := cluster(t, tc.labels, tc.pods...)
			got, err := NewInjections(names, objects).Find(t.Context(), "shop", inReview(t, "app:1"), annotations.Surroundings{})
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// cluster makes fake clients that have the namespace shop, with these labels, and its pods.
func cluster(t *testing.T, labels map[string]string, pods ...runtime.Object) (*metadatafake.FakeMetadataClient, *fake.Clientset) {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	home := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
	return metadatafake.NewSimpleMetadataClient(scheme, home), fake.NewClientset(pods...)
}

func TestWhatIsNotKnownOfInjection(t *testing.T) {
	for name, tc := range map[string]struct{ resource, text, want string }{
		"no namespace":     {"namespaces", string(inReview(t, "app:1")), "reading the labels of the namespace: refused"},
		"no pods":          {"pods", string(inReview(t, "app:1")), "listing pods of the workload: refused"},
		"no selector":      {"", `{"spec":{"selector":{}}}`, "has no selector"},
		"no JSON":          {"", `{`, "cannot be decoded"},
		"a very large one": {"", `{"a":"` + strings.Repeat("x", maxComparedBytes) + `"}`, "too large"},
	} {
		names, objects := cluster(t, nil)
		refuse := func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("refused") }
		names.PrependReactor("get", "namespaces", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if tc.resource == "namespaces" {
				return refuse(a)
			}
			return false, nil, nil
		})
		if tc.resource == "pods" {
			objects.PrependReactor("list", "pods", refuse)
		}
		if _, err := NewInjections(names, objects).Find(t.Context(), "shop", []byte(tc.text), annotations.Surroundings{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tc.want)
		}
	}
}
