package scaler

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

const (
	// clockOff is the offset from which on a node's clock is told to be off, clockRight that at which it is right again.
	clockOff, clockRight = time.Minute, 30 * time.Second
	// clockKnown is for how long it counts as off after its last sample: nodes come and go.
	clockKnown = 10 * time.Minute
	// pruning is how often nodes without samples are dropped.
	pruning = time.Minute
)

// nodeClocks knows the nodes whose clock is off. Scaling does not depend on that (see package clock), but much else in a cluster does.
type nodeClocks struct {
	mu     sync.Mutex
	off    map[string]nodeClock
	pruned time.Time
	desc   *prometheus.Desc
}

// nodeClock is how far a node's clock is ahead, and when that was last seen.
type nodeClock struct {
	ahead time.Duration
	seen  time.Time
}

// newNodeClocks knows no clock that is off. Each that is shows as a metric of this description, whose label is the node.
func newNodeClocks(desc *prometheus.Desc) *nodeClocks {
	return &nodeClocks{off: map[string]nodeClock{}, desc: desc}
}

// clockChange says that a node's clock is off now, or right again.
type clockChange struct {
	node  string
	ahead time.Duration
	right bool
}

// changes takes in what the samples of a workload's pods say of the clocks of their nodes, and returns what is new in it.
func (c *nodeClocks) changes(seen recommend.Snapshot, samples Samples, now time.Time) (changes []clockChange) {
	wrong := c.any(now)
	next := 0
	for _, pod := range seen.Pods {
		if next == len(seen.PodMetrics) || seen.PodMetrics[next].Name != pod.Name {
			continue
		}
		ahead := seen.SampleAhead(next, pod)
		next++
		if pod.Node == "" || ahead.Abs() <= clockOff && !wrong {
			continue
		}
		if _, stamp := samples.Sample(pod.Namespace, pod.Name); !certainly(stamp, now) {
			continue
		}
		if was, changed := c.note(pod.Node, ahead, now); changed {
			changes = append(changes, clockChange{pod.Node, ahead, was != 0})
		}
	}
	return changes
}

// certainly says whether a sample shows how far a clock is off: a first sample may also have been old, and one that is old by now says
// nothing of the clock now.
func certainly(stamp *clock.Stamp, now time.Time) bool {
	return stamp != nil && stamp.Advanced && now.Sub(stamp.Taken) <= clockOff
}

// any says whether any clock is known to be off. It forgets nodes that have had no samples for long.
func (c *nodeClocks) any(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.pruned) >= pruning {
		maps.DeleteFunc(c.off, func(_ string, n nodeClock) bool { return now.Sub(n.seen) > clockKnown })
		c.pruned = now
	}
	return len(c.off) > 0
}

// note takes in how far a node's clock is ahead. It says whether that has changed between right and off, and how far it was off
// before; 0 is right.
func (c *nodeClocks) note(node string, ahead time.Duration, now time.Time) (was time.Duration, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, wrong := c.off[node]
	switch {
	case ahead.Abs() > clockOff:
		c.off[node] = nodeClock{ahead, now}
		return known.ahead, !wrong
	case wrong && ahead.Abs() < clockRight:
		delete(c.off, node)
		return known.ahead, true
	}
	return known.ahead, false
}

// clear forgets all nodes.
func (c *nodeClocks) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.off)
}

// Describe implements prometheus.Collector.
func (c *nodeClocks) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements prometheus.Collector.
func (c *nodeClocks) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	off := maps.Clone(c.off)
	c.mu.Unlock()
	for node, n := range off {
		metrics <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, n.ahead.Seconds(), node)
	}
}
