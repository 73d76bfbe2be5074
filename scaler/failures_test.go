package scaler

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// lasting is two for as long as it takes until what is the case is told: 30 s, at the third look.
func (c *cluster) lasting(a, b any) *cluster {
	c.t.Helper()
	return c.two(a, b).two(a, b).two(a, b)
}

// TestEachMetricIsToldByItself: what one metric does neither repeats nor hides what another one does.
func TestEachMetricIsToldByItself(t *testing.T) {
	c := newCluster(t, quick())
	c.lasting(errRoute, errRoute).two(errRoute, errRoute).
		wantEvents("Warning FailedGetExternalMetric metric a: no route; metric b: no route")
	c.lasting(works, errRoute).two(works, errRoute).wantEvents()
	c.lasting(errRoute, errRoute).wantEvents("Warning FailedGetExternalMetric metric a: no route")
	c.lasting(works, errRoute).lasting(works, works).two(works, works).wantEvents(working)
	c.lasting(errRoute, works).two(errRoute, works).wantEvents(aFails)
	c.lasting(errRoute, errRoute).two(errRoute, errRoute).wantEvents("Warning FailedGetExternalMetric metric b: no route")
}

// TestAnAwaitedMetricHidesNoOther, and is no end of its own failure.
func TestAnAwaitedMetricHidesNoOther(t *testing.T) {
	c := newCluster(t, quick())
	c.lasting(metrics.ErrPending, errRoute).two(metrics.ErrPending, errRoute).wantEvents("Warning FailedGetExternalMetric metric b: no route")
	c.lasting(works, metrics.ErrPending).lasting(works, metrics.ErrPending).wantEvents()
	c.lasting(works, errRoute).wantEvents()
	c.lasting(works, works).wantEvents(working)
}

func TestAnotherReasonIsToldAgain(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10"})
	c.samplesErr = errRoute
	c.reconcile(2 * tick).reconcile(tick).wantEvents("Warning FailedGetResourceMetric no route")
	c.samplesErr, c.unrequested = nil, true
	c.reconcile(2 * tick).reconcile(tick)
	if event := <-c.events.Events; !strings.HasPrefix(event, "Warning MissingRequest ") {
		t.Errorf("event %q, want MissingRequest", event)
	}
	c.wantEvents()
}

// TestTheResourceMetricsAPIIsToldOnce for all metrics that come from it.
func TestTheResourceMetricsAPIIsToldOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "target-memory": "50", "max": "10"})
	c.samplesErr = errRoute
	c.reconcile(2 * tick).reconcile(tick).wantEvents("Warning FailedGetResourceMetric no route")

	c = newCluster(t, map[string]string{"target-cpu": "50", "target-memory": "50", "max": "10"})
	c.samplesErr, c.answers = errRoute, map[string]any{"a": works}
	for range 4 {
		c.withCPU(queue("a", ""))
	}
	c.wantEvents("Warning FailedGetResourceMetric metrics cpu, memory: no route; until they are back, replicas may go up for the other metrics but not down")
}

// TestAMetricThatIsGoneIsNoFailure: it was failing when the annotation was changed.
func TestAMetricThatIsGoneIsNoFailure(t *testing.T) {
	c := newCluster(t, quick())
	c.lasting(works, errRoute)
	<-c.events.Events
	c.by(queue("a", ""))
	c.wantEvents(working)
}

// TestWhatFlapsIsToldOnce: a metric that fails and works again every second is one failure, which is told when it has failed for
// 30 s in all, and over when it has worked for 30 s in a row. What comes and goes sooner is not told at all. The decision and the
// condition are those of each look.
func TestWhatFlapsIsToldOnce(t *testing.T) {
	type look struct {
		after, times int
		fails        bool
	}
	for name, story := range map[string]struct {
		looks []look
		want  []string
	}{
		"a blip":                      {[]look{{0, 1, true}, {29, 1, false}, {31, 1, false}}, nil},
		"two blips":                   {[]look{{0, 1, true}, {16, 1, false}, {31, 1, false}, {1, 1, true}, {16, 1, false}, {60, 1, false}}, nil},
		"a failure":                   {[]look{{0, 1, true}, {29, 1, true}, {1, 9, true}}, []string{"30s " + aFails}},
		"a failure seen at its end":   {[]look{{0, 1, true}, {40, 1, false}, {31, 1, false}}, nil},
		"it is over":                  {[]look{{0, 1, true}, {30, 1, true}, {1, 1, false}, {29, 1, false}, {1, 2, false}}, []string{"30s " + aFails, "1m1s " + working}},
		"it is not quite over":        {[]look{{0, 1, true}, {30, 1, true}, {1, 1, false}, {29, 1, true}, {1, 20, false}}, []string{"30s " + aFails}},
		"a failure from time to time": {[]look{{0, 1, true}, {1, 1, false}, {60, 1, true}, {1, 1, false}, {60, 1, true}, {1, 1, false}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, now := newCluster(t, quick()), noon
			var told []string
			for _, l := range story.looks {
				for range l.times {
					now = now.Add(time.Duration(l.after) * time.Second)
					told = append(told, c.at(now, l.fails)...)
				}
			}
			if diff := cmp.Diff(story.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("every second", func(t *testing.T) {
		c := newCluster(t, quick())
		var told []string
		for second := range 600 {
			told = append(told, c.at(noon.Add(time.Duration(second)*time.Second), second%2 == 0)...)
		}
		for second := 600; second < 700; second++ {
			told = append(told, c.at(noon.Add(time.Duration(second)*time.Second), false)...)
		}
		if diff := cmp.Diff([]string{"1m0s " + aFails, "10m29s " + working}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// at looks once at a time at which metric a fails or works, and returns what that tells.
func (c *cluster) at(now time.Time, fails bool) (told []string) {
	c.t.Helper()
	c.now = now
	var a any = works
	if fails {
		a = errRoute
	}
	c.two(a, works)
	for len(c.events.Events) > 0 {
		told = append(told, now.Sub(noon).String()+" "+<-c.events.Events)
	}
	return told
}

// TestAFailureIsToldInTime, even if nothing happens until then and the next look would be late.
func TestAFailureIsToldInTime(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10", "sync-period": "10m"})
	c.samplesErr = errRoute
	c.reconcile(0)
	if c.lastWait != 30*time.Second {
		t.Errorf("the next look is in %s, want 30s", c.lastWait)
	}
	c.now = c.now.Add(c.lastWait)
	c.reconcile(0).wantEvents("Warning FailedGetResourceMetric no route")
	c.samplesErr = nil
	c.reconcile(0)
	if c.lastWait > 30*time.Second {
		t.Errorf("the next look is in %s, want 30s", c.lastWait)
	}
	c.now = c.now.Add(30 * time.Second)
	c.reconcile(0).wantEvents("Normal ValidMetricFound metrics are usable again: cpu utilization 50% at target 50% (1 of 1 pods, sample 2s old)")
	if c.lastWait <= 30*time.Second {
		t.Errorf("the next look is in %s, for which there is no reason any more", c.lastWait)
	}
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
	for range 3 {
		c.withCPU(specs...)
	}
	event := <-c.events.Events
	if !strings.HasSuffix(event, "; until they are back, replicas may go up for the other metrics but not down") || !strings.Contains(event, "metric e: ") {
		t.Errorf("event %q", event)
	}
}
