package recommend

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Snapshot is all that may be seen of a workload at one moment. Its JSON form is one line of a trace.
// Recommend reads it and never writes to it.
type Snapshot struct {
	// Time is the moment of the evaluation.
	Time time.Time `json:"time"`
	// Replicas is spec.replicas at that moment. It is authoritative: somebody else may have scaled.
	Replicas int32 `json:"replicas"`
	// StatusReplicas is status.replicas: what exists, surge included.
	StatusReplicas int32 `json:"statusReplicas"`
	// Pods are the pods that belong to the workload. Ownership is settled while gathering.
	Pods []*corev1.Pod `json:"pods"`
	// PodMetrics is what the resource metrics API returned for those pods.
	PodMetrics []*metricsv1beta1.PodMetrics `json:"podMetrics"`
	// MetricsError, if set, says why the resource metrics API gave nothing.
	MetricsError string `json:"metricsError,omitempty"`
}
