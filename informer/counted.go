package informer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Counted returns the pods of a namespace that a selector chooses, whosever they are, in no order. It is not known if nobody has asked for any
// of that namespace before: from then on its pods are kept, all of them and with their labels, which costs one list of all pods for all
// namespaces that are first asked for at about the same time, and no request afterwards. The objects are shared and must not be changed.
//
// A namespace that is not watched is never known, nor one that cannot be one.
func (s *Set) Counted(namespace string, selector labels.Selector) (pods []*podspec.Pod, known bool) {
	if namespace == corev1.NamespaceAll || s.namespace != corev1.NamespaceAll && s.namespace != namespace {
		return nil, false
	}
	p := s.pods.Load()
	if !p.wants.isOpen(namespace) {
		s.counted.Store(namespace, true)
		s.reconsider()
		return nil, false
	}
	for _, pod := range indexed[*keptPod](p.informer.GetIndexer(), byLabels, namespace) {
		if pod.isSelected(selector) {
			pods = append(pods, &pod.facts.Pod)
		}
	}
	return pods, true
}
