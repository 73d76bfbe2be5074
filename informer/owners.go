package informer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Names of the indexes. They lead from an owner to what it owns. The other direction is a get by name with a check of the UID.
const (
	byController = "controller" // ReplicaSets and Pods by the UID of the owner that controls them
	bySelection  = "selection"  // Deployments that have an annotation of mini-hpa, all under the value selectedOnes
	selectedOnes = "selected"
)

func selection(k *kept) ([]string, error) {
	if !k.isSelected() {
		return nil, nil
	}
	return []string{selectedOnes}, nil
}

// Workload returns a workload, or nil if there is none of that name. If it is not selected, it has only key, UID and version. It is
// shared and must not be changed.
func (s *Set) Workload(key annotations.Key) *annotations.Workload {
	return named[*kept](s.deployments.GetStore(), cache.NamespacedNameAsObjectName(key.NamespacedName())).workload()
}

// Live reads a workload from the API server in the form of Workload, or returns nil if there is none of that name. It makes a LIST of
// one object, because watching needs the right to list anyway.
func (s *Set) Live(ctx context.Context, key annotations.Key) (*annotations.Workload, error) {
	list, err := s.reader.AppsV1().Deployments(key.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name).String()})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list.Items, func(d appsv1.Deployment) bool { return d.Name == key.Name })
	if at < 0 {
		return nil, nil
	}
	slim, err := s.templates.slimDeployment(&list.Items[at])
	if err != nil {
		return nil, err
	}
	return typed[*kept](slim).workload(), nil
}

// Doubt says that the API server has had a version of a workload for so long that the watch should have brought it. Deployments are
// then listed again, which is reported.
func (s *Set) Doubt(key annotations.Key, version string) {
	s.doubtDeployments(fmt.Sprintf("nothing came of version %s of %s", version, key.NamespacedName()))
}

// Selected returns the workloads that have an annotation of mini-hpa, sorted by namespace and name.
func (s *Set) Selected() []annotations.Key {
	var keys []annotations.Key
	for _, k := range indexed[*kept](s.deployments.GetIndexer(), bySelection, selectedOnes) {
		keys = append(keys, k.Key)
	}
	slices.SortFunc(keys, func(a, b annotations.Key) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return keys
}

// Pods returns the pods that belong to w through one of its ReplicaSets, old ones included, sorted by name. A workload
// that was deleted and created again has another UID and does not inherit pods. The objects are shared and must not be
// changed.
func (s *Set) Pods(w *annotations.Workload) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, rs := range indexed[*record](s.replicaSets.GetIndexer(), byController, string(w.UID)) {
		owned := s.podsOf(rs.uid)
		pods = slices.Grow(pods, len(owned))
		for _, p := range owned {
			pods = append(pods, p.pod())
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

// named returns an object by its name, or the zero T if it is not there.
func named[T any](store cache.Store, key cache.ObjectName) T {
	// The in-memory store has no error to return.
	obj, _, _ := store.GetByKey(key.String())
	found, _ := obj.(T)
	return found
}

// indexed returns what an index holds under a value, in no order.
func indexed[T any](indexer cache.Indexer, index, value string) []T {
	objs, err := indexer.ByIndex(index, value)
	if err != nil {
		// The only possible error is a wrong name of the index. Going on without pods would lead to wrong decisions.
		panic(fmt.Errorf("searching the cache: %w", err))
	}
	found := make([]T, 0, len(objs))
	for _, obj := range objs {
		if o, ok := obj.(T); ok {
			found = append(found, o)
		}
	}
	return found
}
