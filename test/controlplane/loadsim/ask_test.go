package loadsim

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// adapter is the shop's API with metrics, and the clients that the HPA controller has.
type adapter struct {
	*Server
	custom   custom_metrics.CustomMetricsClient
	external external_metrics.ExternalMetricsClient
}

func newAdapter(t *testing.T, mediaType string) *adapter {
	t.Helper()
	a := shop(t)
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: mediaType, AcceptContentTypes: mediaType}}
	external, err := external_metrics.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}, {Group: "networking.k8s.io", Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, meta.RESTScopeNamespace)
	custom, err := custom_metrics.NewForVersionForConfig(config, mapper, custommetricsv1beta2.SchemeGroupVersion)
	if err != nil {
		t.Fatal(err)
	}
	return &adapter{Server: &Server{api: a}, custom: custom, external: external}
}

// listExternal are the values of an external metric with their labels.
func (a *adapter) listExternal(metric, selector string) []string {
	which, err := labels.Parse(selector)
	if err != nil {
		return []string{err.Error()}
	}
	list, err := a.external.NamespacedMetrics("shop").List(metric, which)
	if err != nil {
		return []string{err.Error()}
	}
	got := []string{}
	for _, v := range list.Items {
		got = append(got, fmt.Sprintf("%s %s", labels.Set(v.MetricLabels), v.Value.String()))
	}
	return got
}

func (a *adapter) listPods(selector string) []string {
	which, err := labels.Parse(selector)
	if err != nil {
		return []string{err.Error()}
	}
	list, err := a.custom.NamespacedMetrics("shop").GetForObjects(schema.GroupKind{Kind: "Pod"}, which, "hits", labels.Everything())
	if err != nil {
		return []string{err.Error()}
	}
	got := []string{}
	for _, v := range list.Items {
		got = append(got, fmt.Sprintf("%s %s %s", v.DescribedObject.Kind, v.DescribedObject.Name, v.Value.String()))
	}
	return got
}

func TestNamedMetricsAreServed(t *testing.T) {
	t.Parallel()
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		t.Run(mediaType, func(t *testing.T) {
			t.Parallel()
			a := newAdapter(t, mediaType)
			if got := a.listExternal("backlog", ""); len(got) != 1 || !strings.Contains(got[0], "not found") {
				t.Errorf("a metric that was not set: %q", got)
			}
			a.SetExternal("backlog", map[string]string{"queue": "mail"}, Constant(40_000))
			a.SetExternal("backlog", map[string]string{"queue": "print"}, Constant(1_500))
			if diff := cmp.Diff([]string{"queue=mail 40", "queue=print 1500m"}, a.listExternal("backlog", "")); diff != "" {
				t.Errorf("external (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"queue=print 1500m"}, a.listExternal("backlog", "queue=print")); diff != "" {
				t.Errorf("external, selected (-want +got):\n%s", diff)
			}
			a.SetPodsMetric("shop", "web", "hits", Constant(900_000))
			if diff := cmp.Diff([]string{"Pod a 300", "Pod b 300", "Pod c 300"}, a.listPods("app=web")); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"Pod b 300"}, a.listPods("pod=b")); diff != "" {
				t.Errorf("one pod (-want +got):\n%s", diff)
			}
			front := Object{Namespace: "shop", Resource: "ingresses.networking.k8s.io", Kind: "Ingress", Name: "front"}
			a.SetObjectMetric(front, "rate", Constant(7_000))
			value, err := a.custom.NamespacedMetrics("shop").GetForObject(schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}, "front", "rate", labels.Everything())
			if err != nil || value.Value.String() != "7" || value.DescribedObject.Kind != "Ingress" || time.Since(value.Timestamp.Time) > time.Minute {
				t.Errorf("the object's metric is %+v, %v; want 7", value, err)
			}
			a.SetObjectMetric(front, "rate", nil)
			if _, err := a.custom.NamespacedMetrics("shop").GetForObject(schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}, "front", "rate", labels.Everything()); err == nil {
				t.Error("a metric that was taken away is served")
			}
		})
	}
}

func TestFaultsOfNamedMetrics(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, runtime.ContentTypeJSON)
	for _, metric := range []string{"backlog", "other"} {
		a.SetExternal(metric, nil, Constant(1_000))
	}
	a.SetPodsMetric("shop", "web", "hits", Constant(3_000))
	works := func(metric string) bool { return cmp.Equal(a.listExternal(metric, ""), []string{" 1"}) }
	a.SetMetricFault(ExternalAPI, "backlog", Fault{Error: 500})
	if works("backlog") || !works("other") {
		t.Error("the fault of one metric is not its own")
	}
	a.SetMetricFault(ExternalAPI, "backlog", Fault{Empty: true})
	if got := a.listExternal("backlog", ""); !strings.Contains(got[0], `"backlog" not found`) {
		t.Errorf("a metric that is gone: %q", got)
	}
	a.SetMetricFault(ExternalAPI, "backlog", Fault{})
	a.SetMetricFault(ExternalAPI, "", Fault{Delay: 10 * time.Millisecond, Error: 503})
	began := time.Now()
	if works("backlog") || works("other") || time.Since(began) < 20*time.Millisecond || len(a.listPods("")) != 3 {
		t.Error("the fault of one API is not all of it, or more than it")
	}
	a.SetMetricFault(ExternalAPI, "", Fault{})
	if !works("backlog") {
		t.Error("a fault that was taken back is still there")
	}
	if one, all, custom := a.Asked(ExternalAPI, "backlog"), a.Asked(ExternalAPI, ""), a.Asked(CustomAPI, ""); one != 4 || all != 6 || custom != 1 {
		t.Errorf("asked %d, %d and %d times, want 4, 6 and 1", one, all, custom)
	}
}
