package loadsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"
)

// shop is an API over a sampled cluster: web with the pods a, b and c under 900 millicores, db with one pod, a lone pod
// in another namespace and a young one without a sample.
func shop(t testing.TB) *api {
	t.Helper()
	s := cluster(t, Options{})
	s.setLoad(noon, shopWeb, Constant(900))
	for _, name := range []string{"c", "a", "b"} {
		s.setPod(noon, webPod(name))
	}
	s.setPod(noon, webPod("db-a", ownedBy("ReplicaSet", "db-1"), labelled("app", "db")))
	s.setPod(noon, webPod("lone", func(p *corev1.Pod) { p.Namespace, p.OwnerReferences = "attic", nil }))
	s.setPod(off(14), webPod("young", unready))
	s.setNode(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"zone": "z"}}})
	s.setNode(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "node-2"}})
	s.tick(off(15))
	return &api{simulation: s}
}

func labelled(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[key] = value }
}

// serve serves the API for the test and gives a client for the media type.
func serve(t testing.TB, a *api, mediaType string) *metricsclient.Clientset {
	t.Helper()
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	client, err := metricsclient.NewForConfig(&rest.Config{
		Host: server.URL, QPS: -1,
		ContentConfig: rest.ContentConfig{ContentType: mediaType, AcceptContentTypes: mediaType},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

var mediaTypes = []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf, runtime.ContentTypeYAML}

func names(list *metricsv1beta1.PodMetricsList) []string {
	var names []string
	for _, p := range list.Items {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return names
}

func TestPodMetricsInEveryEncoding(t *testing.T) {
	t.Parallel()
	want := metricsv1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "b", Labels: map[string]string{"app": "web", "pod": "b"}},
		Timestamp:  metav1.NewTime(off(15)),
		Window:     metav1.Duration{Duration: 15 * time.Second},
		Containers: []metricsv1beta1.ContainerMetrics{{Name: "main", Usage: usage(300*nanoPerMilli, 64<<20)}},
	}
	ignored := cmp.Options{
		cmpopts.IgnoreFields(metav1.ObjectMeta{}, "CreationTimestamp"), cmpopts.IgnoreTypes(metav1.TypeMeta{}),
	}
	for _, mediaType := range mediaTypes {
		t.Run(mediaType, func(t *testing.T) {
			t.Parallel()
			before := time.Now().Truncate(time.Second)
			pods := serve(t, shop(t), mediaType).MetricsV1beta1().PodMetricses("shop")
			one, err := pods.Get(t.Context(), "b", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, *one, ignored); diff != "" {
				t.Errorf("GET (-want +got):\n%s", diff)
			}
			if one.CreationTimestamp.Time.Before(before) {
				t.Errorf("created %s, want the time of the answer", one.CreationTimestamp)
			}
			list, err := pods.List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"shop/a", "shop/b", "shop/c", "shop/db-a"}, names(list)); diff != "" {
				t.Fatalf("LIST (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, list.Items[1], ignored); diff != "" {
				t.Errorf("LIST, second item (-want +got):\n%s", diff)
			}
			if list.ResourceVersion != "" {
				t.Errorf("the list has resourceVersion %q, metrics-server's has none", list.ResourceVersion)
			}
		})
	}
}

