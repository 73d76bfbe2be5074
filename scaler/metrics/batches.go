package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// collected is for how long questions are collected before they are asked together.
const collected = 250 * time.Millisecond

// batches are the questions of a source that is asked many together. Those that wait and those that are about to be due go along, so that
// in the end nearly all are asked at the same moments, however many workloads began at different ones:
//
//	due           x   xx x     x         x x    x  x       x
//	asked         |<---- along --->|
//	due next                        xxxxxxx  x x    x  x       x
//	asked                           |<---- along ------>|
//
// What is here is guarded by the Readers' lock.
type batches struct {
	source Batch
	// waiting are to be asked next, since when they wait.
	waiting []*inquiry
	since   []time.Time
	// departure asks them; nil if that waits for a batch under way to end. alarm ends the wait of those whose time is up.
	departure, alarm *time.Timer
	underway         int
	closed           bool
}

func (b *batches) close() {
	b.closed, b.waiting, b.since = true, nil, nil
	for _, timer := range []*time.Timer{b.departure, b.alarm} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// collect has a question asked with the next batch.
func (r *Readers) collect(i *inquiry) {
	s := i.source
	b := s.batches
	b.waiting, b.since = append(b.waiting, i), append(b.since, time.Now())
	if b.departure == nil && b.underway < s.limits.Concurrency {
		b.departure = time.AfterFunc(collected, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			b.departure = nil
			r.depart(s)
		})
	}
	if b.alarm == nil {
		r.setAlarm(s)
	}
}

// depart asks those that wait, and those that will have to be asked within half of their age, if there may be one more batch under way.
func (r *Readers) depart(s *respondent) {
	b := s.batches
	if b.closed || len(b.waiting) == 0 || b.underway >= s.limits.Concurrency {
		return
	}
	all := b.waiting
	b.waiting, b.since = nil, nil
	if b.alarm != nil {
		b.alarm.Stop()
		b.alarm = nil
	}
	now := time.Now()
	for i := range s.asked {
		if i.renewal != nil && i.due.Sub(now) <= i.due.Sub(i.since)/2 {
			i.stopRenewal()
			i.underway = true
			all = append(all, i)
		}
	}
	b.underway++
	s.running.Go(func() { r.askAll(s, all) })
}

// arrived makes room for the next batch.
func (r *Readers) arrived(s *respondent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.batches.underway--
	if s.batches.departure == nil {
		r.depart(s)
	}
}

// setAlarm sends away those for which no batch departs in time.
func (r *Readers) setAlarm(s *respondent) {
	b := s.batches
	if b.alarm = nil; len(b.since) > 0 {
		b.alarm = time.AfterFunc(time.Until(b.since[0].Add(s.limits.Timeout)), func() { r.ring(s) })
	}
}

func (r *Readers) ring(s *respondent) {
	late, since, underway := r.overdue(s)
	for n, i := range late {
		r.conclude(i, Answer{Asked: since[n]}, true, s.unserved(fmt.Errorf("the %s is still busy with %d batches of questions", s.source, underway)))
	}
}

// overdue takes out those that have waited too long.
func (r *Readers) overdue(s *respondent) (late []*inquiry, since []time.Time, underway int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, n := s.batches, 0
	for n < len(b.since) && time.Since(b.since[n]) >= s.limits.Timeout {
		n++
	}
	late, since = b.waiting[:n], b.since[:n]
	b.waiting, b.since = b.waiting[n:], b.since[n:]
	if !b.closed {
		r.setAlarm(s)
	}
	return late, since, b.underway
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

// askAll asks a batch, and concludes each question as soon as its answer is there; those that have none at the deadline fail. As with
// turns, it is the source that ends a batch and not the deadline.
func (r *Readers) askAll(s *respondent, all []*inquiry) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(r.lifetime, s.limits.Timeout)
	defer cancel()
	questions := make([]Question, len(all))
	for n, i := range all {
		questions[n] = i.question
	}
	got := &answers{known: make([]bool, len(all))}
	conclude := func(n int, a Answer, err error) {
		if !got.take(n) {
			return
		}
		if err == nil {
			err = s.reasonable(questions[n], a)
		}
		a.Asked = asked
		late := err != nil && ctx.Err() != nil
		r.conclude(all[n], a, late, s.late(err))
	}
	done := make(chan error, 1)
	go func() {
		defer r.arrived(s)
		done <- guardedAll(ctx, s.batches.source, questions, conclude)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	for _, n := range got.end() {
		r.conclude(all[n], Answer{Asked: asked}, ctx.Err() != nil, s.late(err))
	}
}

// guardedAll turns a panic into an error: what a source returns must not end the controller. There is an error in any case, for the questions
// without an answer.
func guardedAll(ctx context.Context, source Batch, all []Question, answer func(int, Answer, error)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the answer of the %s caused a panic: %s", source, quote(fmt.Sprint(p)))
		}
	}()
	source.AskAll(ctx, all, answer)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the %s gave no answer", source)
}
