package scaler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// Explanation is one look at a workload that changes nothing.
type Explanation struct {
	// Key is the workload's.
	Key annotations.Key `json:"key"`
	// Policy is what its annotations ask for, as far as it counts, with the bounds that they have without a schedule. Warnings are what the user should know of them.
	Policy   annotations.Policy    `json:"policy"`
	Warnings []annotations.Warning `json:"warnings,omitempty"`
	// Snapshot is what was seen, Decision what would be done about it now.
	Snapshot recommend.Snapshot `json:"snapshot"`
	Decision recommend.Decision `json:"decision"`
	// Replies are when what is asked by name was asked, by the metrics' ID.
	Replies map[string]metrics.Reply `json:"replies,omitempty"`
	// AsleepSince is since when the workload sleeps; zero if it does not, or if that is not known. Explain does not find out.
	AsleepSince time.Time `json:"asleepSince,omitzero"`
	// Leads are where requests to its Services go, where requests wake it. Explain does not find out.
	Leads []wake.Lead `json:"leads,omitempty"`
}

// Explain decides once, as Reconcile does, but writes, tells and remembers nothing. It asks the sources of metrics now, all at the same
// time, so that one that hangs does not use up the time of the others. The history of windows and scaling policies is in the memory of the
// running controller; this decision is made without it. The error says why there is nothing to decide, or that ctx has ended.
func Explain(ctx context.Context, o Observer, key annotations.Key) (Explanation, error) {
	w := o.Workloads.Workload(key)
	if w == nil {
		return Explanation{}, fmt.Errorf("%s does not exist", key.Title())
	}
	if !annotations.Selected(w.Annotations) {
		return Explanation{}, fmt.Errorf("%s has no %s annotation: it is not autoscaled", key.Title(), annotations.Prefix)
	}
	v := o.Review(w, o.around(w))
	e := Explanation{Key: key, Policy: o.counted(v.Policy), Warnings: v.Warnings}
	if len(v.Problems) > 0 {
		return e, fmt.Errorf("%s cannot be autoscaled: %w", key.Title(), v.Problems.ToAggregate())
	}
	said, err := o.fetchAll(ctx, o.Questions(w, e.Policy))
	if err != nil {
		return e, err
	}
	e.Replies = o.replies(w, e.Policy, func(q metrics.Question) (metrics.Reply, bool) {
		if r := said[q]; r != nil {
			return r.Reply, true
		}
		return metrics.Reply{}, false
	})
	e.Snapshot, _ = o.observe(w, e.Policy, time.Time{}, func(q metrics.Question) (metrics.Answer, error) { return said[q].answer, said[q].err })
	e.Warnings = slices.Concat(e.Warnings, doubts(e.Policy, e.Snapshot))
	e.Decision, _ = o.Rules.Recommend(e.Policy, e.Snapshot, recommend.Unremembered(e.Policy, e.Snapshot))
	return e, nil
}

// replies are those to the questions of a policy's metrics, by the metrics' ID.
func (o *Observer) replies(w *annotations.Workload, p annotations.Policy, of func(metrics.Question) (metrics.Reply, bool)) map[string]metrics.Reply {
	all := map[string]metrics.Reply{}
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if m.Source == annotations.SourceActivator || !o.asks(w, &p, m) {
			continue
		}
		if q, err := o.question(w, m); err == nil {
			if reply, ok := of(q); ok {
				all[m.ID] = reply
			}
		}
	}
	return all
}

// reply is what a source said, and when.
type reply struct {
	metrics.Reply
	answer metrics.Answer
	err    error
}

// fetchAll asks everything at the same time. The error says that ctx has ended before all were answered.
func (o *Observer) fetchAll(ctx context.Context, questions []metrics.Question) (map[metrics.Question]*reply, error) {
	said := map[metrics.Question]*reply{}
	var all sync.WaitGroup
	for _, q := range questions {
		if said[q] != nil {
			continue
		}
		r := &reply{Reply: metrics.Reply{Asked: o.Now(), Together: 1}}
		said[q] = r
		all.Go(func() {
			r.answer, r.err = o.Answers.Fetch(ctx, q)
			r.Took = o.Now().Sub(r.Asked)
		})
	}
	all.Wait()
	return said, context.Cause(ctx)
}
