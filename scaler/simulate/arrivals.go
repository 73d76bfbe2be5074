package simulate

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Arrivals are messages that wait until pods serve them, the oldest first. How many wait is the value of the only External or
// Object metric of the policy; a line of mini-hpa/sources is an External one.
type Arrivals struct {
	// Load is a curve of messages per second.
	Load
	// Rate is how many messages per second each ready pod serves.
	Rate float64
	// Delay is how old the value is that is read.
	Delay time.Duration
}

// Messages are what has become of the messages of a simulation.
type Messages struct {
	// Arrived is how many there were, Served how many of them were served, MostWaiting how many waited at once at most.
	Arrived, Served, MostWaiting int64
	// LongestWait is the longest time from a message's arrival until it was served, or until the end. UsualWait is the same of the 99 %
	// that waited least, in whole seconds.
	LongestWait, UsualWait time.Duration
}

// check refuses what cannot be simulated, for want of a metric or of a rate.
func (a *Arrivals) check(p *annotations.Policy) error {
	if !(LeastPerSecond <= a.Rate && a.Rate <= MostPerSecond) {
		return fmt.Errorf("a pod serves %v messages per second; want %v to %d", a.Rate, LeastPerSecond, MostPerSecond)
	}
	var totals, others []string
	for i := range p.Metrics {
		if m := &p.Metrics[i]; m.IsTotal() {
			totals = append(totals, fmt.Sprintf("%s (%s)", m.ID, m.Spec.Type))
		} else {
			others = append(others, metricName(&m.Spec))
		}
	}
	switch {
	case len(totals) == 1:
		return nil
	case len(totals) > 1:
		return fmt.Errorf("the messages that wait are the value of one External or Object metric, and there are %d: %s; want exactly one", len(totals), strings.Join(totals, ", "))
	case len(others) > 0:
		return fmt.Errorf("the messages that wait are the value of an External or Object metric, and there is only %s; want exactly one in %s or %s",
			strings.Join(others, ", "), annotations.Metrics, annotations.SourcesKey)
	}
	return fmt.Errorf("the messages that wait are the value of an External or Object metric, and there is no metric; want exactly one in %s or %s", annotations.Metrics, annotations.SourcesKey)
}

// metricName is what a metric that is no total is of.
func metricName(m *autoscalingv2.MetricSpec) string {
	switch {
	case m.Resource != nil:
		return fmt.Sprintf("%s (%s)", m.Resource.Name, m.Type)
	case m.ContainerResource != nil:
		return fmt.Sprintf("%s (%s)", m.ContainerResource.Name, m.Type)
	case m.Pods != nil:
		return fmt.Sprintf("%s (%s)", m.Pods.Metric.Name, m.Type)
	}
	return string(m.Type)
}
