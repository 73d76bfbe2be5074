package metrics

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// turns bound how many questions one API is asked at a time, in all and of each group, so that no group keeps the others
// from being asked.
type turns struct {
	api api
	// limit holds in all, share for each group.
	limit, share int

	mu   sync.Mutex
	used int
	held map[group]int
	// waiting are those without a turn, in order of arrival.
	waiting []*waiter
}

// group is what has a share of the turns: a namespace; or, slow, all questions that were not answered in time the last time.
type group struct {
	namespace string
	slow      bool
}

func (g group) String() string {
	if g.slow {
		return "that it did not answer in time before"
	}
	return fmt.Sprintf("of namespace %q", g.namespace)
}

type waiter struct {
	groups []group
	turn   chan struct{} // closed when it is this one's turn
}

func newTurns(a api, limit int) *turns {
	return &turns{api: a, limit: limit, share: max(1, limit*3/10), held: map[group]int{}}
}

// groupsOf are those that a question belongs to.
func groupsOf(q Question, slow bool) []group {
	if slow {
		return []group{{slow: true}, {namespace: q.Namespace}}
	}
	return []group{{namespace: q.Namespace}}
}

// take waits for a turn, which is to be given back. Its error says what it waited for until ctx ended.
func (t *turns) take(ctx context.Context, groups []group) error {
	t.mu.Lock()
	if t.used < t.limit && t.most(groups) < t.share { // which nobody that waits could take
		t.hold(groups)
		t.mu.Unlock()
		return nil
	}
	w := &waiter{groups: groups, turn: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 {
		return nil // it came at the same moment
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return t.busy(groups)
}

// busy says what the turns are taken by.
func (t *turns) busy(groups []group) error {
	for _, g := range groups {
		if t.held[g] >= t.share {
			return fmt.Errorf("the %s is still busy with %d other questions %s", t.api, t.held[g], g)
		}
	}
	return fmt.Errorf("the %s is still busy with %d other questions", t.api, t.used)
}

// give gives a turn back.
func (t *turns) give(groups []group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used--
	for _, g := range groups {
		if t.held[g]--; t.held[g] == 0 {
			delete(t.held, g)
		}
	}
	t.grant()
}

// grant hands out the turns that are free.
func (t *turns) grant() {
	for t.used < t.limit {
		i := t.next()
		if i < 0 {
			return
		}
		w := t.waiting[i]
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.hold(w.groups)
		close(w.turn)
	}
}

func (t *turns) hold(groups []group) {
	t.used++
	for _, g := range groups {
		t.held[g]++
	}
}

// most is how many turns the groups hold, of the one that holds the most.
func (t *turns) most(groups []group) int {
	most := 0
	for _, g := range groups {
		most = max(most, t.held[g])
	}
	return most
}

// next is the one whose groups have the fewest turns, of equal ones the first; -1 if the groups of all have their share.
func (t *turns) next() int {
	next, fewest := -1, t.share
	for i, w := range t.waiting {
		if held := t.most(w.groups); held < fewest {
			next, fewest = i, held
		}
		if fewest == 0 {
			break
		}
	}
	return next
}
