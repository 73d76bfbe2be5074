package scaler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// gate is the Doors and the Requests of a story.
type gate struct {
	requests wake.Requests
	unknown  error
	led      wake.Led
	err      error
	stranded string
	asked    []wake.Wanted
	wakes    []annotations.Wake
	stayed   int
	left     int
	refused  uint64
	forgot   int
	leads    []wake.Lead
}

func (g *gate) Requests(annotations.Key) (wake.Requests, error) { return g.requests, g.unknown }

func (g *gate) Look(key annotations.Key) (wake.Requests, error) { return g.Requests(key) }

func (g *gate) Stranded(annotations.Key) string { return g.stranded }

func (g *gate) Lead(_ context.Context, _ *annotations.Workload, p annotations.Wake, wanted wake.Wanted) (wake.Led, error) {
	g.asked, g.wakes = append(g.asked, wanted), append(g.wakes, p)
	return g.led, g.err
}

func (g *gate) Stay(context.Context, *annotations.Workload) (time.Duration, error) {
	g.stayed++
	return 7 * time.Second, nil
}

func (g *gate) Leave(context.Context, annotations.Key) (time.Duration, error) {
	g.left++
	return time.Second, nil
}

func (g *gate) Refused(annotations.Key) uint64 {
	n := g.refused
	g.refused = 0
	return n
}

func (g *gate) Leads(annotations.Key) []wake.Lead { return g.leads }

func (g *gate) Forget(annotations.Key) { g.forgot++ }

// sleeper is a workload that requests wake, and that a backlog keeps awake.
func sleeper(t *testing.T) (*cluster, *gate) {
	c := newCluster(t, map[string]string{"min": "0", "max": "10", "wake": "requests", "sleep-after": "1m", "scale-down-stabilization": "0s",
		"metrics": `[{"type":"External","external":{"metric":{"name":"backlog"},"target":{"type":"AverageValue","averageValue":"10"}}}]`})
	c.deployment.Spec.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 10}}}
	g := &gate{}
	c.scaler.doors, c.scaler.observer.Requests = g, g
	c.answers = map[string]any{"backlog": int64(0)}
	return c, g
}

// TestZeroWaitsForTheDoors: nothing but 0 replicas waits, and it is decided anew when they may be written.
func TestZeroWaitsForTheDoors(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute)
	g.led = wake.Led{Closed: &wake.Closed{For: 7 * time.Second, Because: "not every node may know"}, Next: 7 * time.Second}
	c.reconcile(7 * time.Second).wantWrites()
	if c.lastWait != 7*time.Second || g.asked[len(g.asked)-1].Desired != 0 {
		t.Errorf("again in %s, asked for %+v", c.lastWait, g.asked)
	}
	g.requests = wake.Requests{Held: 1, Active: true} // somebody comes meanwhile
	g.led = wake.Led{}
	c.reconcile(2 * time.Second).wantWrites()
	if got := g.asked[len(g.asked)-1].Desired; got != 1 {
		t.Errorf("asked for %d replicas", got)
	}
	g.requests = wake.Requests{}
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
	c.wantEvents("Normal SuccessfulRescale New size: 0; reason: none of the metrics and sources that can wake it is active: there is nothing to do")
}

// TestARequestWakes at once, also while slices cannot be written.
func TestARequestWakes(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
	c.wantEvents("Normal SuccessfulRescale New size: 0; reason: none of the metrics and sources that can wake it is active: there is nothing to do")
	c.reconcile(tick).wantWrites(0)
	g.requests, g.err = wake.Requests{Held: 3, Active: true}, errors.New("the API server is away")
	g.led.Closed = &wake.Closed{Because: "its EndpointSlices could not be written"}
	c.reconcile(tick).wantWrites(0, 1)
	if c.lastFailure == nil {
		t.Error("slices are not tried again")
	}
	c.wantEvents("Normal SuccessfulRescale New size: 1; reason: activator@requests 3, above 0: wakes")
}

// TestWhatTheDoorsTell: what keeps a workload awake is told once, and refused requests once in five minutes.
func TestWhatTheDoorsTell(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute)
	g.led.Closed = &wake.Closed{Because: `no activator listens for Service "web"`, Lasts: true}
	c.reconcile(tick).reconcile(tick).wantWrites().
		wantEvents(`Warning NotPutToSleep there is nothing to do, and it stays awake: no activator listens for Service "web"`)
	g.refused = 4
	c.reconcile(time.Minute).wantEvents("Warning RequestsRefused activators have refused 4 requests: no pod was ready in time, or too many waited already. " +
		"hold and limit of mini-hpa/wake say for how long, and how many")
	g.refused = 5
	c.reconcile(3 * time.Minute).reconcile(time.Minute).wantEvents()
	c.reconcile(tick).wantEvents("Warning RequestsRefused activators have refused 5 requests: no pod was ready in time, or too many waited already. " +
		"hold and limit of mini-hpa/wake say for how long, and how many")
}

