package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Telemetry has the Prometheus metrics of admission.
type Telemetry struct {
	verdicts *prometheus.CounterVec
	duration prometheus.Histogram
	refused  *prometheus.CounterVec
}

// NewTelemetry makes the metrics and registers them; it panics if they are registered already.
func NewTelemetry(r prometheus.Registerer) *Telemetry {
	t := &Telemetry{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mini_hpa_webhook_verdicts_total",
			Help: "Admission requests answered. 'kind' is that of the workload; 'verdict' is allowed, warned or denied; 'reason' is the name of the first finding, see docs/admission.md."},
			[]string{"operation", "kind", "verdict", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mini_hpa_webhook_duration_seconds",
			Help:    "Time from a request that is read to its verdict.",
			Buckets: []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5}}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mini_hpa_webhook_refused_total",
			Help: "Requests and connections that got no verdict because they were malformed, too large, too slow or too many."}, []string{"reason"}),
	}
	r.MustRegister(t.verdicts, t.duration, t.refused)
	return t
}

// Refused counts a request that the server did not let through to the handler.
func (t *Telemetry) Refused(reason string) { t.refused.WithLabelValues(reason).Inc() }

// observe counts a verdict about a workload of a kind; "" is one that is not scaled. The API server sends only two operations, and these
// kinds. Anything else is a stranger's, who must not choose the values of labels.
func (t *Telemetry) observe(operation, kind string, v annotations.Verdict, took time.Duration) {
	if operation != "CREATE" && operation != "UPDATE" {
		operation = "other"
	}
	if kind == "" {
		kind = "other"
	}
	verdict, reason := "allowed", ""
	switch {
	case len(v.Problems) > 0:
		verdict, reason = "denied", v.Problems[0].Origin
	case len(v.Warnings) > 0:
		verdict, reason = "warned", v.Warnings[0].Rule
	}
	t.verdicts.WithLabelValues(operation, kind, verdict, reason).Inc()
	t.duration.Observe(took.Seconds())
}
