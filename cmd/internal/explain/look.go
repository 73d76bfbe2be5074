package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// gathering is how long the caches of one namespace may take to fill.
const gathering = 30 * time.Second

// togetherAsked is how many questions explain puts to a source at a time. The share of one namespace in it is more than the
// annotations of one workload can name, so that none waits for another one.
const togetherAsked = 1000

// look gathers what the controller would see of the Deployment, by the same informers and the same feed, and asks for
// the decision.
func (e *task) look(ctx context.Context, t cluster.Target, key annotations.Key) (scaler.Explanation, error) {
	api, err := e.api.Connect(t.Config, key.Namespace, e.api.Timeout)
	if err != nil {
		return scaler.Explanation{}, err
	}
	return e.explain(ctx, api, key)
}

func (e *task) explain(ctx context.Context, api cluster.Clients, key annotations.Key) (scaler.Explanation, error) {
	d, around, err := e.precheck(ctx, api, key)
	if err != nil {
		return scaler.Explanation{}, err
	}
	set, err := informer.New(informer.Config{Client: api.Watch, Metadata: api.ReplicaSets, Namespace: key.Namespace})
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
	explanation, err := scaler.Explain(ctx, scaler.Observer{Workloads: set, Surroundings: surroundings(around.Of(d)), Samples: feed, Answers: readers,
		Defaults: e.decision.Defaults, Rules: e.decision.Rules, Now: time.Now}, key)
	explanation.Warnings = append(explanation.Warnings, unseen(around.Hidden)...)
	return explanation, err
}

// precheck asks for what the informers would go on asking for in vain, so that what is missing or forbidden is said at once.
// It returns the workload and what bears on it.
func (e *task) precheck(ctx context.Context, api cluster.Clients, key annotations.Key) (*appsv1.Deployment, *neighbors.Neighborhood, error) {
	d, err := api.Act.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read deployment %s: %w", key.NamespacedName(), err)
	}
	if !annotations.Selected(d.Annotations) {
		return nil, nil, fmt.Errorf("deployment %s has no %s annotation, so mini-hpa does not scale it; set at least %s and %s",
			key.NamespacedName(), annotations.Prefix, annotations.Max, annotations.TargetCPU)
	}
	around, err := neighbors.Read(ctx, api.Act, api.Dynamic, key.Namespace)
	if err == nil {
		err = e.scalable(d, around.Of(d))
	}
	if err == nil {
		err = seesPods(ctx, api, key)
	}
	return d, around, err
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
	_, noReplicaSets := api.ReplicaSets.Resource(replicaSets).Namespace(key.Namespace).List(ctx, one)
	if err := errors.Join(noDeployments, noPods, noReplicaSets); err != nil {
		return fmt.Errorf("cannot see the pods of deployment %s: %w", key.NamespacedName(), err)
	}
	return nil
}

var replicaSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}

// scalable says what keeps the Deployment from being scaled. Whether a container is injected, its pods will show.
func (e *task) scalable(d *appsv1.Deployment, s annotations.Surroundings) error {
	if problems := slices.DeleteFunc(e.decision.Defaults.Review(annotations.OfDeployment(d), s).Problems, annotations.LacksContainer); len(problems) > 0 {
		errs := make([]error, len(problems)) // joined one to a line; the list's own aggregate puts all of them on one
		for i, problem := range problems {
			errs[i] = problem
		}
		return fmt.Errorf("deployment %s cannot be autoscaled, so mini-hpa leaves it alone:\n%w", cache.MetaObjectToName(d), errors.Join(errs...))
	}
	return nil
}

// surroundings are what bore on the workload at one moment.
type surroundings annotations.Surroundings

// Surroundings is scaler.Surroundings'.
func (s surroundings) Surroundings(annotations.Key) annotations.Surroundings {
	return annotations.Surroundings(s)
}
