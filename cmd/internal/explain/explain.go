// Package explain is the command that shows, step by step, why a workload has the replicas it has.
package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
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
	explanation, err := e.explain(ctx, t, annotations.DeploymentKey(t.Namespace, name))
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

// gathering is how long the caches of one namespace may take to fill.
const gathering = 30 * time.Second

// togetherAsked is how many questions explain puts to a source at a time. The share of one namespace in it is more than the
// annotations of one workload can name, so that none waits for another one.
const togetherAsked = 1000

// explain gathers what the controller would see of the Deployment, by the same informers and the same feed, and asks for
// the decision.
func (e *task) explain(ctx context.Context, t cluster.Target, key annotations.Key) (scaler.Explanation, error) {
	api, err := e.api.Connect(t.Config, key.Namespace, e.api.Timeout)
	if err != nil {
		return scaler.Explanation{}, err
	}
	w, around, err := e.precheck(ctx, api, key)
	if err != nil {
		return scaler.Explanation{}, err
	}
	set, err := informer.New(informer.Config{Client: api.Watch, Namespace: key.Namespace})
	if err != nil {
		return scaler.Explanation{}, err
	}
	defer set.Wait()
	gather, cancel := context.WithTimeout(ctx, gathering)
	defer cancel()
	if err := set.Start(gather); err != nil {
		return scaler.Explanation{}, fmt.Errorf("cannot read namespace %s: %w", cli.Quote(key.Namespace), err)
	}
	feed := metrics.NewFeed(metrics.Config{Lister: api.Samples, Timeout: api.Deadline})
	if err := feed.Refresh(gather); gather.Err() != nil {
		return scaler.Explanation{}, err // any other failure is a part of the explanation
	}
	readers := metrics.NewReaders(metrics.ReadersConfig{Sources: api.Sources, Timeout: api.Patience, Concurrency: togetherAsked})
	defer readers.Close()
	explanation, err := scaler.Explain(ctx, scaler.Observer{Workloads: set, Surroundings: surroundings(around.Of(w)), Samples: feed, Answers: readers,
		Defaults: e.decision.Defaults, Rules: e.decision.Rules, Now: time.Now}, key)
	explanation.Warnings = append(explanation.Warnings, unseen(around.Hidden)...)
	return explanation, err
}

// precheck asks for what the informers would go on asking for in vain, so that what is missing or forbidden is said at once.
// It returns the workload and what bears on it.
func (e *task) precheck(ctx context.Context, api cluster.Clients, key annotations.Key) (*annotations.Workload, *neighbors.Neighborhood, error) {
	d, err := api.Act.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read deployment %s: %w", key.NamespacedName(), err)
	}
	if !annotations.Selected(d.Annotations) {
		return nil, nil, fmt.Errorf("deployment %s has no %s annotation, so mini-hpa does not scale it; set at least %s and %s",
			key.NamespacedName(), annotations.Prefix, annotations.Max, annotations.TargetCPU)
	}
	w := annotations.OfDeployment(d)
	around, err := neighbors.Read(ctx, api.Act, api.Dynamic, key.Namespace)
	if err == nil {
		err = e.scalable(w, around.Of(w))
	}
	if err == nil {
		err = seesPods(ctx, api, key)
	}
	return w, around, err
}

// unseen tells what else could bear on the workload and could not be seen.
func unseen(hidden []error) []annotations.Warning {
	var warnings []annotations.Warning
	for _, err := range hidden {
		warnings = append(warnings, annotations.Warning{Field: "metadata.annotations", Rule: annotations.FoundUnchecked,
			Message: "it is not known what else scales the Deployment or changes its requests: " + err.Error()})
	}
	return warnings
}

// seesPods says what keeps the pods from being seen.
func seesPods(ctx context.Context, api cluster.Clients, key annotations.Key) error {
	one := metav1.ListOptions{Limit: 1}
	_, noDeployments := api.Act.AppsV1().Deployments(key.Namespace).List(ctx, one)
	_, noPods := api.Act.CoreV1().Pods(key.Namespace).List(ctx, one)
	_, noReplicaSets := api.Act.AppsV1().ReplicaSets(key.Namespace).List(ctx, one)
	if err := errors.Join(noDeployments, noPods, noReplicaSets); err != nil {
		return fmt.Errorf("cannot see the pods of deployment %s: %w", key.NamespacedName(), err)
	}
	return nil
}

// scalable says what keeps the Deployment from being scaled. Whether a container is injected, its pods will show.
func (e *task) scalable(w *annotations.Workload, s annotations.Surroundings) error {
	problems := slices.DeleteFunc(e.decision.Defaults.Review(w, s).Problems, annotations.LacksContainer)
	if err := cli.Joined(problems); err != nil {
		return fmt.Errorf("deployment %s cannot be autoscaled, so mini-hpa leaves it alone:\n%w", w.NamespacedName(), err)
	}
	return nil
}

// surroundings are what bore on the workload at one moment.
type surroundings annotations.Surroundings

// Surroundings is scaler.Surroundings'.
func (s surroundings) Surroundings(annotations.Key) annotations.Surroundings {
	return annotations.Surroundings(s)
}
