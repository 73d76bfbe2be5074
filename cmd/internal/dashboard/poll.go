package dashboard

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/explain"
	"github.com/mini-hpa/mini-hpa/cmd/internal/get"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// How long it waits at least before it asks again: the leader answers from memory, and without it everything is listed. Where nobody looks, it is asked
// for the sake of the past alone. Of the time, a quarter is spent on asking at most.
const (
	pace     = 2 * time.Second
	listPace = 15 * time.Second
	idlePace = apart
)

// poller asks the cluster for all tabs together. One goroutine asks.
type poller struct {
	question *get.Question
	fleet    *get.Asker
	api      *cluster.Clients
	hub      *hub
	now      func() time.Time
	watched  chan struct{} // has one when a tab has begun to look at something

	mu sync.Mutex
	// pasts are by the names of keys, rows by their IDs.
	pasts map[string]past
	rows  map[string]*row
	// source says who has told of the rows; empty before anybody has.
	source string
	// trials are of the workloads that tabs look at.
	trials map[string]*trial
}

// newPoller connects; it asks nothing yet.
func newPoller(q *get.Question, h *hub, now func() time.Time) (*poller, error) {
	api, err := q.API.Connect(q.Target.Config, q.Namespace, q.API.Timeout)
	if err != nil {
		return nil, err
	}
	return &poller{question: q, fleet: q.Asker(), api: &api, hub: h, now: now, watched: make(chan struct{}, 1), pasts: map[string]past{}, trials: map[string]*trial{}}, nil
}

// poll asks until ctx ends.
func (p *poller) poll(ctx context.Context) {
	defer p.fleet.Close()
	for ctx.Err() == nil {
		began := p.now()
		p.round(ctx)
		p.pause(ctx, p.now().Sub(began))
	}
}

// pause waits after a round that took so long. What a tab begins to look at meanwhile is looked at. Where nobody has looked before, the rest becomes as short
// as if somebody had, and no shorter: who loads a page again and again is asked for no more often.
func (p *poller) pause(ctx context.Context, took time.Duration) {
	began := p.now()
	next := time.NewTimer(p.rest(took))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			return
		case <-p.watched:
			p.look(ctx, true)
			next.Reset(p.rest(took) - p.now().Sub(began))
		}
	}
}

// rest is how long it waits after a round that took so long.
func (p *poller) rest(took time.Duration) time.Duration {
	least := pace
	switch l := p.fleet.Leader(); {
	case len(p.hub.watched()) == 0:
		least = idlePace
	case l == nil || l.Head == nil:
		least = listPace
	}
	return max(least, 3*took)
}

// begin tells the poller that a tab looks at something.
func (p *poller) begin() {
	select {
	case p.watched <- struct{}{}:
	default:
	}
}

// round asks for the table, and looks at what tabs look at.
func (p *poller) round(ctx context.Context) {
	f, err := p.fleet.Ask(ctx)
	if err == nil {
		l := p.fleet.Leader()
		about := &head{Source: f.Source, Leader: f.Leader, Told: l.Head != nil, Vacant: l.Vacant, Asked: p.now()}
		if l.Head != nil {
			about.MetricsError = l.Head.MetricsError
		}
		err = p.hub.told(about, p.remember(f, about.Asked))
	}
	if err != nil && ctx.Err() == nil {
		p.hub.failed(err)
	}
	p.look(ctx, false)
}

// remember adds a point to the past of each workload, and forgets those that are gone.
func (p *poller) remember(f *get.Fleet, at time.Time) []*row {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := f.Items
	p.source = f.Source
	pasts, rows := make(map[string]past, len(all)), make([]*row, len(all))
	p.rows = make(map[string]*row, len(all))
	for i := range all {
		s := &all[i]
		s.Decided = time.Time{} // it is another one each time, and nothing is shown of it
		name := keyOf(s).String()
		pasts[name] = p.pasts[name].add(pointOf(s, at))
		rows[i] = rowOf(s, pasts[name].minutes())
		p.rows[rows[i].id()] = rows[i]
	}
	p.pasts = pasts
	return rows
}

