package metrics

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Sample is what is read of a PodMetrics, in a third of its memory: that has a map for each container, which takes 0.7 kB for two
// amounts, and labels that nobody reads.
type Sample struct {
	// Pod is whose sample it is, Timestamp the end of the Window in which it was taken, by the publisher's clock.
	Pod       types.NamespacedName
	Timestamp time.Time
	Window    time.Duration

	containers []container
}

// container is the usage of one.
type container struct {
	name  string
	usage []amount
}

// amount is how much of one resource.
type amount struct {
	resource corev1.ResourceName
	quantity resource.Quantity
}

// SamplesOf are those of the items of a LIST.
func SamplesOf(items []metricsv1beta1.PodMetrics) []Sample {
	if items == nil {
		return nil
	}
	all, known := make([]Sample, len(items)), names{}
	for i := range items {
		all[i] = sampleOf(&items[i], known)
	}
	return all
}

// sampleOf copies what is read, so that nothing of the item stays in memory but its pod's name and the digits of its amounts.
func sampleOf(item *metricsv1beta1.PodMetrics, known names) Sample {
	s := Sample{
		Pod:       types.NamespacedName{Namespace: known.same(item.Namespace), Name: item.Name},
		Timestamp: item.Timestamp.Time, Window: item.Window.Duration,
	}
	if item.Containers == nil {
		return s
	}
	n := 0
	for i := range item.Containers {
		n += len(item.Containers[i].Usage)
	}
	s.containers = make([]container, len(item.Containers))
	amounts := make([]amount, 0, n) // one array for all
	for i := range item.Containers {
		in, first := &item.Containers[i], len(amounts)
		for name, quantity := range in.Usage {
			amounts = append(amounts, amount{resource: corev1.ResourceName(known.same(string(name))), quantity: quantity})
		}
		s.containers[i] = container{name: known.same(in.Name), usage: amounts[first:len(amounts):len(amounts)]}
	}
	return s
}

// size is what it takes in memory, about: with what a growing list of them takes beside it.
func (s *Sample) size() int {
	const each, ofContainer, ofAmount = 200, 40, 80
	n := each + len(s.Pod.Name) + len(s.containers)*ofContainer
	for i := range s.containers {
		n += len(s.containers[i].usage) * ofAmount
	}
	return n
}

// podMetrics makes the API's object of it again.
func (s *Sample) podMetrics() *metricsv1beta1.PodMetrics {
	out := &metricsv1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Pod.Namespace, Name: s.Pod.Name},
		Timestamp:  metav1.NewTime(s.Timestamp),
		Window:     metav1.Duration{Duration: s.Window},
	}
	if s.containers == nil {
		return out
	}
	out.Containers = make([]metricsv1beta1.ContainerMetrics, len(s.containers))
	for i, c := range s.containers {
		usage := make(corev1.ResourceList, len(c.usage))
		for _, a := range c.usage {
			usage[a.resource] = a.quantity
		}
		out.Containers[i] = metricsv1beta1.ContainerMetrics{Name: c.name, Usage: usage}
	}
	return out
}

// names lets the samples of a LIST share the few strings that most of them have in common.
type names map[string]string

func (n names) same(name string) string {
	if known, found := n[name]; found {
		return known
	}
	n[name] = name
	return name
}
