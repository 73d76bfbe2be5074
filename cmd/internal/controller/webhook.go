package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

const webhookAbout = `Answers the API server whether a workload with mini-hpa/ annotations may be stored: a Deployment, StatefulSet or ReplicaSet,
or a custom resource of --kinds. It is what "mini-hpa controller --webhook-bind-address=:10250" does beside scaling, as a
process of its own.

Every replica answers. They share a CA in a Secret and keep the caBundle of the ValidatingWebhookConfiguration right, unless
--tls-cert-file names a certificate that somebody else makes. Flags that say what annotations mean have to be the same as the
controller's. SIGTERM or SIGINT ends it without dropping a request: /readyz fails first, and it goes on answering for a while.`

// WebhookCommand is the row of the table of commands for the webhook as a process of its own.
func WebhookCommand() cli.Command {
	return cli.Command{
		Name:    "webhook",
		Summary: "answer the API server whether a workload can be autoscaled",
		About:   webhookAbout,
		Task: func() cli.Task {
			return &webhookTask{defaults: annotations.DefaultDefaults(), api: cluster.DefaultAPIFlags(), serve: endpoint.DefaultFlags(),
				logs: cli.DefaultLogFlags(), webhook: defaultWebhookFlags(":10250")}
		},
	}
}

// webhookTask is the webhook's flags.
type webhookTask struct {
	cluster   cluster.Flags
	defaults  annotations.Defaults
	api       cluster.APIFlags
	serve     endpoint.Flags
	logs      cli.LogFlags
	webhook   webhookFlags
	sources   sourcesFlag
	namespace string
	class     string
	kinds     []schema.GroupResource
}

func (w *webhookTask) Declare(f *pflag.FlagSet) {
	w.webhook.declare(f)
	cli.DeclareMinSyncPeriod(f, &w.defaults)
	f.VarP(cli.Namespace(&w.namespace), "namespace", "n", "the only namespace whose LimitRanges and autoscalers are known; without it all. The namespaceSelector of the ValidatingWebhookConfiguration has to say the same")
	f.Var(cli.Class(&w.class), "class", "check only workloads whose mini-hpa/class is this, as the controller's flag says; without it those that have none")
	f.Var(cli.Kinds(&w.kinds), "kinds", "custom resources that are checked, too, as those of the controller's flag; without them they are let through")
	w.cluster.Declare(f, "the pod's service account, else KUBECONFIG or ~/.kube/config")
	w.api.Declare(f)
	w.serve.Declare(f)
	w.logs.Declare(f)
	w.sources.declare(f)
}

// Run is the process' life, as the controller's is.
func (w *webhookTask) Run(ctx context.Context, _ []string, s cli.Streams) error {
	if !w.webhook.served() {
		return cli.Usagef("invalid value %q for --webhook-bind-address: want an address, since there is nothing else to serve", cli.NoAddress)
	}
	if err := errors.Join(w.webhook.check(), w.serve.Check()); err != nil {
		return err
	}
	return w.logs.Live(s, "webhook", func(log *zap.Logger) error { return w.answer(ctx, s.Build, log) })
}

// answer connects, and answers until ctx ends.
func (w *webhookTask) answer(ctx context.Context, b cli.Build, log *zap.Logger) error {
	t, err := w.cluster.ForController(b)
	if err != nil {
		return err
	}
	log.Info("cluster found", zap.String("from", t.Source), zap.String("server", t.Config.Host), zap.String("namespace", w.namespace))
	api, err := w.api.Connect(t.Config, w.namespace, w.api.Timeout)
	if err != nil {
		return err
	}
	cluster.LogReach(api.Watches, log)
	f, telemetry := &ports{log: log, class: w.class}, newTelemetry(b)
	telemetry.registry.MustRegister(endpoint.WatchFailures(api.Watches))
	f.sources = w.sources.open(false, sources.Env{}, telemetry, log, nil)
	failed := func(err error) { log.Error("will try again", zap.Error(err)) }
	if f.neighbors, err = neighbors(api, w.namespace, nil, false, failed); err != nil {
		return fmt.Errorf("cannot watch the cluster: %w", err)
	}
	if f.kinds, err = kinds(api, w.kinds, failed, log); err != nil {
		return fmt.Errorf("cannot watch the cluster: %w", err)
	}
	if err := f.serve(&w.webhook, api, t.Namespace, w.defaults, telemetry); err != nil {
		return err
	}
	known := atomic.Bool{} // which kinds there are
	if err := f.open(w.serve, api.Act, telemetry, endpoint.Checks{endpoint.Ping()}, known.Load); err != nil {
		return err
	}
	return f.run(ctx, func(ctx context.Context) error {
		if f.kinds.Fill(ctx) == nil {
			known.Store(true)
		}
		if known.Load() && f.neighbors.Fill(ctx) == nil {
			log.Info("caches filled")
		}
		<-ctx.Done()
		return nil
	})
}
