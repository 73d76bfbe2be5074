package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// lister answers as the metrics API does, or with err.
type lister struct {
	mu      sync.Mutex
	err     error
	samples []sample.Pod
}

// List is metrics.Lister's.
func (l *lister) List(context.Context) (metrics.Listing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return metrics.Listing{Samples: append([]sample.Pod(nil), l.samples...)}, l.err
}

func (l *lister) set(err error, samples ...sample.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.samples = err, samples
}

// controlled is fake clients with one annotated Deployment, and a process on them.
type controlled struct {
	client  *fake.Clientset
	samples *lister
	process *process
	logs    *observer.ObservedLogs
}

func newCluster(t *testing.T) *controlled { return newClusterOf(t, func(*task, *appsv1.Deployment) {}) }

// newClusterOf is newCluster with another Deployment, other flags and more objects.
func newClusterOf(t *testing.T, edit func(*task, *appsv1.Deployment), more ...runtime.Object) *controlled {
	owner := func(kind, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "default", UID: types.UID("uid-" + kind), OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: new(true)}}}
	}
	// With this sync period nothing looks at the workload within the test unless something happens to it.
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "uid-web",
		Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10", "mini-hpa/sync-period": "1h"}},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}}
	rs := &appsv1.ReplicaSet{ObjectMeta: owner("Deployment", "web")}
	rs.Name, rs.UID = "web-1", "uid-web-1"
	pod := &corev1.Pod{ObjectMeta: owner("ReplicaSet", "web-1")}
	pod.Name, pod.UID = "web-1-a", "uid-web-1-a"
	core, logs := observer.New(zapcore.InfoLevel)
	task := newTask()
	edit(task, d)
	c := &controlled{client: fake.NewClientset(append(more, d, rs, pod)...), samples: &lister{}, logs: logs}
	task.election.Enabled = false
	task.serve = endpoint.Flags{Metrics: cli.NoAddress, Probes: cli.NoAddress}
	task.state = stateFlag{address: cli.NoAddress}
	p, err := task.assemble(cli.Build{}, cluster.Clients{Watches: watching.NewWatches("", nil), Watch: c.client, Dynamic: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()),
		Act: c.client, Tell: c.client, Lead: c.client, Samples: c.samples, Deadline: time.Second}, election.NewTenure(task.election), nil, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	c.process = p
	return c
}

// term runs one term, in which something may happen.
func (c *controlled) term(t *testing.T, during func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.process.term(ctx)
	}()
	time.Sleep(time.Minute)
	during()
	cancel()
	<-ended
	synctest.Wait()
}

// series are the names and labels of the metrics that tell of a workload.
func (c *controlled) series(t *testing.T) []string {
	families, err := c.process.telemetry.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		if f.GetName() == "mini_hpa_desired_replicas" {
			for _, m := range f.GetMetric() {
				names = append(names, m.String())
			}
		}
	}
	return names
}

func TestTermForgetsWhatWasLeftAloneInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		ctx, stop := context.WithCancel(t.Context())
		if err := c.process.set.Start(ctx); err != nil {
			t.Fatal(err)
		}
		c.term(t, func() {
			if len(c.process.scaler.Keys()) != 1 || len(c.series(t)) != 1 {
				t.Errorf("the first term knows %v, %v", c.process.scaler.Keys(), c.series(t))
			}
		})
		if len(c.process.scaler.Keys()) != 1 || len(c.series(t)) != 0 {
			t.Fatalf("after the first term %v is known and %v is shown, want the workload and nothing", c.process.scaler.Keys(), c.series(t))
		}
		d, err := c.client.AppsV1().Deployments("default").Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d.Annotations = nil
		if _, err := c.client.AppsV1().Deployments("default").Update(ctx, d, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(c.process.scaler.Keys()) != 1 {
			t.Error("something is forgotten outside of a term")
		}
		c.term(t, func() {})
		if len(c.process.scaler.Keys()) != 0 || len(c.series(t)) != 0 {
			t.Errorf("the second term still knows %v, %v", c.process.scaler.Keys(), c.series(t))
		}
		stop()
		c.process.set.Wait()
		c.process.flush()
	})
}

