package explain

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// ask asks the leader for its last decision; told is false where it cannot be asked, or has made none: then the workload is to be looked at from
// outside. The error is why the workload is not scaled.
func ask(ctx context.Context, l *leader.Leader, o object) (a Answer, told bool, err error) {
	if l.Head == nil {
		return Answer{}, false, nil
	}
	var shown state.Explained
	err = l.Get(ctx, state.PathOne+o.namespace+"/"+o.resource.String()+"/"+o.name, url.Values{}, &shown)
	switch {
	case errors.Is(err, leader.ErrUnknown):
		return Answer{}, false, nil // why, the look from outside says
	case err != nil:
		return Answer{}, false, err
	}
	key := annotations.Key{Namespace: o.namespace, Name: o.name}
	key.Kind.Kind, key.Kind.Group = shown.Status.Kind, shown.Status.Group
	if len(shown.Problems) > 0 {
		does := "leaves it alone"
		if shown.Decision != nil { // it sleeps, and requests would wait for it for ever
			does = "only wakes it"
		}
		return Answer{}, false, fmt.Errorf("%s cannot be autoscaled (%s), so mini-hpa %s:\n%s", key.Title(), shown.ProblemEvent, does, strings.Join(shown.Problems, "\n"))
	}
	if shown.Decision == nil {
		return Answer{}, false, nil
	}
	a = Answer{Source: l.Source(shown.Time.Sub(shown.Decision.Time)), Told: shown.Time, Status: &shown.Status, Chronicle: shown.Chronicle, Requests: shown.Requests,
		Explanation: scaler.Explanation{Key: key, Policy: scaler.PolicyOf(shown.Annotations, shown.Defaults, shown.Rules), Warnings: shown.Warnings, Replies: shown.Replies, Leads: shown.Leads, Snapshot: *shown.Snapshot, Decision: *shown.Decision}}
	if shown.Decision.Asleep && shown.Status.LastScale != nil && shown.Status.LastScale.To == 0 {
		a.AsleepSince = shown.Status.LastScale.Time
	}
	return a, true, nil
}

// from says where a look from outside comes from. A leader that could be asked has not decided on the workload.
func from(l *leader.Leader) string {
	if l.Head != nil {
		return fmt.Sprintf("source: computed here; the leader %s has decided nothing on it", l.Pod())
	}
	return l.Source(0)
}
