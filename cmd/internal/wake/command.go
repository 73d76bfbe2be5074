// Package wake is the command that wakes all workloads that requests would wake, for when mini-hpa is taken away.
package wake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/scaler"
)

const about = `Wakes the workloads with mini-hpa/wake that sleep, waits until their pods are ready, and removes the EndpointSlices of mini-hpa. It is what
"helm uninstall" runs before the controller goes: without mini-hpa nobody would wake them, and their Services would lead to activators that are gone.

With --stop the controller is stopped first (its Deployment is scaled to 0), so that it puts nothing to sleep meanwhile. What somebody has paused,
or what is switched off, is left alone. A workload that is not ready in time is told, and the EndpointSlices are removed all the same. They stay, and the
exit code is 1, where one cannot be woken at all. To run it again does no harm.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{Name: "wake", Summary: "wake all workloads that requests would wake, before mini-hpa is removed", About: about,
		Task: func() cli.Task {
			return &task{api: cluster.DefaultAPIFlags(), logs: cli.LogFlags{Level: "error", Format: "console"}, timeout: 5 * time.Minute, propagation: 10 * time.Second}
		}}
}

// task is the command's flags.
type task struct {
	cluster     cluster.Flags
	api         cluster.APIFlags
	logs        cli.LogFlags
	all         bool
	namespace   string
	kinds       []schema.GroupResource
	stop        types.NamespacedName
	timeout     time.Duration
	propagation time.Duration
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.BoolVar(&t.all, "all", false, "wake all of them; required, as there is no other way yet")
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the only namespace whose workloads are woken; without it all")
	f.Var(cli.Kinds(&t.kinds), "kinds", "the custom resources that the controller scales; see controller")
	f.Var(deployment(&t.stop), "stop", "the controller's Deployment, which is scaled to 0 first; without it nothing is stopped")
	f.Var(cli.Duration(&t.timeout, time.Second, 24*time.Hour), "timeout", "how long to wait for pods to become ready")
	f.Var(cli.Duration(&t.propagation, 0, 2*time.Minute), "activator-propagation", "how long nodes may take to know that pods are ready; as the controller's flag")
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
	t.logs.Declare(f)
}

// deployment is a Deployment with its namespace.
func deployment(value *types.NamespacedName) cli.Value[types.NamespacedName] {
	return cli.Value[types.NamespacedName]{Var: value, Kind: "namespace/name", Want: `a namespace and a name, such as "mini-hpa/mini-hpa"`,
		Format: func(n types.NamespacedName) string { return strings.Trim(n.String(), "/") },
		Parse: func(s string) (types.NamespacedName, bool) {
			namespace, name, _ := strings.Cut(s, "/")
			return types.NamespacedName{Namespace: namespace, Name: name}, len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
		}}
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	if !t.all {
		return cli.Usagef("nothing to wake; want --all")
	}
	s.Bridge(t.logs.Logger(s.Err))
	found, err := t.cluster.ForUser(s.Build)
	if err != nil {
		return err
	}
	config := cluster.DefaultAPIFlags().Config(found.Config, t.api.Timeout)
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	scales, err := scaler.NewScales(config)
	if err != nil {
		return err
	}
	w := &waker{objects: objects, scales: scales, namespace: t.namespace, kinds: t.kinds, timeout: t.timeout, propagation: t.propagation,
		tell: func(format string, args ...any) { fmt.Fprintln(s.Out, cli.Clean(fmt.Sprintf(format, args...))) }}
	return w.run(ctx, t.stop)
}
