package scaler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/schedule"
	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Workloads is what the cluster looks like, read from memory.
type Workloads interface {
	// Workload returns the workload, or nil if it does not exist. It is shared: read-only.
	Workload(key annotations.Key) *annotations.Workload
	// Pods returns the pods that the workload owns. They are shared: read-only.
	Pods(w *annotations.Workload) []*podspec.Pod
}

// Chain says which annotated objects are not scaled, because an object above them is.
type Chain interface {
	// Outer returns the workload that is scaled in the place of an annotated one, because it controls it and is annotated, too; false if
	// there is none. Where both have the same annotations, copied is true.
	Outer(key annotations.Key) (outer annotations.Key, copied, found bool)
	// Obscured returns why an annotated object is not scaled because it cannot be known whether an object above it is; empty if that is
	// known, or will be in a moment.
	Obscured(key annotations.Key) string
}

// Surroundings is what else in the cluster bears on whether a workload can be scaled, read from memory.
type Surroundings interface {
	// Surroundings returns them for one workload, in the form that is looked at and, where a change is, the form before. They are shared: read-only.
	Surroundings(w, before *annotations.Workload) annotations.Surroundings
}

// Samples is what the resource metrics API said last, read from memory.
type Samples interface {
	// Sample returns the newest sample of a pod and its stamp, or nil for both. They are shared and read-only. A stamp without a sample
	// means that the sample is being fetched, because it was not needed until now.
	Sample(namespace, name string) (*sample.Pod, *clock.Stamp)
	// Err says why there are no current samples; nil while the API answers.
	Err() error
}

// Answers is what the sources of metrics say.
type Answers interface {
	// Ask returns the newest answer without waiting for a source, and has the source asked again when the answer is older than maxAge. The
	// error says why there is no answer; it is metrics.ErrPending until the source has answered. Answers are shared and read-only.
	Ask(key annotations.Key, q metrics.Question, maxAge time.Duration) (metrics.Answer, error)
	// Reply is when and how the source was asked for its newest answer, good or failed; false if there is none.
	Reply(q metrics.Question) (metrics.Reply, bool)
	// Fetch asks the source now and waits for its answer until ctx ends. The error says why there is none.
	Fetch(ctx context.Context, q metrics.Question) (metrics.Answer, error)
}

// Requests says what the activators know of the requests of workloads, read from memory.
type Requests interface {
	// Requests are those of a workload. It fails with wake.ErrUnknown where that will be known in a moment.
	Requests(key annotations.Key) (wake.Requests, error)
	// Look is Requests for who decides on the workload now. Nobody else may, as it is told of what comes after that.
	Look(key annotations.Key) (wake.Requests, error)
	// Stranded is why requests cannot wake a workload any more that sleeps; empty if they can, or were never to.
	Stranded(key annotations.Key) string
}

// Observer gathers everything that a decision may see. It writes nothing and remembers nothing. All fields are required, except Answers
// if no policy asks a source, Sources and Requests.
type Observer struct {
	Workloads    Workloads
	Surroundings Surroundings
	Samples      Samples
	Answers      Answers
	// Sources is what the administrator has listed for mini-hpa/sources at the moment; nil if nothing ever is.
	Sources func() *catalog.Catalog
	// Requests is nil where there are no activators.
	Requests Requests
	// Defaults are the administrator's values for annotations that are not set, Rules those of the decision.
	Defaults annotations.Defaults
	Rules    recommend.Rules
	Now      func() time.Time
}

// PolicyOf is what the annotations of a workload ask for, as far as it counts, with the flags of a controller.
func PolicyOf(pairs map[string]string, d annotations.Defaults, r recommend.Rules) annotations.Policy {
	policy, _, _ := d.Parse(pairs)
	return (&Observer{Rules: r}).counted(policy)
}

// counted is the policy without what has no say where the HPA controller's rules are followed.
func (o *Observer) counted(p annotations.Policy) annotations.Policy {
	if o.Rules.Compat {
		p.Schedule, p.SleepAfter, p.WakeReplicas, p.Fallback = schedule.Schedule{}, 0, 0, annotations.Fallback{}
	}
	return p
}

// moment is what counts of the policy, with the bounds of now, and whether the workload may sleep at times.
func (o *Observer) moment(p annotations.Policy) (_ annotations.Policy, sleeper bool) {
	p = o.counted(p)
	fewest, most := p.Widest()
	return p.At(o.Now()), fewest == 0 && most > 0
}

// around is what else bears on whether a workload can be scaled.
func (o *Observer) around(w *annotations.Workload) annotations.Surroundings {
	s := o.Surroundings.Surroundings(w, nil)
	if sources := o.catalog(); sources != nil {
		s.Sources = sources
	}
	return s
}

// catalog is what the administrator has listed at the moment; nil if nothing.
func (o *Observer) catalog() *catalog.Catalog {
	if o.Sources == nil {
		return nil
	}
	return o.Sources()
}

