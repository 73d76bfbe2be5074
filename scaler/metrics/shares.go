package metrics

import "fmt"

// shares divide a limited room among namespaces. While there is room, every namespace gets what it asks for. When it is used up, each
// namespace has an equal share, and one that has more has to give up the rest. So for a while there may be more than there is room for,
// but never twice as much.
type shares struct {
	most, used int
	held       map[string]int
}

func newShares(most int) shares { return shares{most: most, held: map[string]int{}} }

// add counts more, or less.
func (s *shares) add(namespace string, n int) {
	s.used += n
	if s.held[namespace] += n; s.held[namespace] == 0 {
		delete(s.held, namespace)
	}
}

// fair is the part of a namespace if each of them took all it could.
func (s *shares) fair(namespace string) int {
	namespaces := len(s.held)
	if _, known := s.held[namespace]; !known {
		namespaces++
	}
	return s.most / namespaces
}

// room says whether a namespace may have so much more.
func (s *shares) room(namespace string, n int) bool {
	return s.used+n <= s.most || s.held[namespace]+n <= s.fair(namespace)
}

// excessive says that a namespace has to give up some of what it has.
func (s *shares) excessive(namespace string) bool {
	return s.used > s.most && s.held[namespace] > s.fair(namespace)
}

// full says why there is no room for a namespace.
func (s *shares) full(namespace string) string {
	return fmt.Sprintf("there is room for %d in all, and namespace %q has %d of the %d that are kept", s.most, namespace, s.held[namespace], s.used)
}
