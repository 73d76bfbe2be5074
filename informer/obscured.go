package informer

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Obscured says why an annotated object is not scaled although none is known that is scaled in its place: a custom resource may be its outer
// object, and the kind of that cannot be read. It is empty if that is not so, or may be over in a moment.
func (s *Set) Obscured(key annotations.Key) string {
	k := s.kept(key)
	if !k.isAnnotated() || !s.isObscured(k) {
		return ""
	}
	above := s.endOf(&k.record)
	s.serving.Lock()
	defer s.serving.Unlock()
	for _, x := range s.followed {
		if why := x.whyAway(above); why != "" {
			return fmt.Sprintf("%s: %s", x.name, why)
		}
	}
	return ""
}

// whyAway says what keeps the objects of a kind from being known, if it is this one and that is no matter of moments.
func (x *custom) whyAway(kind schema.GroupKind) string {
	x.mu.Lock()
	was, problem := x.was, x.problem
	x.mu.Unlock()
	switch {
	case was != kind || errors.Is(problem, ErrNotEstablished) || errors.Is(problem, errUnread):
		return ""
	case problem != nil:
		return problem.Error()
	case x.filling != nil && x.filling.isWithheld():
		return "its objects cannot be listed"
	}
	return ""
}

// enqueueObscured enqueues the annotated objects that are not scaled because a custom kind is away, so that it is told.
func (s *Set) enqueueObscured() {
	if s.current.Load() == nil || s.kinds == nil {
		return
	}
	for _, c := range s.caches() {
		for _, k := range c.annotated() {
			if s.isObscured(k) {
				s.Enqueue(c.key(k))
			}
		}
	}
}
