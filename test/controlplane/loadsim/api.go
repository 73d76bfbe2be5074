package loadsim

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// api answers requests for the simulation's samples.
type api struct {
	*simulation
	lists, listed atomic.Int64
}

const (
	groupPath   = "/apis/" + metricsv1beta1.GroupName
	versionPath = groupPath + "/v1beta1"
)

// endpoint produces the object that answers a request, or an error with a Status.
type endpoint func(*http.Request) (runtime.Object, error)

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	for _, probe := range []string{"/healthz", "/livez", "/readyz"} {
		mux.HandleFunc(probe, alive)
	}
	endpoints := map[string]endpoint{
		"/":         fixed(nil),
		"/apis":     fixed(apiGroups()),
		groupPath:   fixed(new(apiGroup(metricsv1beta1.SchemeGroupVersion))),
		versionPath: fixed(apiResources()),

		versionPath + "/nodes":                              a.faulty("nodes", a.listNodes),
		versionPath + "/nodes/{name}":                       a.faulty("nodes", a.getNode),
		versionPath + "/pods":                               a.counted(a.faulty("pods", a.listPods)),
		versionPath + "/namespaces/{namespace}/pods":        a.counted(a.faulty("pods", a.listPods)),
		versionPath + "/namespaces/{namespace}/pods/{name}": a.faulty("pods", a.getPod),
	}
	maps.Copy(endpoints, a.namedEndpoints())
	for pattern, e := range endpoints {
		mux.HandleFunc(pattern, a.answer(e))
	}
	return mux
}

func alive(w http.ResponseWriter, _ *http.Request) {
	// A probe that went away needs no answer.
	_, _ = w.Write([]byte("ok"))
}

// answer negotiates the representation, asks the endpoint and writes what it says.
func (a *api) answer(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, object, err := ask(e, r)
		code := http.StatusOK
		if err != nil {
			failure := status(err)
			object, code = failure, int(failure.Code)
		}
		if err := form.write(w, code, object); err != nil && r.Context().Err() == nil {
			a.options.Report(fmt.Errorf("cannot answer %s %s: %w", r.Method, quote(r.URL.Path), err))
		}
	}
}

func ask(e endpoint, r *http.Request) (representation, runtime.Object, error) {
	form, err := negotiate(r.Header.Get("Accept"), strings.HasPrefix(r.URL.Path, versionPath+"/"))
	if err != nil {
		return form, nil, err
	}
	if r.Method != http.MethodGet {
		return form, nil, refuse(http.StatusMethodNotAllowed)
	}
	object, err := e(r)
	if err == nil && form.table {
		object = table(object)
	}
	return form, object, err
}

// faulty is the endpoint under the fault that is set while the request runs.
func (a *api) faulty(resource string, e endpoint) endpoint {
	return func(r *http.Request) (runtime.Object, error) {
		if err := a.currentFault().strike(r.Context(), resource); err != nil {
			return nil, err
		}
		return e(r)
	}
}

func (a *api) counted(e endpoint) endpoint {
	return func(r *http.Request) (runtime.Object, error) {
		a.lists.Add(1)
		return e(r)
	}
}

// fixed is the endpoint of a document; of nil that nothing is there.
func fixed(document runtime.Object) endpoint {
	return func(*http.Request) (runtime.Object, error) {
		if document == nil {
			return nil, refuse(http.StatusNotFound)
		}
		return document.DeepCopyObject(), nil
	}
}

func refuse(code int) error {
	return apierrors.NewGenericServerResponse(code, "", schema.GroupResource{}, "", "", 0, false)
}

// versions are what is served, one version of each API.
func versions() []schema.GroupVersion {
	return []schema.GroupVersion{metricsv1beta1.SchemeGroupVersion, custommetricsv1beta2.SchemeGroupVersion, externalmetricsv1beta1.SchemeGroupVersion}
}

func apiGroups() *metav1.APIGroupList {
	list := &metav1.APIGroupList{}
	for _, gv := range versions() {
		list.Groups = append(list.Groups, apiGroup(gv))
	}
	return list
}

func apiGroup(gv schema.GroupVersion) metav1.APIGroup {
	version := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
	return metav1.APIGroup{Name: gv.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version}
}

// apiResources are named and able as those of metrics-server: no singular name, no watch.
func apiResources() *metav1.APIResourceList {
	verbs := metav1.Verbs{"get", "list"}
	return &metav1.APIResourceList{
		GroupVersion: metricsv1beta1.SchemeGroupVersion.String(),
		APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: verbs},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: verbs},
		},
	}
}
