package main

import (
	"context"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// togetherAsked is how many questions explain puts to an API at a time. The share of one namespace in it is more than the
// annotations of one workload can name, so that none waits for another one.
const togetherAsked = 1000

// interview notes what a first look wants to know, asks it all at once, and answers a second look. One metric that hangs
// then costs no other one its time.
type interview struct {
	ask     func(context.Context, metrics.Question) (metrics.Answer, error)
	answers map[metrics.Question]*reply
}

// reply is what an API said; an error of ErrPending before it was asked.
type reply struct {
	answer metrics.Answer
	err    error
}

// Ask is scaler.Answers'.
func (i *interview) Ask(_ annotations.Key, q metrics.Question, _ time.Duration) (metrics.Answer, error) {
	known := i.answers[q]
	if known == nil {
		known = &reply{err: metrics.ErrPending}
		i.answers[q] = known
	}
	return known.answer, known.err
}

// hold asks all that was noted and waits for the answers. The error says that ctx ended before.
func (i *interview) hold(ctx context.Context) error {
	var all sync.WaitGroup
	for q, reply := range i.answers {
		all.Go(func() { reply.answer, reply.err = i.ask(ctx, q) })
	}
	all.Wait()
	return context.Cause(ctx)
}
