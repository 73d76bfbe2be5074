package informer

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Unfollowed returns the kinds at which chains of controllers end here because these kinds are not watched: above is the one above w, or the
// zero value if its chain is known to its end; abovePods, sorted, are those above the pods that belong to w by its selector alone (see
// BySelector). Whoever watches these kinds, too, may see w or its pods belong to something else.
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
