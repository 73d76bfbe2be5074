package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	custommetricsv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// NewSources returns the Sources of the custom and the external metrics API of a cluster. They work on a copy of config
// without a rate limit, because Readers bound what is asked at a time, and speak JSON, which every adapter does. Each
// of the requests that a question takes has the given deadline. Nothing is sent yet; the error says why no client can be
// made of config.
func NewSources(config *rest.Config, timeout time.Duration) (custom, external Source, err error) {
	if config == nil {
		return nil, nil, errors.New("make clients of the metrics APIs: no client configuration given")
	}
	own := rest.CopyConfig(config)
	own.ContentType, own.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	own.QPS, own.RateLimiter, own.Timeout = -1, nil, timeout
	found, err := discovery.NewDiscoveryClientForConfig(atMost(own, mostDiscovered, 0))
	if err != nil {
		return nil, nil, fmt.Errorf("make a discovery client: %w", err)
	}
	clients := clientsOf{}
	for _, version := range []schema.GroupVersion{
		custommetricsv1beta1.SchemeGroupVersion, custommetricsv1beta2.SchemeGroupVersion, externalmetricsv1beta1.SchemeGroupVersion,
	} {
		its := atMost(own, mostCustom, maxCustom)
		if version == externalmetricsv1beta1.SchemeGroupVersion {
			its = atMost(own, mostExternal, maxExternal)
		}
		its.APIPath, its.GroupVersion, its.NegotiatedSerializer = "/apis", &version, scheme.Codecs.WithoutConversion()
		if clients[version], err = rest.RESTClientFor(its); err != nil {
			return nil, nil, fmt.Errorf("make a client of %s: %w", version, err)
		}
	}
	return &customSource{newRegistration(customAPI(), found.RESTClient()), clients, newKinds(found)},
		&externalSource{newRegistration(externalAPI(), found.RESTClient()), clients}, nil
}

// What an answer may have in bytes, decompressed. It is read into memory as a whole, up to ten of each API at a time. A value takes about 400
// bytes: there is room for twice as many as are allowed (see maxCustom and maxExternal).
const mostCustom, mostExternal, mostDiscovered int64 = 4 << 20, 1 << 20, 8 << 20

// atMost is a configuration for a client that reads no longer answers.
func atMost(config *rest.Config, most int64, values int) *rest.Config {
	own := rest.CopyConfig(config)
	own.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next, most, values} })
	return own
}

// clientsOf has a client for each version of the APIs.
type clientsOf map[schema.GroupVersion]rest.Interface

// customSource asks about pods and objects.
type customSource struct {
	*registration
	clients clientsOf
	kinds   meta.RESTMapper
}

// Ask is Source's.
func (c *customSource) Ask(ctx context.Context, q Question) (Answer, error) {
	return c.ask(ctx, q, func(version schema.GroupVersion, selector labels.Selector) (a Answer, err error) {
		request := with(c.clients[version].Get(), "metricLabelSelector", selector)
		if q.Type == autoscalingv2.PodsMetricSourceType {
			a.Custom, err = ofPods(ctx, request, q)
		} else {
			a.Custom, err = ofObject(ctx, request, c.kinds, q)
		}
		return a, err
	})
}

func with(request *rest.Request, parameter string, selector labels.Selector) *rest.Request {
	if selector.Empty() {
		return request
	}
	return request.Param(parameter, selector.String())
}

