package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/sets"
)

const (
	// maxCustom is how many values an answer about pods may have: one for each pod of a workload.
	maxCustom = 5000
	// maxExternal is the same for external metrics, whose sum a decision needs.
	maxExternal = 1000
)

// respondent is a source and what bounds its questions. Each has bounds of its own, so that one that hangs does not keep the others from
// answering.
type respondent struct {
	source Source
	limits Limits
	// turns are those of a source that is asked one question at a time, batches of one that is asked many together; the other is nil.
	turns   *turns
	batches *batches
	// asked is what it is being asked.
	asked sets.Set[Question]
	// running are the answers that are waited for.
	running sync.WaitGroup
}

// newRespondent bounds what a source is asked, by its own limits or those of all.
func newRespondent(source Source, all Limits) *respondent {
	s := &respondent{source: source, asked: sets.New[Question]()}
	if own, ok := source.(Limited); ok {
		s.limits = own.Limits()
	}
	s.limits.Timeout = max(s.limits.Timeout, all.Timeout)
	s.limits.Concurrency = cmp.Or(max(s.limits.Concurrency, 0), all.Concurrency)
	if together, ok := source.(Batch); ok {
		s.batches = &batches{source: together, limits: s.limits, running: &s.running}
	} else {
		s.turns = newTurns(source.String(), s.limits.Concurrency)
	}
	return s
}

// close asks nothing any more, and closes the source when it has answered what is under way.
func (s *respondent) close(background *sync.WaitGroup) {
	if s.turns != nil {
		s.turns.close()
	} else {
		s.batches.close()
	}
	background.Go(func() {
		s.running.Wait()
		s.source.Close()
	})
}

// same says whether two sources are one.
func same(a, b Source) bool { return reflect.TypeOf(a).Comparable() && a == b }

// unserved is the error of a question that got no turn in time.
func (s *respondent) unserved(err error) error {
	return fmt.Errorf("%w after %s", err, s.limits.Timeout)
}

// fetch asks one question in its turn, or at once where questions are asked together.
func (s *respondent) fetch(ctx context.Context, q Question) (Answer, error) {
	if s.turns == nil {
		answer, _, err := s.asking(ctx, q, func() {})
		return answer, err
	}
	turn, from := make(chan struct{}), origin{namespace: q.Namespace}
	w := &waiter{origin: from, until: time.Now().Add(2 * s.limits.Timeout), begin: func() { close(turn) }, late: func(error) {}}
	s.turns.take(w)
	select {
	case <-turn:
		answer, _, err := s.inTurn(ctx, q, from)
		return answer, err
	case <-ctx.Done():
		err := s.unserved(s.turns.busy(from))
		if !s.turns.leave(w) {
			s.turns.give(from) // it came at the same moment
		}
		return Answer{}, err
	}
}

// reasonable refuses answers that nothing can be made of.
func (s *respondent) reasonable(q Question, a Answer) error {
	most := maxCustom
	if q.Type == autoscalingv2.ExternalMetricSourceType {
		most = maxExternal
	}
	switch n := len(a.Custom) + len(a.External); {
	case n == 0:
		return fmt.Errorf("the %s returned no value", s.source)
	case n > most:
		return fmt.Errorf("the %s returned %d values, more than the %d that are allowed: choose among them by the metric's selector", s.source, n, most)
	}
	return nil
}

// inTurn asks a question that has a turn. The turn is given back by the source and not by the deadline: sources that
// ignore it would otherwise pile up.
func (s *respondent) inTurn(ctx context.Context, q Question, from origin) (Answer, bool, error) {
	return s.asking(ctx, q, func() { s.turns.give(from) })
}

// asking waits for the answer to a question until ctx ends; after is called when the source has returned. A question is slow that takes half
// the Timeout or until the deadline.
func (s *respondent) asking(ctx context.Context, q Question, after func()) (Answer, bool, error) {
	began := time.Now()
	type result struct {
		answer Answer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer after()
		var got result
		got.err = guarded(s.source, func() (err error) {
			got.answer, err = s.source.Ask(ctx, q)
			return err
		})
		done <- got
	}()
	select {
	case got := <-done:
		slow := ctx.Err() != nil || time.Since(began) >= s.limits.Timeout/2
		if got.err == nil {
			got.err = s.reasonable(q, got.answer)
		}
		if got.err != nil {
			return Answer{}, slow, s.late(got.err)
		}
		return got.answer, slow, nil
	case <-ctx.Done():
		return Answer{}, true, s.late(ctx.Err())
	}
}

// late puts the deadline into words; other errors are left as they are.
func (s *respondent) late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the %s did not answer within %s", s.source, s.limits.Timeout)
	}
	return err
}
