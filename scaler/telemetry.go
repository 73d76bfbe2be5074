package scaler

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Telemetry is the Prometheus metrics of the reconciler. Names and labels are those of the HPA controller
// (podautoscaler/monitor/metrics.go) with mini_hpa for its subsystem, so that dashboards need only the prefix changed;
// the label hpa_name holds the Deployment's name.
type Telemetry struct {
	reconciliations, computations *prometheus.CounterVec
	reconciling, computing        *prometheus.HistogramVec
	desired                       *prometheus.GaugeVec
	workloads                     prometheus.Gauge
}

// outcome is what one reconciliation came to.
type outcome struct {
	key cache.ObjectName
	// decision is nil where nothing was decided: annotations that are invalid or say paused.
	decision *recommend.Decision
	invalid  bool
	err      error
	took     time.Duration
}

// NewTelemetry makes the metrics and registers them; it panics if they are registered already.
func NewTelemetry(r prometheus.Registerer) *Telemetry {
	t := &Telemetry{
		reconciliations: counter("reconciliations_total", "Number of reconciliations.", "action", "error"),
		reconciling: histogram("reconciliation_duration_seconds",
			"Time that one reconciliation took, the write of the scale included.", "action", "error"),
		computations: counter("metric_computation_total", "Number of metric computations.", "action", "error", "metric_type"),
		computing: histogram("metric_computation_duration_seconds",
			"Time of the reconciliation in which a metric was computed. The samples are in memory already.", "action", "error", "metric_type"),
		desired: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: "desired_replicas",
			Help: "Replicas that the last decision asked for."}, []string{"namespace", "hpa_name"}),
		workloads: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: "num_horizontal_pod_autoscalers",
			Help: "Number of autoscaled Deployments."}),
	}
	r.MustRegister(t.reconciliations, t.reconciling, t.computations, t.computing, t.desired, t.workloads)
	return t
}

const metricsNamespace = "mini_hpa"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help + labelHelp}, labels)
}

// histogram has the HPA controller's buckets: 1 ms to 16 s.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: metricsNamespace, Name: name, Help: help + labelHelp,
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}, labels)
}

const labelHelp = " 'action' is scale_up, scale_down or none; 'error' is spec (the annotations, the pod template or another autoscaler), internal or none."

// observe counts one reconciliation.
func (t *Telemetry) observe(o outcome) {
	action, failed := o.labels()
	t.reconciliations.WithLabelValues(action, failed).Inc()
	t.reconciling.WithLabelValues(action, failed).Observe(o.took.Seconds())
	if o.decision == nil {
		return
	}
	t.desired.WithLabelValues(o.key.Namespace, o.key.Name).Set(float64(o.decision.Desired))
	for _, m := range o.decision.Metrics {
		t.observeMetric(m, o.decision.Current, o.took)
	}
}

func (t *Telemetry) observeMetric(m recommend.MetricResult, current int32, took time.Duration) {
	action, failed := actionOf(current, m.Replicas), "none"
	if m.Failed {
		action, failed = "none", "internal"
	}
	t.computations.WithLabelValues(action, failed, string(m.Type)).Inc()
	t.computing.WithLabelValues(action, failed, string(m.Type)).Observe(took.Seconds())
}

func (t *Telemetry) forget(key cache.ObjectName) {
	t.desired.DeleteLabelValues(key.Namespace, key.Name)
}

// labels are the HPA controller's values of 'action' and 'error'.
func (o outcome) labels() (action, failed string) {
	switch {
	case o.invalid:
		return "none", "spec"
	case o.decision == nil:
		return "none", "none"
	case o.err != nil || o.decision.Failure != nil:
		return "none", "internal"
	}
	return actionOf(o.decision.Current, o.decision.Desired), "none"
}

func actionOf(current, desired int32) string {
	switch {
	case desired > current:
		return "scale_up"
	case desired < current:
		return "scale_down"
	}
	return "none"
}
