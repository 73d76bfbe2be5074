package scaler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// fleet is a Deployment in a loop that is closed: its pods share the load, are sampled every 5 s over 5 s, and come and go one after
// the other, each of which is a reason to look again. The feed and the Scaler are the real ones.
type fleet struct {
	*cluster
	feed *metrics.Feed
	mu   sync.Mutex // the feed lists from a goroutine of its own
	load float64    // millicores
	pods []*member
	made int
	// skewed is how far the clock of a pod's node is ahead.
	skewed func(pod int) time.Duration
	begun  time.Time
	look   bool
	sizes  []string
}

// member is one pod.
type member struct {
	number         int
	created, ready time.Time
	leaves         time.Time // zero while it stays
	used           float64   // millicore-seconds since the last sample
	sample         *sample.Pod
}

const step = 100 * time.Millisecond

func newFleet(t *testing.T, replicas int32, load float64, skewed func(int) time.Duration) *fleet {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "40", "scale-down-stabilization": "0s"})
	c.deployment.Spec.Replicas = &replicas
	f := &fleet{cluster: c, load: load, skewed: skewed, begun: time.Now()}
	for range replicas {
		f.add(time.Now().Add(-time.Hour))
	}
	f.feed = metrics.NewFeed(metrics.Config{Lister: f, Resolution: 5 * time.Second, OnSamples: f.onSamples})
	c.events = record.NewFakeRecorder(10000)
	observer := Observer{Workloads: f, Surroundings: c, Samples: f.feed, Answers: c, Defaults: annotations.DefaultDefaults(), Rules: recommend.DefaultRules(), Now: time.Now}
	c.scaler = New(Deps{Observer: observer, Scales: c, Events: c.events, Telemetry: NewTelemetry(prometheus.NewRegistry()), Log: zap.NewNop()})
	return f
}

func (f *fleet) add(created time.Time) {
	f.pods = append(f.pods, &member{number: f.made, created: created, ready: created.Add(2 * time.Second)})
	f.made++
}

// Pods is Workloads'.
func (f *fleet) Pods(*annotations.Workload) []*podspec.Pod {
	var all []*podspec.Pod
	for _, m := range f.pods {
		ahead := f.skewed(m.number)
		pod := &podspec.Pod{
			Namespace: "default", Name: m.name(), Node: fmt.Sprintf("node-%s", ahead), Created: m.created, Started: m.created.Add(ahead), Deleted: m.leaves,
			Phase: corev1.PodRunning, Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: m.ready.Add(ahead)},
			Spec: &podspec.Spec{Containers: []corev1.Container{app()}},
		}
		if time.Now().Before(m.ready) {
			pod.Ready = podspec.Condition{Status: corev1.ConditionFalse, Since: pod.Started}
		}
		all = append(all, pod)
	}
	return all
}

func (m *member) name() string { return fmt.Sprintf("web-%03d", m.number) }

func (m *member) serves() bool { return m.leaves.IsZero() && !time.Now().Before(m.ready) }

func (f *fleet) onSamples([]types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look = true
}

// List is metrics.Lister's.
func (f *fleet) List(context.Context) (metrics.Listing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all metrics.Listing
	for _, m := range f.pods {
		if m.sample != nil {
			all.Samples = append(all.Samples, *m.sample)
		}
	}
	return all, nil
}

// run lets time pass. At each look the size after it is noted, if it is another one.
func (f *fleet) run(ctx context.Context, took time.Duration) {
	next := time.Now()
	for end := time.Now().Add(took); time.Now().Before(end); time.Sleep(step) {
		synctest.Wait()
		f.mu.Lock()
		f.live(int(time.Since(f.begun) / step))
		if f.look || !time.Now().Before(next) {
			next = time.Now().Add(f.reconcile(ctx))
		}
		f.mu.Unlock()
	}
}

func (f *fleet) reconcile(ctx context.Context) time.Duration {
	f.look = false
	before := *f.deployment.Spec.Replicas
	wait, _ := f.scaler.Reconcile(ctx, web)
	if after := *f.deployment.Spec.Replicas; after != before {
		f.follow(int(after))
		f.sizes = append(f.sizes, fmt.Sprintf("%s: %d", time.Since(f.begun).Truncate(time.Second), after))
	}
	return wait
}

// live shares the load for a step, samples, and takes away pods that have ended.
func (f *fleet) live(number int) {
	serving := 0
	for _, m := range f.pods {
		if m.serves() {
			serving++
		}
	}
	for _, m := range f.pods {
		if m.serves() {
			m.used += min(f.load/float64(serving), 2000) * step.Seconds()
		}
		if number%50 == 7 {
			f.publish(m, number > 50)
		}
	}
	left := slices.DeleteFunc(slices.Clone(f.pods), func(m *member) bool { return !m.leaves.IsZero() && !time.Now().Before(m.leaves) })
	f.look = f.look || len(left) < len(f.pods)
	f.pods = left
}

// publish samples a pod, if it has run for a whole window.
func (f *fleet) publish(m *member, whole bool) {
	const window = 5 * time.Second
	if whole && time.Since(m.created) >= window {
		m.sample = &sample.Pod{Namespace: "default", Name: m.name(),
			Time: time.Now().Add(f.skewed(m.number)).Truncate(time.Second), Window: window,
			Containers: []sample.Container{{Name: "app", Usage: sample.Usage{
				{Resource: corev1.ResourceCPU, Quantity: *resource.NewMilliQuantity(int64(m.used/window.Seconds()+.5), resource.DecimalSI)}}}}}
	}
	m.used = 0
}

