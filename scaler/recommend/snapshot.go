package recommend

import (
	"time"

	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// Snapshot is all that may be seen of a workload at one moment. Its JSON form is one line of a trace.
// Recommend reads it and never writes to it.
type Snapshot struct {
	// Time is the moment of the look.
	Time time.Time `json:"time"`
	// Replicas is spec.replicas at that moment. It is authoritative: somebody else may have scaled.
	Replicas int32 `json:"replicas"`
	// StatusReplicas is status.replicas: what exists, surge included.
	StatusReplicas int32 `json:"statusReplicas"`
	// Paused, at 0 replicas, is who has set them to 0, where that switches the workload off; empty where mini-hpa has set them, and where the
	// workload may sleep and nobody has used the scale subresource. In a trace of an HPA: empty where the HPA controller has set them.
	Paused string `json:"paused,omitempty"`
	// Stranded, at 0 replicas, is why requests, which were to wake the workload, cannot or must not any more, as a part of a sentence; empty if that is not so.
	Stranded string `json:"stranded,omitempty"`
	// Refused, if set, says why the API server refuses to create pods that are asked for (the Deployment's condition ReplicaFailure).
	Refused string `json:"refused,omitempty"`
	// Pods are the pods that belong to the workload. Ownership is settled while gathering.
	Pods []*podspec.Pod `json:"pods"`
	// PodMetrics are the samples of those pods: what the resource metrics API returned for them.
	PodMetrics []*sample.Pod `json:"podMetrics"`
	// MetricsError, if set, says why the resource metrics API gave nothing.
	MetricsError string `json:"metricsError,omitempty"`
	// CustomMetrics is what the custom metrics API returned for Pods and Object metrics, by their ID.
	CustomMetrics map[string][]custommetricsv1beta2.MetricValue `json:"customMetrics,omitempty"`
	// ExternalMetrics is what the external metrics API and the administrator's sources returned, by the metrics' ID.
	ExternalMetrics map[string][]externalmetricsv1beta1.ExternalMetricValue `json:"externalMetrics,omitempty"`
	// Hints is what sources have said beside their values, by the metrics' ID.
	Hints map[string]Hint `json:"hints,omitempty"`
	// Errors says, by ID, why a custom or external metric gave nothing.
	Errors map[string]string `json:"errors,omitempty"`
	// Taken is when all that was measured was taken.
	Taken Taken `json:"taken,omitzero"`
	// Past is what has become of the History since the observation before. The decision does not look at it: who hands in a History
	// has brought it up to date.
	Past
}

// Past is what a History needs beside the observations, so that a trace can be decided on again as it was. The zero value says that the
// decision before was carried out, if it was to change anything.
type Past struct {
	// Unwritten says that it was not: a write has failed or met a conflict, or was not even tried.
	Unwritten bool `json:"unwritten,omitempty"`
	// Adopted says that another controller which goes by the same annotations has changed the replicas: see History.Adopted.
	Adopted bool `json:"adopted,omitempty"`
	// Restored says that nothing was remembered, and the replicas are those that an earlier process has written: see Restored.
	Restored bool `json:"restored,omitempty"`
}

// Taken is when samples and values were taken, by the clock of Snapshot.Time, each list in the order of the one that it is about
// (see package clock). Where a time is missing or zero, the timestamp itself is taken for it.
type Taken struct {
	PodMetrics      []time.Time            `json:"podMetrics,omitempty"`
	CustomMetrics   map[string][]time.Time `json:"customMetrics,omitempty"`
	ExternalMetrics map[string][]time.Time `json:"externalMetrics,omitempty"`
}

// existing is how many pods are seen that have not ended and are not about to.
func (s *Snapshot) existing() int32 {
	n := int32(0)
	for _, pod := range s.Pods {
		if !over(pod) {
			n++
		}
	}
	return n
}

// SampleTaken is when the i-th of PodMetrics was taken, by the clock of Time.
func (s *Snapshot) SampleTaken(i int) time.Time {
	return taken(s.Taken.PodMetrics, i, s.PodMetrics[i].Time)
}

// SampleAhead is how far the clock that has stamped the i-th of PodMetrics is ahead of that of Time, as far as the sample and the start
// of its pod show it. Where they do not agree, it is less by the age that the sample had when it was first received.
func (s *Snapshot) SampleAhead(i int, pod *podspec.Pod) time.Duration {
	u := usage{at: s.PodMetrics[i].Time, taken: s.SampleTaken(i), window: s.PodMetrics[i].Window}
	u.date(pod)
	return u.ahead
}

// ErrorPending is the entry of Snapshot.Errors for a metric that has been asked for and not answered yet. It is no
// failure worth a warning, but the metric cannot be evaluated.
const ErrorPending = "waiting for the first answer"

// seriesFailure says why a custom or external metric gave nothing; nil if it gave n values.
func (s *Snapshot) seriesFailure(name, series string, n int) *Failure {
	reason, known := s.Errors[series]
	switch {
	case n > 0:
		return nil // in a trace made by hand, another metric may fail under the same name
	case known && reason == ErrorPending:
		return &Failure{Metric: name, Reason: ReasonAwaitingSample, Detail: "metric " + name + ": " + reason}
	case known:
		return &Failure{Metric: name, Reason: ReasonMetricsUnavailable, Detail: "metric " + name + ": " + reason}
	}
	return &Failure{Metric: name, Reason: ReasonNoSamples, Detail: "metric " + name + ": the metrics API returned no value"}
}
