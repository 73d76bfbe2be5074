package scaler

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
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

func newNodeClocks() *nodeClocks {
	return &nodeClocks{off: map[string]nodeClock{}, desc: prometheus.NewDesc(metricsNamespace+"_node_clock_offset_seconds",
		"How far the clock of a node is ahead of the controller's, negative if it is behind; of nodes that run pods of autoscaled Deployments and are more than a minute off, absent for others.",
		[]string{"node"}, nil)}
}

// tellClocks tells once of each node whose clock is off, on the Deployment that shows it first, and once when it is right again.
func (s *Scaler) tellClocks(w *annotations.Workload, seen recommend.Snapshot) {
	clocks := s.telemetry.clocks
	wrong := clocks.any(s.now())
	next := 0
	for _, pod := range seen.Pods {
		if next == len(seen.PodMetrics) || seen.PodMetrics[next].Name != pod.Name {
			continue
		}
		ahead := seen.SampleAhead(next, pod)
		next++
		if pod.Spec.NodeName == "" || ahead.Abs() <= clockOff && !wrong {
			continue
		}
		switch was, changed := s.noteClock(pod, ahead); {
		case changed && was == 0:
			s.event(w, corev1.EventTypeWarning, EventNodeClockOff, clockText(pod.Spec.NodeName, ahead))
		case changed:
			s.log.Info("the clock of a node is right again", zap.String("node", pod.Spec.NodeName))
		}
	}
}

// noteClock is nodeClocks.note for a pod's node, if how far that is off is certain: a first sample may also have been old, and one that is
// old by now says nothing of the clock now.
func (s *Scaler) noteClock(pod *corev1.Pod, ahead time.Duration) (was time.Duration, changed bool) {
	now := s.now()
	_, stamp := s.observer.Samples.Sample(pod.Namespace, pod.Name)
	if stamp == nil || !stamp.Advanced || now.Sub(stamp.Taken) > clockOff {
		return 0, false
	}
	return s.telemetry.clocks.note(pod.Spec.NodeName, ahead, now)
}

func clockText(node string, ahead time.Duration) string {
	relation := "ahead of"
	if ahead < 0 {
		relation = "behind"
	}
	return fmt.Sprintf("the clock of node %s is %s %s the controller's; its pods are scaled as if it were right, but set it (NTP): certificates, leases and logs depend on it. If many nodes are told of, see to the controller's own node",
		node, ahead.Abs().Round(time.Second), relation)
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
