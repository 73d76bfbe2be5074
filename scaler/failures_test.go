package scaler

import (
	"errors"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// two metrics, each with 10 for a pod as the target.
func (c *cluster) two(a, b any) *cluster {
	c.t.Helper()
	c.answers = map[string]any{"a": a, "b": b}
	c.by(queue("a", ""), queue("b", ""))
	return c
}

const (
	aFails  = "Warning FailedGetExternalMetric metric a: no route; until it is back, replicas may go up for the other metrics but not down"
	works   = int64(10)
	working = "Normal ValidMetricFound metrics are usable again: a 10 for 1 replicas at target 10 for each"
)

var errRoute = errors.New("no route")

// TestEachMetricIsToldByItself: what one metric does neither repeats nor hides what another one does.
func TestEachMetricIsToldByItself(t *testing.T) {
	c := newCluster(t, quick())
	c.two(errRoute, errRoute).two(errRoute, errRoute).
		wantEvents("Warning FailedGetExternalMetric metric a: no route; metric b: no route")
	c.two(works, errRoute).two(works, errRoute).wantEvents()
	c.two(errRoute, errRoute).wantEvents("Warning FailedGetExternalMetric metric a: no route")
	c.two(works, errRoute).two(works, works).two(works, works).wantEvents(working)
	c.two(errRoute, works).two(errRoute, works).wantEvents(aFails)
	c.two(errRoute, errRoute).two(errRoute, errRoute).wantEvents("Warning FailedGetExternalMetric metric b: no route")
}

// TestAnAwaitedMetricHidesNoOther, and is no end of its own failure.
func TestAnAwaitedMetricHidesNoOther(t *testing.T) {
	c := newCluster(t, quick())
	c.two(metrics.ErrPending, errRoute).two(metrics.ErrPending, errRoute).wantEvents("Warning FailedGetExternalMetric metric b: no route")
	c.two(works, metrics.ErrPending).wantEvents()
	c.two(works, errRoute).wantEvents()
	c.two(works, works).wantEvents(working)
}

func TestAnotherReasonIsToldAgain(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10"})
	c.samplesErr = errRoute
	c.reconcile(tick).wantEvents("Warning FailedGetResourceMetric no route")
	c.samplesErr, c.unrequested = nil, true
	c.reconcile(tick).reconcile(tick)
	if event := <-c.events.Events; !strings.HasPrefix(event, "Warning MissingRequest ") {
		t.Errorf("event %q, want MissingRequest", event)
	}
	c.wantEvents()
}

// TestTheResourceMetricsAPIIsToldOnce for all metrics that come from it.
func TestTheResourceMetricsAPIIsToldOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "target-memory": "50", "max": "10"})
	c.samplesErr = errRoute
	c.reconcile(tick).reconcile(tick).wantEvents("Warning FailedGetResourceMetric no route")

	c = newCluster(t, map[string]string{"target-cpu": "50", "target-memory": "50", "max": "10"})
	c.samplesErr, c.answers = errRoute, map[string]any{"a": works}
	c.withCPU(queue("a", ""))
	c.withCPU(queue("a", ""))
	c.wantEvents("Warning FailedGetResourceMetric metrics cpu, memory: no route; until they are back, replicas may go up for the other metrics but not down")
}

// TestAMetricThatIsGoneIsNoFailure: it was failing when the annotation was changed.
func TestAMetricThatIsGoneIsNoFailure(t *testing.T) {
	c := newCluster(t, quick())
	c.two(works, errRoute)
	<-c.events.Events
	c.by(queue("a", ""))
	c.wantEvents(working)
}

// TestALongOutageStillSaysWhatItMeans, however much there is to say.
func TestALongOutageStillSaysWhatItMeans(t *testing.T) {
	c := newCluster(t, quick())
	c.answers = map[string]any{}
	specs := []autoscalingv2.MetricSpec{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.answers[name] = errors.New(strings.Repeat(name, 300))
		specs = append(specs, queue(name, ""))
	}
	c.withCPU(specs...)
	event := <-c.events.Events
	if !strings.HasSuffix(event, "; until they are back, replicas may go up for the other metrics but not down") || !strings.Contains(event, "metric e: ") {
		t.Errorf("event %q", event)
	}
}
