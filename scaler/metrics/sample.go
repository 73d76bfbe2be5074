package metrics

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// sampleOf copies what is read, so that nothing of the item stays in memory but its pod's name and the digits of its amounts.
func sampleOf(item *metricsv1beta1.PodMetrics, known names) sample.Pod {
	s := sample.Pod{Namespace: known.same(item.Namespace), Name: item.Name, Time: item.Timestamp.Time, Window: item.Window.Duration}
	if item.Containers == nil {
		return s
	}
	n := 0
	for i := range item.Containers {
		n += len(item.Containers[i].Usage)
	}
	s.Containers = make([]sample.Container, len(item.Containers))
	amounts := make(sample.Usage, 0, n) // one array for all
	for i := range item.Containers {
		in, first := &item.Containers[i], len(amounts)
		for name, quantity := range in.Usage {
			amounts = append(amounts, sample.Amount{Resource: corev1.ResourceName(known.same(string(name))), Quantity: quantity})
		}
		usage := amounts[first:len(amounts):len(amounts)]
		slices.SortFunc(usage, func(a, b sample.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
		s.Containers[i] = sample.Container{Name: known.same(in.Name), Usage: usage}
	}
	return s
}

// sizeOf is what a sample takes in memory, about: with what a growing list of them takes beside it.
func sizeOf(s *sample.Pod) int {
	const each, ofContainer, ofAmount = 200, 40, 80
	n := each + len(s.Name) + len(s.Containers)*ofContainer
	for i := range s.Containers {
		n += len(s.Containers[i].Usage) * ofAmount
	}
	return n
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
