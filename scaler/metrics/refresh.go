package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"
)

// refresh fetches an answer in its turn and tells those who asked.
func (r *Readers) refresh(i *inquiry) {
	asked, from := time.Now(), origin{i.question.Namespace, i.slow}
	until := asked.Add(r.config.Timeout)
	r.turns[i.question.api()].take(&waiter{origin: from, until: until,
		begin: func() {
			r.running.Go(func() {
				ctx, cancel := context.WithDeadline(r.lifetime, until)
				defer cancel()
				answer, slow, err := r.inTurn(ctx, i.question, from)
				answer.Asked = asked
				r.conclude(i, answer, slow, err)
			})
		},
		late: func(err error) { r.conclude(i, Answer{Asked: asked}, from.slow, r.unserved(err)) },
	})
}

// conclude takes in what came of a question, and tells those who asked.
func (r *Readers) conclude(i *inquiry, answer Answer, slow bool, err error) {
	if r.lifetime.Err() != nil {
		return
	}
	if keys := r.answered(i, answer, slow, err); len(keys) > 0 {
		r.config.OnAnswer(keys)
	}
}

// unserved is the error of a question that got no turn in time.
func (r *Readers) unserved(err error) error { return fmt.Errorf("%w after %s", err, r.config.Timeout) }

// answered makes the answer the newest one and returns who is to be told.
func (r *Readers) answered(i *inquiry, answer Answer, slow bool, err error) []cache.ObjectName {
	r.mu.Lock()
	defer r.mu.Unlock()
	if full := r.makeRoom(i, len(answer.Custom)+len(answer.External)); err == nil {
		err = full
	}
	if err == nil {
		i.stamp(&answer)
	} else {
		answer = Answer{Asked: answer.Asked}
	}
	i.answer, i.err, i.answered, i.underway = answer, err, true, false
	i.slow, i.since = slow, answer.Asked
	if slow && err != nil {
		i.since = time.Now()
	}
	r.status.Answers++
	if err != nil {
		r.status.Failures++
	}
	keys := i.keys.UnsortedList()
	i.keys.Clear()
	return keys
}

// stamp says when the values of the next answer were taken.
func (i *inquiry) stamp(next *Answer) {
	if i.question.api() == externalAPI {
		i.stamps, next.Taken = i.stamps.External(next.External, next.Asked)
	} else {
		i.stamps, next.Taken = i.stamps.Custom(next.Custom, next.Asked)
	}
}

// Fetch asks now and waits for the answer, which is not kept, until ctx ends or the Timeout has passed.
func (r *Readers) Fetch(parent context.Context, q Question) (Answer, error) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(parent, r.config.Timeout)
	defer cancel()
	turn, from := make(chan struct{}), origin{namespace: q.Namespace}
	w := &waiter{origin: from, until: asked.Add(2 * r.config.Timeout), begin: func() { close(turn) }, late: func(error) {}}
	turns := r.turns[q.api()]
	turns.take(w)
	var answer Answer
	var err error
	select {
	case <-turn:
		answer, _, err = r.inTurn(ctx, q, from)
	case <-ctx.Done():
		if err = r.unserved(turns.busy(from)); !turns.leave(w) {
			turns.give(from) // it came at the same moment
		}
	}
	if err != nil && parent.Err() != nil {
		err = fmt.Errorf("the %s was not waited for: %w", q.api(), context.Cause(parent))
	}
	answer.Asked = asked
	return answer, err
}

// reasonable refuses answers that nothing can be made of.
func (r *Readers) reasonable(q Question, a Answer) error {
	most := maxCustom
	if q.api() == externalAPI {
		most = maxExternal
	}
	switch n := len(a.Custom) + len(a.External); {
	case n == 0:
		return fmt.Errorf("the %s returned no value", q.api())
	case n > most:
		return fmt.Errorf("the %s returned %d values, more than the %d that are allowed: choose among them by the metric's selector", q.api(), n, most)
	}
	return nil
}

// inTurn asks a question that has a turn. The turn is given back by the source and not by the deadline: sources that
// ignore it would otherwise pile up. A question is slow that holds its turn for half the Timeout or until the deadline.
func (r *Readers) inTurn(ctx context.Context, q Question, from origin) (Answer, bool, error) {
	began := time.Now()
	type result struct {
		answer Answer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer r.turns[q.api()].give(from)
		answer, err := guarded(ctx, r.sources[q.api()], q)
		done <- result{answer, err}
	}()
	select {
	case got := <-done:
		slow := ctx.Err() != nil || time.Since(began) >= r.config.Timeout/2
		if got.err == nil {
			got.err = r.reasonable(q, got.answer)
		}
		if got.err != nil {
			return Answer{}, slow, r.late(q, got.err)
		}
		return got.answer, slow, nil
	case <-ctx.Done():
		return Answer{}, true, r.late(q, ctx.Err())
	}
}

// late puts the deadline into words; other errors are left as they are.
func (r *Readers) late(q Question, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the %s did not answer within %s", q.api(), r.config.Timeout)
	}
	return err
}

// guarded turns a panic into an error: what an API returns must not end the controller.
func guarded(ctx context.Context, ask Source, q Question) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = Answer{}, fmt.Errorf("the answer of the %s caused a panic: %s", q.api(), quote(fmt.Sprint(p)))
		}
	}()
	return ask(ctx, q)
}
