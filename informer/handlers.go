package informer

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// What makes a controller look at a workload:
//
//	workload  added, deleted; updated in UID, deletion, own annotations or the kept part of the spec
//	owner     an object between a workload and its pods: added, deleted or handed to another owner while there are pods of it
//	pod       added, deleted; updated in owner, deletion, resources, phase, start time or readiness
//
// The status of a workload is not in the list: its replicas change only together with a pod, that its pods cannot be created is
// reported only after a sync period, and the rest changes several times during every rollout without changing a decision. Nor are
// managedFields and the resource version.
//
// An update counts only if its content differs, whatever its resource version: after an outage of the API server every object comes
// as an update from itself to itself.

// watched prepares the cache of one kind, whose changes are handled.
func watched[L runtime.Object](s *Set, o *origin[L]) (*workloads, error) {
	o.slim, o.watches, o.onError = s.templates.workloads(ofClass(s.class, o.slim)), s.watches, s.onError
	o.changed, o.deleted = s.workloadChanged, s.workloadDeleted
	return newWorkloads(o)
}

// workloadChanged is told when an object that can be scaled came, changed or went; before or after is nil then.
func (s *Set) workloadChanged(c *workloads, before, after *kept) {
	present := after
	if present == nil {
		present = before
	}
	turned := before.isAnnotated() != after.isAnnotated() || before.isClaimed() != after.isClaimed()
	if turned && c != s.deployments && c != s.replicaSets {
		s.reconsider()
	}
	if s.current.Load() == nil {
		return
	}
	moved := before == nil || after == nil || before.uid != after.uid || !equality.Semantic.DeepEqual(before.owner, after.owner)
	if turned || before.isAnnotated() && after.isAnnotated() && (moved || differs(before.selected, after.selected)) ||
		!maps.Equal(before.meantInVain(), after.meantInVain()) {
		s.Enqueue(c.key(present)) // also if it has just lost its last annotation, so that it is forgotten
	}
	if turned || moved && present.owner != nil {
		s.enqueueInner(c, present, longestChain)
	}
	if moved {
		s.linkChanged(c, before)
		s.linkChanged(c, after)
	}
}

// workloadDeleted also enqueues an object of which only the name is known: it may have been selected, and looking at a workload
// that does not exist costs nothing.
func (s *Set) workloadDeleted(c *workloads, gone cache.DeletedObject[*kept]) {
	if gone.OptionalObj != nil {
		s.workloadChanged(c, gone.OptionalObj, nil)
		return
	}
	name := gone.GetObjectName()
	s.Enqueue(annotations.Key{Kind: c.kind.GroupKind(), Namespace: name.Namespace, Name: name.Name})
}

func differs(a, b *annotations.Workload) bool {
	return a.Deleting != b.Deleting || a.Replicas != b.Replicas || !maps.Equal(a.Annotations, b.Annotations) ||
		!equality.Semantic.DeepEqual(a.Template, b.Template) || !equality.Semantic.DeepEqual(a.Selector, b.Selector)
}

// enqueueInner enqueues the annotated objects below one, over so many links: they become inner ones, or cease to be.
func (s *Set) enqueueInner(c *workloads, k *kept, links int) {
	s.children(c.kind.GroupKind(), &k.record, func(c *workloads, child *kept) bool {
		if child.choice != nil {
			s.Enqueue(c.key(child))
		}
		if links > 1 {
			s.enqueueInner(c, child, links-1)
		}
		return true
	})
}

// linkChanged enqueues the workload of pods that were known before an object that leads to it, because the watches have no common
// order. Without such pods nothing new is known.
func (s *Set) linkChanged(c *workloads, k *kept) {
	if k == nil || k.owner == nil || !s.hasPods(c.kind.GroupKind(), &k.record, nil) {
		return
	}
	if in, owner, _ := s.outermost(&k.record); owner.isAnnotated() {
		s.Enqueue(in.key(owner))
	}
}

// reconsider asks whether the cache of pods holds all that is wanted.
func (s *Set) reconsider() {
	select {
	case s.rethink <- struct{}{}:
	default: // it was asked already
	}
}

func (s *Set) podAdded(pod *keptPod) {
	if s.current.Load() != nil {
		s.ownersOf(pod, func(key annotations.Key) { s.Enqueue(key) })
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

// forgetTemplate drops the template of an owner with its last pod. The deletion of the owner would be too early: its pods outlive it, and
// each change of one would bring the template back.
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

// EnqueueWithin asks for these workloads to be looked at within a time, each at a moment of its own, so that others need not wait for many at once.
// Outside of a term it does nothing.
func (s *Set) EnqueueWithin(within time.Duration, keys ...annotations.Key) {
	t := s.current.Load()
	if t == nil {
		return
	}
	for _, key := range keys {
		t.AddAfter(key, rand.N(within+1))
	}
}

// EnqueueSelected asks for every selected workload to be looked at now. Outside of a term it does nothing.
func (s *Set) EnqueueSelected() { s.Enqueue(s.Selected()...) }

// EnqueueNamespace asks for every selected workload of a namespace to be looked at now. Outside of a term it does nothing.
func (s *Set) EnqueueNamespace(namespace string) {
	keys := s.Selected()
	s.Enqueue(slices.DeleteFunc(keys, func(key annotations.Key) bool { return key.Namespace != namespace })...)
}

// EnqueueBeside asks for the wanted ones of the workloads of a namespace that are scaled to be looked at now. Outside of a term it does nothing.
func (s *Set) EnqueueBeside(namespace string, wanted func(*annotations.Workload) bool) {
	if s.current.Load() == nil {
		return
	}
	for _, w := range s.Beside(namespace, wanted) {
		s.Enqueue(w.Key)
	}
}

// EnqueueOwners asks for the selected workloads that own these pods to be looked at now, each of them once. It skips pods that are
// unknown or have no such owner. Outside of a term it does nothing.
func (s *Set) EnqueueOwners(pods []types.NamespacedName) {
	if s.current.Load() == nil {
		return
	}
	known := make([]*keptPod, 0, len(pods))
	for _, name := range pods {
		if pod := named[*keptPod](s.pods.Load().informer.GetStore(), cache.NamespacedNameAsObjectName(name)); pod != nil {
			known = append(known, pod)
		}
	}
	// All keys are collected before the first is enqueued. Otherwise a worker could take a key before another pod of the same workload
	// enqueues it a second time.
	s.Enqueue(s.workloadsOf(known...)...)
}