// TestNothingIsKnownOfRequests: without an activator a workload is not put to sleep, and while they begin to tell nothing is told.
func TestNothingIsKnownOfRequests(t *testing.T) {
	c, g := sleeper(t)
	g.unknown = wake.ErrUnknown
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites().wantEvents()
	g.unknown = wake.ErrNobody
	c.reconcile(time.Minute).reconcile(time.Minute).wantWrites()
	c.wantEvents("Warning FailedGetSource metric activator@requests: " + wake.ErrNobody.Error() +
		"; until it is back, replicas may go up for the other metrics but not down")
}

// TestPausedDoors: those of a workload on which nothing is decided stay, and those of one that is scaled no more go.
func TestPausedDoors(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
	c.deployment = c.deployment.DeepCopy()
	c.deployment.Annotations["mini-hpa/mode"] = "paused"
	c.reconcile(tick)
	c.deployment = c.deployment.DeepCopy()
	c.deployment.Annotations["mini-hpa/max"] = "ten"
	c.reconcile(tick)
	if g.stayed != 2 || g.left > 0 || c.lastWait != 7*time.Second {
		t.Errorf("stayed %d times, left %d times, again in %s", g.stayed, g.left, c.lastWait)
	}
	c.deployment.Annotations = nil
	c.deployment = c.deployment.DeepCopy()
	if c.reconcile(tick); g.left != 1 || g.forgot != 1 || c.lastWait != time.Second {
		t.Errorf("left %d times, forgotten %d times, again in %s", g.left, g.forgot, c.lastWait)
	}
}

// TestASleepThatRequestsCannotEndIsEnded: whoever comes finds nobody who would wake it.
func TestASleepThatRequestsCannotEndIsEnded(t *testing.T) {
	for name, pairs := range map[string]map[string]string{
		"the Service is headless": {},
		"the line is gone":        {"wake": ""},
		"several are to wake":     {"wake-replicas": "3"},
		"the source fails":        {},
	} {
		c, g := sleeper(t)
		c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
		c.wantEvents("Normal SuccessfulRescale New size: 0; reason: none of the metrics and sources that can wake it is active: there is nothing to do")
		for key, value := range pairs {
			c.deployment = c.deployment.DeepCopy()
			if c.deployment.Annotations["mini-hpa/"+key] = value; value == "" {
				delete(c.deployment.Annotations, "mini-hpa/"+key)
			}
		}
		if name == "the source fails" {
			c.answers = map[string]any{"backlog": errRoute}
		}
		g.stranded = `Service "web" is headless`
		want := int32(1)
		if pairs["wake-replicas"] != "" {
			want = 3
		}
		c.reconcile(tick).wantWrites(0, want)
		if _, gone := pairs["wake"]; gone && g.wakes[len(g.wakes)-1].Requests {
			t.Errorf("%s: led by %+v", name, g.wakes[len(g.wakes)-1])
		}
		if events := strings.Join(drain(c), "\n"); !strings.Contains(events, fmt.Sprintf(`New size: %d; reason: requests can wake it no more: Service "web" is headless: wakes`, want)) {
			t.Errorf("%s: told %s", name, events)
		}
	}
}

// TestASleepThatCannotBeEnded is shown with the decision that ends it, and with why that cannot be written: that is worse than what is wrong with it.
func TestASleepThatCannotBeEnded(t *testing.T) {
	c, _ := sleeper(t)
	c.deployment.Spec.Template.Labels = map[string]string{"app": "web"}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1", Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}}}
	c.surroundings = annotations.Surroundings{Activator: &annotations.Activator{}, Services: []*corev1.Service{service}}
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
	headless := service.DeepCopy()
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	c.surroundings.Services = []*corev1.Service{headless}
	c.scaleErr = apierrors.NewForbidden(deployments, "web", errors.New("no"))
	c.reconcile(tick).wantWrites(0)
	shown, _ := c.scaler.Show(web)
	if d := shown.Decision; d == nil || d.Desired != 1 || !strings.Contains(d.Reason.String(), "requests can wake it no more: Service \"web\" is headless") || len(shown.Problems) != 1 {
		t.Errorf("shown: %+v, problems %q", d, shown.Problems)
	}
	const targets = "backlog: 0/10, activator@requests: 0 | 0..10 0 0 1 | "
	if got, want := c.row(), targets+`DENIED | 30s (1->0) | scaling deployment default/web from 0 to 1: deployments.apps "web" is forbidden: no`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.scaleErr = nil
	c.reconcile(tick).wantWrites(0, 1)
	if got, want := c.row(), "INVALID"; !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.reconcile(tick)
	if got, want := c.row(), " | -..- 1 1 - | INVALID"; !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestObservedDoors: nothing is led anywhere where nothing is written.
func TestObservedDoors(t *testing.T) {
	c, g := sleeper(t)
	c.deployment.Annotations["mini-hpa/mode"] = "observe"
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites()
	c.scaler.observer.Rules = recommend.Rules{Compat: true}
	asked := len(g.asked)
	c.reconcile(tick)
	if len(g.asked) != asked {
		t.Error("asked where the rules of the HPA controller are followed")
	}
}

// TestHowLongAWakeTook is measured from the first request to the answer of the write, and from there to the first ready pod, and shown.
func TestHowLongAWakeTook(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute).reconcile(tick).wantWrites(0)
	g.requests = wake.Requests{Held: 3, Active: true, Waiting: 80 * time.Millisecond}
	g.requests.Firsts.Observe(30 * time.Millisecond)
	c.reconcile(tick).wantWrites(0, 1)
	c.reconcile(3 * time.Second)
	g.leads = []wake.Lead{{Service: "web", Slice: "mini-hpa-web", Face: "active"}}
	shown, known := c.scaler.Show(web)
	if len(shown.Leads) != 1 || shown.Leads[0].Slice != "mini-hpa-web" {
		t.Errorf("it is led by %+v", shown.Leads)
	}
	if !known || shown.Requests == nil {
		t.Fatalf("%+v %t", shown, known)
	}
	r := shown.Requests
	if r.Held != 3 || r.Reaction.Count != 1 || r.Reaction.P99.Duration != 100*time.Millisecond || r.Start.Count != 1 || r.First.P50.Duration != 50*time.Millisecond {
		t.Errorf("%+v", r)
	}
	g.unknown = wake.ErrNobody
	if shown, _ := c.scaler.Show(web); shown.Requests.Unknown == "" || shown.Requests.Reaction.Count != 1 {
		t.Errorf("%+v", shown.Requests)
	}
}

