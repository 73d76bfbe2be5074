package loadsim

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// nodeMetrics are the sums of the sampled pods on each node: a node of its own uses nothing.
func (s *simulation) nodeMetrics(now time.Time, which selection) []metricsv1beta1.NodeMetrics {
	s.mu.RLock()
	defer s.mu.RUnlock()
	items := []metricsv1beta1.NodeMetrics{}
	if s.served.Published.IsZero() || s.fault.Empty {
		return items
	}
	used := s.usedByNode()
	for name, labels := range s.nodes {
		meta := metav1.ObjectMeta{Name: name, Labels: labels}
		if !which.matches(&meta) {
			continue
		}
		items = append(items, metricsv1beta1.NodeMetrics{
			ObjectMeta: answerMeta(now, &meta),
			Timestamp:  metav1.NewTime(s.served.Timestamp),
			Window:     metav1.Duration{Duration: s.options.Window},
			Usage:      used[name],
		})
	}
	slices.SortFunc(items, func(a, b metricsv1beta1.NodeMetrics) int { return strings.Compare(a.Name, b.Name) })
	return items
}

func (s *simulation) usedByNode() map[string]corev1.ResourceList {
	used := map[string]corev1.ResourceList{}
	for name := range s.nodes {
		used[name] = usage(0, 0)
	}
	for uid, sample := range s.served.pods {
		p := s.pods[uid]
		if p == nil || used[p.object.Spec.NodeName] == nil {
			continue
		}
		for _, c := range sample.containers {
			add(used[p.object.Spec.NodeName], c.Usage)
		}
	}
	return used
}

func add(sum, more corev1.ResourceList) {
	for name, q := range more {
		total := sum[name]
		total.Add(q)
		sum[name] = total
	}
}
