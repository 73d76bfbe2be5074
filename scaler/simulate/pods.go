package simulate

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// pod is one pod of the workload.
type pod struct {
	name string
	// created is when it was made, runs when its containers start, ready when it takes load, warm when that takes no more CPU than
	// it asks for; counted from the start.
	created, runs, ready, warm time.Duration
	// old pods are those that a rollout replaces.
	old bool
	// shown is the pod as the API server shows it from the last of these moments on.
	shown *podspec.Pod
	since time.Duration
	// used is the CPU of each container so far, in millicore-seconds; last is used at the last scrape.
	used, last []float64
	// sample is what the metrics API says of it, awaited what was scraped but is not served yet, oldest first.
	sample  *sample.Pod
	awaited []*sample.Pod
}

// object is the pod as the API server would show it at a time: Pending, then running, then ready. What is returned is not
// written to any more: it is that of the time before, too, if nothing has happened to the pod.
func (t *template) object(p *pod, now time.Duration) *podspec.Pod {
	stage := p.created
	for _, reached := range []time.Duration{p.runs, p.ready} {
		if now >= reached {
			stage = reached
		}
	}
	if p.shown == nil || p.since != stage {
		p.shown, p.since = t.show(p, now), stage
	}
	return p.shown
}

func (t *template) show(p *pod, now time.Duration) *podspec.Pod {
	at := func(d time.Duration) time.Time { return t.start.Add(d) }
	out := &podspec.Pod{Namespace: t.namespace, Name: p.name, Created: at(p.created), Started: at(p.created), Phase: corev1.PodPending,
		Ready: podspec.Condition{Status: corev1.ConditionFalse, Since: at(p.created)}, Spec: t.spec}
	if now >= p.runs {
		out.Phase = corev1.PodRunning
	}
	if now >= p.ready {
		out.Ready = podspec.Condition{Status: corev1.ConditionTrue, Since: at(p.ready)}
	}
	return out
}

// scrape takes the average usage since the last scrape. Like metrics-server, it takes that since the start for a pod
// that has started since, if that was at least ten seconds ago, and else nothing.
func (t *template) scrape(p *pod, now, period time.Duration) {
	const shortest = 10 * time.Second // metrics-server: freshContainerMinMetricsResolution
	window := min(now-p.runs, period)
	if window >= min(shortest, period) {
		p.awaited = append(p.awaited, t.sampled(p, now, window))
	}
	copy(p.last, p.used)
}

// serve makes readable what was scraped before a time, and says whether there was something.
func (p *pod) serve(until time.Time) bool {
	fresh := false
	for len(p.awaited) > 0 && !p.awaited[0].Time.After(until) {
		p.sample, p.awaited, fresh = p.awaited[0], p.awaited[1:], true
	}
	return fresh
}

// use lets a pod use so much of each container for one Tick.
func (p *pod) use(parts []float64) {
	for i, milli := range parts {
		p.used[i] += milli * Tick.Seconds()
	}
}

func (t *template) sampled(p *pod, now, window time.Duration) *sample.Pod {
	out := &sample.Pod{Namespace: t.namespace, Name: p.name, Time: t.start.Add(now), Window: window}
	for i, c := range t.running {
		average := (p.used[i] - p.last[i]) / window.Seconds()
		memory := c.Resources.Requests.Memory()
		out.Containers = append(out.Containers, sample.Container{Name: c.Name, Usage: sample.Usage{
			{Resource: corev1.ResourceCPU, Quantity: *resource.NewMilliQuantity(int64(average+0.5), resource.DecimalSI)},
			{Resource: corev1.ResourceMemory, Quantity: *resource.NewQuantity(memory.Value()/2, resource.BinarySI)},
		}})
	}
	return out
}
