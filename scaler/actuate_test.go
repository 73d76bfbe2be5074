package scaler

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// TestWhatIsSent is how a write is conditional, and what becomes of the answer.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	stored := func(replicas int32) (int, any) {
		return http.StatusOK, &autoscalingv1.Scale{TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: "autoscaling/v1"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", ResourceVersion: "9"}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	}
	refused := func(code int, reason metav1.StatusReason) (int, any) {
		return code, &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "no"}
	}
	// What API servers answer to a patch with a test that fails, and where a ValidatingAdmissionPolicy says no without a reason.
	failedTest := func() (int, any) {
		return http.StatusUnprocessableEntity, &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{},
			Message: "the server rejected our request due to an error in our request"}
	}
	policy := func() (int, any) {
		const denied = "ValidatingAdmissionPolicy 'few' with binding 'few' denied request: at most 4"
		return http.StatusUnprocessableEntity, &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: `deployments.apps "web" is forbidden: ` + denied,
			Details: &metav1.StatusDetails{Name: "web", Group: "apps", Kind: "deployments", Causes: []metav1.StatusCause{{Message: denied}}}}
	}
	put := func(path string) string {
		encoding := "application/vnd.kubernetes.protobuf" // printed here as JSON
		if !strings.HasPrefix(path, "apps/") {
			encoding = "application/json"
		}
		return "PUT /apis/" + path + "/web/scale?fieldManager=mini-hpa " + encoding + " " +
			`{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web","namespace":"shop","uid":"u1","resourceVersion":"7"},"spec":{"replicas":5},"status":{"replicas":0}}` + "\n"
	}
	patch := func(path string) string {
		return "PATCH /apis/" + path + "/web/scale?fieldManager=mini-hpa application/json-patch+json " +
			`[{"op":"test","path":"/metadata/uid","value":"u1"},{"op":"test","path":"/spec/replicas","value":2},{"op":"replace","path":"/spec/replicas","value":5}]`
	}
	apply := func(path string, replicas int) string {
		return "PATCH /apis/" + path + "/web/scale?fieldManager=mini-hpa&force=true application/apply-patch+yaml " +
			fmt.Sprintf(`{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web","resourceVersion":"7"},"spec":{"replicas":%d}}`, replicas)
	}
	const deployments = "apps/v1/namespaces/shop/deployments"
	trains := annotations.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1alpha2", Kind: "Train"}, Resource: "trains", ReplicasPath: ".spec.wagons.count"}
	statefulSets := annotations.Builtin()[1]
	for name, c := range map[string]struct {
		kind    *annotations.Kind // a Deployment, if it is nil
		version string
		answer  func() (int, any)
		want    string // what is sent
		stored  string
		err     func(error) bool
		nobody  bool // is on record for the replicas
		zero    bool // replicas are to be 0
	}{
		"a version":                    {nil, "7", func() (int, any) { return stored(5) }, put(deployments), "9", nil, false, false},
		"another version was newer":    {nil, "7", func() (int, any) { return refused(http.StatusConflict, metav1.StatusReasonConflict) }, put(deployments), "", apierrors.IsConflict, false, false},
		"something else was stored":    {nil, "7", func() (int, any) { return stored(3) }, put(deployments), "", func(err error) bool { return !apierrors.IsConflict(err) }, false, false},
		"replicas":                     {nil, "", func() (int, any) { return stored(5) }, patch(deployments), "9", nil, false, false},
		"the replicas were others":     {nil, "", failedTest, patch(deployments), "", apierrors.IsConflict, false, false},
		"a policy says no":             {nil, "", policy, patch(deployments), "", apierrors.IsInvalid, false, false},
		"a webhook says no":            {nil, "", func() (int, any) { return refused(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid) }, patch(deployments), "", apierrors.IsInvalid, false, false},
		"it is no Status":              {nil, "", func() (int, any) { return http.StatusUnprocessableEntity, "no" }, patch(deployments), "", apierrors.IsInvalid, false, false},
		"the right is missing":         {nil, "", func() (int, any) { return refused(http.StatusForbidden, metav1.StatusReasonForbidden) }, patch(deployments), "", apierrors.IsForbidden, false, false},
		"a StatefulSet":                {&statefulSets, "7", func() (int, any) { return stored(5) }, put("apps/v1/namespaces/shop/statefulsets"), "9", nil, false, false},
		"a StatefulSet's replicas":     {&statefulSets, "", func() (int, any) { return stored(5) }, patch("apps/v1/namespaces/shop/statefulsets"), "9", nil, false, false},
		"a custom resource":            {&trains, "7", func() (int, any) { return stored(5) }, put("example.com/v1alpha2/namespaces/shop/trains"), "9", nil, false, false},
		"a custom resource's replicas": {&trains, "", func() (int, any) { return stored(5) }, patch("example.com/v1alpha2/namespaces/shop/trains"), "9", nil, false, false},
		"a custom resource has changed": {&trains, "", failedTest, patch("example.com/v1alpha2/namespaces/shop/trains"), "", func(err error) bool {
			return apierrors.IsConflict(err) && strings.Contains(err.Error(), `trains.example.com "web"`)
		}, false, false},
		"something else, in spite of it":           {nil, "", func() (int, any) { return stored(3) }, patch(deployments), "", func(err error) bool { return !apierrors.IsConflict(err) }, false, false},
		"nobody is on record":                      {nil, "7", func() (int, any) { return stored(5) }, apply(deployments, 5), "9", nil, true, false},
		"to 0":                                     {nil, "7", func() (int, any) { return stored(0) }, apply(deployments, 0), "9", nil, false, true},
		"to 0, another version was newer":          {nil, "7", func() (int, any) { return refused(http.StatusConflict, metav1.StatusReasonConflict) }, apply(deployments, 0), "", apierrors.IsConflict, false, true},
		"nobody is on record, patches are refused": {nil, "7", func() (int, any) { return refused(http.StatusForbidden, metav1.StatusReasonForbidden) }, put(deployments), "", apierrors.IsForbidden, true, false},
		"nobody is on record of a custom resource": {&trains, "7", func() (int, any) { return stored(5) }, put("example.com/v1alpha2/namespaces/shop/trains"), "9", nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if r.Method == http.MethodPut {
					body = asJSON(t, body)
				}
				sent = fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
				code, answer := c.answer()
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				if err := json.NewEncoder(w).Encode(answer); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			// The other clients speak protobuf where they can.
			scales, err := NewScales(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf"}})
			if err != nil {
				t.Fatal(err)
			}
			w := annotations.OfDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}})
			if c.kind != nil {
				w = c.kind.Read(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"namespace": "shop", "name": "web"}}})
			}
			w.UID, w.Version, w.Replicas, w.SetBy = "u1", c.version, 2, "kubectl"
			replicas := int32(5)
			if c.nobody {
				w.SetBy = ""
			}
			if c.zero {
				replicas = 0
			}
			version, err := scales.Scale(t.Context(), w, replicas)
			if sent != c.want {
				t.Errorf("sent %s\nwant %s", sent, c.want)
			}
			if version != c.stored || (err == nil) != (c.err == nil) || err != nil && !c.err(err) {
				t.Errorf("version %q, error %v", version, err)
			}
		})
	}
}

// asJSON is an object as JSON, whatever it is encoded as.
func asJSON(t *testing.T, body []byte) []byte {
	t.Helper()
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	out, err := runtime.Encode(scheme.Codecs.LegacyCodec(autoscalingv1.SchemeGroupVersion), object)
	if err != nil {
		t.Error(err)
	}
	return out
}
