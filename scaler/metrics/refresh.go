package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"
)

// refresh fetches an answer and tells those who asked.
func (r *Readers) refresh(i *inquiry, slow bool) {
	answer, slow, err := r.fetch(r.lifetime, i.question, slow)
	if r.lifetime.Err() != nil {
		return
	}
	if keys := r.answered(i, answer, slow, err); len(keys) > 0 {
		r.config.OnAnswer(keys)
	}
}

// answered makes the answer the newest one and returns who is to be told.
func (r *Readers) answered(i *inquiry, answer Answer, slow bool, err error) []cache.ObjectName {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		i.stamp(&answer)
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
func (r *Readers) Fetch(ctx context.Context, q Question) (Answer, error) {
	answer, _, err := r.fetch(ctx, q, false)
	return answer, err
}

// fetch asks a question that was slow the last time or not, and says whether it was this time.
func (r *Readers) fetch(parent context.Context, q Question, slow bool) (Answer, bool, error) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(parent, r.config.Timeout)
	defer cancel()
	answer, slow, err := r.inTurn(ctx, q, slow)
	if err == nil {
		err = r.reasonable(q, answer)
	}
	if err != nil && parent.Err() != nil {
		err = fmt.Errorf("the %s was not waited for: %w", q.api(), context.Cause(parent))
	}
	if err != nil {
		return Answer{Asked: asked}, slow, err
	}
	answer.Asked = asked
	return answer, slow, nil
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

// inTurn asks when the API has a turn free. The turn is given back by the source and not by the deadline: sources that
// ignore it would otherwise pile up. A question is slow that holds its turn for half the Timeout or until the deadline; one
// that got no turn stays what it was.
func (r *Readers) inTurn(ctx context.Context, q Question, slow bool) (Answer, bool, error) {
	turns, groups := r.turns[q.api()], groupsOf(q, slow)
	if err := turns.take(ctx, groups); err != nil {
		return Answer{}, slow, fmt.Errorf("%w after %s", err, r.config.Timeout)
	}
	began := time.Now()
	type result struct {
		answer Answer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer turns.give(groups)
		answer, err := guarded(ctx, r.sources[q.api()], q)
		done <- result{answer, err}
	}()
	select {
	case got := <-done:
		return got.answer, ctx.Err() != nil || time.Since(began) >= r.config.Timeout/2, r.late(q, got.err)
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
