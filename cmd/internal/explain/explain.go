// Package explain is the command that shows, step by step, why a workload has the replicas it has.
package explain

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

const about = `Looks at one Deployment with the rights of your kubeconfig and shows, step by step, what mini-hpa would decide now:
usage, requests, ratio to the target, the proposal of each metric, tolerance, stabilization, bounds and policies. It
writes nothing.

DEPLOYMENT is NAME, deploy/NAME, deployment/NAME or deployments.apps/NAME. The flags of the decision are the
controller's: give them as it was given them. It needs the rights to get, list and watch Deployments and to list and
watch ReplicaSets and Pods in the namespace, and to list pods.metrics.k8s.io there; for custom and external metrics
also to get and list those of custom.metrics.k8s.io and external.metrics.k8s.io. LimitRanges, HorizontalPodAutoscalers and
ScaledObjects that may not be listed are told as not known.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "explain",
		Args:    "DEPLOYMENT",
		Summary: "show why a Deployment has the replicas it has, step by step",
		About:   about,
		Task: func() cli.Task {
			return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), output: "text"}
		},
	}
}

type task struct {
	cluster   cluster.Flags
	decision  cli.DecisionFlags
	api       cluster.APIFlags
	namespace string
	output    string
}

func (e *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&e.namespace), "namespace", "n", "the Deployment's namespace; without it the context's")
	f.VarP(cli.OneOf(&e.output, "text", "json"), "output", "o", "text for people, json for programs with all that was seen")
	e.decision.Declare(f)
	e.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	e.api.DeclareTimeout(f)
}

func (e *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	name, err := deploymentName(args)
	if err != nil {
		return err
	}
	if err := e.decision.Check(); err != nil {
		return err
	}
	// What libraries log is no answer: it goes where messages go, and only if something is wrong.
	s.LogErrors()
	t, err := e.cluster.ForUser(s.Build)
	if err != nil {
		return err
	}
	if e.namespace != "" {
		t.Namespace = e.namespace
	}
	explanation, err := e.look(ctx, t, annotations.DeploymentKey(t.Namespace, name))
	if err != nil {
		return err
	}
	if e.output == "json" {
		return cli.WriteJSON(s.Out, machineForm(explanation))
	}
	return render(s.Out, explanation, time.Now())
}

// deploymentName takes NAME out of the forms in which kubectl users write it.
func deploymentName(args []string) (string, error) {
	const want = "want one Deployment, such as deploy/web"
	switch {
	case len(args) == 0:
		return "", cli.Usagef("nothing to explain; %s", want)
	case len(args) > 1:
		return "", cli.Usagef("unexpected argument %s; %s", cli.Quote(args[1]), want)
	}
	kind, name, slash := strings.Cut(args[0], "/")
	if !slash {
		kind, name = "deployment", args[0]
	}
	switch strings.ToLower(kind) {
	case "deploy", "deployment", "deployments", "deployment.apps", "deployments.apps", "deployment.v1.apps", "deployments.v1.apps":
	default:
		return "", cli.Usagef("cannot explain %s: mini-hpa scales Deployments only; %s", cli.Quote(args[0]), want)
	}
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return "", cli.Usagef("%s is not the name of a Deployment (%s); %s", cli.Quote(name), problems[0], want)
	}
	return name, nil
}
