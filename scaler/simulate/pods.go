package simulate

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// pod is one pod of the workload.
type pod struct {
	name string
	// created is when it was made, runs when its containers start, ready when it takes load; counted from the start.
	created, runs, ready time.Duration
	// used is its CPU so far, in millicore-seconds; last is used at the last scrape.
	used, last float64
	// sample is what the metrics API says of it, awaited what was scraped but is not served yet.
	sample, awaited *metricsv1beta1.PodMetrics
}

// template is what all pods have in common.
type template struct {
	namespace, name string
	meta            metav1.ObjectMeta
	spec            corev1.PodSpec
	// share is each container's part of the pod's usage.
	share []float64
	// limit is the CPU in millicores that a pod can use; 0 if there is no limit.
	limit float64
}

func newTemplate(s *Setup) template {
	d := s.Workload
	t := template{namespace: d.Namespace, name: d.Name, meta: d.Spec.Template.ObjectMeta, spec: d.Spec.Template.Spec}
	total, limited := 0.0, true
	for _, c := range t.spec.Containers {
		request := milli(c.Resources.Requests)
		t.share = append(t.share, request)
		total += request
		t.limit += milli(c.Resources.Limits)
		limited = limited && milli(c.Resources.Limits) > 0
	}
	for i := range t.share {
		if total > 0 {
			t.share[i] /= total
		} else {
			t.share[i] = 1 / float64(len(t.share))
		}
	}
	if !limited {
		t.limit = 0
	}
	if t.spec.Resources != nil && milli(t.spec.Resources.Limits) > 0 {
		t.limit = milli(t.spec.Resources.Limits)
	}
	return t
}

func milli(list corev1.ResourceList) float64 {
	q := list[corev1.ResourceCPU]
	return max(0, q.AsApproximateFloat64()*1000)
}

// object is the pod as the API server would show it at a time: Pending, then running, then ready.
func (t template) object(p *pod, now time.Duration) *corev1.Pod {
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(Epoch().Add(d)) }
	out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: p.name, Labels: t.meta.Labels,
		CreationTimestamp: at(p.created)}, Spec: t.spec}
	start := at(p.created)
	out.Status = corev1.PodStatus{Phase: corev1.PodPending, StartTime: &start}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: start}
	if now >= p.runs {
		out.Status.Phase = corev1.PodRunning
	}
	if now >= p.ready {
		ready.Status, ready.LastTransitionTime = corev1.ConditionTrue, at(p.ready)
	}
	out.Status.Conditions = []corev1.PodCondition{ready}
	return out
}

// scrape takes the average usage since the last scrape. Like metrics-server, it takes that since the start for a pod
// that has started since, if that was at least ten seconds ago, and else nothing.
func (t template) scrape(p *pod, now, period time.Duration) {
	const shortest = 10 * time.Second // metrics-server: freshContainerMinMetricsResolution
	window := min(now-p.runs, period)
	if window >= min(shortest, period) {
		p.awaited = t.sampled(p, now, window)
	}
	p.last = p.used
}

func (t template) sampled(p *pod, now, window time.Duration) *metricsv1beta1.PodMetrics {
	average := (p.used - p.last) / window.Seconds()
	out := &metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: p.name},
		Timestamp: metav1.NewTime(Epoch().Add(now)), Window: metav1.Duration{Duration: window}}
	for i, c := range t.spec.Containers {
		memory := c.Resources.Requests.Memory()
		out.Containers = append(out.Containers, metricsv1beta1.ContainerMetrics{Name: c.Name, Usage: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(average*t.share[i]+0.5), resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(memory.Value()/2, resource.BinarySI),
		}})
	}
	return out
}

// newPod is the n-th pod that is made.
func (t template) newPod(n int, created, startup time.Duration) *pod {
	return &pod{name: fmt.Sprintf("%s-%d", t.name, n), created: created,
		runs: created + (startup / 2).Truncate(Tick), ready: created + startup}
}
