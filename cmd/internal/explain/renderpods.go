package explain

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// measure is what one metric looks at.
type measure struct {
	resource  corev1.ResourceName
	container string // all of them if empty
	target    autoscalingv2.MetricTarget
}

func measureOf(m autoscalingv2.MetricSpec) (measure, bool) {
	switch {
	case m.Resource != nil:
		return measure{resource: m.Resource.Name, target: m.Resource.Target}, true
	case m.ContainerResource != nil:
		return measure{resource: m.ContainerResource.Name, container: m.ContainerResource.Container, target: m.ContainerResource.Target}, true
	}
	return measure{}, false
}

// targetText is one metric's target in words.
func targetText(spec autoscalingv2.MetricSpec) string {
	m, ok := measureOf(spec)
	if !ok {
		return askedTarget(spec)
	}
	what := string(m.resource)
	if m.container != "" {
		what += " of container " + m.container
	}
	if m.target.AverageUtilization != nil {
		return fmt.Sprintf("%s at %d%% of its request, averaged over the pods", what, *m.target.AverageUtilization)
	}
	return fmt.Sprintf("%s at %s per pod, averaged over the pods", what, m.target.AverageValue)
}

// pods is what was seen: a line for each pod with the usage and the request of each metric.
func (p page) pods(e scaler.Explanation) {
	s := e.Snapshot
	p.Title("Pods (%d owned, %d with a sample; spec.replicas %d, status.replicas %d)", len(s.Pods), len(s.PodMetrics), s.Replicas, s.StatusReplicas)
	measures := measuresOf(e.Policy.Metrics)
	if s.MetricsError != "" && len(measures) > 0 {
		p.Row("no metrics: " + s.MetricsError)
	}
	if len(s.Pods) == 0 {
		return
	}
	head := []string{"POD", "PHASE", "READY"}
	for _, m := range measures {
		name := strings.TrimSpace(strings.ToUpper(string(m.resource)) + " " + m.container)
		head = append(head, name+" USED", name+" REQUESTED")
	}
	p.Row(append(head, "SAMPLE")...)
	for _, pod := range s.Pods {
		seen, taken := sampleOf(s, pod)
		p.pod(pod, seen, measures, sampleText(seen, taken, s.Time))
	}
}

func (p page) pod(pod *corev1.Pod, used *sample.Pod, measures []measure, age string) {
	cells := []string{pod.Name, phase(pod), ready(pod)}
	for _, m := range measures {
		cells = append(cells, m.used(used), m.requested(pod))
	}
	p.Row(append(cells, age)...)
}

// sampleText is how old a sample is, and how far its timestamp is off where that cannot be believed.
func sampleText(used *sample.Pod, taken, now time.Time) string {
	if used == nil {
		return "none"
	}
	text := fmt.Sprintf("%s old, over %s", max(now.Sub(taken), 0).Truncate(time.Second), used.Window)
	switch ahead := used.Time.Sub(taken).Round(time.Second); {
	case ahead > 0:
		text += fmt.Sprintf("; its node's clock is %s ahead", ahead)
	case ahead < 0:
		text += fmt.Sprintf("; its node's clock is %s behind, if this is not an old one", -ahead)
	}
	return text
}

func measuresOf(metrics []annotations.Metric) []measure {
	var measures []measure
	for i := range metrics {
		if m, ok := measureOf(metrics[i].Spec); ok {
			measures = append(measures, m)
		}
	}
	return measures
}

// sampleOf is a pod's sample, and when it was taken.
func sampleOf(s recommend.Snapshot, pod *corev1.Pod) (*sample.Pod, time.Time) {
	for i, of := range s.PodMetrics {
		if of.Name == pod.Name && of.Namespace == pod.Namespace {
			return of, s.SampleTaken(i)
		}
	}
	return nil, time.Time{}
}

func phase(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "Terminating" // as kubectl shows it
	}
	return string(pod.Status.Phase)
}

func ready(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return strings.ToLower(string(c.Status))
		}
	}
	return "unknown"
}

// used is the sum over the containers that count; "-" where nothing was measured.
func (m measure) used(used *sample.Pod) string {
	if used == nil {
		return "-"
	}
	var total *resource.Quantity
	for _, c := range used.Containers {
		if q, ok := c.Usage.Of(m.resource); ok && m.counts(c.Name) {
			total = plus(total, q)
		}
	}
	return m.text(total)
}

// requested is what the decision divides by, as far as it is there; "-" where nothing is requested.
func (m measure) requested(pod *corev1.Pod) string {
	var total *resource.Quantity
	for part := range podspec.Request(&pod.Spec, m.resource, m.container) {
		if part.Origin != podspec.None {
			total = plus(total, part.Quantity)
		}
	}
	return m.text(total)
}

func (m measure) counts(container string) bool { return m.container == "" || m.container == container }

func plus(total *resource.Quantity, q resource.Quantity) *resource.Quantity {
	if total != nil {
		q = q.DeepCopy()
		q.Add(*total)
	}
	return &q
}

// text rounds to millicores and MiB as kubectl top does: that is what people compare.
func (m measure) text(q *resource.Quantity) string {
	const most = 1 << 40 // beyond it, thousandths would overflow
	switch {
	case q == nil:
		return "-"
	case m.resource == corev1.ResourceMemory:
		return fmt.Sprintf("%dMi", q.Value()>>20)
	case q.CmpInt64(most) < 0:
		return fmt.Sprintf("%dm", q.MilliValue())
	}
	return q.String()
}
