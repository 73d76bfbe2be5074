package loadsim

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// namedEndpoints are the paths of the two APIs.
func (a *api) namedEndpoints() map[string]endpoint {
	custom, external := custommetricsv1beta2.SchemeGroupVersion, externalmetricsv1beta1.SchemeGroupVersion
	return map[string]endpoint{
		"/apis/" + custom.Group:    fixed(new(apiGroup(custom))),
		"/apis/" + custom.String(): fixed(&metav1.APIResourceList{GroupVersion: custom.String(), APIResources: []metav1.APIResource{}}),
		"/apis/" + custom.String() + "/namespaces/{namespace}/{resource}/{name}/{metric}": a.asked(CustomAPI, a.customMetric),

		"/apis/" + external.Group:                                         fixed(new(apiGroup(external))),
		"/apis/" + external.String():                                      fixed(&metav1.APIResourceList{GroupVersion: external.String(), APIResources: []metav1.APIResource{}}),
		"/apis/" + external.String() + "/namespaces/{namespace}/{metric}": a.asked(ExternalAPI, a.externalMetric),
	}
}

// asked counts the question and puts it under its fault.
func (a *api) asked(api API, e endpoint) endpoint {
	return func(r *http.Request) (runtime.Object, error) {
		metric := r.PathValue("metric")
		fault := a.named.count(metricOf{api, metric})
		if err := fault.strike(r.Context(), metric); err != nil {
			return nil, err
		}
		if fault.Empty {
			return nil, noMetric(api, metric)
		}
		return e(r)
	}
}

func noMetric(api API, metric string) error {
	return apierrors.NewNotFound(schema.GroupResource{Group: string(api), Resource: "metrics"}, metric)
}

// externalMetric answers with the values whose labels are selected.
func (a *api) externalMetric(r *http.Request) (runtime.Object, error) {
	which, err := selector(r, "labelSelector")
	if err != nil {
		return nil, err
	}
	metric, now := r.PathValue("metric"), time.Now()
	a.named.mu.Lock()
	defer a.named.mu.Unlock()
	if len(a.named.external[metric]) == 0 {
		return nil, noMetric(ExternalAPI, metric)
	}
	list := &externalmetricsv1beta1.ExternalMetricValueList{Items: []externalmetricsv1beta1.ExternalMetricValue{}}
	for _, s := range a.named.external[metric] {
		if which.Matches(s.labels) {
			list.Items = append(list.Items, externalmetricsv1beta1.ExternalMetricValue{
				MetricName: metric, MetricLabels: s.labels, Timestamp: metav1.NewTime(now), WindowSeconds: new(int64(0)), Value: thousandths(s.at(now))})
		}
	}
	return list, nil
}

// customMetric answers for the selected pods, or for one object.
func (a *api) customMetric(r *http.Request) (runtime.Object, error) {
	which, err := selector(r, "labelSelector")
	if err != nil {
		return nil, err
	}
	if metrics, err := selector(r, "metricLabelSelector"); err != nil || !metrics.Matches(labels.Set{}) {
		return nil, cmp.Or(err, noMetric(CustomAPI, r.PathValue("metric"))) // none here has labels
	}
	o := Object{Namespace: r.PathValue("namespace"), Resource: r.PathValue("resource"), Name: r.PathValue("name")}
	list := &custommetricsv1beta2.MetricValueList{}
	if o.Resource == "pods" {
		list.Items = a.ofPods(o, which, r.PathValue("metric"), time.Now())
	} else {
		list.Items = a.named.ofObject(o, r.PathValue("metric"), time.Now())
	}
	if len(list.Items) == 0 {
		return nil, noMetric(CustomAPI, r.PathValue("metric"))
	}
	return list, nil
}

// ofPods are the values of the pods that are selected, or of the one that is named.
func (a *api) ofPods(o Object, which labels.Selector, metric string, now time.Time) []custommetricsv1beta2.MetricValue {
	a.mu.RLock()
	defer a.mu.RUnlock()
	a.named.mu.Lock()
	defer a.named.mu.Unlock()
	var values []custommetricsv1beta2.MetricValue
	for workload, group := range a.byWorkload() {
		total, known := a.named.pods[podMetric{workload, metric}]
		if !known || workload.Namespace != o.Namespace {
			continue
		}
		ready := slices.DeleteFunc(slices.Clone(group), func(p *pod) bool { return p.gone || !p.isReady() })
		for _, p := range ready {
			if o.Name == p.object.Name || o.Name == "*" && which.Matches(labels.Set(p.object.Labels)) {
				o := Object{Namespace: o.Namespace, Kind: "Pod", Name: p.object.Name}
				values = append(values, customValue(o, metric, now, total.at(now)/float64(len(ready))))
			}
		}
	}
	slices.SortFunc(values, func(a, b custommetricsv1beta2.MetricValue) int {
		return strings.Compare(a.DescribedObject.Name, b.DescribedObject.Name)
	})
	return values
}

func (n *named) ofObject(o Object, metric string, now time.Time) []custommetricsv1beta2.MetricValue {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, l := range n.objects {
		if o.Kind = key.object.Kind; key == (objectMetric{o, metric}) {
			return []custommetricsv1beta2.MetricValue{customValue(o, metric, now, l.at(now))}
		}
	}
	return nil
}

func customValue(o Object, metric string, now time.Time, value float64) custommetricsv1beta2.MetricValue {
	return custommetricsv1beta2.MetricValue{
		DescribedObject: corev1.ObjectReference{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name},
		Metric:          custommetricsv1beta2.MetricIdentifier{Name: metric}, Timestamp: metav1.NewTime(now), Value: thousandths(value),
		WindowSeconds: new(int64(0)), // it is of this moment
	}
}

func thousandths(value float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(math.Round(value)), resource.DecimalSI)
}

// selector is a selector of the request; without one all is selected.
func selector(r *http.Request, parameter string) (labels.Selector, error) {
	parsed, err := labels.Parse(r.URL.Query().Get(parameter))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return parsed, nil
}
