package controller

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue" // brings the workqueue_* metrics into the registry that all of the process shares

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
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
	return &telemetry{registry: endpoint.NewRegistry(b)}
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

func counterOf(name, help string, value func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
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