// TestAllRequestsAreHeldAtATarget: the number at a time decides, also between 0 and 1, and the number of those that wait while nothing is known on average.
func TestAllRequestsAreHeldAtATarget(t *testing.T) {
	c := newCluster(t, map[string]string{"min": "0", "max": "10", "wake": "requests service=api path=always target=20", "scale-down-stabilization": "0s"})
	g := &gate{}
	c.scaler.doors, c.scaler.observer.Requests = g, g
	at := func(average float64) wake.Requests {
		return wake.Requests{InFlight: 7, Active: true, Average: &average}
	}
	g.requests = at(100)
	c.reconcile(time.Minute).wantWrites(5)
	g.requests = at(40.001)
	c.reconcile(time.Minute).wantWrites(5, 3)
	g.requests = at(0.004)
	c.reconcile(time.Minute).wantWrites(5, 3, 1)
	g.unknown = wake.ErrMissing
	c.reconcile(time.Hour).wantWrites(5, 3, 1)
	g.unknown, g.requests = nil, at(0)
	g.requests.InFlight, g.requests.Active = 0, false
	c.reconcile(time.Minute).reconcile(time.Minute).wantWrites(5, 3, 1, 0)
	g.requests = wake.Requests{Held: 60, Active: true}
	c.reconcile(time.Minute).wantWrites(5, 3, 1, 0, 3)
}

// TestAlwaysIsLedOn where nothing is scaled: the Service has no other way to its pods.
func TestAlwaysIsLedOn(t *testing.T) {
	c := newCluster(t, map[string]string{"min": "0", "max": "10", "wake": "requests service=api path=always", "scale-down-stabilization": "0s", "mode": "observe"})
	g := &gate{}
	c.scaler.doors, c.scaler.observer.Requests = g, g
	c.reconcile(time.Minute).reconcile(time.Minute).wantWrites()
	c.deployment = c.deployment.DeepCopy()
	c.deployment.Annotations["mini-hpa/mode"] = "paused"
	c.reconcile(tick)
	if n := len(g.asked); n != 2 || g.asked[n-1] != g.asked[0] || g.asked[0].Desired != 1 || g.asked[0].Off || g.stayed != 1 {
		t.Errorf("led %+v, stayed %d times", g.asked, g.stayed)
	}
}

// forgetting is the Workloads of a Scaler that forgets a workload while somebody asks how it stands.
type forgetting struct {
	Workloads
	scaler *Scaler
}

func (f forgetting) Pods(w *annotations.Workload) []*podspec.Pod {
	f.scaler.memory.forget(web)
	return f.Workloads.Pods(w)
}

// TestAWorkloadIsForgottenWhileItIsShown, as when another process begins to lead: it is shown as it was.
func TestAWorkloadIsForgottenWhileItIsShown(t *testing.T) {
	c, g := sleeper(t)
	c.reconcile(2 * time.Minute).reconcile(tick)
	g.requests = wake.Requests{Held: 3, Active: true}
	c.scaler.observer.Workloads = forgetting{c.scaler.observer.Workloads, c.scaler}
	if shown, known := c.scaler.Show(web); !known || shown.Requests == nil || shown.Requests.Held != 3 {
		t.Errorf("%+v %t", shown, known)
	}
	if shown, known := c.scaler.Show(web); known {
		t.Errorf("it is forgotten, and shown: %+v", shown)
	}
}