// said returns the text of an answer, or the API's error.
func said(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

const customList, externalList = "MetricValueList", "ExternalMetricValueList"

// ofPods asks for the values of pods. One that cannot be read costs that pod only.
func ofPods(ctx context.Context, request *rest.Request, q Question) ([]custommetricsv1beta2.MetricValue, error) {
	pods, err := labels.Parse(q.Pods)
	if err != nil {
		return nil, fmt.Errorf("the pods' selector %q: %w", q.Pods, err)
	}
	const all = "*"
	text, err := said(with(request, "labelSelector", pods).Namespace(q.Namespace).Resource("pods").Name(all).SubResource(q.Metric).Do(ctx))
	if err != nil {
		return nil, err
	}
	values, unreadable, err := readValues[customItem](text, customList)
	if err == nil && len(values) == 0 {
		err = unreadable
	}
	return values, err
}

// ofObject asks for the one value of an object. A Namespace is always the workload's own, whatever name is given: an
// annotation does not reach into another one (HPA: GetObjectMetric).
func ofObject(ctx context.Context, request *rest.Request, kinds meta.RESTMapper, q Question) ([]custommetricsv1beta2.MetricValue, error) {
	request = request.Namespace(q.Namespace)
	if kind := schema.FromAPIVersionAndKind(q.Object.APIVersion, q.Object.Kind).GroupKind(); kind == (schema.GroupKind{Kind: "Namespace"}) {
		request = request.Resource("metrics").Name(q.Metric)
	} else {
		mapping, err := kinds.RESTMapping(kind)
		if err != nil {
			return nil, fmt.Errorf("unable to map kind %s to resource: %w", kind, err)
		}
		request = request.Resource(mapping.Resource.GroupResource().String()).Name(q.Object.Name).SubResource(q.Metric)
	}
	text, err := said(request.Do(ctx))
	if err != nil {
		return nil, err
	}
	values, unreadable, err := readValues[customItem](text, customList)
	switch {
	case err != nil || unreadable != nil:
		return nil, cmp.Or(err, unreadable)
	case len(values) != 1:
		return nil, fmt.Errorf("the custom metrics API returned %d values when it was asked for one", len(values))
	}
	return values, nil
}

// externalSource asks for external metrics. A decision needs their sum, so there is no answer if one of the values cannot be read.
type externalSource struct {
	*registration
	clients clientsOf
}

// Ask is Source's.
func (e *externalSource) Ask(ctx context.Context, q Question) (Answer, error) {
	return e.ask(ctx, q, func(version schema.GroupVersion, selector labels.Selector) (Answer, error) {
		request := with(e.clients[version].Get(), "labelSelector", selector)
		text, err := said(request.Namespace(q.Namespace).Resource(q.Metric).Do(ctx))
		if err != nil {
			return Answer{}, err
		}
		values, unreadable, err := readValues[externalItem](text, externalList)
		return Answer{External: values}, cmp.Or(err, unreadable)
	})
}

// ask asks an API that is registered, and explains what it says where it does not answer.
func (r *registration) ask(ctx context.Context, q Question, get func(schema.GroupVersion, labels.Selector) (Answer, error)) (Answer, error) {
	version, err := r.preferred(ctx)
	if err != nil {
		return Answer{}, err
	}
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		return Answer{}, fmt.Errorf("the metric's selector %q: %w", q.Selector, err)
	}
	answer, err := get(version, selector)
	if apierrors.IsNotFound(err) { // there is no such metric, or no longer an API
		r.doubt()
		if _, gone := r.preferred(ctx); gone != nil {
			return Answer{}, gone
		}
	}
	return answer, r.explain(err)
}

// explain makes one line of what an API or the connection to it said, with what to do about it.
func (r *registration) explain(err error) error {
	var status apierrors.APIStatus
	var connection net.Error
	var tooMuch *excess
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooMuch):
		return &refusal{text: fmt.Sprintf("the answer of the %s is not read: %s; choose among its values by the metric's selector", r.api, tooMuch.text), cause: err}
	case errors.As(err, &status):
		return &refusal{text: r.explainStatus(err, status.Status()), cause: err}
	case errors.As(err, &connection) && connection.Timeout():
		return &refusal{text: fmt.Sprintf("the %s did not answer in time", r.api), cause: err}
	}
	_, text := diagnoseConnection(err)
	return &refusal{text: text, cause: err}
}

func (r *registration) explainStatus(err error, status metav1.Status) string {
	said := quote(status.Message)
	switch {
	case apierrors.IsServiceUnavailable(err):
		return fmt.Sprintf("the %s is not available, see why APIService %s is not: %s", r.api, r.api.service, said)
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("grant verbs get and list on all resources of API group %q: %s", r.api.group, said)
	}
	return fmt.Sprintf("the %s answered %d: %s", r.api, status.Code, said)
}

// refusal is an error of a client in words for people.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }

// Unwrap gives the error of the client.
func (r *refusal) Unwrap() error { return r.cause }