// look looks at what tabs look at, or only at what was not seen before.
func (p *poller) look(ctx context.Context, unseen bool) {
	ids := p.hub.watched()
	for _, id := range ids {
		if _, seq, _ := p.hub.seeing(id); unseen && seq > 0 {
			continue
		}
		var seen any
		switch id {
		case tableID:
			continue
		case controllerID:
			seen = p.system(ctx)
		default:
			seen = p.detail(ctx, id)
		}
		if err := p.hub.looked(id, seen); err != nil {
			p.hub.failed(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.trials {
		if !slices.Contains(ids, id) {
			delete(p.trials, id)
		}
	}
}

// detail is all that is known of one workload.
func (p *poller) detail(ctx context.Context, id string) *detail {
	p.mu.Lock()
	d := &detail{Row: p.rows[id]}
	if d.Row != nil {
		d.Past = slices.Clone(p.pasts[keyOf(&d.Row.Status).String()])
	}
	p.mu.Unlock()
	if d.Row == nil {
		d.Problem = "mini-hpa does not scale it, or it is not there"
		return d
	}
	key, q := keyOf(&d.Row.Status), p.question
	w, err := explain.Read(ctx, *p.api, key)
	if err == nil {
		d.SetBy, d.Annotations = w.SetBy, w.Annotations
	} else {
		w = nil
	}
	one, l := explain.Question{Target: q.Target, API: q.API, Decision: q.Decision, Kinds: q.Kinds}, p.fleet.Leader()
	a, err := one.Ask(ctx, l, key)
	if err != nil {
		d.Problem = err.Error()
		return d
	}
	d.explained(a, p.now())
	if w != nil {
		t := &trial{workload: w, policy: &a.Policy, decision: q.Decision, past: d.Past}
		if l.Head != nil {
			t.decision.Defaults, t.decision.Rules = l.Head.Defaults, l.Head.Rules
		}
		p.mu.Lock()
		p.trials[id] = t
		p.mu.Unlock()
	}
	return d
}

// standing are the workloads as they were seen last, the worst first, and who has told of them; empty before anybody has.
func (p *poller) standing() (all []scaler.Status, source string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rows {
		all = append(all, r.Status)
	}
	slices.SortFunc(all, func(a, b scaler.Status) int {
		return cmp.Or(cmp.Compare(a.State.Rank(), b.State.Rank()), scaler.CompareKeys(keyOf(&a), keyOf(&b)))
	})
	return all, p.source
}

// trial is what can be tried on a workload that a tab looks at; nil if nothing can.
func (p *poller) trial(id string) *trial {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trials[id]
}

// system asks for what the table does not say of the controller: the Lease, and the webhook's CA.
func (p *poller) system(ctx context.Context) *system {
	s, l := &system{}, p.fleet.Leader()
	if s.Head, s.Holder, s.Why = l.Head, l.Pod(), l.Why; l.Vacant {
		s.Vacancy = l.Vacancy()
	}
	at := p.question.Leader.Lease
	lease, err := p.api.Act.CoordinationV1().Leases(at.Namespace).Get(ctx, at.Name, metav1.GetOptions{})
	if s.Lease = &lease.Spec; err != nil {
		s.Lease, s.LeaseError = nil, err.Error()
	}
	if s.Until, err = p.authority(ctx); err != nil {
		s.WebhookError = err.Error()
	}
	return s
}

// authority is when the newest CA of the webhook expires. The chart names its configuration as it names the Lease.
func (p *poller) authority(ctx context.Context) (until time.Time, err error) {
	found, err := p.api.Act.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, p.question.Leader.Lease.Name, metav1.GetOptions{})
	if err != nil {
		return until, err
	}
	for i := range found.Webhooks {
		for block, rest := pem.Decode(found.Webhooks[i].ClientConfig.CABundle); block != nil; block, rest = pem.Decode(rest) {
			if ca, err := x509.ParseCertificate(block.Bytes); err == nil && ca.NotAfter.After(until) {
				until = ca.NotAfter
			}
		}
	}
	if until.IsZero() {
		return until, errors.New("its caBundle holds no certificate")
	}
	return until, nil
}
