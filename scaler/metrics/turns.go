package metrics

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// turns bound how many questions one source is asked at a time, in all and of each group, so that no group keeps the others from being
// asked. Waiting questions are data, without a goroutine.
type turns struct {
	// source is what messages call it.
	source string
	// limit holds in all, share for each group.
	limit, share int

	mu   sync.Mutex
	used int
	held map[group]int
	// queues are those without a turn, by where they come from, in order of arrival.
	queues  map[origin][]*waiter
	arrived uint64
	// alarm ends the wait of those whose time is up; nil while none waits.
	alarm  *time.Timer
	closed bool
}

// origin is where a question comes from: a namespace, and whether it was not answered in time the last time.
type origin struct {
	namespace string
	slow      bool
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

// groups are those that questions of this origin belong to.
func (o origin) groups() []group {
	if o.slow {
		return []group{{slow: true}, {namespace: o.namespace}}
	}
	return []group{{namespace: o.namespace}}
}

// waiter is a question that wants a turn.
type waiter struct {
	origin origin
	// until is how long it waits. Of one origin, who comes later waits no shorter, or leaves by itself.
	until time.Time
	// begin is called when it has its turn, which is to be given back; late, with what it waited for, when its time is up. Neither
	// may wait for anything; begin must not call turns.
	begin func()
	late  func(error)

	number uint64
}

func newTurns(source string, limit int) *turns {
	return &turns{source: source, limit: limit, share: max(1, limit*3/10), held: map[group]int{}, queues: map[origin][]*waiter{}}
}

// take asks for a turn.
func (t *turns) take(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.used < t.limit && t.most(w.origin) < t.share { // no waiting question could take this turn
		t.hold(w)
		return
	}
	t.arrived++
	w.number = t.arrived
	t.queues[w.origin] = append(t.queues[w.origin], w)
	if t.alarm == nil {
		t.alarm = time.AfterFunc(time.Until(w.until), t.ring)
	}
}

// leave takes back a question, and says whether it was still waiting; otherwise it has got its turn.
func (t *turns) leave(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.queues[w.origin], w)
	if i >= 0 {
		t.shorten(w.origin, i, i+1)
	}
	return i >= 0 || t.closed
}

// give gives a turn back.
func (t *turns) give(o origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used--
	for _, g := range o.groups() {
		if t.held[g]--; t.held[g] == 0 {
			delete(t.held, g)
		}
	}
	for t.used < t.limit {
		o, found := t.next()
		if !found {
			return
		}
		w := t.queues[o][0]
		t.shorten(o, 0, 1)
		t.hold(w)
	}
}

// hold begins a question's turn.
func (t *turns) hold(w *waiter) {
	t.used++
	for _, g := range w.origin.groups() {
		t.held[g]++
	}
	w.begin()
}

// next is the origin whose groups have the fewest turns, of equal ones that of the first to come; none if all have their share.
func (t *turns) next() (next origin, found bool) {
	fewest := t.share
	for o, queue := range t.queues {
		held := t.most(o)
		if held < fewest || found && held == fewest && queue[0].number < t.queues[next][0].number {
			next, fewest, found = o, held, true
		}
	}
	return next, found
}

// most is how many turns the groups of an origin hold, of the one that holds the most.
func (t *turns) most(o origin) int {
	most := t.held[group{namespace: o.namespace}]
	if o.slow {
		most = max(most, t.held[group{slow: true}])
	}
	return most
}

// ring sends away those whose time is up.
func (t *turns) ring() {
	for w, err := range t.late() {
		w.late(err)
	}
}

// late takes those whose time is up out of their queues, and sets the alarm for the next ones.
func (t *turns) late() map[*waiter]error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, gone, next := time.Now(), map[*waiter]error{}, time.Time{}
	for o, queue := range t.queues {
		n := 0
		for n < len(queue) && !queue[n].until.After(now) {
			n++
		}
		if n > 0 {
			err := t.taken(o)
			for _, w := range queue[:n] {
				gone[w] = err
			}
		}
		if n < len(queue) && (next.IsZero() || queue[n].until.Before(next)) {
			next = queue[n].until
		}
		t.shorten(o, 0, n)
	}
	if t.alarm = nil; !next.IsZero() && !t.closed {
		t.alarm = time.AfterFunc(next.Sub(now), t.ring)
	}
	return gone
}

// busy says what the turns are taken by.
func (t *turns) busy(o origin) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken(o)
}

func (t *turns) taken(o origin) error {
	for _, g := range o.groups() {
		if t.held[g] >= t.share {
			return fmt.Errorf("the %s is still busy with %d other questions %s", t.source, t.held[g], g)
		}
	}
	return fmt.Errorf("the %s is still busy with %d other questions", t.source, t.used)
}

// shorten takes a part out of a queue.
func (t *turns) shorten(o origin, from, to int) {
	queue := t.queues[o]
	if to-from == len(queue) {
		delete(t.queues, o)
		return
	}
	if from == 0 {
		clear(queue[:to])
		t.queues[o] = queue[to:]
		return
	}
	t.queues[o] = append(queue[:from], queue[to:]...)
}

// close drops all waiting questions; no question gets a turn any more.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	clear(t.queues)
	if t.alarm != nil {
		t.alarm.Stop()
	}
}
