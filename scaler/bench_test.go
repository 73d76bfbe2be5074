package scaler

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// resting is a workload at rest: what its Scaler reads is in memory, as in a cluster, and nothing has to be written.
type resting struct {
	*metrics.Feed
	workload *annotations.Workload
	pods     []*podspec.Pod
}

func (s *resting) Workload(annotations.Key) *annotations.Workload { return s.workload }
func (s *resting) Pods(*annotations.Workload) []*podspec.Pod      { return s.pods }
func (s *resting) Surroundings(_, _ *annotations.Workload) (none annotations.Surroundings) {
	return none
}

// List is metrics.Lister's: every pod uses what its target is.
func (s *resting) List(context.Context) (metrics.Listing, error) {
	items := make([]sample.Pod, len(s.pods))
	for i, pod := range s.pods {
		items[i] = sample.Pod{Namespace: pod.Namespace, Name: pod.Name, Time: noon, Window: 15 * time.Second,
			Containers: []sample.Container{{Name: "app", Usage: sample.UsageOf(corev1.ResourceList{
				corev1.ResourceCPU: *resource.NewMilliQuantity(500, resource.DecimalSI), corev1.ResourceMemory: resource.MustParse("512Mi")})}}}
	}
	return metrics.Listing{Samples: items}, nil
}

func newResting(b *testing.B, pods int, pairs map[string]string) *Scaler {
	b.Helper()
	s := &resting{}
	start := noon.Add(-time.Hour)
	for i := range pods {
		s.pods = append(s.pods, &podspec.Pod{
			Namespace: "default", Name: fmt.Sprintf("web-7c5ddbdf54-%05d", i), Created: start, Started: start, Phase: corev1.PodRunning,
			Ready: podspec.Condition{Status: corev1.ConditionTrue, Since: start}, Spec: &podspec.Spec{Containers: []corev1.Container{app()}},
		})
	}
	n := int32(pods) //nolint:gosec // the sizes of the benchmark
	s.workload = annotations.OfDeployment(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: types.UID("u1"), ResourceVersion: "1", Annotations: map[string]string{}},
		Spec:       appsv1.DeploymentSpec{Replicas: &n, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{app()}}}},
		Status:     appsv1.DeploymentStatus{Replicas: n},
	})
	for key, value := range pairs {
		s.workload.Annotations[annotations.Prefix+key] = value
	}
	s.Feed = metrics.NewFeed(metrics.Config{Lister: s})
	if err := s.Refresh(context.Background()); err != nil {
		b.Fatal(err)
	}
	now := noon.Add(2 * time.Second)
	observer := Observer{Workloads: s, Surroundings: s, Samples: s, Defaults: annotations.DefaultDefaults(), Rules: recommend.DefaultRules(),
		Now: func() time.Time { return now }}
	return New(Deps{Observer: observer, Events: record.NewFakeRecorder(1), Telemetry: NewTelemetry(prometheus.NewRegistry()), Log: zap.NewNop()})
}

const (
	longMetrics = `
- type: Resource
  resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
- type: Resource
  resource: {name: memory, target: {type: Utilization, averageUtilization: 80}}
`
	longBehavior = `
scaleDown: {stabilizationWindowSeconds: 120, policies: [{type: Percent, value: 10, periodSeconds: 60}]}
scaleUp: {policies: [{type: Pods, value: 4, periodSeconds: 15}, {type: Percent, value: 100, periodSeconds: 15}]}
`
)

// annotated are the ways in which a benchmark's workload says what it wants.
func annotated(pods int) map[string]map[string]string {
	most := fmt.Sprint(2 * pods)
	return map[string]map[string]string{
		"short": {"target-cpu": "50", "max": most},
		"long":  {"metrics": longMetrics, "behavior": longBehavior, "max": most},
	}
}

// BenchmarkReconcile is a whole look at a workload that needs no change, everything but the queue.
func BenchmarkReconcile(b *testing.B) {
	for _, pods := range []int{10, 100, 1000} {
		for kind, pairs := range annotated(pods) {
			b.Run(fmt.Sprintf("annotations=%s/pods=%d", kind, pods), func(b *testing.B) {
				s := newResting(b, pods, pairs)
				b.ReportAllocs()
				for b.Loop() {
					if wait, err := s.Reconcile(context.Background(), web); wait == 0 || err != nil {
						b.Fatal(wait, err)
					}
				}
			})
		}
	}
}

// BenchmarkGather is what of it is needed to put together what the decision sees.
func BenchmarkGather(b *testing.B) {
	for _, pods := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			s := newResting(b, pods, annotated(pods)["short"])
			d := s.observer.Workloads.Workload(web)
			policy, ok := s.review(s.recall(web, d), d)
			if !ok {
				b.Fatal("it cannot be autoscaled")
			}
			b.ReportAllocs()
			for b.Loop() {
				if got, _ := s.observer.Observe(d, policy, time.Time{}); len(got.PodMetrics) != pods {
					b.Fatal(len(got.PodMetrics))
				}
			}
		})
	}
}

// BenchmarkMemory is what stays of a workload after a look at it, beside the workload itself.
func BenchmarkMemory(b *testing.B) {
	for kind, most := range map[string]func(i int) int{
		"equal annotations":      func(int) int { return 10 },
		"annotations of its own": func(i int) int { return 10 + i },
	} {
		b.Run(kind, func(b *testing.B) {
			all := make([]*annotations.Workload, 5000)
			var before, after runtime.MemStats
			for b.Loop() {
				s := newResting(b, 2, annotated(2)["short"])
				cluster := s.observer.Workloads.(*resting)
				for i := range all {
					w := *cluster.workload
					w.Name, w.Annotations = fmt.Sprintf("web-%d", i), maps.Clone(w.Annotations)
					w.Annotations[annotations.Max] = fmt.Sprint(most(i))
					all[i] = &w
				}
				runtime.GC()
				runtime.ReadMemStats(&before)
				for _, w := range all {
					cluster.workload = w
					if wait, err := s.Reconcile(context.Background(), w.Key); wait == 0 || err != nil {
						b.Fatal(wait, err)
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "bytes/workload")
		})
	}
}

// BenchmarkStatus is what it takes to say how one workload stands: its last decision is made again.
func BenchmarkStatus(b *testing.B) {
	for _, pods := range []int{2, 10, 100} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			s := newResting(b, pods, annotated(pods)["short"])
			if _, err := s.Reconcile(context.Background(), web); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if status, known := s.Status(web); !known || status.State != StateOK {
					b.Fatal(status)
				}
			}
		})
	}
}
