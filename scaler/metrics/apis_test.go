package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// adapter is an API server with metrics adapters behind it: the body for a path and query, or a status code.
type adapter struct {
	answers map[string]string

	mu    sync.Mutex
	asked []string
}

func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.URL.Path
	query := r.URL.Query()
	query.Del("timeout")
	if len(query) > 0 {
		request += "?" + query.Encode()
	}
	a.mu.Lock()
	a.asked = append(a.asked, request)
	body, ok := a.answers[request]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "60")
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no such metric","reason":"NotFound","code":404}`)
	case strings.HasPrefix(body, "5"):
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"unavailable","reason":"ServiceUnavailable","code":503}`)
	case body == "endless":
		_, _ = w.Write([]byte(`{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","items":[`))
		for range mostExternal / 1024 {
			if _, err := w.Write([]byte("{}," + strings.Repeat(" ", 1024))); err != nil {
				return
			}
		}
	default:
		fmt.Fprint(w, body)
	}
}

func (a *adapter) set(path, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = body
}

// requests are those for paths with the prefix, since the last call of it.
func (a *adapter) requests(prefix string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var got []string
	for _, r := range a.asked {
		if strings.HasPrefix(r, prefix) {
			got = append(got, r)
		}
	}
	a.asked = nil
	return got
}

const (
	customGroup   = `{"kind":"APIGroup","apiVersion":"v1","name":"custom.metrics.k8s.io","versions":[{"groupVersion":"custom.metrics.k8s.io/%[1]s","version":"%[1]s"}]}`
	externalGroup = `{"kind":"APIGroup","apiVersion":"v1","name":"external.metrics.k8s.io","versions":[{"groupVersion":"external.metrics.k8s.io/v1beta1","version":"v1beta1"}]}`
	apiGroups     = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"networking.k8s.io","versions":[{"groupVersion":"networking.k8s.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"networking.k8s.io/v1","version":"v1"}}]}`
	networking    = `{"kind":"APIResourceList","groupVersion":"networking.k8s.io/v1","resources":[{"name":"ingresses","singularName":"ingress","namespaced":true,"kind":"Ingress","verbs":["get"]}]}`
	customV1      = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/shop/"
	customV2      = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/"
	externalV1    = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/"
)

func values(version, name, value string) string {
	metric := fmt.Sprintf(`"metric":{"name":"m"},"value":"%s"`, value)
	if version == "v1beta1" {
		metric = fmt.Sprintf(`"metricName":"m","value":"%s"`, value)
	}
	return fmt.Sprintf(`{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/%s","items":[{"describedObject":{"name":"%s"},`+
		`"timestamp":"2026-03-01T12:00:00Z",%s}]}`, version, name, metric)
}

func newAdapter() *adapter {
	return &adapter{answers: map[string]string{
		"/apis/custom.metrics.k8s.io": fmt.Sprintf(customGroup, "v1beta2"), "/apis/external.metrics.k8s.io": externalGroup,
		"/api": `{"kind":"APIVersions","versions":["v1"]}`, "/apis": apiGroups, "/apis/networking.k8s.io/v1": networking,
		"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[]}`,
	}}
}

// readersOf are Readers of the adapter, by way of real clients.
func readersOf(t *testing.T, a *adapter) *Readers {
	t.Helper()
	const timeout = time.Minute // long enough for any machine
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	var closing []func()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		if idle, ok := next.(interface{ CloseIdleConnections() }); ok {
			closing = append(closing, idle.CloseIdleConnections)
		}
		return next
	})
	custom, external, err := NewSources(config, timeout)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReaders(ReadersConfig{Sources: map[string]Source{"custom": custom, "external": external}, Timeout: timeout})
	t.Cleanup(func() {
		r.Close()
		for _, idle := range closing {
			idle()
		}
	})
	return r
}