// looks is how often a workload was evaluated.
func (c *controlled) looks(t *testing.T) (n float64) {
	families, err := c.process.telemetry.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "mini_hpa_reconciliations_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// TestALeaderThatMayNotWriteWaits: until its lease is renewed, or its term ends.
func TestALeaderThatMayNotWriteWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		tenure := election.NewTenure(election.DefaultFlags())
		c.process.leadership.Tenure = tenure
		ctx, stop := context.WithCancel(t.Context())
		if err := c.process.set.Start(ctx); err != nil {
			t.Fatal(err)
		}
		c.term(t, func() {
			if n := c.looks(t); n != 0 {
				t.Errorf("%v looks without a tenure", n)
			}
			tenure.Renew(tenure.Clock())
			time.Sleep(c.process.leadership.Flags.RetryPeriod)
			synctest.Wait()
			if n := c.looks(t); n != 1 {
				t.Errorf("%v looks after the renewal, want 1", n)
			}
		})
		stop()
		c.process.set.Wait()
		c.process.flush()
	})
}

func TestMetricsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.samples.set(errors.New("down"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.process.run(ctx) }()
		time.Sleep(time.Minute)
		looks := c.looks(t)
		expect := func(what string, more float64) {
			t.Helper()
			time.Sleep(time.Minute)
			if now := c.looks(t); now != looks+more {
				t.Errorf("%s: %v looks at the workload, want %v", what, now-looks, more)
			}
			looks = c.looks(t)
		}
		expect("nothing happens", 0)
		c.samples.set(nil)
		expect("metrics are back", 1)
		c.samples.set(nil, sampleAt(time.Now()))
		expect("a sample", 1)
		c.samples.set(nil, sampleAt(time.Now()))
		expect("a newer sample", 1)
		c.samples.set(errors.New("down"))
		expect("metrics are gone", 1)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.process.telemetry.leading.Load() {
			t.Error("still leading after the end")
		}
		var told []string
		for _, line := range c.logs.All() {
			if strings.Contains(line.Message, "metrics") && line.LoggerName == "" {
				told = append(told, line.Level.String()+": "+line.Message)
			}
		}
		want := []string{"warn: no metrics at the start of the term", "warn: no current metrics; nothing is scaled in until they are back",
			"info: metrics are current", "warn: no current metrics; nothing is scaled in until they are back"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("the log tells (-want +got):\n%s", diff)
		}
	})
}

