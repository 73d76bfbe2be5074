package loadsim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	internalscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// selection is which objects a request is about; nil selectors select all.
type selection struct {
	namespace string // "" is all
	labels    labels.Selector
	fields    fields.Selector
}

func (s selection) matches(m *metav1.ObjectMeta) bool {
	return (s.namespace == "" || s.namespace == m.Namespace) &&
		(s.labels == nil || s.labels.Matches(labels.Set(m.Labels))) &&
		(s.fields == nil || s.fields.Matches(fields.Set{"metadata.name": m.Name, "metadata.namespace": m.Namespace}))
}

// selected reads the options of a list request. Limits are ignored, as they are by metrics-server.
func selected(r *http.Request, resource string) (selection, error) {
	var o internalversion.ListOptions
	if err := internalscheme.ParameterCodec.DecodeParameters(r.URL.Query(), metav1.SchemeGroupVersion, &o); err != nil {
		return selection{}, apierrors.NewBadRequest(err.Error())
	}
	if o.Watch {
		return selection{}, apierrors.NewMethodNotSupported(metricsv1beta1.Resource(resource), "watch")
	}
	s := selection{namespace: r.PathValue("namespace"), labels: o.LabelSelector, fields: o.FieldSelector}
	if s.fields != nil {
		known, err := s.fields.Transform(runtime.DefaultMetaV1FieldSelectorConversion)
		if err != nil {
			return selection{}, apierrors.NewBadRequest(err.Error())
		}
		s.fields = known
	}
	return s, nil
}

func (a *api) listPods(r *http.Request) (runtime.Object, error) {
	which, err := selected(r, "pods")
	if err != nil {
		return nil, err
	}
	items := a.podMetrics(time.Now(), which)
	a.listed.Add(int64(len(items)))
	return &metricsv1beta1.PodMetricsList{Items: items}, nil
}

// getPod tells a pod that is not there from one without a sample, as metrics-server does.
func (a *api) getPod(r *http.Request) (runtime.Object, error) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	which := selection{namespace: namespace, fields: fields.OneTermEqualSelector("metadata.name", name)}
	if !a.runs(which) {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	items := a.podMetrics(time.Now(), which)
	if len(items) == 0 {
		return nil, apierrors.NewNotFound(metricsv1beta1.Resource("podmetrics"), namespace+"/"+name)
	}
	return &items[0], nil
}

func (s *simulation) runs(which selection) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.pods {
		if !p.gone && which.matches(&p.object.ObjectMeta) {
			return true
		}
	}
	return false
}

// podMetrics are the served samples of the pods that run now. Their containers are shared with the sample set and must
// not be written to.
func (s *simulation) podMetrics(now time.Time, which selection) []metricsv1beta1.PodMetrics {
	s.mu.RLock()
	defer s.mu.RUnlock()
	items := []metricsv1beta1.PodMetrics{}
	for uid := range s.served.in(which.namespace) {
		p, sample := s.pods[uid], s.served.pods[uid]
		if p == nil || p.gone || s.fault.hides(sample.rank, sample.count) || !which.matches(&p.object.ObjectMeta) {
			continue
		}
		items = append(items, metricsv1beta1.PodMetrics{
			ObjectMeta: answerMeta(now, &p.object.ObjectMeta),
			Timestamp:  metav1.NewTime(s.fault.stamp(uid, s.served.Timestamp)),
			Window:     metav1.Duration{Duration: sample.window},
			Containers: sample.containers,
		})
	}
	slices.SortFunc(items, func(a, b metricsv1beta1.PodMetrics) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return items
}

// answerMeta has the name and the labels of the measured object, and the time of the answer as its creation.
func answerMeta(now time.Time, m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, Labels: m.Labels, CreationTimestamp: metav1.NewTime(now),
	}
}

func (a *api) listNodes(r *http.Request) (runtime.Object, error) {
	which, err := selected(r, "nodes")
	if err != nil {
		return nil, err
	}
	return &metricsv1beta1.NodeMetricsList{Items: a.nodeMetrics(time.Now(), which)}, nil
}

func (a *api) getNode(r *http.Request) (runtime.Object, error) {
	name := r.PathValue("name")
	items := a.nodeMetrics(time.Now(), selection{fields: fields.OneTermEqualSelector("metadata.name", name)})
	if len(items) == 0 {
		return nil, apierrors.NewNotFound(metricsv1beta1.Resource("nodemetrics"), name)
	}
	return &items[0], nil
}
