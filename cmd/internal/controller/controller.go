// Package controller is the processes that run on: the controller, and the webhook beside it or by itself. From main to the loop it is
//
//	cli.Program.Main, the command's Run -> task.control -> process.run, process.work -> election.Leadership.Run -> process.term -> process.reconcile
//
// What of that is this package's stands in controller.go, one below the other.
package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

const controllerAbout = `Scales every workload that carries mini-hpa/ annotations, in all namespaces or in one: Deployments, StatefulSets,
ReplicaSets that nothing controls, and the custom resources of --kinds.

It needs an API server that serves metrics.k8s.io/v1beta1 (metrics-server). Several replicas may run: one of them leads,
the others stand by with warm caches. SIGTERM or SIGINT ends it gracefully, and the lease is released; a second one ends
it at once. Logs go to standard error.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "controller",
		Summary: "scale annotated workloads until told to stop",
		About:   controllerAbout,
		Task:    func() cli.Task { return newTask() },
	}
}

// task is the controller's flags.
type task struct {
	cluster    cluster.Flags
	decision   cli.DecisionFlags
	api        cluster.APIFlags
	serve      endpoint.Flags
	election   election.Flags
	logs       cli.LogFlags
	record     recordFlags
	webhook    webhookFlags
	sources    sourcesFlag
	state      stateFlag
	activator  activatorFlags
	namespace  string
	class      string
	kinds      []schema.GroupResource
	place      string       // the namespace where the controller itself is
	apiServer  string       // its address
	actor      *rest.Config // of the client that writes for as long as this process leads
	workers    int
	resolution time.Duration
}

func newTask() *task {
	return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), serve: endpoint.DefaultFlags(),
		election: election.DefaultFlags(), logs: cli.DefaultLogFlags(), record: defaultRecordFlags(), webhook: defaultWebhookFlags(cli.NoAddress), state: defaultStateFlag(), activator: defaultActivatorFlags(), workers: 100, resolution: 15 * time.Second}
}

func (c *task) Declare(f *pflag.FlagSet) {
	c.decision.Declare(f)
	f.Var(cli.Count(&c.workers, 1, 1000), "workers", "how many workloads are evaluated at a time")
	f.Var(cli.Duration(&c.resolution, time.Second, 10*time.Minute), "metrics-resolution",
		"how often the metrics API has new samples (metrics-server --metric-resolution); they are read just after")
	f.VarP(cli.Namespace(&c.namespace), "namespace", "n", "the only namespace to work in; without it all")
	f.Var(cli.Class(&c.class), "class", "scale only workloads whose mini-hpa/class is this, beside other installations; without it those that have none")
	f.Var(cli.Kinds(&c.kinds), "kinds", "custom resources that are scaled, too, as their CustomResourceDefinitions are called, separated by commas; Deployments, StatefulSets and ReplicaSets always are")
	c.cluster.Declare(f, "the pod's service account, else KUBECONFIG or ~/.kube/config")
	c.api.Declare(f)
	c.serve.Declare(f)
	c.state.declare(f)
	c.election.Declare(f)
	c.logs.Declare(f)
	c.webhook.declare(f)
	c.record.declare(f)
	c.sources.declare(f)
	c.activator.declare(f)
}

// Run is the process' life.
func (c *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	for _, check := range []func() error{c.decision.Check, c.election.Check, c.webhook.check, c.serve.Check, c.checkClass} {
		if err := check(); err != nil {
			return err
		}
	}
	spareMemory()
	return c.logs.Live(s, "controller", func(log *zap.Logger) error { return c.control(ctx, s.Build, log) })
}

// checkClass refuses what two installations would do to each other's requests: each takes the EndpointSlices of mini-hpa for its own.
func (c *task) checkClass() error {
	if c.class != "" && c.activator.enabled {
		return cli.Usagef("--class does not go with --activator: the installation without a class alone lets requests wake workloads")
	}
	return nil
}

// control connects, and works until ctx ends.
func (c *task) control(ctx context.Context, b cli.Build, log *zap.Logger) error {
	t, err := c.cluster.ForController(b)
	if err != nil {
		return err
	}
	c.apiServer = t.Config.Host
	c.place, c.election.Namespace = t.Namespace, cmp.Or(c.election.Namespace, t.Namespace)
	log.Info("cluster found", zap.String("from", t.Source), zap.String("server", t.Config.Host), zap.String("namespace", c.namespace), zap.String("class", c.class))
	// Half the renew deadline leaves time for a second try when the first gets no answer.
	api, err := c.api.Connect(t.Config, c.namespace, c.election.RenewDeadline/2)
	if err != nil {
		return err
	}
	tenure := election.NewTenure(c.election)
	c.actor = c.api.Actor(t.Config, tenure.Guard)
	scales, err := scaler.NewScales(c.actor)
	if err != nil {
		return err
	}
	p, err := c.assemble(b, api, tenure, scales, log)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// run works until ctx ends, then takes everything down in reverse order: the term and its lease, Events, informers, and at
// last what others see of the process.
func (p *process) run(ctx context.Context) error { return p.ports.run(ctx, p.work) }

// work fills the caches and takes part in the election until ctx ends.
func (p *process) work(parent context.Context) error {
	defer p.set.Wait()
	defer p.activators.wait()
	defer p.readers.Close()
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	defer p.endRecording()
	defer p.flush()
	if err := errors.Join(p.set.Start(ctx), p.activators.fill(ctx), p.ports.neighbors.Fill(ctx)); err != nil {
		if parent.Err() != nil {
			return nil // told to end before the caches were filled
		}
		return err
	}
	p.log.Info("caches filled", zap.Int("selected", len(p.set.Selected())))
	debug.FreeOSMemory() // of the first lists, read all at once, little is kept
	settled := time.AfterFunc(settling, func() {
		if err := releaseProgram(); err != nil {
			p.log.Info("what only the start needs of the program stays in memory", zap.Error(err))
		}
	})
	defer settled.Stop()
	return p.leadership.Run(ctx)
}

// term is one term of leadership: samples are read and workloads evaluated until ctx ends. The first samples come before
// the first evaluation, which would otherwise find none and say so.
func (p *process) term(ctx context.Context) {
	p.telemetry.leading.Store(true)
	defer p.telemetry.leading.Store(false)
	defer p.scaler.Withdraw()
	if err := p.feed.Refresh(ctx); err != nil {
		p.log.Warn("no metrics at the start of the term", zap.Error(err))
	}
	p.forgetGone(ctx)
	var working sync.WaitGroup
	working.Go(func() { p.feed.Run(ctx) })
	p.activators.lead(ctx, &working)
	working.Go(func() { p.set.Run(ctx, p.workers, p.reconcile) })
	working.Wait()
	p.outage.end()
}

// reconcile looks at one workload for as long as this process may write. A process that was stopped may find out here, before the
// election does, that it may not: the term ends soon, or goes on when the lease is renewed.
func (p *process) reconcile(ctx context.Context, key annotations.Key) (time.Duration, error) {
	err := p.leadership.Tenure.Check()
	if err == nil {
		var next time.Duration
		if next, err = p.scaler.Reconcile(ctx, key); !errors.Is(err, scaler.ErrNotLeading) {
			return next, err
		}
	}
	return p.leadership.Flags.RetryPeriod, nil
}

// assemble connects the rooms of the house: informers, feed and readers observe, the scaler decides and acts, the leadership says when.
func (c *task) assemble(b cli.Build, api cluster.Clients, tenure *election.Tenure, scales scaler.Scales, log *zap.Logger) (*process, error) {
	var err error
	p := &process{ports: &ports{log: log, class: c.class}, workers: c.workers, telemetry: newTelemetry(b), log: log}
	cluster.LogReach(api.Watches, log)
	if p.ports.kinds, err = kinds(api, c.kinds, p.failed, log); err != nil {
		return nil, fmt.Errorf("cannot watch the cluster: %w", err)
	}
	p.set, err = informer.New(informer.Config{Client: api.Watch, Reader: api.Act, Kinds: p.ports.kinds, Namespace: c.namespace, Class: c.class, Watches: api.Watches,
		OnError: p.failed, OnNews: func(news string) { log.Info(news) }})
	if err != nil {
		return nil, fmt.Errorf("cannot watch the cluster: %w", err)
	}
	if p.ports.neighbors, err = neighbors(api, c.namespace, p.set, c.activator.enabled, p.failed); err != nil {
		return nil, fmt.Errorf("cannot watch the cluster: %w", err)
	}
	p.feed = metrics.NewFeed(metrics.Config{Lister: api.Samples, Resolution: c.resolution, Timeout: api.Deadline, Keep: p.set.Owns,
		OnSamples: p.set.EnqueueOwners, OnState: p.metricsChanged, OnUnreadable: p.unreadable})
	p.ports.sources = c.sources.open(true, p.sourcesEnv(c.apiServer), p.telemetry, log, func() { p.sourcesChanged(api.Sources) })
	p.readers = metrics.NewReaders(metrics.ReadersConfig{Sources: together(api.Sources, p.ports.sources.Sources()), Timeout: api.Patience,
		OnAnswer: func(keys []annotations.Key) { p.set.Enqueue(keys...) }, OnSame: func(keys []annotations.Key, within time.Duration) { p.set.EnqueueWithin(within, keys...) }})
	p.telemetry.watch(p.feed)
	p.telemetry.follow(p.readers)
	p.budget = scaler.NewBudget(p.telemetry.registry, log.Named("scaler"))
	p.telemetry.registry.MustRegister(endpoint.WatchFailures(api.Watches))
	p.leadership, err = election.New(&election.Leadership{Flags: c.election, Client: api.Lead.CoordinationV1(), Term: p.term, Forget: func() { p.scaler.Forget() },
		Tenure: tenure, Log: log.Named("election")})
	if err != nil {
		return nil, err
	}
	if p.activators, err = c.activator.open(surroundingProcess{api: api, actor: c.actor, place: c.place, scope: c.namespace, set: p.set, registry: p.telemetry.registry, failed: p.failed, log: log}); err != nil {
		return nil, fmt.Errorf("cannot lead requests to activators: %w", err)
	}
	p.ports.requests = c.activator.around(p.activators, p.set, c.place)
	p.traces = c.record.start(p)
	if err := c.open(p, api); err != nil {
		p.endRecording()
		return nil, err
	}
	p.scaler = c.scaler(p, api, tenure.Scales(scales))
	c.state.open(p, func() state.Head { return c.head(p, b.Version) }, c.record.dir)
	return p, nil
}

// scaler makes the one who decides. From here on there is something to flush.
func (c *task) scaler(p *process, api cluster.Clients, scales scaler.Scales) *scaler.Scaler {
	events, end := scaler.NewEventWriter(api.Tell.CoreV1(), p.budget)
	p.flush = func() {
		end()
		p.budget.SayAll()
	}
	deps := scaler.Deps{
		Observer: scaler.Observer{Workloads: p.set, Surroundings: p.ports.surroundings(), Samples: p.feed, Answers: p.readers, Sources: p.ports.sources.Catalog,
			Defaults: c.decision.Defaults, Rules: c.decision.Rules, Now: time.Now},
		Origin: p.set, Chain: p.set, Scales: scales, Events: events, Budget: p.budget,
		Telemetry: scaler.NewTelemetry(p.telemetry.registry), Log: p.log.Named("scaler"),
	}
	if p.activators != nil {
		deps.Observer.Requests, deps.Doors = p.activators.keeper, p.activators.keeper
	}
	if p.traces != nil {
		deps.Traces = p.traces
	}
	return scaler.New(deps)
}

// head is what the process says of itself.
func (c *task) head(p *process, version string) state.Head {
	h := state.Head{Time: time.Now(), Version: version, Identity: p.leadership.Identity(), Leading: p.telemetry.leading.Load(), Namespace: c.namespace, Class: c.class, Kinds: c.kinds,
		Defaults: c.decision.Defaults, Rules: c.decision.Rules, Newest: p.feed.Status().Newest}
	if err := p.feed.Err(); err != nil && h.Leading {
		h.MetricsError = err.Error()
	}
	return h
}

// open opens the ports: the webhook's, if there is one, and those of metrics and probes.
func (c *task) open(p *process, api cluster.Clients) error {
	if err := p.ports.serve(&c.webhook, api, c.place, c.decision.Defaults, p.telemetry); err != nil {
		return err
	}
	return p.ports.open(c.serve, api.Act, p.telemetry, alive(p.leadership), p.set.Synced)
}

// settling is how long after its caches are filled a process is at rest, and no longer needs what its start needs of the program.
const settling = 20 * time.Second

// spareMemory lets the heap grow by three tenths between two collections instead of to its double: most of it is the cluster's pods,
// which stay, and the processor has next to nothing else to do (docs/scaling.md has the figures). The environment has the last word.
// The memory profile, whose table takes more than a megabyte, is one that nobody can ask for.
func spareMemory() {
	const growth = 30
	runtime.MemProfileRate = 0
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}
