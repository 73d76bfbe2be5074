package loadsim

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// API is one of the metrics APIs. All but ResourceAPI are asked metric by metric.
type API string

const (
	// ResourceAPI has what pods and nodes use, served as metrics.k8s.io/v1beta1.
	ResourceAPI API = metricsv1beta1.GroupName
	// CustomAPI has the metrics of pods and objects, served as custom.metrics.k8s.io/v1beta2.
	CustomAPI API = custommetricsv1beta2.GroupName
	// ExternalAPI has the metrics of the rest of the world, served as external.metrics.k8s.io/v1beta1.
	ExternalAPI API = externalmetricsv1beta1.GroupName
)

// Object is what a metric of the custom metrics API describes.
type Object struct {
	Namespace string
	// Resource is how the API calls the kind: "services", "ingresses.networking.k8s.io".
	Resource, Kind, Name string
}

// named are the metrics that are asked for by name, and what goes wrong with them.
type named struct {
	mu       sync.Mutex
	external map[string][]*series
	pods     map[podMetric]load
	objects  map[objectMetric]load
	faults   map[metricOf]Fault
	asked    map[metricOf]int64
}

// series is one value of an external metric.
type series struct {
	labels labels.Set
	load
}

type podMetric struct {
	workload types.NamespacedName
	metric   string
}

type objectMetric struct {
	object Object
	metric string
}

// metricOf is a metric of an API; without a name all of them.
type metricOf struct {
	api    API
	metric string
}

func newNamed() *named {
	return &named{external: map[string][]*series{}, pods: map[podMetric]load{}, objects: map[objectMetric]load{},
		faults: map[metricOf]Fault{}, asked: map[metricOf]int64{}}
}

// SetExternal gives an external metric with these labels a value from now on, in thousandths, in every namespace; nil takes
// it away. The metric is not found while none of its labels has a value.
func (s *Server) SetExternal(metric string, labels map[string]string, value Curve) {
	s.api.named.setExternal(time.Now(), metric, labels, value)
}

// SetPodsMetric gives the pods of a Deployment a custom metric from now on: what the curve says for the whole workload, in
// thousandths, is divided evenly over its ready pods; others have no value. Nil takes the metric away.
func (s *Server) SetPodsMetric(namespace, deployment, metric string, total Curve) {
	key := podMetric{types.NamespacedName{Namespace: namespace, Name: deployment}, metric}
	set(s.api.named, s.api.named.pods, key, total)
}

// SetObjectMetric gives an object, which need not exist, a custom metric from now on, in thousandths; nil takes it away.
func (s *Server) SetObjectMetric(o Object, metric string, value Curve) {
	set(s.api.named, s.api.named.objects, objectMetric{o, metric}, value)
}

// SetMetricFault puts a metric of an API, or with the name "" all of them, under a fault at once, in place of the one before.
// Of a Fault's fields, Error, Delay and Empty count: a metric that is Empty is not found.
func (s *Server) SetMetricFault(api API, metric string, f Fault) {
	s.api.named.setFault(metricOf{api, metric}, f)
}

// Withdraw takes an API from the API server, as if its adapter had been uninstalled.
func (s *Server) Withdraw(ctx context.Context, api API) error {
	return s.registration.withdraw(ctx, api.version())
}

// Offer registers an API again after Withdraw, and returns when it is available.
func (s *Server) Offer(ctx context.Context, api API) error {
	if err := s.registration.create(ctx, api.version()); err != nil {
		return err
	}
	return s.registration.await(ctx, api.version())
}

func (a API) version() schema.GroupVersion {
	switch a {
	case ResourceAPI:
		return metricsv1beta1.SchemeGroupVersion
	case ExternalAPI:
		return externalmetricsv1beta1.SchemeGroupVersion
	case CustomAPI:
	}
	return custommetricsv1beta2.SchemeGroupVersion
}

// Asked is how often a metric of an API was asked for so far, also where a fault answered; "" is all of them together.
func (s *Server) Asked(api API, metric string) int64 {
	n := s.api.named
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[metricOf{api, metric}]
}

func set[K comparable](n *named, in map[K]load, key K, c Curve) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c == nil {
		delete(in, key)
		return
	}
	in[key] = load{from: time.Now(), curve: c}
}

func (n *named) setExternal(now time.Time, metric string, with labels.Set, c Curve) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var kept []*series
	for _, s := range n.external[metric] {
		if !labels.Equals(s.labels, with) {
			kept = append(kept, s)
		}
	}
	if c != nil {
		kept = append(kept, &series{labels: with, load: load{from: now, curve: c}})
	}
	n.external[metric] = kept
}

func (n *named) setFault(m metricOf, f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[m] = f
}

// count notes a question and returns the fault that it meets: the metric's own before the API's.
func (n *named) count(m metricOf) Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := metricOf{api: m.api}
	n.asked[m]++
	n.asked[all]++
	if f := n.faults[m]; f != (Fault{}) {
		return f
	}
	return n.faults[all]
}
