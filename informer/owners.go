package informer

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Whose pod it is, is said by controller references, from one object to the next:
//
//	Pod -> ReplicaSet -> Deployment      Pod -> ReplicaSet -> Rollout      Pod -> StatefulSet -> LeaderWorkerSet      Pod -> StatefulSet
//
// The chain is followed by name and UID: an owner that was deleted and created again has another UID and does not inherit pods, and of a
// reference with a wrong name nothing follows, because anybody can write that into a pod. If several objects of a chain are annotated, the
// outermost one scales, and the others are inner ones, which are left alone.

// longestChain is how many controller references are followed from a pod. References in a circle end there, too.
const longestChain = 8

// controllerOf returns the object that controls o, and its cache. The object is nil if it is not there, the cache if the kind is not
// watched or cannot be read, or if nothing controls o. An object of the same name with another UID does not control it.
func (s *Set) controllerOf(o *record) (*workloads, *kept) {
	if o.owner == nil {
		return nil, nil
	}
	c := s.cacheOf(kindOf(o.owner))
	if c == nil || c.isWithheld() {
		return nil, nil
	}
	k := named[*kept](c.informer.GetStore(), cache.NewObjectName(o.namespace, o.owner.Name))
	if k == nil || k.uid != o.owner.UID {
		return c, nil
	}
	return c, k
}

// outermost follows the controller references of o, and returns the last annotated object on the way and its cache, whichever installation
// scales it; nil if there is none.
// If what controls o is of a kind that is not watched at the end of the way, or if nothing controls o itself, it is not known whose it is,
// and open is true.
func (s *Set) outermost(o *record) (in *workloads, last *kept, open bool) {
	start := o.uid
	open = o.owner == nil
	for range longestChain {
		c, k := s.controllerOf(o)
		switch {
		case c == nil:
			return in, last, open || o.owner != nil
		case k == nil || k.uid == start:
			return in, last, false
		case k.isClaimed():
			in, last = c, k
		}
		o = &k.record
	}
	return in, last, false
}

// endOf follows the controller references of o to a kind that is not watched; the zero value if they do not lead to one.
func (s *Set) endOf(o *record) schema.GroupKind {
	for range longestChain {
		if o.owner == nil {
			break
		}
		c, k := s.controllerOf(o)
		if c == nil {
			return kindOf(o.owner)
		}
		if k == nil {
			break
		}
		o = &k.record
	}
	return schema.GroupKind{}
}

// isInner says whether another object above an annotated one scales in its place, or may do so: what controls it is of a custom kind whose
// objects are not there at the moment. In a circle, each is the other's inner one.
func (s *Set) isInner(k *kept) bool {
	if k.owner == nil {
		return false
	}
	_, outer, _ := s.outermost(&k.record)
	return outer != nil || s.isAway(s.endOf(&k.record))
}

// isObscured says whether an annotated object is not scaled because a custom kind is away.
func (s *Set) isObscured(k *kept) bool {
	if k.owner == nil {
		return false
	}
	_, outer, _ := s.outermost(&k.record)
	return outer == nil && s.isAway(s.endOf(&k.record))
}

// isAway says whether a custom kind is scaled, and its objects are not known at the moment: they are listed for the first time, or its
// definition is gone or does not let them be scaled for a while.
func (s *Set) isAway(kind schema.GroupKind) bool {
	return s.kinds != nil && s.customs()[kind] == nil && s.kinds.hasBeen(kind)
}

// Outer returns the workload that is scaled in the place of an annotated one, because it controls it and is annotated, too; false if there
// is none. Where both have the same annotations, copied is true: the controller of the outer one has probably copied them.
func (s *Set) Outer(key annotations.Key) (outer annotations.Key, copied, found bool) {
	k := s.kept(key)
	if k == nil || k.choice == nil || k.isForeign {
		return annotations.Key{}, false, false
	}
	in, above, _ := s.outermost(&k.record)
	if above == nil {
		return annotations.Key{}, false, false
	}
	return in.key(above), maps.Equal(above.selected.Annotations, k.selected.Annotations), true
}