// follow makes the pods as many as the replicas: the youngest go first, one every 300 ms.
func (f *fleet) follow(replicas int) {
	f.deployment.Status.Replicas = int32(replicas)
	staying := 0
	for _, m := range f.pods {
		if !m.leaves.IsZero() {
			continue
		}
		if staying++; staying > replicas {
			m.leaves = time.Now().Add(time.Duration(staying-replicas) * 300 * time.Millisecond)
		}
	}
	for ; staying < replicas; staying++ {
		f.add(time.Now())
	}
}

// TestClocksOfNodesDoNotMatter: with the clocks of all nodes, of a third or of half of them ahead or behind, the replicas are written as with
// right clocks.
func TestClocksOfNodesDoNotMatter(t *testing.T) {
	for name, story := range map[string]struct {
		replicas   int32
		load, then float64
	}{
		"out":    {2, 900, 5000},
		"in":     {20, 10000, 6000},
		"steady": {5, 2500, 2500},
	} {
		sizes := func(t *testing.T, skewed func(int) time.Duration) (sizes []string) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, story.replicas, story.load, skewed)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); f.feed.Run(ctx) }()
				f.run(ctx, 40*time.Second)
				if len(f.sizes) > 0 {
					t.Errorf("before the step: %v", f.sizes)
				}
				f.load = story.then
				f.run(ctx, 2*time.Minute)
				sizes = f.sizes
				cancel()
				<-done
			})
			return sizes
		}
		right := sizes(t, func(int) time.Duration { return 0 })
		for who, share := range map[string]int{"all": 1, "a third": 3, "half": 2} {
			for _, ahead := range []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, 10 * time.Minute, -20 * time.Second, -40 * time.Second, -time.Minute, -10 * time.Minute} {
				t.Run(fmt.Sprintf("%s, %s %s ahead", name, who, ahead), func(t *testing.T) {
					got := sizes(t, func(pod int) time.Duration {
						if pod%share == 0 {
							return ahead
						}
						return 0
					})
					if diff := cmp.Diff(right, got); diff != "" {
						t.Errorf("(-right clocks +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// TestAClockThatIsOffIsToldOnce: on the first Deployment that shows the node, with how far it is off, and not while that is not certain.
func TestAClockThatIsOffIsToldOnce(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10"})
	c.node = "n1"
	text := func(off string) string {
		return "Warning NodeClockOff the clock of node n1 is " + off + " the controller's; its pods are scaled as if it were right, but set it (NTP): " +
			"certificates, leases and logs depend on it. If many nodes are told of, see to the controller's own node"
	}
	offset := func() float64 { return gathered(t, c.registry, "mini_hpa_node_clock_offset_seconds") }

	c.ahead, c.advanced = 10*time.Minute, false
	c.reconcile(tick).wantEvents() // a first sample may be an old one
	c.advanced = true
	c.reconcile(tick).reconcile(tick).wantEvents(text("10m0s ahead of"))
	if got := offset(); got != 600 {
		t.Errorf("offset %v, want 600", got)
	}
	c.ahead = 50 * time.Second
	c.reconcile(tick).wantEvents() // it is neither off nor right
	c.ahead = 2 * time.Second
	c.reconcile(tick).wantEvents()
	if got := offset(); got != 0 {
		t.Errorf("offset %v of a clock that is right", got)
	}
	c.ahead = -61 * time.Second
	c.reconcile(tick).wantEvents(text("1m1s behind"))
	if got := offset(); got != -61 {
		t.Errorf("offset %v, want -61", got)
	}
	c.scaler.Withdraw()
	if got := offset(); got != 0 {
		t.Errorf("offset %v in a standby", got)
	}
}

// TestHowOldASampleWasIsNotTheClocksOffset: a node that is less than a minute behind and whose samples come late is not told.
func TestHowOldASampleWasIsNotTheClocksOffset(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10"})
	c.node, c.advanced = "n1", true
	for _, behind := range []time.Duration{50 * time.Second, 62 * time.Second} {
		c.ahead, c.created = -behind-13*time.Second, c.now.Add(behind-c.podAge) // samples are 14 s old when they are read
		c.reconcile(0)
	}
	c.wantEvents("Warning NodeClockOff the clock of node n1 is 1m2s behind the controller's; its pods are scaled as if it were right, but set it (NTP): " +
		"certificates, leases and logs depend on it. If many nodes are told of, see to the controller's own node")
}

// TestAClockOfANodeThatIsGoneIsForgotten once nothing was heard of it for long, whether anybody asks for metrics or not.
func TestAClockOfANodeThatIsGoneIsForgotten(t *testing.T) {
	c := newCluster(t, map[string]string{"target-cpu": "50", "max": "10"})
	c.ahead, c.advanced = 10*time.Minute, true
	offset := func() float64 { return gathered(t, c.registry, "mini_hpa_node_clock_offset_seconds") }
	for i := range 100 { // nodes that come, are off and go
		c.node = fmt.Sprintf("n%d", i)
		c.reconcile(time.Minute)
	}
	if n := len(c.scaler.telemetry.clocks.off); n > 12 {
		t.Errorf("%d nodes are remembered", n)
	}
	c.node, c.ahead = "right", 0
	if c.reconcile(clockKnown - time.Minute).reconcile(0); offset() != 600 {
		t.Errorf("the last one is %v ahead, want 600", offset())
	}
	c.now = c.now.Add(3 * time.Minute)
	if c.reconcile(0); offset() != 0 {
		t.Errorf("it is gone, and %v ahead", offset())
	}
}

// gathered is the sum of a gauge's series; 0 if there are none.
func gathered(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				sum += metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}
