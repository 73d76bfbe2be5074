package sources

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of requests.
const (
	resultOK       = "ok"        // the system has answered
	resultFailed   = "failed"    // it has not
	resultTimeout  = "timeout"   // not before the deadline
	resultNotAsked = "not_asked" // it is left alone because it has failed
)

// Telemetry counts what sources are asked.
type Telemetry struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	batch    *prometheus.HistogramVec
	file     prometheus.Gauge
}

// NewTelemetry registers it.
func NewTelemetry(registry prometheus.Registerer) *Telemetry {
	t := &Telemetry{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mini_hpa_source_requests_total",
			Help: "Requests to the sources of --sources. One to a source that is asked many questions at a time is a batch. 'result' is ok (the system answered, " +
				"also where it had no value), failed, timeout, or not_asked (it has failed 5 times in a row, and is left alone for a while)."}, []string{"source", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mini_hpa_source_duration_seconds",
			Help: "How long requests to a source of --sources took.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"source"}),
		batch: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mini_hpa_source_batch_size",
			Help: "How many questions a request to a source of --sources had.", Buckets: []float64{1, 10, 100, 1000, 10000}}, []string{"source"}),
		file: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mini_hpa_sources_file_error",
			Help: "1 while the file of --sources cannot be read or is not right; what it said before still counts."}),
	}
	registry.MustRegister(t.requests, t.duration, t.batch, t.file)
	return t
}

// count adds one request.
func (t *Telemetry) count(source, result string, questions int, took time.Duration) {
	if t == nil {
		return
	}
	t.requests.WithLabelValues(source, result).Inc()
	if result != resultNotAsked {
		t.duration.WithLabelValues(source).Observe(took.Seconds())
		t.batch.WithLabelValues(source).Observe(float64(questions))
	}
}

// tellFile says whether the file is right.
func (t *Telemetry) tellFile(err error) {
	switch {
	case t == nil:
	case err != nil:
		t.file.Set(1)
	default:
		t.file.Set(0)
	}
}

// forget ends the series of a source that is gone.
func (t *Telemetry) forget(source string) {
	if t == nil {
		return
	}
	of := prometheus.Labels{"source": source}
	t.requests.DeletePartialMatch(of)
	t.duration.DeletePartialMatch(of)
	t.batch.DeletePartialMatch(of)
}
