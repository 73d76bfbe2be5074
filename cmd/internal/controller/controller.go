// Package controller is the processes that run on: the controller, and the webhook beside it or by itself. From main to the loop it is
//
//	cli.Program.Main, the command's Run -> task.control -> process.run, process.work -> election.Leadership.Run -> process.term -> process.reconcile
package controller

import (
	"cmp"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/election"
)

const controllerAbout = `Scales every Deployment that carries mini-hpa/ annotations, in all namespaces or in one.

It needs an API server that serves metrics.k8s.io/v1beta1 (metrics-server). Several replicas may run: one of them leads,
the others stand by with warm caches. SIGTERM or SIGINT ends it gracefully, and the lease is released; a second one ends
it at once. Logs go to standard error.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "controller",
		Summary: "scale annotated Deployments until told to stop",
		About:   controllerAbout,
		Task:    func() cli.Task { return newTask() },
	}
}

// task is the controller's flags.
type task struct {
	cluster    cluster.Flags
	decision   cli.DecisionFlags
	api        cluster.APIFlags
	serve      serveFlags
	election   election.Flags
	logs       cli.LogFlags
	record     recordFlags
	webhook    webhookFlags
	namespace  string
	place      string // the namespace where the controller itself is
	workers    int
	resolution time.Duration
}

func newTask() *task {
	return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), serve: defaultServeFlags(),
		election: election.DefaultFlags(), logs: cli.DefaultLogFlags(), record: defaultRecordFlags(), webhook: defaultWebhookFlags(cli.NoAddress), workers: 100, resolution: 15 * time.Second}
}

func (c *task) Declare(f *pflag.FlagSet) {
	c.decision.Declare(f)
	f.Var(cli.Count(&c.workers, 1, 1000), "workers", "how many workloads are evaluated at a time")
	f.Var(cli.Duration(&c.resolution, time.Second, 10*time.Minute), "metrics-resolution",
		"how often the metrics API has new samples (metrics-server --metric-resolution); they are read just after")
	f.VarP(cli.Namespace(&c.namespace), "namespace", "n", "the only namespace to work in; without it all")
	c.cluster.Declare(f, "the pod's service account, else KUBECONFIG or ~/.kube/config")
	c.api.Declare(f)
	c.serve.declare(f)
	c.election.Declare(f)
	c.logs.Declare(f)
	c.webhook.declare(f)
	c.record.declare(f)
}

// Run is the process' life.
func (c *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	for _, check := range []func() error{c.decision.Check, c.election.Check, c.webhook.check} {
		if err := check(); err != nil {
			return err
		}
	}
	spareMemory()
	return c.logs.Live(s, "controller", func(log *zap.Logger) error { return c.control(ctx, s.Build, log) })
}

// spareMemory lets the heap grow by a fifth between two collections instead of to its double: most of it is the cluster's pods,
// which stay, and the processor has next to nothing else to do (docs/scaling.md has the figures). The environment has the last word.
// The memory profile, whose table takes more than a megabyte, is one that nobody can ask for.
func spareMemory() {
	const growth = 20
	runtime.MemProfileRate = 0
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}

// control connects, and works until ctx ends.
func (c *task) control(ctx context.Context, b cli.Build, log *zap.Logger) error {
	t, err := c.cluster.ForController(b)
	if err != nil {
		return err
	}
	c.place, c.election.Namespace = t.Namespace, cmp.Or(c.election.Namespace, t.Namespace)
	log.Info("cluster found", zap.String("from", t.Source), zap.String("server", t.Config.Host), zap.String("namespace", c.namespace))
	// Half the renew deadline leaves time for a second try when the first gets no answer.
	api, err := c.api.Connect(t.Config, c.namespace, c.election.RenewDeadline/2)
	if err != nil {
		return err
	}
	tenure := election.NewTenure(c.election)
	if api.Act, err = c.api.Actor(t.Config, tenure.Guard); err != nil {
		return err
	}
	p, err := c.assemble(b, api, tenure, log)
	if err != nil {
		return err
	}
	return p.run(ctx)
}
