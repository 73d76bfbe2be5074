package activator

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// Telemetry are the metrics of a Server.
type Telemetry struct{ server *Server }

// NewTelemetry shows what a server counts.
func NewTelemetry(s *Server) *Telemetry { return &Telemetry{s} }

// series is a metric of each port.
type series struct {
	name, help string
	kind       prometheus.ValueType
	value      func(f *facts) float64
}

// facts are what is known of a port.
type facts struct {
	serves.State
	left, failed uint64
}

// The labels of each series: the Service's namespace, the slice, and the name of the Service's port.
const labelNamespace, labelSlice, labelPort = "namespace", "slice", "port"

// allSeries are the metrics of each port but the histogram.
func allSeries() []series {
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	return []series{
		{"mini_hpa_activator_listening", "1 if both doors of the Service's port are open, else 0.", gauge, func(f *facts) float64 {
			if f.Listening {
				return 1
			}
			return 0
		}},
		{"mini_hpa_activator_held", "Connections, or requests of HTTP/1.1, that wait for a pod.", gauge, func(f *facts) float64 { return float64(f.Held) }},
		{"mini_hpa_activator_in_flight", "Connections, or requests of HTTP/1.1, that are at a pod by way of the activator.", gauge, func(f *facts) float64 { return float64(f.InFlight) }},
		{"mini_hpa_activator_connections_total", "Connections that were accepted.", counter, func(f *facts) float64 { return float64(f.Standby.Connections + f.Active.Connections) }},
		{"mini_hpa_activator_requests_total", "Connections, or requests of HTTP/1.1, without those that are ignored.", counter, func(f *facts) float64 { return float64(f.Total) }},
		{"mini_hpa_activator_wakes_total", "Those of mini_hpa_activator_requests_total that came while no pod was ready.", counter, func(f *facts) float64 { return float64(f.Wakes) }},
		{"mini_hpa_activator_refused_total", "Those that got no pod within the hold, or for which there was no room.", counter, func(f *facts) float64 { return float64(f.Refused) }},
		{"mini_hpa_activator_left_total", "Those whose client has gone while they were held.", counter, func(f *facts) float64 { return float64(f.left) }},
		{"mini_hpa_activator_failed_total", "Those that a pod had, and ended without an answer.", counter, func(f *facts) float64 { return float64(f.failed) }},
		{"mini_hpa_activator_request_seconds_total", "How long all were held and in flight, added up: its rate is how many there were on average.", counter, func(f *facts) float64 { return f.RequestSeconds }},
	}
}

func (s *series) describe() *prometheus.Desc {
	return prometheus.NewDesc(s.name, s.help, []string{labelNamespace, labelSlice, labelPort}, nil)
}

func describeWaits() *prometheus.Desc {
	return prometheus.NewDesc("mini_hpa_activator_wait_seconds", "How long those were held that came while no pod was ready, and got one.", []string{labelNamespace, labelSlice, labelPort}, nil)
}

func describeFirsts() *prometheus.Desc {
	return prometheus.NewDesc("mini_hpa_activator_first_answer_seconds", "How long after a pod was ready the first of those who had waited for one had its answer begin, or its connection if it is not HTTP/1.1.", []string{labelNamespace, labelSlice, labelPort}, nil)
}

// Describe is prometheus.Collector's.
func (t *Telemetry) Describe(c chan<- *prometheus.Desc) {
	for _, s := range allSeries() {
		c <- s.describe()
	}
	c <- describeWaits()
	c <- describeFirsts()
}

// Collect is prometheus.Collector's. Of a port that has gone, and of one whose doors have moved, nothing is shown.
func (t *Telemetry) Collect(c chan<- prometheus.Metric) {
	now := time.Now()
	for _, p := range t.server.all() {
		var f facts
		f.State, f.left, f.failed = p.facts(now)
		if f.Gone {
			continue
		}
		namespace, slice, _ := strings.Cut(f.Slice, "/")
		for _, s := range allSeries() {
			c <- prometheus.MustNewConstMetric(s.describe(), s.kind, s.value(&f), namespace, slice, f.Name)
		}
		c <- prometheus.MustNewConstHistogram(describeWaits(), f.Waits.Total(), f.Waits.Seconds, cumulative(f.Waits), namespace, slice, f.Name)
		c <- prometheus.MustNewConstHistogram(describeFirsts(), f.Firsts.Total(), f.Firsts.Seconds, cumulative(f.Firsts), namespace, slice, f.Name)
	}
}

// cumulative are the waits as Prometheus counts them: up to each bound.
func cumulative(w serves.Waits) map[float64]uint64 {
	buckets := map[float64]uint64{}
	var sum uint64
	for i, bound := range serves.WaitBounds() {
		if i < len(w.Counts) {
			sum += w.Counts[i]
		}
		buckets[bound.Seconds()] = sum
	}
	return buckets
}