// Review makes the same checks as admission, and knows from the pods which containers are injected.
func (o *Observer) Review(w *annotations.Workload, s annotations.Surroundings) annotations.Verdict {
	s.Now = o.Now()
	v := o.Defaults.Review(w, s)
	if !slices.ContainsFunc(v.Problems, annotations.LacksContainer) {
		return v
	}
	s.Containers = annotations.RunningIn(o.Workloads.Pods(w))
	return o.Defaults.Review(w, s)
}

// Questions returns what the sources are asked for the policy's metrics, in their order. Nothing is asked for a workload that is paused,
// for metrics of the pods while it sleeps, nor for a metric that is not a question to a source.
func (o *Observer) Questions(w *annotations.Workload, p annotations.Policy) []metrics.Question {
	var all []metrics.Question
	for i := range p.Metrics {
		if o.asks(w, &p, &p.Metrics[i]) && p.Metrics[i].Source != annotations.SourceActivator {
			if q, err := o.question(w, &p.Metrics[i]); err == nil {
				all = append(all, q)
			}
		}
	}
	return all
}

// Observe collects what the decision sees, once, from what is there. The replicas were last changed at since; zero if that is not
// remembered. It is not complete while samples of its pods are being fetched that nobody has wanted until now.
func (o *Observer) Observe(w *annotations.Workload, p annotations.Policy, since time.Time) (_ recommend.Snapshot, complete bool) {
	return o.observe(w, p, since, func(q metrics.Question) (metrics.Answer, error) {
		// A bit earlier than the workload is looked at anyway, and each key by a share of its own: see next.
		maxAge := p.SyncPeriod - time.Duration(float64(p.SyncPeriod)*share(w.Key)/10)
		if e := o.catalog().Entry(q.Source); e != nil && e.MaxAge > p.SyncPeriod {
			maxAge = e.MaxAge
		}
		return o.Answers.Ask(w.Key, q, maxAge)
	})
}

func (o *Observer) observe(w *annotations.Workload, p annotations.Policy, since time.Time, ask func(metrics.Question) (metrics.Answer, error)) (_ recommend.Snapshot, complete bool) {
	snapshot := recommend.Snapshot{
		Time: o.Now(), Replicas: w.Replicas, StatusReplicas: w.StatusReplicas, Refused: w.Refused, Pods: o.Workloads.Pods(w), Paused: o.pausedBy(w, &p),
	}
	if w.Replicas == 0 && o.Requests != nil {
		snapshot.Stranded = o.Requests.Stranded(w.Key)
	}
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if !o.asks(w, &p, m) {
			continue
		}
		var answer metrics.Answer
		q, err := metrics.Question{Type: m.Spec.Type}, error(nil)
		if m.Source == annotations.SourceActivator {
			answer, err = o.requests(w.Key)
		} else if q, err = o.question(w, m); err == nil {
			answer, err = ask(q)
		}
		if err == nil && multiplied(&m.Spec) && !answer.Asked.After(since) {
			err = metrics.ErrPending
		}
		take(&snapshot, m.ID, q.Type, answer, err)
	}
	// A metric with a target for the total and another one for each pod is held under one ID. If the answer must not be used again for
	// the one, neither can it be for the other.
	for id := range snapshot.Errors {
		delete(snapshot.CustomMetrics, id)
		delete(snapshot.Taken.CustomMetrics, id)
		delete(snapshot.ExternalMetrics, id)
		delete(snapshot.Taken.ExternalMetrics, id)
		delete(snapshot.Hints, id)
	}
	if err := o.Samples.Err(); err != nil {
		snapshot.MetricsError = err.Error()
		return snapshot, true
	}
	snapshot.PodMetrics, snapshot.Taken.PodMetrics, complete = o.samplesOf(snapshot.Pods)
	return snapshot, complete
}

// requests are the requests of a workload as the answer of a source: how many are held or in flight, and whether that is something to do.
func (o *Observer) requests(key annotations.Key) (metrics.Answer, error) {
	if o.Requests == nil {
		return metrics.Answer{}, errors.New("this mini-hpa works without activators (--activator)")
	}
	all, err := o.Requests.Look(key)
	if errors.Is(err, wake.ErrUnknown) {
		return metrics.Answer{}, metrics.ErrPending
	}
	if err != nil {
		return metrics.Answer{}, err
	}
	now := o.Now()
	value := externalmetricsv1beta1.ExternalMetricValue{MetricName: "requests", Value: *resource.NewMilliQuantity(int64(math.Round(1000*all.AtATime())), resource.DecimalSI)}
	value.Timestamp.Time = now
	answer := metrics.Answer{Asked: now, External: []externalmetricsv1beta1.ExternalMetricValue{value}, Taken: []time.Time{now}}
	if all.Active && value.Value.IsZero() {
		answer.Hint.Active = &all.Active // requests that were there a moment ago
	}
	return answer, nil
}

// share is a number in [0, 1) of the key's own.
func share(key annotations.Key) float64 {
	hash := fnv.New32a()
	hash.Write([]byte(key.Namespace + "/" + key.Name)) // never fails
	return float64(hash.Sum32()) / (1 << 32)
}

