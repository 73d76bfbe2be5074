package scaler

import (
	"errors"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Answers is what the custom and external metrics APIs said last.
type Answers interface {
	// Ask returns the newest answer, without waiting for an API, and sees to it that there is another one when it is older
	// than maxAge. The error is why there is none; metrics.ErrPending as long as the API was not heard yet. Answers are
	// shared: read-only.
	Ask(key annotations.Key, q metrics.Question, maxAge time.Duration) (metrics.Answer, error)
}

// ask fills in what the custom and external metrics APIs say of the policy's metrics. The replicas were last changed at
// that time; zero if that is not remembered.
func (s *Scaler) ask(snapshot *recommend.Snapshot, w *annotations.Workload, p annotations.Policy, changed time.Time) {
	if !slices.ContainsFunc(p.Metrics, asked) {
		return
	}
	// A bit earlier than the workload is looked at anyway, and each key by a share of its own: see next.
	maxAge := p.SyncPeriod - time.Duration(float64(p.SyncPeriod)*share(w.Key)/10)
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if !asked(*m) {
			continue
		}
		q, err := question(w, m)
		var answer metrics.Answer
		if err == nil {
			answer, err = s.Answers.Ask(w.Key, q, maxAge)
		}
		if err == nil && multiplied(&m.Spec) && !answer.Asked.After(changed) {
			err = metrics.ErrPending
		}
		take(snapshot, m.ID, q.Type, answer, err)
	}
}

// asked says whether a source is asked for a metric; the others are sampled.
func asked(m annotations.Metric) bool { return m.Source != "" }

// multiplied says whether the replicas are multiplied by the metric's ratio. Then an answer from before the last change must
// not be used a second time: every pod that becomes ready is a reason to look again, and 2 times the target would take 4
// replicas to 8, 16, 32 before the metric is asked for again. The HPA controller asks each time, once in 15 s.
//
// Of two targets, an External metric goes by its averageValue and an Object metric by the type.
func multiplied(spec *autoscalingv2.MetricSpec) bool {
	return spec.External != nil && spec.External.Target.AverageValue == nil ||
		spec.Object != nil && spec.Object.Target.Type == autoscalingv2.ValueMetricType
}

// take adds an answer to what is seen.
func take(snapshot *recommend.Snapshot, name string, kind autoscalingv2.MetricSourceType, answer metrics.Answer, err error) {
	switch {
	case err != nil:
		put(&snapshot.Errors, name, reasonFor(err))
	case kind == autoscalingv2.ExternalMetricSourceType:
		put(&snapshot.ExternalMetrics, name, answer.External)
		put(&snapshot.Taken.ExternalMetrics, name, answer.Taken)
	default:
		if kind == autoscalingv2.PodsMetricSourceType {
			answer = ofPods(answer, snapshot.Pods)
		}
		put(&snapshot.CustomMetrics, name, answer.Custom)
		put(&snapshot.Taken.CustomMetrics, name, answer.Taken)
	}
}

func put[V string | []custommetricsv1beta2.MetricValue | []externalmetricsv1beta1.ExternalMetricValue | []time.Time](in *map[string]V, name string, value V) {
	if *in == nil {
		*in = map[string]V{}
	}
	(*in)[name] = value
}

// reasonFor is the entry of Snapshot.Errors.
func reasonFor(err error) string {
	if errors.Is(err, metrics.ErrPending) {
		return recommend.ErrorPending
	}
	return cut(err.Error(), maxQuoted)
}

// ofPods keeps the values of the workload's own pods. The API is asked by label, and labels say nothing of ownership.
func ofPods(all metrics.Answer, pods []*corev1.Pod) metrics.Answer {
	own := sets.New[string]()
	for _, pod := range pods {
		own.Insert(pod.Name)
	}
	kept := metrics.Answer{Asked: all.Asked, Custom: make([]custommetricsv1beta2.MetricValue, 0, len(all.Custom))}
	for i, value := range all.Custom {
		if !own.Has(value.DescribedObject.Name) {
			continue
		}
		kept.Custom = append(kept.Custom, value)
		if i < len(all.Taken) {
			kept.Taken = append(kept.Taken, all.Taken[i])
		}
	}
	return kept
}

// question is what the metric's source is asked.
func question(w *annotations.Workload, m *annotations.Metric) (metrics.Question, error) {
	spec := &m.Spec
	q := metrics.Question{Source: m.Source, Type: spec.Type, Namespace: w.Namespace}
	var id autoscalingv2.MetricIdentifier
	var err error
	switch {
	case spec.Pods != nil:
		id = spec.Pods.Metric
		q.Pods, err = text(w.Selector)
	case spec.Object != nil:
		id, q.Object = spec.Object.Metric, spec.Object.DescribedObject
	case spec.External != nil:
		id = spec.External.Metric
	}
	if err != nil {
		return q, fmt.Errorf("the Deployment's selector: %w", err)
	}
	q.Metric = id.Name
	if id.Selector != nil { // of a metric, none is all; of pods, none is none
		q.Selector, err = text(id.Selector)
	}
	if err != nil {
		return q, fmt.Errorf("the metric's selector: %w", err)
	}
	return q, nil
}

// text is a selector as the APIs take it.
func text(selector *metav1.LabelSelector) (string, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return "", err
	}
	return parsed.String(), nil
}
