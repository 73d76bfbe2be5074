package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// gathering is how long the caches of one namespace may take to fill.
const gathering = 30 * time.Second

// look gathers what the controller would see of the Deployment, by the same informers and the same feed, and asks for
// the decision.
func (e *explainTask) look(ctx context.Context, t target, key cache.ObjectName) (scaler.Explanation, error) {
	api, err := e.api.connect(t.config, key.Namespace, e.api.timeout)
	if err != nil {
		return scaler.Explanation{}, err
	}
	return e.explain(ctx, api, key)
}

func (e *explainTask) explain(ctx context.Context, api clients, key cache.ObjectName) (scaler.Explanation, error) {
	if err := e.precheck(ctx, api, key); err != nil {
		return scaler.Explanation{}, err
	}
	set, err := informer.New(informer.Config{Client: api.watch, Metadata: api.replica, Namespace: key.Namespace})
	if err != nil {
		return scaler.Explanation{}, err
	}
	defer set.Wait()
	gather, cancel := context.WithTimeout(ctx, gathering)
	defer cancel()
	if err := set.Start(gather); err != nil {
		return scaler.Explanation{}, fmt.Errorf("cannot read namespace %s: %w", quote(key.Namespace), err)
	}
	feed := metrics.NewFeed(metrics.Config{Lister: api.samples, Timeout: api.deadline})
	if err := feed.Refresh(gather); gather.Err() != nil {
		return scaler.Explanation{}, err // any other failure is a part of the explanation
	}
	readers := metrics.NewReaders(metrics.ReadersConfig{Custom: api.custom, External: api.external, Timeout: api.patience, Concurrency: togetherAsked})
	defer readers.Close()
	asked := &interview{ask: readers.Fetch, answers: map[metrics.Question]*reply{}}
	if _, err := e.decide(set, feed, asked, key); err != nil {
		return scaler.Explanation{}, err
	}
	if err := asked.hold(ctx); err != nil {
		return scaler.Explanation{}, err
	}
	return e.decide(set, feed, asked, key)
}

// precheck asks for what the informers would go on asking for in vain, so that what is missing or forbidden is said at once.
func (e *explainTask) precheck(ctx context.Context, api clients, key cache.ObjectName) error {
	d, err := api.act.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read deployment %s: %w", key, err)
	}
	if err := e.readable(d, key); err != nil {
		return err
	}
	one := metav1.ListOptions{Limit: 1}
	_, noDeployments := api.act.AppsV1().Deployments(key.Namespace).List(ctx, one)
	_, noPods := api.act.CoreV1().Pods(key.Namespace).List(ctx, one)
	_, noReplicaSets := api.replica.Resource(replicaSets).Namespace(key.Namespace).List(ctx, one)
	if err := errors.Join(noDeployments, noPods, noReplicaSets); err != nil {
		return fmt.Errorf("cannot see the pods of deployment %s: %w", key, err)
	}
	return nil
}

var replicaSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}

// readable says what keeps the annotations from being followed.
func (e *explainTask) readable(d *appsv1.Deployment, key cache.ObjectName) error {
	if !annotations.Selected(d.Annotations) {
		return fmt.Errorf("deployment %s has no %s annotation, so mini-hpa does not scale it; set at least %s and %s",
			key, annotations.Prefix, annotations.Max, annotations.TargetCPU)
	}
	if _, _, problems := e.decision.defaults.Parse(d.Annotations); len(problems) > 0 {
		errs := make([]error, len(problems)) // joined one to a line; the list's own aggregate puts all of them on one
		for i, problem := range problems {
			errs[i] = problem
		}
		return fmt.Errorf("deployment %s has invalid annotations, so mini-hpa leaves it alone:\n%w", key, errors.Join(errs...))
	}
	return nil
}

// decide asks a scaler that has nobody to tell and nothing to write with.
func (e *explainTask) decide(set *informer.Set, feed *metrics.Feed, answers scaler.Answers, key cache.ObjectName) (scaler.Explanation, error) {
	return scaler.New(scaler.Deps{
		Workloads: set, Samples: feed, Answers: answers, Scales: readOnly{}, Events: &record.FakeRecorder{},
		Defaults: e.decision.defaults, Rules: e.decision.rules,
		Telemetry: scaler.NewTelemetry(prometheus.NewRegistry()), Log: zap.NewNop(), Now: time.Now,
	}).Explain(key)
}

// readOnly refuses to write.
type readOnly struct{}

// Scale always fails; see scaler.Scales.
func (readOnly) Scale(context.Context, *appsv1.Deployment, int32) error {
	return errors.New("explaining writes nothing")
}