func TestSourcesAskTheAPIs(t *testing.T) {
	object := func(kind, version, name string) autoscalingv2.CrossVersionObjectReference {
		return autoscalingv2.CrossVersionObjectReference{Kind: kind, APIVersion: version, Name: name}
	}
	for name, story := range map[string]struct {
		q       Question
		request string
		body    string
		v1beta1 bool
		want    string
	}{
		"pods": {q: Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Metric: "hits", Pods: "app=web"},
			request: customV2 + "pods/*/hits?labelSelector=app%3Dweb", body: values("v1beta2", "web-a", "7"), want: "7"},
		"pods, with a selector of the metric": {q: Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Metric: "hits", Pods: "app=web", Selector: "verb=GET"},
			request: customV2 + "pods/*/hits?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET", body: values("v1beta2", "web-a", "7"), want: "7"},
		"pods of an old adapter": {q: Question{Source: "custom", Type: autoscalingv2.PodsMetricSourceType, Metric: "hits"},
			v1beta1: true, request: customV1 + "pods/*/hits", body: values("v1beta1", "web-a", "7"), want: "7"},
		"an object": {q: Question{Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Metric: "hits", Object: object("Ingress", "networking.k8s.io/v1", "front")},
			request: customV2 + "ingresses.networking.k8s.io/front/hits", body: values("v1beta2", "front", "1500m"), want: "1500m"},
		"the own namespace, whatever is named": {q: Question{Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Metric: "hits", Object: object("Namespace", "v1", "kube-system")},
			request: customV2 + "metrics/hits", body: values("v1beta2", "shop", "3"), want: "3"},
		"an object of a kind that there is not": {q: Question{Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Metric: "hits", Object: object("Lorry", "example.com/v1", "x")},
			want: `"unable to map kind Lorry.example.com to resource: no matches for kind \"Lorry\" in group \"example.com\""`},
		"external": {q: Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "backlog", Selector: "queue=mail"},
			request: externalV1 + "backlog?labelSelector=queue%3Dmail", want: "40",
			body: `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","items":[{"metricName":"backlog","value":"40","timestamp":null}]}`},
		"a metric that there is not": {q: Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "nothing"},
			want: `the external metrics API answered 404: "no such metric"`},
		"an adapter that is down": {q: Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "backlog"},
			request: externalV1 + "backlog", body: "503",
			want: `the external metrics API is not available, see why APIService v1beta1.external.metrics.k8s.io is not: "unavailable"`},
		"an endless answer": {q: Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "backlog"},
			request: externalV1 + "backlog", body: "endless", want: "the answer of the external metrics API is not read: it is longer than 1 MiB; choose among its values by the metric's selector"},
		"no path leads out": {q: Question{Source: "external", Type: autoscalingv2.ExternalMetricSourceType, Metric: "../../pods"},
			want: `"invalid resource \"../../pods\": [may not contain '/']"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAdapter()
			if story.v1beta1 {
				a.set("/apis/custom.metrics.k8s.io", fmt.Sprintf(customGroup, "v1beta1"))
			}
			a.set(story.request, story.body)
			story.q.Namespace = "shop"
			answer, err := readersOf(t, a).Fetch(t.Context(), story.q)
			got := ""
			switch {
			case err != nil:
				got = err.Error()
			case len(answer.Custom) > 0:
				got = answer.Custom[0].Value.String()
			default:
				got = answer.External[0].Value.String()
			}
			if got != story.want {
				t.Errorf("got  %s\nwant %s\nasked %q", got, story.want, a.requests("/"))
			}
		})
	}
}

// TestAMissingAPICostsOneRequest, however many workloads ask for how many metrics of it.
func TestAMissingAPICostsOneRequest(t *testing.T) {
	a := newAdapter()
	delete(a.answers, "/apis/custom.metrics.k8s.io")
	r := readersOf(t, a)
	for n := range 20 {
		q := hits
		q.Metric = fmt.Sprint("m", n)
		_, err := r.Fetch(t.Context(), q)
		const want = "no custom metrics API is registered (APIService v1beta2.custom.metrics.k8s.io)"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if diff := gocmp.Diff([]string{"/apis/custom.metrics.k8s.io"}, a.requests("/")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestAnUnknownKindIsLookedUpOnce: the first miss may be due to an old answer of discovery, the following ones are not.
func TestAnUnknownKindIsLookedUpOnce(t *testing.T) {
	a := newAdapter()
	r := readersOf(t, a)
	q := Question{Source: "custom", Type: autoscalingv2.ObjectMetricSourceType, Namespace: "shop", Metric: "hits",
		Object: autoscalingv2.CrossVersionObjectReference{Kind: "Lorry", APIVersion: "example.com/v1", Name: "x"}}
	for range 20 {
		if _, err := r.Fetch(t.Context(), q); err == nil {
			t.Fatal("no error")
		}
	}
	if n := len(a.requests("/apis/networking.k8s.io/v1")); n < 1 || n > 2 {
		t.Errorf("the API groups were discovered %d times, want once or twice", n)
	}
}

func TestRegistrationIsLookedUpAgain(t *testing.T) {
	sit(t, func(d *desk) { // for its fake time
		a := newAdapter()
		looked := 0
		r := &registration{api: customAPI(), discover: a.discover(&looked)}
		steps := []struct {
			after   time.Duration
			body    string
			missed  bool // a 404 was seen
			want    string
			lookups int
		}{
			{0, "v1beta2", false, "custom.metrics.k8s.io/v1beta2", 1},
			{time.Hour, "", false, "custom.metrics.k8s.io/v1beta2", 1}, // taken for granted
			{time.Hour, "", true, "no custom metrics API is registered (APIService v1beta2.custom.metrics.k8s.io)", 2},
			{20 * s, "v1beta1", true, "no custom metrics API is registered (APIService v1beta2.custom.metrics.k8s.io)", 2},
			{10 * s, "v1beta1", false, "custom.metrics.k8s.io/v1beta1", 3},
			{time.Minute, "v9", true, "no custom metrics API of a known version is registered (APIService v1beta2.custom.metrics.k8s.io)", 4},
		}
		for i, step := range steps {
			time.Sleep(step.after)
			a.set("version", step.body)
			if step.missed {
				r.doubt()
			}
			version, err := r.preferred(d.t.Context())
			got := version.String()
			if err != nil {
				got = err.Error()
			}
			if got != step.want || looked != step.lookups {
				t.Errorf("step %d: %s after %d look-ups, want %s after %d", i, got, looked, step.want, step.lookups)
			}
		}
	})
}

// discover is the discovery of the custom metrics API in the version that is set; none if it is "".
func (a *adapter) discover(count *int) func() (*metav1.APIGroup, error) {
	return func() (*metav1.APIGroup, error) {
		*count++
		version := a.answers["version"]
		if version == "" {
			return nil, apierrors.NewNotFound(schema.GroupResource{}, "")
		}
		return &metav1.APIGroup{Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "custom.metrics.k8s.io/" + version}}}, nil
	}
}