// samplesOf are the newest samples of the pods that have one, and when they were taken; not complete if one is still to be fetched.
func (o *Observer) samplesOf(pods []*podspec.Pod) (_ []*sample.Pod, _ []time.Time, complete bool) {
	samples, taken := make([]*sample.Pod, 0, len(pods)), make([]time.Time, 0, len(pods))
	complete = true
	for _, pod := range pods {
		switch newest, stamp := o.Samples.Sample(pod.Namespace, pod.Name); {
		case newest != nil:
			samples, taken = append(samples, newest), append(taken, stamp.Taken)
		case stamp != nil:
			complete = false
		}
	}
	return samples, taken, complete
}

// asks says whether a source is asked for a metric now; the others are sampled.
func (o *Observer) asks(w *annotations.Workload, p *annotations.Policy, m *annotations.Metric) bool {
	if m.Source == "" || w.Replicas > 0 {
		return m.Source != ""
	}
	return m.IsTotal() && o.pausedBy(w, p) == ""
}

// pausedBy is who has paused the workload by setting 0 replicas; empty if it has some, or sleeps.
//
//	who has set 0                              min 0    min above 0
//	mini-hpa                                   asleep   raised during the sleep, which ends it
//	somebody, by the scale subresource         paused   the same; of a custom resource as if it were in the manifest
//	somebody in the manifest, or at creation   asleep   paused
//
// For the HPA controller whatever it has not set itself is a pause.
func (o *Observer) pausedBy(w *annotations.Workload, p *annotations.Policy) string {
	fewest, _ := p.Widest()
	switch {
	case w.Replicas > 0, w.ScaledByUs:
		return ""
	case fewest == 0 && !o.Rules.Compat && w.SleepsUnsigned():
		return ""
	}
	return cmp.Or(managers(w), recommend.Somebody)
}

// multiplied says whether the replicas are multiplied by the metric's ratio. Then an answer from before the last change must not be used
// a second time: every pod that becomes ready causes a look, and a ratio of 2 would take 4 replicas to 8, 16 and 32 before the metric is
// asked for again. The HPA controller asks each time, once in 15 s.
//
// If a metric has two targets, an External metric goes by its averageValue and an Object metric by the type.
func multiplied(spec *autoscalingv2.MetricSpec) bool {
	return spec.External != nil && spec.External.Target.AverageValue == nil && spec.External.Target.Value != nil ||
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
		if answer.Hint != (metrics.Hint{}) {
			put(&snapshot.Hints, name, recommend.Hint(answer.Hint))
		}
	default:
		if kind == autoscalingv2.PodsMetricSourceType {
			answer = ofPods(answer, snapshot.Pods)
		}
		put(&snapshot.CustomMetrics, name, answer.Custom)
		put(&snapshot.Taken.CustomMetrics, name, answer.Taken)
	}
}

func put[V string | recommend.Hint | []custommetricsv1beta2.MetricValue | []externalmetricsv1beta1.ExternalMetricValue | []time.Time](in *map[string]V, name string, value V) {
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
func ofPods(all metrics.Answer, pods []*podspec.Pod) metrics.Answer {
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
func (o *Observer) question(w *annotations.Workload, m *annotations.Metric) (metrics.Question, error) {
	if m.Line == nil {
		return questionOf(w, m)
	}
	q := metrics.Question{Source: m.Source, Type: m.Spec.Type, Namespace: w.Namespace, Metric: m.Line.Counted()}
	if m.Source == annotations.SourceActivator {
		return q, errors.New("no activator runs that could say how many requests there are")
	}
	sources := o.catalog()
	if sources == nil {
		return q, errors.New("it is not known which sources there are")
	}
	parameters, problems := sources.Resolve(catalog.Workload{Namespace: w.Namespace, Kind: w.Kind.Kind, Name: w.Name}, m.Asked())
	if len(problems) > 0 {
		return q, errors.New(problems[0].Message)
	}
	q.Parameters = parameters
	return q, nil
}

// questionOf is what a metrics API is asked.
func questionOf(w *annotations.Workload, m *annotations.Metric) (metrics.Question, error) {
	spec := &m.Spec
	q := metrics.Question{Source: m.Source, Type: spec.Type, Namespace: w.Namespace}
	var id autoscalingv2.MetricIdentifier
	var err error
	switch {
	case spec.Pods != nil && w.Selector == nil: // an empty one would ask about all pods of the namespace
		return q, fmt.Errorf("the scale of %s has no selector, by which the metrics API is asked about its pods", w.Title())
	case spec.Pods != nil:
		id = spec.Pods.Metric
		q.Pods, err = text(w.Selector)
	case spec.Object != nil:
		id, q.Object = spec.Object.Metric, spec.Object.DescribedObject
	case spec.External != nil:
		id = spec.External.Metric
	}
	if err != nil {
		return q, fmt.Errorf("the workload's selector: %w", err)
	}
	q.Metric = id.Name
	if id.Selector != nil { // without a selector a metric has all series, but no pods are selected
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
