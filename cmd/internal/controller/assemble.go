package controller

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// assemble connects the rooms of the house: informers, feed and readers observe, the scaler decides and acts, the leadership says when.
func (c *task) assemble(b cli.Build, api cluster.Clients, tenure *election.Tenure, log *zap.Logger) (*process, error) {
	var err error
	p := &process{ports: &ports{log: log}, workers: c.workers, telemetry: newTelemetry(b), log: log}
	cluster.LogReach(api.Watches, log)
	p.set, err = informer.New(informer.Config{Client: api.Watch, Reader: api.Act, Metadata: api.ReplicaSets, Namespace: c.namespace, Watches: api.Watches, OnError: p.failed})
	if err != nil {
		return nil, fmt.Errorf("cannot watch the cluster: %w", err)
	}
	if p.ports.neighbors, err = neighbors(api, c.namespace, p.set, p.failed); err != nil {
		return nil, fmt.Errorf("cannot watch the cluster: %w", err)
	}
	p.feed = metrics.NewFeed(metrics.Config{Lister: api.Samples, Resolution: c.resolution, Timeout: api.Deadline, Keep: p.set.Owns,
		OnSamples: p.set.EnqueueOwners, OnState: p.metricsChanged, OnUnreadable: p.unreadable})
	p.readers = metrics.NewReaders(metrics.ReadersConfig{Sources: api.Sources, Timeout: api.Patience,
		OnAnswer: func(keys []annotations.Key) { p.set.Enqueue(keys...) }})
	p.telemetry.watch(p.feed)
	p.telemetry.follow(p.readers)
	p.budget = scaler.NewBudget(p.telemetry.registry, log.Named("scaler"))
	p.telemetry.listen(api.Watches)
	p.leadership, err = election.New(&election.Leadership{Flags: c.election, Client: api.Lead.CoordinationV1(), Term: p.term, Forget: func() { p.scaler.Forget() },
		Tenure: tenure, Log: log.Named("election")})
	if err != nil {
		return nil, err
	}
	if p.traces, err = c.record.start(p); err != nil {
		return nil, err
	}
	if err := c.open(p, api); err != nil {
		p.endRecording()
		return nil, err
	}
	p.scaler = c.scaler(p, api)
	return p, nil
}

// scaler makes the one who decides. From here on there is something to flush.
func (c *task) scaler(p *process, api cluster.Clients) *scaler.Scaler {
	events, end := scaler.NewEventWriter(api.Tell.CoreV1(), p.budget)
	p.flush = func() {
		end()
		p.budget.SayAll()
	}
	deps := scaler.Deps{
		Observer: scaler.Observer{Workloads: p.set, Surroundings: p.ports.neighbors, Samples: p.feed, Answers: p.readers,
			Defaults: c.decision.Defaults, Rules: c.decision.Rules, Now: time.Now},
		Origin: p.set, Scales: p.leadership.Tenure.Scales(scaler.NewScales(api.Act)), Events: events, Budget: p.budget,
		Telemetry: scaler.NewTelemetry(p.telemetry.registry), Log: p.log.Named("scaler"),
	}
	if p.traces != nil {
		deps.Traces = p.traces
	}
	return scaler.New(deps)
}

// open opens the ports: the webhook's, if there is one, and those of metrics and probes.
func (c *task) open(p *process, api cluster.Clients) error {
	if err := p.ports.serve(&c.webhook, api, c.place, c.decision.Defaults, p.telemetry); err != nil {
		return err
	}
	return p.ports.open(c.serve, p.telemetry, alive(p.leadership), p.set.Synced)
}
