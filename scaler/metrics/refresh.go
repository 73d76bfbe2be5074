package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/cache"
)

// refresh fetches an answer and tells those who asked.
func (r *Readers) refresh(i *inquiry) {
	answer, err := r.Fetch(r.lifetime, i.question)
	if r.lifetime.Err() != nil {
		return
	}
	if keys := r.answered(i, answer, err); len(keys) > 0 {
		r.config.OnAnswer(keys)
	}
}

// answered makes the answer the newest one and returns who is to be told.
func (r *Readers) answered(i *inquiry, answer Answer, err error) []cache.ObjectName {
	r.mu.Lock()
	defer r.mu.Unlock()
	i.answer, i.err, i.answered, i.underway = answer, err, true, false
	r.status.Answers++
	if err != nil {
		r.status.Failures++
	}
	keys := i.keys.UnsortedList()
	i.keys.Clear()
	return keys
}

// Fetch asks now and waits for the answer, which is not kept, until ctx ends or the Timeout has passed.
func (r *Readers) Fetch(ctx context.Context, q Question) (Answer, error) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	answer, err := r.inTurn(ctx, q)
	if err == nil {
		err = r.reasonable(q, answer)
	}
	if err != nil {
		return Answer{Asked: asked}, err
	}
	answer.Asked = asked
	return answer, nil
}

// reasonable refuses answers that nothing can be made of.
func (r *Readers) reasonable(q Question, a Answer) error {
	switch n := len(a.Custom) + len(a.External); {
	case n == 0:
		return fmt.Errorf("the %s returned no value", q.api())
	case n > r.config.MaxValues:
		return fmt.Errorf("the %s returned %d values, more than the %d that are allowed", q.api(), n, r.config.MaxValues)
	}
	return nil
}

// inTurn asks when the API has a turn free. The turn is given back by the source and not by the deadline: sources that
// ignore it would otherwise pile up.
func (r *Readers) inTurn(ctx context.Context, q Question) (Answer, error) {
	turn := r.turns[q.api()]
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("the %s is still busy with %d other questions after %s", q.api(), r.config.Concurrency, r.config.Timeout)
	}
	type result struct {
		answer Answer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-turn }()
		answer, err := guarded(ctx, r.sources[q.api()], q)
		done <- result{answer, err}
	}()
	select {
	case got := <-done:
		return got.answer, r.late(q, got.err)
	case <-ctx.Done():
		return Answer{}, r.late(q, ctx.Err())
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
