package endpoint

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/informer/watching"
)

// NewRegistry is for the metrics of a process, and has those of Go, of the process and of its build. Those of client-go are collected in a registry
// that all of the process shares.
func NewRegistry(b cli.Build) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(b))
	crmetrics.RegisterRESTClientMetrics(crmetrics.MetricRequestLatency, crmetrics.MetricRateLimiterLatency, crmetrics.MetricRequestRetry)
	return registry
}

// buildInfo is a constant 1 whose labels say which build this is.
func buildInfo(b cli.Build) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mini_hpa_build_info", Help: "A constant 1, labeled with the version, commit and Go version of this build.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go_version": b.GoVersion},
	}, func() float64 { return 1 })
}

// Metrics serves the metrics of a registry, and those of client-go. One collector that fails does not hide the others.
func Metrics(registry *prometheus.Registry, log *zap.Logger) http.Handler {
	mux := http.NewServeMux()
	options := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, ErrorLog: zap.NewStdLog(log.Named("metrics")), Registry: registry}
	mux.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{registry, crmetrics.Registry}, options))
	return mux
}

// WatchFailures shows how often watches have failed.
func WatchFailures(w *watching.Watches) prometheus.Collector {
	return &watchFailures{watches: w, desc: prometheus.NewDesc("mini_hpa_watch_failures_total",
		"Lists and watches that failed. 'resource' is the kind of object; 'reason' is unreachable (no answer from the API server), refused (an error, "+
			"or to come again later), forbidden (a right is missing), expired (a watch that ended as soon as it had begun, again and again), silent (a watch "+
			"that was open for 48 s, or 24 s after a silent one, told neither a change nor a bookmark, and had kept changes back) or late (one that had not told of a version that was "+
			"known to exist for 5 s).",
		[]string{"resource", "reason"}, nil)}
}

// watchFailures shows watching.Watches.Failures.
type watchFailures struct {
	watches *watching.Watches
	desc    *prometheus.Desc
}

// Describe is prometheus.Collector's.
func (w *watchFailures) Describe(c chan<- *prometheus.Desc) { c <- w.desc }

// Collect is prometheus.Collector's.
func (w *watchFailures) Collect(c chan<- prometheus.Metric) {
	for failure, n := range w.watches.Failures() {
		c <- prometheus.MustNewConstMetric(w.desc, prometheus.CounterValue, float64(n), failure.Resource, failure.Reason)
	}
}
