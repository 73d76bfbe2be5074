package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// lister answers as the metrics API does, or with err.
type lister struct {
	mu    sync.Mutex
	err   error
	calls int
}

// List is metrics.Lister's.
func (l *lister) List(context.Context) ([]metricsv1beta1.PodMetrics, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return nil, l.err
}

func (l *lister) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// cluster is fake clients with one annotated Deployment, and a process on them.
type cluster struct {
	client  *fake.Clientset
	samples *lister
	process *process
	logs    *observer.ObservedLogs
}

func newCluster(t *testing.T) *cluster {
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "uid-d",
		Annotations: map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"}}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}}
	core, logs := observer.New(zapcore.InfoLevel)
	c := &cluster{client: fake.NewClientset(d), samples: &lister{}, logs: logs}
	task := newControllerTask()
	task.election.enabled = false
	task.serve = serveFlags{metrics: disabled, probes: disabled}
	p, err := task.assemble(clients{watch: c.client, replica: metadatafake.NewSimpleMetadataClient(scheme), act: c.client, tell: c.client,
		lead: c.client, samples: c.samples, deadline: time.Second}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	c.process = p
	return c
}

// term runs one term, in which something may happen.
func (c *cluster) term(t *testing.T, during func()) {
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
func (c *cluster) series(t *testing.T) []string {
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
		c.term(t, func() {})
		if len(c.process.scaler.Keys()) != 1 || len(c.series(t)) != 1 {
			t.Fatalf("the first term knows %v, %v", c.process.scaler.Keys(), c.series(t))
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

func TestMetricsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.samples.set(errors.New("down"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.process.run(ctx) }()
		time.Sleep(time.Minute)
		c.samples.set(nil)
		time.Sleep(time.Minute)
		c.samples.set(errors.New("down"))
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
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
