package informer

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Unfollowed returns the kinds at which nothing more is known of controllers, because they are not watched: of what controls w, directly or
// over others (the zero value if there is none), and of what controls the pods that are those of w only by its selector (see BySelector),
// sorted. One who watches these kinds, too, may see w or its pods belong to something else.
func (s *Set) Unfollowed(w *annotations.Workload) (above schema.GroupKind, abovePods []schema.GroupKind) {
	if k := s.kept(w.Key); k != nil {
		above = s.endOf(&k.record)
	}
	if !s.BySelector(w) {
		return above, nil
	}
	for _, pod := range s.matching(w) {
		if end := s.endOf(&pod.record); !end.Empty() {
			abovePods = append(abovePods, end)
		}
	}
	slices.SortFunc(abovePods, func(a, b schema.GroupKind) int { return cmp.Compare(a.String(), b.String()) })
	return above, slices.Compact(abovePods)
}
