package metrics

import (
	"context"
	"maps"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// Source is who is asked for metrics: an API of the cluster, or a system beside it such as a message broker. It is asked one question at a
// time and several at once: turns, deadlines and what is kept of a namespace are counted by question. One that can fetch the answers of
// many at a time is a Batch. Its methods may be called from any goroutine.
type Source interface {
	// Ask answers a question. It should return when ctx ends; one that does not costs its turn until it does. The caller
	// owns what is returned, Asked is not read. The error is shown to people.
	Ask(ctx context.Context, q Question) (Answer, error)
	// String is what messages call the source, after "the".
	String() string
	// Close gives up its connections. Nothing is asked afterwards, but what ignores its deadline may not have returned yet.
	Close()
}

// Batch is a Source that answers many questions with one request, or few. Each of its questions is asked with all others that are due at about
// the same time, except by Fetch.
type Batch interface {
	Source
	// AskAll answers all questions by calling answer with the place of each and what came of it, as soon as that is known, from any goroutine.
	// It should return when ctx ends. What is answered a second time, or afterwards, is not read.
	AskAll(ctx context.Context, all []Question, answer func(i int, a Answer, err error))
}

// Reply is when and how a source was asked a question.
type Reply struct {
	// Asked is when, and Took how long the source took to answer or to fail, the wait for a turn included; 0 if it was not asked in time.
	Asked time.Time     `json:"asked"`
	Took  time.Duration `json:"took"`
	// Together is how many questions it was asked at the same time, this one included; 0 if it was not asked in time.
	Together int `json:"together,omitempty"`
}

// Limited is a Source that says how it may be asked.
type Limited interface {
	Source
	Limits() Limits
}

// Limits are how a source may be asked. What is 0 is as ReadersConfig has it.
type Limits struct {
	// Timeout is how long an answer may take, if longer than that of all.
	Timeout time.Duration
	// Concurrency is how many questions, or batches of them, may be under way at a time.
	Concurrency int
	// MaxAge is how old an answer becomes at least before the next one is asked for.
	MaxAge time.Duration
}

// Question is what can be asked of a source. All workloads share the answer to equal questions.
type Question struct {
	// Source is the name of who is asked, in ReadersConfig.Sources.
	Source string
	// Type is PodsMetricSourceType, ObjectMetricSourceType or ExternalMetricSourceType.
	Type autoscalingv2.MetricSourceType
	// Namespace is the workload's: no metric is read across namespaces.
	Namespace string
	// Metric is the metric's name, Selector chooses among its series, as a label selector; "" is all. Of a line of mini-hpa/sources it is the
	// name of the query or, where the source has none, what is counted.
	Metric, Selector string
	// Pods is the label selector of the pods that a Pods metric is about.
	Pods string
	// Object is what an Object metric is about.
	Object autoscalingv2.CrossVersionObjectReference
	// Parameters are what a line of mini-hpa/sources asks for, of one of the administrator's sources.
	Parameters catalog.Parameters
}

// Answer is what a source returned for a Question. It is shared: read-only.
type Answer struct {
	// Asked is when the request was sent, by the local clock: the values are at least as old.
	Asked time.Time
	// Custom are the values of Pods and Object metrics, External those of External metrics.
	Custom   []custommetricsv1beta2.MetricValue
	External []externalmetricsv1beta1.ExternalMetricValue
	// Taken is when they were taken, by the local clock, in their order; zero for those that do not say so.
	Taken []time.Time
	// Hint is what a source says beside its values.
	Hint Hint
}

// same says whether another answer has the same values, whenever they were taken, and the same hint.
func (a *Answer) same(b *Answer) bool {
	return slices.EqualFunc(a.External, b.External, func(a, b externalmetricsv1beta1.ExternalMetricValue) bool {
		return a.Value.Cmp(b.Value) == 0 && maps.Equal(a.MetricLabels, b.MetricLabels)
	}) && slices.EqualFunc(a.Custom, b.Custom, func(a, b custommetricsv1beta2.MetricValue) bool {
		return a.Value.Cmp(b.Value) == 0 && a.DescribedObject == b.DescribedObject
	}) && a.Hint.same(&b.Hint)
}

func (h *Hint) same(o *Hint) bool {
	return h.Limit == o.Limit && h.Because == o.Because && h.Passing == o.Passing && (h.Active == nil) == (o.Active == nil) && (h.Active == nil || *h.Active == *o.Active) &&
		(h.Target == nil) == (o.Target == nil) && (h.Target == nil || h.Target.Cmp(*o.Target) == 0) &&
		h.Settling == o.Settling && (h.Recent == nil) == (o.Recent == nil) && (h.Recent == nil || h.Recent.Cmp(*o.Recent) == 0)
}

// saysTheSame says whether two failures, or two times none, read alike.
func saysTheSame(a, b error) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error())
}

// Hint is what a source says beside a value. The zero value is nothing.
type Hint struct {
	// Limit is how many replicas the value is of use to, such as the partitions of a topic; 0 is no limit. Because says what limits them, in
	// our own words.
	Limit   int32
	Because string
	// Passing says that the limit comes and goes with the value.
	Passing bool
	// Active says whether there is something to do, where that is not the same as a value above 0.
	Active *bool
	// Target is the source's own for each pod, where the line has none.
	Target *resource.Quantity
	// Settling is for how long there has to be nothing to do until that counts; 0 is at once. Recent is the most that the value was of late, where it was
	// more than it is now, or nil where the source has not been asked for so long yet.
	Settling metav1.Duration
	Recent   *resource.Quantity
}
