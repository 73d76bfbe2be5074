package informer

import (
	"sync"

	"k8s.io/client-go/util/workqueue"
)

// queueMetrics is what the queues of all tests report to client-go's metrics.
var queueMetrics = &meters{values: map[string]int{}}

// meters is a provider of workqueue metrics that keeps depth, adds and retries as "queue/metric".
type meters struct {
	mu     sync.Mutex
	values map[string]int
}

func (m *meters) get(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[name]
}

type meter struct {
	in   *meters
	name string
}

func (m meter) Inc()            { m.add(1) }
func (m meter) Dec()            { m.add(-1) }
func (m meter) Set(float64)     {}
func (m meter) Observe(float64) {}

func (m meter) add(n int) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	m.in.values[m.name] += n
}

func (m *meters) NewDepthMetric(queue string) workqueue.GaugeMetric {
	return meter{m, queue + "/depth"}
}
func (m *meters) NewAddsMetric(queue string) workqueue.CounterMetric {
	return meter{m, queue + "/adds"}
}
func (m *meters) NewRetriesMetric(queue string) workqueue.CounterMetric {
	return meter{m, queue + "/retries"}
}
func (m *meters) NewLatencyMetric(string) workqueue.HistogramMetric      { return meter{in: m} }
func (m *meters) NewWorkDurationMetric(string) workqueue.HistogramMetric { return meter{in: m} }
func (m *meters) NewUnfinishedWorkSecondsMetric(string) workqueue.SettableGaugeMetric {
	return meter{in: m}
}
func (m *meters) NewLongestRunningProcessorSecondsMetric(string) workqueue.SettableGaugeMetric {
	return meter{in: m}
}
