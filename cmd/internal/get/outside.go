package get

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// gathering is how long the caches may take to fill.
const gathering = time.Minute

// outside looks at the cluster with the rights of a user.
type outside struct {
	*task
	scope string
	// hidden is why the user does not know what the pods use; nil if he does.
	hidden error
	// around are the neighborhoods by namespace.
	around map[string]*neighbors.Neighborhood
	// now is when it is decided.
	now time.Time
}

// statuses gathers what the controller would see, by the same informers and the same feed, and decides. It also returns when the newest sample
// was taken.
func (o *outside) statuses(ctx context.Context, t cluster.Target) ([]scaler.Status, time.Time, error) {
	api, err := o.api.Connect(t.Config, o.scope, o.api.Timeout)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := o.mayList(ctx, api); err != nil {
		return nil, time.Time{}, err
	}
	gather, cancel := context.WithTimeout(ctx, gathering)
	kinds, err := informer.NewKinds(informer.KindsConfig{Dynamic: api.Dynamic, Names: o.kinds})
	if err != nil {
		cancel()
		return nil, time.Time{}, err
	}
	set, err := informer.New(informer.Config{Client: api.Watch, Kinds: kinds, Namespace: o.scope, Class: o.class})
	if err != nil {
		cancel()
		return nil, time.Time{}, err
	}
	kinds.Start(gather)
	defer func() { cancel(); set.Wait(); kinds.Wait() }()
	if err := errors.Join(kinds.Fill(gather), set.Start(gather)); err != nil {
		return nil, time.Time{}, fmt.Errorf("cannot read %s: %w", o.place(), err)
	}
	feed := metrics.NewFeed(metrics.Config{Lister: api.Samples, Timeout: api.Deadline, Keep: set.Owns})
	if err := feed.Refresh(gather); err != nil && forbidden(err) {
		o.hidden = err
	}
	items, err := o.decide(gather, api, set, feed)
	return items, feed.Status().Newest, err
}

// place is the scope in words.
func (o *outside) place() string {
	if o.scope == "" {
		return "all namespaces"
	}
	return "namespace " + cli.Quote(o.scope)
}

// mayList asks for what the informers would go on asking for in vain.
func (o *outside) mayList(ctx context.Context, api cluster.Clients) error {
	one, apps := metav1.ListOptions{Limit: 1}, api.Act.AppsV1()
	_, noDeployments := apps.Deployments(o.scope).List(ctx, one)
	_, noPods := api.Act.CoreV1().Pods(o.scope).List(ctx, one)
	_, noReplicaSets := apps.ReplicaSets(o.scope).List(ctx, one)
	_, noStatefulSets := apps.StatefulSets(o.scope).List(ctx, one)
	err := errors.Join(noDeployments, noPods, noReplicaSets, noStatefulSets)
	switch {
	case err == nil:
		return nil
	case forbidden(err) && o.scope == "":
		return fmt.Errorf("not all namespaces are known to you; name one with -n:\n%w", err)
	}
	return fmt.Errorf("cannot list the workloads of %s and their pods:\n%w", o.place(), err)
}

// decide makes a decision for each workload.
func (o *outside) decide(ctx context.Context, api cluster.Clients, set *informer.Set, feed *metrics.Feed) ([]scaler.Status, error) {
	readers := metrics.NewReaders(metrics.ReadersConfig{Sources: api.Sources, Timeout: api.Patience, Concurrency: 10})
	defer readers.Close()
	if err := o.meetAll(ctx, api); err != nil {
		return nil, err
	}
	o.now = time.Now()
	observer := scaler.Observer{Workloads: set, Surroundings: o, Samples: feed, Answers: readers, Defaults: o.decision.Defaults, Rules: o.decision.Rules, Now: func() time.Time { return o.now }}
	keys := set.Selected()
	items := make([]scaler.Status, 0, len(keys))
	for _, key := range keys {
		w := set.Workload(key)
		if w == nil {
			continue // gone meanwhile, or an outer one is scaled in its place
		}
		if err := o.meet(ctx, api, key.Namespace); err != nil {
			return nil, err
		}
		status, err := o.status(ctx, observer, set, w)
		switch {
		case err != nil && ctx.Err() == nil && set.Workload(key) == nil:
			continue // it has gone since
		case err != nil:
			return nil, err
		}
		items = append(items, status)
	}
	return items, nil
}

// meetAll reads the neighborhoods of all namespaces at once, where they are asked about and may be listed so.
func (o *outside) meetAll(ctx context.Context, api cluster.Clients) (err error) {
	if o.scope == "" {
		o.around, err = neighbors.ReadAll(ctx, api.Act, api.Dynamic)
	}
	if o.scope != "" || forbidden(err) { // one by one, as they are met
		o.around, err = map[string]*neighbors.Neighborhood{}, nil
	}
	return err
}

// meet reads the neighborhood of a namespace, once.
func (o *outside) meet(ctx context.Context, api cluster.Clients, namespace string) error {
	if o.around[namespace] != nil {
		return nil
	}
	around, err := neighbors.Read(ctx, api.Act, api.Dynamic, namespace)
	if err != nil {
		return err
	}
	o.around[namespace] = around
	return nil
}

// Surroundings is scaler.Surroundings'.
func (o *outside) Surroundings(w, _ *annotations.Workload) annotations.Surroundings {
	return o.around[w.Namespace].Of(w)
}

func (o *outside) status(ctx context.Context, observer scaler.Observer, set *informer.Set, w *annotations.Workload) (scaler.Status, error) {
	pods := set.Pods(w)
	v := observer.Review(w, o.around[w.Namespace].Of(w))
	e := scaler.Explanation{Policy: v.Policy}
	e.Policy.Mode = v.Mode
	if len(v.Problems) > 0 || v.Mode == annotations.ModePaused {
		return scaler.StatusOf(e, w, pods, v.Problems, o.now), nil
	}
	if o.hidden != nil && slices.ContainsFunc(v.Policy.Metrics, func(m annotations.Metric) bool { return m.Source == "" }) {
		status := scaler.StatusOf(e, w, pods, nil, o.now)
		status.State, status.Why = scaler.StateUnknown, fmt.Sprintf("not known to you: %v", o.hidden)
		return status, nil
	}
	e, err := scaler.Explain(ctx, observer, w.Key)
	if err != nil {
		return scaler.Status{}, err
	}
	status := scaler.StatusOf(e, w, pods, nil, o.now)
	if why := unasked(&e, status.Wants); why != "" && (status.State == scaler.StateBlind || status.State == scaler.StateWaiting) {
		status.State, status.Why = scaler.StateUnknown, why
	}
	return status, nil
}

// unasked says what is not known from here because the controller alone asks the sources of mini-hpa/sources, and what is known all the same; empty if
// nothing is missing, or something else is, too.
func unasked(e *scaler.Explanation, wants *int32) string {
	var lines []string
	others := false
	for i, m := range e.Decision.Measured(e.Policy.Metrics) {
		switch r := &e.Decision.Metrics[i]; {
		case m.Line != nil:
			lines = append(lines, m.ID)
		case r.Failed:
			return ""
		default:
			others = true
		}
	}
	if len(lines) == 0 {
		return ""
	}
	text := "what " + strings.Join(lines, " and ") + " have to say is known to the controller alone"
	if len(lines) == 1 {
		text = "what " + lines[0] + " says is known to the controller alone"
	}
	if others && wants != nil {
		text += fmt.Sprintf("; by the others it needs %d at least", *wants)
	}
	return text
}

// forbidden says that what is missing is a right of whoever asks.
func forbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }
