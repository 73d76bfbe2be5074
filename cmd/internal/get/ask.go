package get

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Asker asks for the fleet, of the leader as long as it answers.
type Asker struct {
	*task
	target cluster.Target
	// scope is the namespace; empty for all.
	scope  string
	wanted names
	leads  *leader.Leader
}

// Leader is the controller that was asked last, or why it was not; nil before the first question.
func (a *Asker) Leader() *leader.Leader { return a.leads }

// Close ends the port-forward to the leader, if there is one.
func (a *Asker) Close() {
	if a.leads != nil {
		a.leads.Close()
	}
}

// Ask asks the leader, and computes where that cannot be. One goroutine may ask at a time.
func (a *Asker) Ask(ctx context.Context) (*Fleet, error) {
	began := time.Now()
	if a.leads == nil || a.leads.Head == nil {
		a.leads = a.leader.Find(ctx, a.target.Config)
	}
	f := &Fleet{}
	var err error
	if a.leads.Head != nil {
		f, err = a.told(ctx)
		if err != nil { // it led a moment ago
			a.Close()
			a.leads = &leader.Leader{Holder: a.leads.Holder, Why: err.Error()}
		}
	}
	if a.leads.Head == nil {
		if f, err = a.computed(ctx); err != nil {
			return nil, err
		}
	}
	if f.Items, err = a.selected(ctx, f.Items); err != nil {
		return nil, err
	}
	sortItems(f.Items, a.sortBy)
	f.took = time.Since(began)
	return f, nil
}

// told is what the leader says.
func (a *Asker) told(ctx context.Context) (*Fleet, error) {
	query := url.Values{}
	if a.scope != "" {
		query.Set(state.ParamNamespace, a.scope)
	}
	items, err := a.leads.All(ctx, query)
	if err != nil {
		return nil, err
	}
	head := a.leads.Head
	if head.Namespace != "" && a.scope != "" && head.Namespace != a.scope {
		return nil, fmt.Errorf("it works in namespace %s alone", cli.Quote(head.Namespace))
	}
	var newest time.Time
	for i := range items {
		if items[i].Decided.After(newest) {
			newest = items[i].Decided
		}
	}
	if newest.IsZero() {
		newest = head.Time
	}
	return &Fleet{Source: a.leads.Source(head.Time.Sub(newest)), Leader: a.leads.Pod(), MetricsTaken: head.Newest, Time: head.Time, Items: items, leads: "leader " + a.leads.Pod(),
		period: head.Defaults.SyncPeriod}, nil
}

// computed is what the controller would see, and decide without what it remembers.
func (a *Asker) computed(ctx context.Context) (*Fleet, error) {
	o := outside{task: a.task, scope: a.scope}
	items, taken, err := o.statuses(ctx, a.target)
	if err != nil {
		return nil, err
	}
	f := &Fleet{Source: a.leads.Source(0), MetricsTaken: taken, Time: time.Now(), Items: items, leads: "the leader is not known to you", period: a.decision.Defaults.SyncPeriod}
	switch {
	case a.leads.Vacant:
		f.leads = a.leads.Vacancy()
		for i := range f.Items {
			f.Items[i].Why, f.Items[i].State = down(&f.Items[i]), scaler.StateDown
		}
	case a.leads.Holder != "":
		f.leads, f.Leader = "leader "+a.leads.Pod(), a.leads.Pod()
	}
	return f, nil
}

// down is what there is to say of a workload that nobody scales.
func down(s *scaler.Status) string {
	text := "no controller leads"
	if s.State != scaler.StateOK {
		text += "; otherwise " + string(s.State)
		if s.Why != "" {
			text += ": " + s.Why
		}
	}
	return text
}

// selected are the workloads that the flags and the arguments leave.
func (a *Asker) selected(ctx context.Context, items []scaler.Status) ([]scaler.Status, error) {
	labeled, err := a.labeled(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(items, func(s scaler.Status) bool {
		return !a.wanted.want(&s) || a.problem && !s.State.IsProblem() || labeled != nil && !labeled[id(&s)]
	}), nil
}

func id(s *scaler.Status) string { return s.Kind + "/" + s.Namespace + "/" + s.Name }

// labeled are the objects of the built-in kinds that have the labels; nil without a selector.
func (a *Asker) labeled(ctx context.Context) (map[string]bool, error) {
	if a.selector == nil || a.selector.Empty() {
		return nil, nil
	}
	client, err := metadata.NewForConfig(a.api.Config(a.target.Config, a.api.Timeout))
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	all := map[string]bool{}
	for _, kind := range annotations.Builtin() {
		options := metav1.ListOptions{LabelSelector: a.selector.String(), Limit: state.PageSize}
		for {
			page, err := client.Resource(kind.GroupVersionResource()).Namespace(a.scope).List(ctx, options)
			if err != nil {
				return nil, fmt.Errorf("cannot select %s by labels: %w", kind.Resource, err)
			}
			for i := range page.Items {
				all[kind.Kind+"/"+page.Items[i].Namespace+"/"+page.Items[i].Name] = true
			}
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
	}
	return all, nil
}

// follow prints each workload again that changes, until ctx ends.
func (a *Asker) follow(ctx context.Context, w io.Writer, f *Fleet) error {
	before := map[string]string{}
	for i := range f.Items {
		before[id(&f.Items[i])] = gist(&f.Items[i])
	}
	source := f.leads
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(cluster.Pause(a.leads.Head != nil, f.took)):
		}
		next, err := a.Ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // whoever watched has seen enough
		case err != nil:
			return err
		}
		if next.leads != source {
			source = next.leads
			fmt.Fprintln(w, cli.Clean(next.Source))
		}
		var changed []scaler.Status
		now := map[string]string{}
		for i := range next.Items {
			key, text := id(&next.Items[i]), gist(&next.Items[i])
			if now[key] = text; before[key] != text {
				changed = append(changed, next.Items[i])
			}
		}
		before, f = now, next
		if err := next.writeRows(w, changed, a.output == "wide", a.all, false); err != nil {
			return err
		}
	}
}

// gist is what has to change for a workload to be printed again: not how long ago something was.
func gist(s *scaler.Status) string {
	number := func(n *int32) int32 {
		if n == nil {
			return -1
		}
		return *n
	}
	return fmt.Sprint(targets(s), s.State, s.Replicas, s.Ready, number(s.Wants), number(s.Min), number(s.Max), scaledAt(s))
}
