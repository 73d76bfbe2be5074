package informer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Workload returns a workload, or nil if there is none of that name, or if its pods are not known yet because it is the first of its kind.
// If it is not selected, it has only key, UID and version, and if it is an inner one its API version, for the Event that says so. It is shared and must not be changed.
func (s *Set) Workload(key annotations.Key) *annotations.Workload {
	k := s.kept(key)
	switch {
	case k == nil:
		return nil
	case k.choice == nil || k.isForeign:
		return &annotations.Workload{Key: key, UID: k.uid, Version: k.version}
	case k.inVain || s.isInner(k):
		return &annotations.Workload{Key: key, APIVersion: k.selected.APIVersion, UID: k.uid, Version: k.version}
	case !s.seesPodsOf(key.Kind):
		return nil
	}
	return k.selected
}

// Doubtful returns what is known of a workload that is not scaled and may have to be; nil if it is scaled, or certainly not to be. While objects of its kind cannot be
// listed, or were not yet, or its pods are not known yet, it has only its key. While it cannot be known whether an object above it is scaled in its place, it is whole,
// as Workload returns it otherwise. It is shared and must not be changed.
func (s *Set) Doubtful(key annotations.Key) *annotations.Workload {
	c, k := s.cacheOf(key.Kind), s.kept(key)
	switch {
	case c == nil, k == nil && !isDone(c.handled.Done()):
		return &annotations.Workload{Key: key}
	case !k.isAnnotated() || k.selected.Deleting || s.isInner(k) && !s.isObscured(k):
		return nil
	case !s.seesPodsOf(key.Kind):
		return &annotations.Workload{Key: key}
	case s.isObscured(k):
		return k.selected
	}
	return nil
}

// Beside returns the wanted ones of the workloads of a namespace that are scaled, in order of their kinds and names. They are shared and must not be changed.
func (s *Set) Beside(namespace string, wanted func(*annotations.Workload) bool) []*annotations.Workload {
	var all []*annotations.Workload
	for _, c := range s.caches() {
		for _, k := range indexed[*kept](c.informer.GetIndexer(), bySelection, selectedIn(namespace)) {
			if wanted(k.selected) && !s.isInner(k) {
				all = append(all, k.selected)
			}
		}
	}
	slices.SortFunc(all, func(a, b *annotations.Workload) int {
		if a.Kind != b.Kind {
			return cmp.Or(strings.Compare(a.Kind.Kind, b.Kind.Kind), strings.Compare(a.Kind.Group, b.Kind.Group))
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// seesPodsOf says whether the cache of pods holds those of workloads of this kind.
func (s *Set) seesPodsOf(kind schema.GroupKind) bool {
	return kind == deploymentKind || s.pods.Load().wants.kinds[kind]
}

// Live reads a workload from the API server in the form of Workload, or returns nil if there is none of that name. It makes a LIST of
// one object, because watching needs the right to list anyway.
func (s *Set) Live(ctx context.Context, key annotations.Key) (*annotations.Workload, error) {
	c := s.cacheOf(key.Kind)
	if c == nil {
		return nil, nil
	}
	k, err := c.read(ctx, key.Namespace, key.Name)
	switch {
	case err != nil || k == nil:
		return nil, err
	case !k.isAnnotated():
		return &annotations.Workload{Key: key, UID: k.uid, Version: k.version}, nil
	}
	return k.selected, nil
}

// Doubt says that the API server has had a version of a workload for so long that the watch should have brought it. All workloads of
// its kind are then listed again, which is reported.
func (s *Set) Doubt(key annotations.Key, version string) {
	if c := s.cacheOf(key.Kind); c != nil {
		c.doubt(fmt.Sprintf("nothing came of version %s of %s", version, key.Title()))
	}
}

// Selected returns the workloads that are scaled: annotated objects, but for the inner ones, which another annotated object controls. They are
// sorted by namespace, name and kind.
func (s *Set) Selected() []annotations.Key {
	var keys []annotations.Key
	for _, c := range s.caches() {
		if !s.seesPodsOf(c.kind.GroupKind()) {
			continue
		}
		for _, k := range c.annotated() {
			if !s.isInner(k) {
				keys = append(keys, c.key(k))
			}
		}
	}
	slices.SortFunc(keys, func(a, b annotations.Key) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind.String(), b.Kind.String()))
	})
	return keys
}