// Pods returns the pods that belong to w, sorted by name: those that it controls over any number of links, such as those of its old and
// new ReplicaSets. Of those of a custom resource only the ones count that the selector of its scale selects, as for the HPA: its replicas
// are those pods, and it may control others, such as a coordinator. If there are none, they are those that the selector selects and of
// which it is not known whose they are (see BySelector). The objects are shared and must not be changed.
func (s *Set) Pods(w *annotations.Workload) []*podspec.Pod {
	var pods []*podspec.Pod
	add := func(found []*keptPod) bool {
		pods = slices.Grow(pods, len(found))
		for _, p := range found {
			pods = append(pods, &p.facts.Pod)
		}
		return true
	}
	s.descend(w.Kind, recordOfWorkload(w), s.selectorOf(w), add)
	if len(pods) == 0 {
		add(s.matching(w))
	}
	slices.SortFunc(pods, func(a, b *podspec.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// BySelector says whether the pods of w are those that its selector selects, because what leads from w to its pods is not watched.
func (s *Set) BySelector(w *annotations.Workload) bool {
	return !s.hasPods(w.Kind, recordOfWorkload(w), s.selectorOf(w)) && len(s.matching(w)) > 0
}

// selectorOf returns what selects the pods of a custom resource; nil if nothing does.
func (s *Set) selectorOf(w *annotations.Workload) labels.Selector {
	if s.customs()[w.Kind] == nil {
		return nil
	}
	return meant(w.Selector)
}

func recordOfWorkload(w *annotations.Workload) *record {
	return &record{namespace: w.Namespace, name: w.Name, uid: w.UID}
}

// matching returns the pods that the selector of a custom resource selects, and of which it is not known whose they are.
func (s *Set) matching(w *annotations.Workload) []*keptPod {
	selector := s.selectorOf(w)
	if selector == nil || !s.pods.Load().wants.labels[w.Namespace] {
		return nil
	}
	pods := indexed[*keptPod](s.pods.Load().informer.GetIndexer(), byLabels, w.Namespace)
	return slices.DeleteFunc(pods, func(p *keptPod) bool {
		if !p.isSelected(selector) {
			return true
		}
		_, owner, open := s.outermost(&p.record)
		return owner != nil || !open
	})
}

// descend calls f with the pods that an object controls over any number of links, and that are selected if there is a selector, by their
// owner, until f returns false. It returns what f returned last.
func (s *Set) descend(kind schema.GroupKind, o *record, selector labels.Selector, f func([]*keptPod) bool) bool {
	d := descent{set: s, top: o.uid, selector: selector, pods: f}
	return d.from(kind, o, longestChain)
}

// descent goes from an object to the pods that it controls.
type descent struct {
	set *Set
	// top is where it began, in case that references lead back there.
	top      types.UID
	selector labels.Selector
	pods     func([]*keptPod) bool
}

// from goes down from an object over so many links. It returns false if it was told to end.
func (d *descent) from(kind schema.GroupKind, o *record, links int) bool {
	owned := slices.DeleteFunc(d.set.podsOf(o.uid), func(p *keptPod) bool { return !p.isOf(kind, o.namespace, o.name) || !p.isSelected(d.selector) })
	if len(owned) > 0 && !d.pods(owned) {
		return false
	}
	if links == 1 {
		return true
	}
	return d.set.children(kind, o, func(c *workloads, k *kept) bool {
		return k.uid == d.top || d.from(c.kind.GroupKind(), &k.record, links-1)
	})
}

// children calls f for each object that o controls and that can be scaled, until f returns false. It returns what f returned last.
func (s *Set) children(kind schema.GroupKind, o *record, f func(c *workloads, k *kept) bool) bool {
	of := func(c *workloads) bool {
		for _, k := range indexed[*kept](c.informer.GetIndexer(), byController, string(o.uid)) {
			if k.isOf(kind, o.namespace, o.name) && !f(c, k) {
				return false
			}
		}
		return true
	}
	for _, c := range s.builtin {
		if !of(c) {
			return false
		}
	}
	for _, c := range s.customs() {
		if !of(c) {
			return false
		}
	}
	return true
}

// hasPods says whether an object controls any pods, that are selected if there is a selector.
func (s *Set) hasPods(kind schema.GroupKind, o *record, selector labels.Selector) bool {
	return !s.descend(kind, o, selector, func([]*keptPod) bool { return false })
}

// workloadsOf returns the selected workloads that the pods belong to, each of them once.
func (s *Set) workloadsOf(pods ...*keptPod) []annotations.Key {
	var keys []annotations.Key
	seen := map[annotations.Key]bool{}
	for _, pod := range pods {
		s.ownersOf(pod, func(key annotations.Key) {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		})
	}
	return keys
}

// ownersOf calls f for each selected workload that a pod belongs to: usually one, or none.
func (s *Set) ownersOf(pod *keptPod, f func(key annotations.Key)) {
	if pod.facts == nil {
		return
	}
	in, owner, open := s.outermost(&pod.record)
	switch {
	case owner != nil:
		if owner.isAnnotated() && pod.isSelected(owner.selector) && !s.isInner(owner) {
			f(in.key(owner))
		}
	case open && s.pods.Load().wants.labels[pod.namespace]:
		for _, c := range s.customs() {
			for _, k := range indexed[*kept](c.informer.GetIndexer(), byNamespace, pod.namespace) {
				if pod.isSelected(k.selector) && !s.isInner(k) && !s.hasPods(c.kind.GroupKind(), &k.record, k.selector) {
					f(c.key(k))
				}
			}
		}
	}
}

// Owns says whether a pod of this name belongs to a selected workload, as far as is known.
func (s *Set) Owns(namespace, name string) bool {
	pod := named[*keptPod](s.pods.Load().informer.GetStore(), cache.NewObjectName(namespace, name))
	owned := false
	if pod != nil {
		s.ownersOf(pod, func(annotations.Key) { owned = true })
	}
	return owned
}

// podsOf returns the pods that name this UID as that of their controller, in no order.
func (s *Set) podsOf(owner types.UID) []*keptPod {
	return indexed[*keptPod](s.pods.Load().informer.GetIndexer(), byController, string(owner))
}
