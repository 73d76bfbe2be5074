package controller

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	_ "sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue" // brings the workqueue_* metrics into the registry below
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// telemetry is what /metrics tells: this process' own metrics, and those of client-go (requests, leader election,
// workqueue), which controller-runtime collects in a registry that all of the process shares.
type telemetry struct {
	registry *prometheus.Registry
	// leading says whether a term runs: the age of samples means nothing in a standby, which reads none.
	leading atomic.Bool
}

func newTelemetry(b cli.Build) *telemetry {
	t := &telemetry{registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(b))
	crmetrics.RegisterRESTClientMetrics(crmetrics.MetricRequestLatency, crmetrics.MetricRateLimiterLatency, crmetrics.MetricRequestRetry)
	return t
}

// buildInfo is a constant 1 whose labels say which build this is.
func buildInfo(b cli.Build) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mini_hpa_build_info", Help: "A constant 1, labeled with the version, commit and Go version of this build.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go_version": b.GoVersion},
	}, func() float64 { return 1 })
}

// feed is what metrics.Feed says of itself.
type feed interface{ Status() metrics.Status }

// watch adds what the feed says of itself. Ages and counts are of this process: a standby reads no samples.
func (t *telemetry) watch(f feed) {
	t.registry.MustRegister(
		&sampleAge{feed: f, leading: &t.leading, desc: prometheus.NewDesc("mini_hpa_metrics_age_seconds",
			"Age of the newest sample that the resource metrics API returned; absent in a standby, and where there are no samples.", nil, nil)},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mini_hpa_metrics_unreadable_samples",
			Help: "Samples in the newest answer of the resource metrics API that cannot be read; their pods count as without one."},
			func() float64 { return float64(f.Status().Unreadable) }),
		counterOf("mini_hpa_metrics_lists_total", "LIST requests to the resource metrics API.",
			func() uint64 { return f.Status().Lists }),
		counterOf("mini_hpa_metrics_list_failures_total", "LIST requests to the resource metrics API that got no good answer.",
			func() uint64 { return f.Status().Failures }),
	)
}

// reader is what metrics.Readers say of themselves.
type reader interface{ Status() metrics.ReadersStatus }

// follow adds what the readers say of themselves.
func (t *telemetry) follow(r reader) {
	t.registry.MustRegister(newQuestions(r),
		counterOf("mini_hpa_metric_answers_total", "Answers of the custom and external metrics APIs, failed ones included. One serves all workloads that ask the same.",
			func() uint64 { return r.Status().Answers }),
		counterOf("mini_hpa_metric_answer_failures_total", "Custom and external metrics that could not be read.",
			func() uint64 { return r.Status().Failures }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mini_hpa_metric_questions",
			Help: "Different custom and external metrics that are being asked for; there is room for 20000."}, func() float64 { return float64(r.Status().Questions) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mini_hpa_metric_values",
			Help: "Values of custom and external metrics that are kept; there is room for 100000."}, func() float64 { return float64(r.Status().Values) }),
	)
}

// listen adds how often watches have failed.
func (t *telemetry) listen(w *watching.Watches) {
	t.registry.MustRegister(&watchFailures{watches: w, desc: prometheus.NewDesc("mini_hpa_watch_failures_total",
		"Lists and watches that failed. 'resource' is the kind of object; 'reason' is unreachable (no answer from the API server), refused (an error, "+
			"or to come again later), forbidden (a right is missing), expired (a watch that ended as soon as it had begun, again and again), silent (a watch "+
			"that was open for 48 s, or 24 s after a silent one, told neither a change nor a bookmark, and had kept changes back) or late (one that had not told of a version that was "+
			"known to exist for 5 s).",
		[]string{"resource", "reason"}, nil)})
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

func counterOf(name, help string, value func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
}

// handler serves the metrics. One collector that fails does not hide the others.
func (t *telemetry) handler(log *zap.Logger) http.Handler {
	mux := http.NewServeMux()
	options := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, ErrorLog: zap.NewStdLog(log.Named("metrics")), Registry: t.registry}
	mux.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{t.registry, crmetrics.Registry}, options))
	return mux
}

// sampleAge is absent while this process does not lead, before the first sample, and while there are no pods to be sampled: the age of
// nothing would look like an alarm, or like none.
type sampleAge struct {
	feed    feed
	leading *atomic.Bool
	desc    *prometheus.Desc
}

// Describe is prometheus.Collector's.
func (a *sampleAge) Describe(c chan<- *prometheus.Desc) { c <- a.desc }

// Collect is prometheus.Collector's.
func (a *sampleAge) Collect(c chan<- prometheus.Metric) {
	status := a.feed.Status()
	if status.Newest.IsZero() || status.Pods == 0 || !a.leading.Load() {
		return
	}
	c <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, time.Since(status.Newest).Seconds())
}

// questions tells how many questions each source of the file is asked.
type questions struct {
	readers reader
	desc    *prometheus.Desc
}

func newQuestions(r reader) *questions {
	return &questions{r, prometheus.NewDesc("mini_hpa_source_questions", "Different questions that a source of --sources is being asked.", []string{"source"}, nil)}
}

// Describe is prometheus.Collector's.
func (q *questions) Describe(c chan<- *prometheus.Desc) { c <- q.desc }

// Collect is prometheus.Collector's.
func (q *questions) Collect(c chan<- prometheus.Metric) {
	for name, n := range q.readers.Status().Of {
		if name != annotations.SourceCustom && name != annotations.SourceExternal {
			c <- prometheus.MustNewConstMetric(q.desc, prometheus.GaugeValue, float64(n), name)
		}
	}
}