// TestAWorkloadAnnotatedNowIsScaledAtOnce: samples of pods that no selected workload owns are not kept, but they are a LIST away.
func TestAWorkloadAnnotatedNowIsScaledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		d, err := c.client.AppsV1().Deployments("default").Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		bare := d.DeepCopy()
		bare.Annotations = nil
		if err := c.client.Tracker().Update(appsv1.SchemeGroupVersion.WithResource("deployments"), bare, "default"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.process.run(ctx) }()
		time.Sleep(time.Minute)
		c.samples.set(nil, sampleAt(time.Now()))
		time.Sleep(time.Minute)
		if kept, stamp := c.process.feed.Sample("default", "web-1-a"); kept != nil || stamp == nil || c.looks(t) > 0 {
			t.Errorf("kept %v with stamp %v of a pod that nobody scales, %v looks", kept, stamp, c.looks(t))
		}
		time.Sleep(time.Minute)
		if err := c.client.Tracker().Update(appsv1.SchemeGroupVersion.WithResource("deployments"), d, "default"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		kept, _ := c.process.feed.Sample("default", "web-1-a")
		if kept == nil || c.looks(t) != 1 {
			t.Errorf("after 0.3 s: sample %v, %v looks; want one, with it", kept, c.looks(t))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// TestTheLogTellsOfAnOutageOnce, however often the metrics API comes and goes meanwhile.
func TestTheLogTellsOfAnOutageOnce(t *testing.T) {
	gone := "no current metrics; nothing is scaled in until they are back"
	for name, story := range map[string]struct {
		fails, works time.Duration
		times        int
		want         []string
	}{
		"a blip":      {20 * time.Second, 10 * time.Second, 1, nil},
		"an outage":   {time.Minute, time.Minute, 1, []string{gone, "metrics are current"}},
		"it flaps":    {time.Second, time.Second, 300, []string{gone, "metrics are current"}},
		"two outages": {time.Minute, time.Minute, 2, []string{gone, "metrics are current", gone, "metrics are current"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.InfoLevel)
				log, o := zap.New(core), outage{}
				for range story.times {
					o.changed(log, errors.New("down"))
					time.Sleep(story.fails)
					o.changed(log, nil)
					time.Sleep(story.works)
				}
				time.Sleep(time.Hour)
				o.end()
				var told []string
				for _, line := range logs.All() {
					told = append(told, line.Message)
				}
				if diff := cmp.Diff(story.want, told); diff != "" {
					t.Errorf("the log tells (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestFailuresOfANamespaceAreBounded, as all is that the log says of one.
func TestFailuresOfANamespaceAreBounded(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	p := &process{log: zap.New(core), budget: scaler.NewBudget(prometheus.NewRegistry(), zap.NewNop())}
	for range 300 {
		p.failed(fmt.Errorf("working: %w", &informer.WorkloadError{Key: annotations.Key{Namespace: "shop", Name: "web"}, Failures: 1, Err: errors.New("forbidden")}))
	}
	p.failed(errors.New("something else"))
	if n := logs.Len(); n != 201 {
		t.Errorf("%d lines, want 200 of the namespace, and that of something else", n)
	}
}

func sampleAt(at time.Time) sample.Pod {
	return sample.Pod{Namespace: "default", Name: "web-1-a", Time: at, Window: 15 * time.Second}
}

func TestAgeOfSamples(t *testing.T) {
	tests := map[string]struct {
		age     time.Duration // of the newest; 0 if there is none
		pods    int
		leading bool
		want    []float64
	}{
		"leading":             {age: 7 * time.Second, pods: 3, leading: true, want: []float64{7}},
		"nothing runs now":    {age: 7 * time.Second, leading: true},
		"standing by":         {age: 7 * time.Second, pods: 3},
		"no sample as yet":    {leading: true},
		"standing by, no age": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var newest time.Time
				if test.age > 0 {
					newest = time.Now().Add(-test.age)
				}
				tel := newTelemetry(cli.Build{Version: "v0", Commit: "c", GoVersion: "go1"})
				tel.leading.Store(test.leading)
				tel.watch(fixed{Newest: newest, Pods: test.pods, Lists: 5, Failures: 2})
				families, err := tel.registry.Gather()
				if err != nil {
					t.Fatal(err)
				}
				var ages []float64
				for _, f := range families {
					switch value := f.GetMetric()[0]; f.GetName() {
					case "mini_hpa_metrics_age_seconds":
						ages = append(ages, value.GetGauge().GetValue())
					case "mini_hpa_metrics_lists_total":
						if got := value.GetCounter().GetValue(); got != 5 {
							t.Errorf("%v lists", got)
						}
					case "mini_hpa_metrics_list_failures_total":
						if got := value.GetCounter().GetValue(); got != 2 {
							t.Errorf("%v failures", got)
						}
					}
				}
				if diff := cmp.Diff(test.want, ages); diff != "" {
					t.Errorf("ages (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// fixed is a feed that stands still.
type fixed metrics.Status

// Status is the feed's.
func (f fixed) Status() metrics.Status { return metrics.Status(f) }

func TestNoPortStaysOpenIfOneIsTaken(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	c := newCluster(t)
	c.process.flush()
	ports := endpoint.Flags{Metrics: "127.0.0.1:0", Probes: strings.TrimPrefix(server.URL, "http://")}
	if err := c.process.ports.open(ports, nil, c.process.telemetry, nil, nil); err == nil {
		t.Fatal("a port that is taken was opened")
	}
	if n := len(c.process.ports.endpoints); n != 1 {
		t.Fatalf("%d ports were opened", n)
	}
	if c, err := net.Dial("tcp", c.process.ports.endpoints[0].Address().String()); err == nil {
		c.Close()
		t.Error("the other port is open")
	}
}
