package metrics

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// collected is for how long questions are collected before they are asked together.
const collected = 250 * time.Millisecond

// batches ask a source many questions together. Those that wait and those that are about to be due go along, so that in the end nearly all
// are asked at the same moments, however many workloads began at different ones:
//
//	due           x...xx.x.....x.........x.x....x..x.......x
//	asked         |<---- along --->|
//	due next                        xxxxxxx..x.x....x..x.......x
//	asked                           |<---- along ------>|
type batches struct {
	source Batch
	limits Limits
	// lifetime is that of who asks.
	lifetime context.Context
	// along are the questions that go along although they are not due yet. It is called without the lock.
	along func() []*passenger
	// running are the batches that are waited for.
	running *sync.WaitGroup

	mu sync.Mutex
	// waiting are to be asked next, in the order in which they came.
	waiting []*passenger
	// departure asks them; nil if that waits for a batch under way to end. alarm ends the wait of those whose time is up.
	departure, alarm *time.Timer
	underway         int
	closed           bool
}

// passenger is a question that is asked with others.
type passenger struct {
	question Question
	since    time.Time
	// answer is called once, with when and how the source was asked, and with whether the deadline had passed; unserved if it was not asked in time,
	// with what it waited for.
	answer   func(reply Reply, a Answer, late bool, err error)
	unserved func(err error)
}

func (b *batches) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.waiting = true, nil
	for _, timer := range []*time.Timer{b.departure, b.alarm} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// collect has a question asked with the next batch. What it calls back is not called before it returns.
func (b *batches) collect(p *passenger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	p.since = time.Now()
	b.waiting = append(b.waiting, p)
	if b.departure == nil && b.underway < b.limits.Concurrency {
		b.departure = time.AfterFunc(collected, b.leave)
	}
	if b.alarm == nil {
		b.setAlarm()
	}
}

// leave is what the timer of a departure does.
func (b *batches) leave() {
	b.mu.Lock()
	b.departure = nil
	b.mu.Unlock()
	b.depart()
}

// depart asks those that wait, and those that go along, if there may be one more batch under way.
func (b *batches) depart() {
	all := b.board()
	if len(all) == 0 {
		return
	}
	go func() {
		defer b.running.Done()
		b.ask(append(all, b.along()...))
	}()
}

// board are those that wait, if there may be one more batch under way, which is running from then on.
func (b *batches) board() []*passenger {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.departure != nil || len(b.waiting) == 0 || b.underway >= b.limits.Concurrency {
		return nil
	}
	all := b.waiting
	b.waiting = nil
	if b.alarm != nil {
		b.alarm.Stop()
		b.alarm = nil
	}
	b.underway++
	b.running.Add(1)
	return all
}

// arrived makes room for the next batch.
func (b *batches) arrived() {
	b.mu.Lock()
	b.underway--
	b.mu.Unlock()
	b.depart()
}

// setAlarm sends away those for which no batch departs in time.
func (b *batches) setAlarm() {
	if b.alarm = nil; len(b.waiting) > 0 && !b.closed {
		b.alarm = time.AfterFunc(time.Until(b.waiting[0].since.Add(b.limits.Timeout)), b.ring)
	}
}

func (b *batches) ring() {
	late, underway := b.overdue()
	for _, p := range late {
		p.unserved(fmt.Errorf("the %s is still busy with %d batches of questions", b.source, underway))
	}
}

// overdue takes out those that have waited too long.
func (b *batches) overdue() (late []*passenger, underway int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for n < len(b.waiting) && time.Since(b.waiting[n].since) >= b.limits.Timeout {
		n++
	}
	late, b.waiting = b.waiting[:n:n], b.waiting[n:]
	b.setAlarm()
	return late, b.underway
}

// ask asks a batch. Each question is concluded as soon as its answer is there; those that have none at the deadline fail. As with turns, it is
// the source that ends a batch and not the deadline.
func (b *batches) ask(all []*passenger) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(b.lifetime, b.limits.Timeout)
	defer cancel()
	questions := make([]Question, len(all))
	for n, p := range all {
		questions[n] = p.question
	}
	reply := func() Reply { return Reply{asked, time.Since(asked), len(all)} }
	got := &answers{known: make([]bool, len(all))}
	done := make(chan error, 1)
	go func() {
		defer b.arrived()
		done <- guarded(b.source, func() error {
			b.source.AskAll(ctx, questions, func(n int, a Answer, err error) {
				if got.take(n) {
					all[n].answer(reply(), a, err != nil && ctx.Err() != nil, err)
				}
			})
			return cmp.Or(ctx.Err(), fmt.Errorf("the %s gave no answer", b.source)) // for the questions without one
		})
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	for _, n := range got.end() {
		all[n].answer(reply(), Answer{}, ctx.Err() != nil, err)
	}
}

// answers are what has come of a batch so far.
type answers struct {
	mu    sync.Mutex
	known []bool
	over  bool
}

// take says whether the answer to a question is to be taken: the first one before the end.
func (a *answers) take(n int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || n < 0 || n >= len(a.known) || a.known[n] {
		return false
	}
	a.known[n] = true
	return true
}

// end says which questions have no answer; none is taken any more.
func (a *answers) end() (missing []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for n, known := range a.known {
		if !known {
			missing = append(missing, n)
		}
	}
	return missing
}