func TestListSelects(t *testing.T) {
	t.Parallel()
	client := serve(t, shop(t), runtime.ContentTypeProtobuf)
	for name, story := range map[string]struct {
		namespace string
		options   metav1.ListOptions
		want      []string
	}{
		"all namespaces":             {"", metav1.ListOptions{}, []string{"attic/lone", "shop/a", "shop/b", "shop/c", "shop/db-a"}},
		"one namespace":              {"attic", metav1.ListOptions{}, []string{"attic/lone"}},
		"a namespace without pods":   {"void", metav1.ListOptions{}, nil},
		"a label":                    {"shop", metav1.ListOptions{LabelSelector: "app=web"}, []string{"shop/a", "shop/b", "shop/c"}},
		"a set of labels":            {"", metav1.ListOptions{LabelSelector: "pod in (a, lone),app"}, []string{"attic/lone", "shop/a"}},
		"a name":                     {"", metav1.ListOptions{FieldSelector: "metadata.name=b"}, []string{"shop/b"}},
		"not a namespace":            {"", metav1.ListOptions{FieldSelector: "metadata.namespace!=shop"}, []string{"attic/lone"}},
		"limits are ignored":         {"shop", metav1.ListOptions{Limit: 1}, []string{"shop/a", "shop/b", "shop/c", "shop/db-a"}},
		"resourceVersion is ignored": {"attic", metav1.ListOptions{ResourceVersion: "0"}, []string{"attic/lone"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := client.MetricsV1beta1().PodMetricses(story.namespace).List(t.Context(), story.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(story.want, names(list)); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
		})
	}
}

// failure is what an error tells a client.
type failure struct {
	Code    int32
	Reason  metav1.StatusReason
	Message string
}

func failureOf(err error) failure {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		return failure{Message: fmt.Sprint(err)}
	}
	s := known.Status()
	return failure{s.Code, s.Reason, s.Message}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		ask  func(context.Context, *metricsclient.Clientset) error
		want failure
	}{
		"a pod that is not there": {
			getting("shop", "nobody"), failure{404, metav1.StatusReasonNotFound, `pods "nobody" not found`},
		},
		"a pod without a sample": {
			getting("shop", "young"), failure{404, metav1.StatusReasonNotFound, `podmetrics.metrics.k8s.io "shop/young" not found`},
		},
		"a node that is not there": {
			func(ctx context.Context, c *metricsclient.Clientset) error {
				_, err := c.MetricsV1beta1().NodeMetricses().Get(ctx, "nobody", metav1.GetOptions{})
				return err
			},
			failure{404, metav1.StatusReasonNotFound, `nodemetrics.metrics.k8s.io "nobody" not found`},
		},
		"an unknown field": {
			listing(metav1.ListOptions{FieldSelector: "spec.nodeName=x"}),
			failure{
				400, metav1.StatusReasonBadRequest,
				`"spec.nodeName" is not a known field selector: only "metadata.name", "metadata.namespace"`,
			},
		},
		"a selector that cannot be read": {
			listing(metav1.ListOptions{LabelSelector: "=,="}),
			failure{400, metav1.StatusReasonBadRequest, `found '=', expected: !, identifier, or 'end of string'`},
		},
		"a watch": {
			func(ctx context.Context, c *metricsclient.Clientset) error {
				_, err := c.MetricsV1beta1().PodMetricses("shop").Watch(ctx, metav1.ListOptions{})
				return err
			},
			failure{405, metav1.StatusReasonMethodNotAllowed, `watch is not supported on resources of kind "pods.metrics.k8s.io"`},
		},
		"a deletion": {
			func(ctx context.Context, c *metricsclient.Clientset) error {
				return c.MetricsV1beta1().RESTClient().Delete().Namespace("shop").Resource("pods").Name("a").Do(ctx).Error()
			},
			failure{405, metav1.StatusReasonMethodNotAllowed, `the server does not allow this method on the requested resource`},
		},
		"a resource that does not exist": {
			func(ctx context.Context, c *metricsclient.Clientset) error {
				return c.MetricsV1beta1().RESTClient().Get().Resource("disks").Do(ctx).Error()
			},
			failure{404, metav1.StatusReasonNotFound, `the server could not find the requested resource`},
		},
		"an encoding that does not exist": {
			func(ctx context.Context, c *metricsclient.Clientset) error {
				return c.MetricsV1beta1().RESTClient().Get().SetHeader("Accept", "text/html").Resource("pods").Do(ctx).Error()
			},
			failure{406, metav1.StatusReasonNotAcceptable, `none of "text/html" can be served, only JSON, YAML and protobuf`},
		},
	} {
		for _, mediaType := range mediaTypes {
			t.Run(name+" "+mediaType, func(t *testing.T) {
				t.Parallel()
				err := story.ask(t.Context(), serve(t, shop(t), mediaType))
				if diff := cmp.Diff(story.want, failureOf(err)); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func getting(namespace, name string) func(context.Context, *metricsclient.Clientset) error {
	return func(ctx context.Context, c *metricsclient.Clientset) error {
		_, err := c.MetricsV1beta1().PodMetricses(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	}
}

func listing(o metav1.ListOptions) func(context.Context, *metricsclient.Clientset) error {
	return func(ctx context.Context, c *metricsclient.Clientset) error {
		_, err := c.MetricsV1beta1().PodMetricses("shop").List(ctx, o)
		return err
	}
}

func TestAPodThatIsGoneIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	a := shop(t)
	client := serve(t, a, runtime.ContentTypeJSON).MetricsV1beta1().PodMetricses("shop")
	a.dropPod(off(16), webPod("b"))
	a.setPod(off(16), webPod("a", labelled("app", "renamed")))
	// A new pod of the same name is another pod.
	a.setPod(off(17), webPod("b", func(p *corev1.Pod) { p.UID = "second" }))
	list, err := client.List(t.Context(), metav1.ListOptions{LabelSelector: "app!=renamed"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shop/c", "shop/db-a"}, names(list)); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
}

func TestNodeMetrics(t *testing.T) {
	t.Parallel()
	for _, mediaType := range mediaTypes {
		t.Run(mediaType, func(t *testing.T) {
			t.Parallel()
			nodes := serve(t, shop(t), mediaType).MetricsV1beta1().NodeMetricses()
			list, err := nodes.List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, n := range list.Items {
				got[n.Name] = n.Usage.Cpu().String() + " " + n.Usage.Memory().String() + " " + n.Window.Duration.String()
			}
			if diff := cmp.Diff(map[string]string{"node-1": "900m 320Mi 15s", "node-2": "0 0 15s"}, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			zone, err := nodes.List(t.Context(), metav1.ListOptions{LabelSelector: "zone=z"})
			if err != nil || len(zone.Items) != 1 {
				t.Errorf("nodes of the zone: %v, %v, want one", zone, err)
			}
			if one, err := nodes.Get(t.Context(), "node-1", metav1.GetOptions{}); err != nil || one.Usage.Cpu().MilliValue() != 900 {
				t.Errorf("node-1 uses %v, %v, want 900m", one, err)
			}
		})
	}
}

func TestNoNodeMetrics(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*simulation){
		"before the first tick": func(*simulation) {},
		"under an empty fault":  func(s *simulation) { s.tick(off(15)); s.setFault(Fault{Empty: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cluster(t, Options{})
			s.setNode(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
			prepare(s)
			if items := s.nodeMetrics(noon, selection{}); len(items) != 0 {
				t.Errorf("nodes = %v, want none", items)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		fault Fault
		want  []string // pods listed
		err   failure
	}{
		"none":                         {Fault{}, []string{"attic/lone", "shop/a", "shop/b", "shop/c", "shop/db-a"}, failure{}},
		"empty":                        {Fault{Empty: true}, nil, failure{}},
		"a third of each workload":     {Fault{Partial: 0.34}, []string{"attic/lone", "shop/b", "shop/c", "shop/db-a"}, failure{}},
		"half of each, rounded up":     {Fault{Partial: 0.5}, []string{"shop/c"}, failure{}},
		"all":                          {Fault{Partial: 1}, nil, failure{}},
		"a delay ends":                 {Fault{Delay: time.Millisecond, Empty: true}, nil, failure{}},
		"stale serves what there is":   {Fault{Stale: true}, []string{"attic/lone", "shop/a", "shop/b", "shop/c", "shop/db-a"}, failure{}},
		"unavailable":                  {Fault{Error: 503}, nil, failure{503, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request (get pods.metrics.k8s.io)"}},
		"internal error, after a time": {Fault{Error: 500, Delay: 1}, nil, failure{500, metav1.StatusReasonInternalError, `an error on the server ("fault set in loadsim") has prevented the request from succeeding (get pods.metrics.k8s.io)`}},
		"forbidden":                    {Fault{Error: 403}, nil, failure{403, metav1.StatusReasonForbidden, "fault set in loadsim (get pods.metrics.k8s.io)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := shop(t)
			client := serve(t, a, runtime.ContentTypeProtobuf).MetricsV1beta1()
			a.setFault(story.fault)
			list, err := client.PodMetricses("").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				if diff := cmp.Diff(story.err, failureOf(err)); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
			} else if diff := cmp.Diff(story.want, names(list)); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			_, err = client.PodMetricses("shop").Get(t.Context(), "c", metav1.GetOptions{})
			listed := strings.Contains(fmt.Sprint(names(list)), "shop/c")
			if (err == nil) != listed {
				t.Errorf("GET: %v, while listed is %t", err, listed)
			}
			a.setFault(Fault{})
			if list, err := client.PodMetricses("").List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 5 {
				t.Errorf("after the fault: %v, %v, want five pods", names(list), err)
			}
		})
	}
}

func TestADelayOutlivesNoRequest(t *testing.T) {
	t.Parallel()
	a := shop(t)
	a.setFault(Fault{Delay: time.Hour})
	client := serve(t, a, runtime.ContentTypeJSON)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	// That the server can be closed, and that nothing leaks, is the other half of the assertion.
	if err := listing(metav1.ListOptions{})(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the client's deadline", err)
	}
}

func TestListsAreCounted(t *testing.T) {
	t.Parallel()
	a := shop(t)
	client := serve(t, a, runtime.ContentTypeProtobuf)
	ask := map[string]func(context.Context, *metricsclient.Clientset) error{
		"list":             listing(metav1.ListOptions{}),
		"list with a typo": listing(metav1.ListOptions{LabelSelector: "=,="}),
		"get":              getting("shop", "a"),
		"nodes": func(ctx context.Context, c *metricsclient.Clientset) error {
			_, err := c.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
			return err
		},
	}
	var got []int64
	for _, step := range []string{"list", "list with a typo", "get", "nodes", "list"} {
		_ = ask[step](t.Context(), client) // only the count is of interest
		got = append(got, a.lists.Load())
	}
	a.setFault(Fault{Error: 500})
	_ = ask["list"](t.Context(), client)
	got = append(got, a.lists.Load())
	if diff := cmp.Diff([]int64{1, 2, 2, 2, 3, 4}, got); diff != "" {
		t.Errorf("count after each request (-want +got):\n%s", diff)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	a := shop(t)
	a.setFault(Fault{Error: 500, Delay: time.Hour}) // discovery works under every fault
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	resources, err := client.ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range resources.APIResources {
		got = append(got, fmt.Sprintf("%s %s %t %v", r.Name, r.Kind, r.Namespaced, r.Verbs))
	}
	if diff := cmp.Diff([]string{"nodes NodeMetrics false [get list]", "pods PodMetrics true [get list]"}, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	for path, kind := range map[string]string{
		"/apis": "APIGroupList", "/apis/metrics.k8s.io": "APIGroup", "/apis/metrics.k8s.io/v1beta1": "APIResourceList",
	} {
		if body := get(t, server.URL+path, "", http.StatusOK); !strings.Contains(body, `"kind":"`+kind+`"`) {
			t.Errorf("%s is no %s: %s", path, kind, body)
		}
	}
	// What the aggregation layer asks first; it goes on with the documents above.
	get(t, server.URL+"/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", http.StatusNotAcceptable)
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		if body := get(t, server.URL+path, "", http.StatusOK); body != "ok" {
			t.Errorf("%s = %q, want ok", path, body)
		}
	}
}

// get is the body of an answer with that code.
func get(t *testing.T, url, accept string, code int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != code {
		t.Fatalf("%s: %s: %s, want %d", url, response.Status, body, code)
	}
	return string(body)
}

func TestTablesForKubectl(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(shop(t).handler())
	t.Cleanup(server.Close)
	const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
	for path, want := range map[string][]any{
		"/namespaces/shop/pods?fieldSelector=metadata.name%3Da": {"a", "300m", "64Mi", "15s"},
		"/namespaces/shop/pods/a":                               {"a", "300m", "64Mi", "15s"},
		"/nodes?fieldSelector=metadata.name%3Dnode-1":           {"node-1", "900m", "320Mi", "15s"},
		"/nodes/node-1": {"node-1", "900m", "320Mi", "15s"},
	} {
		t.Run(path, func(t *testing.T) {
			var table struct {
				metav1.TypeMeta
				ColumnDefinitions []struct{ Name string }
				Rows              []struct {
					Cells  []any
					Object metav1.PartialObjectMetadata
				}
			}
			if err := json.Unmarshal([]byte(get(t, server.URL+versionPath+path, accept, http.StatusOK)), &table); err != nil {
				t.Fatal(err)
			}
			if table.Kind != "Table" || table.APIVersion != "meta.k8s.io/v1" || len(table.Rows) != 1 {
				t.Fatalf("%+v is not a table with one row", table)
			}
			if diff := cmp.Diff([]struct{ Name string }{{"Name"}, {"cpu"}, {"memory"}, {"Window"}}, table.ColumnDefinitions); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, table.Rows[0].Cells); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
			if o := table.Rows[0].Object; o.Name != want[0] || o.Kind != "PartialObjectMetadata" {
				t.Errorf("row is of %s %q, want the metadata of %q", o.Kind, o.Name, want[0])
			}
		})
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	const (
		jsonType, protobufType = runtime.ContentTypeJSON, runtime.ContentTypeProtobuf
		tableV1, tableBeta     = ";as=Table;v=v1;g=meta.k8s.io", ";as=Table;v=v1beta1;g=meta.k8s.io"
	)
	for accept, want := range map[string]string{
		"":                                     jsonType,
		"*/*":                                  jsonType,
		"application/*":                        jsonType,
		jsonType:                               jsonType,
		protobufType:                           protobufType,
		protobufType + "," + jsonType:          protobufType,
		protobufType + ";q=0.1, " + jsonType:   jsonType,
		"text/html," + protobufType:            protobufType,
		jsonType + ";stream=watch":             "",
		"text/html":                            "",
		jsonType + tableV1:                     jsonType + " table",
		jsonType + tableBeta + "," + jsonType:  jsonType,
		protobufType + tableV1:                 "",
		protobufType + tableV1 + ", " + "*/*":  jsonType,
		jsonType + ";as=APIGroupDiscoveryList": "",
	} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			r, err := negotiate(accept, true)
			got := r.MediaType
			if r.table {
				got += " table"
			}
			if err != nil {
				got = ""
			}
			if got != want {
				t.Errorf("representation = %q (%v), want %q", got, err, want)
			}
		})
	}
	if _, err := negotiate(jsonType+tableV1, false); err == nil {
		t.Error("a table is served where there is none")
	}
}

func BenchmarkList(b *testing.B) {
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		b.Run(mediaType, func(b *testing.B) {
			s := cluster(b, Options{})
			for i := range 1000 {
				s.setPod(noon, webPod(fmt.Sprint("pod-", i)))
			}
			s.tick(off(15))
			handler := (&api{simulation: s}).handler()
			request := httptest.NewRequest(http.MethodGet, versionPath+"/pods", nil)
			request.Header.Set("Accept", mediaType)
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), request)
			}
		})
	}
}
