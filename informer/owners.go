package informer

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// byController is the index of ReplicaSets and Pods by the UID of the owner that controls them. It leads from an owner to what it owns.
// The other direction is a get by name with a check of the UID.
const byController = "controller"

// Pods returns the pods that belong to w through one of its ReplicaSets, old ones included, sorted by name. A workload
// that was deleted and created again has another UID and does not inherit pods. A pod that names the UID of an owner, but not its
// name, or from another namespace, does not belong to it: anybody can write that into a pod. The objects are shared and must not be
// changed.
func (s *Set) Pods(w *annotations.Workload) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, rs := range indexed[*record](s.replicaSets.GetIndexer(), byController, string(w.UID)) {
		if !rs.isOf(w.Namespace, w.Name) {
			continue
		}
		owned := s.podsOf(rs.uid)
		pods = slices.Grow(pods, len(owned))
		for _, p := range owned {
			if p.isOf(rs.namespace, rs.name) {
				pods = append(pods, p.pod())
			}
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// workloadsOf returns the selected workloads that own any of the pods, each of them once.
func (s *Set) workloadsOf(pods ...*keptPod) []annotations.Key {
	var keys []annotations.Key
	seen := map[annotations.Key]bool{}
	for _, pod := range pods {
		if key, ok := s.workloadOfPod(pod); ok && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// workloadOfPod returns the selected workload that owns the pod, or false if none is known.
func (s *Set) workloadOfPod(pod *keptPod) (annotations.Key, bool) {
	rs := controllerOf[*record](s.replicaSets.GetStore(), &pod.record)
	if rs == nil {
		return annotations.Key{}, false
	}
	return s.workloadOfReplicaSet(rs)
}

// workloadOfReplicaSet returns the selected workload that owns the ReplicaSet, or false if none is known.
func (s *Set) workloadOfReplicaSet(rs *record) (annotations.Key, bool) {
	k := controllerOf[*kept](s.deployments.GetStore(), rs)
	if k == nil || !k.isSelected() {
		return annotations.Key{}, false
	}
	return k.Key, true
}

// Owns says whether a selected workload owns a pod of this name, as far as is known.
func (s *Set) Owns(namespace, name string) bool {
	pod := named[*keptPod](s.pods.GetStore(), cache.NewObjectName(namespace, name))
	if pod == nil {
		return false
	}
	_, owned := s.workloadOfPod(pod)
	return owned
}

// podsOf returns the pods that a ReplicaSet of this UID controls, in no order.
func (s *Set) podsOf(replicaSet types.UID) []*keptPod {
	return indexed[*keptPod](s.pods.GetIndexer(), byController, string(replicaSet))
}

// owner is a pointer to an object that can control others.
type owner interface {
	comparable
	GetUID() types.UID
}

// controllerOf returns the object in owners that controls o, or the zero T if it is not there. An object of the same name with
// another UID does not control it.
func controllerOf[T owner](owners cache.Store, o *record) T {
	var none T
	if o.owner == nil {
		return none
	}
	found := named[T](owners, cache.NewObjectName(o.namespace, o.owner.Name))
	if found == none || found.GetUID() != o.owner.UID {
		return none
	}
	return found
}
