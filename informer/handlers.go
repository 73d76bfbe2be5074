package informer

import (
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// What makes a controller look at a workload:
//
//	Deployment  added, deleted; updated in UID, deletion, own annotations or the kept part of the spec
//	ReplicaSet  added, deleted or handed to another Deployment while there are pods of it
//	Pod         added, deleted; updated in owner, deletion, resources, phase, start time or readiness
//
// The status of a Deployment is not in the list: its replicas change only together with a pod, that its pods cannot be created is
// reported only after a sync period, and the rest changes several times during every rollout without changing a decision. Nor are
// managedFields and the resource version.
//
// An update counts only if its content differs, whatever its resource version: after an outage of the API server every object comes
// as an update from itself to itself.

// subscribe registers the handlers. They only enqueue.
func (s *Set) subscribe() error {
	d, err1 := s.deployments.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[*kept]{
		AddFunc: s.workloadAdded, UpdateFunc: s.workloadUpdated, DeleteFunc: s.workloadDeleted,
	})
	rs, err2 := s.replicaSets.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[*record]{
		AddFunc: s.replicaSetCame, UpdateFunc: s.replicaSetUpdated, DeleteFunc: s.replicaSetDeleted,
	})
	pod, err3 := s.pods.AddTypedEventHandler(cache.TypedResourceEventHandlerFuncs[*keptPod]{
		AddFunc: s.podAdded, UpdateFunc: s.podUpdated, DeleteFunc: s.podDeleted,
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	s.handled = []cache.DoneChecker{d.HasSyncedChecker(), rs.HasSyncedChecker(), pod.HasSyncedChecker()}
	return nil
}

func (s *Set) workloadAdded(k *kept) {
	if k.isSelected() {
		s.Enqueue(k.Key)
	}
}

// workloadUpdated also enqueues a workload that has just lost its last annotation, so that it is forgotten.
func (s *Set) workloadUpdated(before, after *kept) {
	if (before.isSelected() || after.isSelected()) && workloadChanged(before.workload(), after.workload()) {
		s.Enqueue(after.Key)
	}
}

// workloadDeleted also enqueues a workload of which only the name is known: it may have been selected, and looking at a workload
// that does not exist costs nothing.
func (s *Set) workloadDeleted(gone cache.DeletedObject[*kept]) {
	if name := gone.GetObjectName(); gone.OptionalObj == nil || gone.OptionalObj.isSelected() {
		s.Enqueue(annotations.DeploymentKey(name.Namespace, name.Name))
	}
}

func workloadChanged(a, b *annotations.Workload) bool {
	return a.UID != b.UID || a.Deleting != b.Deleting || a.Replicas != b.Replicas || !maps.Equal(a.Annotations, b.Annotations) ||
		!equality.Semantic.DeepEqual(a.Template, b.Template) || !equality.Semantic.DeepEqual(a.Selector, b.Selector)
}

// replicaSetCame enqueues the workload of pods that were known before their ReplicaSet, because the three watches have no common
// order. Without such pods nothing new is known.
func (s *Set) replicaSetCame(rs *record) {
	if len(s.podsOf(rs.uid)) == 0 {
		return
	}
	if key, ok := s.workloadOfReplicaSet(rs); ok {
		s.Enqueue(key)
	}
}

func (s *Set) replicaSetUpdated(before, after *record) {
	if before.uid == after.uid && equality.Semantic.DeepEqual(before.owner, after.owner) {
		return
	}
	s.replicaSetCame(before)
	s.replicaSetCame(after)
}

func (s *Set) replicaSetDeleted(gone cache.DeletedObject[*record]) {
	if gone.OptionalObj != nil {
		s.replicaSetCame(gone.OptionalObj)
	}
}

func (s *Set) podAdded(pod *keptPod) {
	if key, ok := s.workloadOfPod(pod); ok {
		s.Enqueue(key)
	}
}

// podUpdated finds the workloads of both states, because one can release a pod and another adopt it. Most updates in a cluster are
// of pods without a workload, so that is checked first.
func (s *Set) podUpdated(before, after *keptPod) {
	if owners := s.workloadsOf(before, after); len(owners) > 0 && before.hasChanged(after) {
		s.Enqueue(owners...)
	}
}

// podDeleted ignores a pod of which only the name is known: its workload is not known then, and is looked at anyway when the next
// samples come.
func (s *Set) podDeleted(gone cache.DeletedObject[*keptPod]) {
	if gone.OptionalObj != nil {
		s.podAdded(gone.OptionalObj)
		s.forgetTemplate(gone.OptionalObj)
	}
}

// forgetTemplate drops the template of a ReplicaSet with its last pod. The deletion of the ReplicaSet would be too early: its pods
// outlive it, and each change of one would bring the template back.
func (s *Set) forgetTemplate(pod *keptPod) {
	if pod.owner != nil && len(s.podsOf(pod.owner.UID)) == 0 {
		s.templates.forget(pod.owner.UID)
	}
}

// Enqueue asks for these workloads to be looked at now. Outside of a term it does nothing.
func (s *Set) Enqueue(keys ...annotations.Key) {
	t := s.current.Load()
	if t == nil {
		return
	}
	for _, key := range keys {
		t.Add(key)
	}
}

// EnqueueSelected asks for every selected workload to be looked at now. Outside of a term it does nothing.
func (s *Set) EnqueueSelected() { s.Enqueue(s.Selected()...) }

// EnqueueNamespace asks for every selected workload of a namespace to be looked at now. Outside of a term it does nothing.
func (s *Set) EnqueueNamespace(namespace string) {
	keys := s.Selected()
	s.Enqueue(slices.DeleteFunc(keys, func(key annotations.Key) bool { return key.Namespace != namespace })...)
}

// EnqueueOwners asks for the selected workloads that own these pods to be looked at now, each of them once. It skips pods that are
// unknown or have no such owner. Outside of a term it does nothing.
func (s *Set) EnqueueOwners(pods []types.NamespacedName) {
	if s.current.Load() == nil {
		return
	}
	known := make([]*keptPod, 0, len(pods))
	for _, name := range pods {
		if pod := named[*keptPod](s.pods.GetStore(), cache.NamespacedNameAsObjectName(name)); pod != nil {
			known = append(known, pod)
		}
	}
	// All keys are collected before the first is enqueued. Otherwise a worker could take a key before another pod of the same workload
	// enqueues it a second time.
	s.Enqueue(s.workloadsOf(known...)...)
}
