// Package explain is the command that shows, step by step, why a workload has the replicas it has.
package explain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

const about = `Shows, step by step, how many replicas a workload should have and why: usage, requests, ratio to the target, the proposal of each
metric, tolerance, stabilization, bounds and policies. It writes nothing.

The controller that leads is asked for its last decision, by a port-forward with your own rights: to get the Lease in its namespace and to
create pods/portforward there. Without them, or if nobody leads, the workload is looked at with the rights of your kubeconfig, and what mini-hpa would
decide now is computed here; the first line says which, and that nothing will be scaled while nobody leads. The rest of this page is about that. Rights that you
lack are not told as the state of the workload: what is not known to you is an error.

KIND/NAME is as kubectl takes it: deploy/web (or only web), sts/db, replicasets.apps/web; a custom resource by its full
name, such as rollouts.argoproj.io/web. The flags of the decision are the controller's, and so is --kinds: give them as
it was given them. Without its kinds, what controls the workload, and over which objects its pods are its own, may be
judged otherwise than the controller does; a warning says where that can be.
It needs the rights to list and watch the workload's kind, Deployments, StatefulSets, ReplicaSets and Pods in the namespace, and to list
pods.metrics.k8s.io there; for a custom resource and for each of --kinds to list and watch the CustomResourceDefinition, and its objects in the namespace; for
custom and external metrics also to get and list those of custom.metrics.k8s.io and external.metrics.k8s.io. The controller has these, so that
"kubectl exec" into one of its pods is a way to ask, too. For lines of mini-hpa/sources, --sources names
the file that the controller has; what it leads to must be readable and reachable from here. LimitRanges, HorizontalPodAutoscalers and
ScaledObjects that may not be listed are told as not known. For mini-hpa/wake it lists EndpointSlices. Where Events may be listed, they say since when a workload sleeps.

--at tells what the leader remembers of a moment that has passed, since it leads: the last 20 things that happened to a workload. With --trace, a decision is made
again on what was recorded, and no cluster is needed.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:     "explain",
		Args:     "KIND/NAME",
		Summary:  "show why a workload has the replicas it has, step by step",
		About:    about,
		Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), leader: leader.DefaultFlags(), output: "text"}
		},
	}
}

type task struct {
	cluster   cluster.Flags
	decision  cli.DecisionFlags
	api       cluster.APIFlags
	leader    leader.Flags
	namespace string
	kinds     []schema.GroupResource
	class     string
	sources   string
	output    string
	watch     bool
	at        moment
	trace     string
}

func (e *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&e.namespace), "namespace", "n", "the workload's namespace; without it the context's")
	f.VarP(cli.OneOf(&e.output, "text", "json", "yaml"), "output", "o", "text for people, json or yaml for programs with all that was seen")
	f.Var(cli.Kinds(&e.kinds), "kinds", "the custom resources that the controller scales, so that they are seen above the workload and between it and its pods; see controller")
	f.Var(cli.Class(&e.class), "class", "the class of the workloads that the controller scales; see controller")
	f.StringVar(&e.sources, "sources", "", "the controller's `file` of sources, with the files that it names, so that the lines of mini-hpa/sources can be asked from here")
	f.BoolVarP(&e.watch, "watch", "w", false, "go on, and explain again whenever the decision or the state has changed")
	f.Var(momentFlag(&e.at), "at", "what was then, as far as the controller that leads remembers it, or as a trace has it")
	f.StringVar(&e.trace, "trace", "", "a `file` that the controller has recorded (controller --record), whose last decision is explained, or the last one before --at; no cluster is asked")
	e.leader.Declare(f)
	e.decision.Declare(f)
	e.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	e.api.DeclareTimeout(f)
}

func (e *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	if err := e.decision.Check(); err != nil {
		return err
	}
	var o object
	var err error
	if len(args) > 0 || e.trace == "" {
		if o, err = objectOf(args); err != nil {
			return err
		}
	}
	var at time.Time
	if e.at.of != nil {
		at = e.at.of(time.Now())
	}
	if e.watch && (e.trace != "" || !at.IsZero()) {
		return cli.Usagef("--watch is about what happens now; it does not go with --at and --trace")
	}
	if now := time.Now(); e.trace == "" && at.After(now) {
		return cli.Usagef("invalid value %s for --at: that is still to come, in %s", cli.Quote(e.at.text), at.Sub(now).Round(time.Second))
	}
	if e.trace != "" {
		o.namespace = e.namespace
		a, err := recorded(e.trace, e.decision, o, at)
		if err != nil {
			return err
		}
		return e.write(s.Out, &a, a.Snapshot.Time)
	}
	t, err := e.cluster.ForAnswer(s, e.namespace)
	if err != nil {
		return err
	}
	o.namespace, o.class = t.Namespace, e.class
	if !at.IsZero() {
		found := e.leader.Find(ctx, t.Config)
		defer found.Close()
		return e.then(ctx, s.Out, found, o, at)
	}
	return e.show(ctx, s, t, o)
}

// show explains once, or whenever something has changed.
func (e *task) show(ctx context.Context, s cli.Streams, t cluster.Target, o object) error {
	found := &leader.Leader{}
	defer func() { found.Close() }()
	for said := ""; ; {
		began := time.Now()
		if found.Head == nil { // somebody may lead now
			found.Close()
			found = e.leader.Find(ctx, t.Config)
		}
		a, err := e.now(ctx, t, found, o)
		gist := a.gist()
		switch {
		case err != nil && !e.watch:
			return err
		case ctx.Err() != nil:
			return nil // whoever watched has seen enough
		case err != nil: // perhaps for the moment only
			found.Head, gist = nil, err.Error()
			if gist != said {
				fmt.Fprintln(s.Err, cli.Clean(strings.ReplaceAll(gist, "\n", "; ")))
			}
		case gist != said:
			if said != "" && e.output != "json" {
				fmt.Fprintln(s.Out, "---")
			}
			if err := e.write(s.Out, &a, time.Now()); err != nil {
				return err
			}
		}
		if said = gist; !e.watch || !pause(ctx, cluster.Pause(found.Head != nil, time.Since(began))) {
			return nil
		}
	}
}

// pause waits before it is asked again; false if ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// now is what the leader has decided, or what is computed here.
func (e *task) now(ctx context.Context, t cluster.Target, found *leader.Leader, o object) (Answer, error) {
	a, told, err := ask(ctx, found, o)
	if err == nil && !told {
		if a.Source = from(found); found.Head != nil {
			o.class = found.Head.Class
		}
		a.Explanation, err = e.explain(ctx, t, o)
	}
	return a, err
}

// then is what the leader remembers of a moment.
func (e *task) then(ctx context.Context, w io.Writer, found *leader.Leader, o object, at time.Time) error {
	if found.Head == nil {
		return fmt.Errorf("what was then is not known: %s; mini-hpa history has what Events say, and --trace FILE explains what was recorded", found.Absence())
	}
	a, told, err := ask(ctx, found, o)
	if err == nil && !told {
		err = fmt.Errorf("the leader %s has decided nothing on it", found.Pod())
	}
	if err != nil {
		return err
	}
	p, err := pastOf(a, at)
	if err != nil {
		return err
	}
	if e.output == "text" {
		return p.render(w, a.Key.Title())
	}
	return e.encode(w, p)
}

// write writes an answer in the form that is asked for.
func (e *task) write(w io.Writer, a *Answer, now time.Time) error {
	if e.output == "text" {
		return a.render(w, now)
	}
	return e.encode(w, a.machineForm())
}

func (e *task) encode(w io.Writer, form any) error {
	if e.output == "json" {
		return cli.WriteJSON(w, form)
	}
	return cli.WriteYAML(w, form)
}

// gathering is how long the caches of one namespace may take to fill.
const gathering = 30 * time.Second

// togetherAsked is how many questions explain puts to a source at a time. The share of one namespace in it is more than the
// annotations of one workload can name, so that none waits for another one.
const togetherAsked = 1000

// explain gathers what the controller would see of the workload, by the same informers and the same feed, and asks for
// the decision.
func (e *task) explain(ctx context.Context, t cluster.Target, o object) (scaler.Explanation, error) {
	list, err := listed(e.sources)
	if err != nil {
		return scaler.Explanation{}, err
	}
	api, err := e.api.Connect(t.Config, o.namespace, e.api.Timeout)
	if err != nil {
		return scaler.Explanation{}, err
	}
	w, around, err := precheck(ctx, api, o)
	if err != nil {
		return scaler.Explanation{}, err
	}
	gather, cancel := context.WithTimeout(ctx, gathering)
	kinds, unfollowed := o.followed(gather, api, e.kinds)
	set, end, err := o.watch(gather, api, kinds)
	defer func() { cancel(); end() }()
	if err != nil {
		return scaler.Explanation{}, fmt.Errorf("cannot read namespace %s: %w", cli.Quote(o.namespace), err)
	}
	if outer, _, inner := set.Outer(w.Key); inner {
		return scaler.Explanation{}, fmt.Errorf("%s is not scaled by its own annotations: %s controls it and is annotated, too, and the outer one is scaled; explain that one",
			w.Title(), outer.Title())
	}
	beside := around.Of(w)
	beside.Sources = list
	if err := e.scalable(w, beside); err != nil {
		return scaler.Explanation{}, err
	}
	feed := metrics.NewFeed(metrics.Config{Lister: api.Samples, Timeout: api.Deadline})
	policy, _, _ := e.decision.Defaults.Parse(w.Annotations)
	switch err := feed.Refresh(gather); {
	case gather.Err() != nil:
		return scaler.Explanation{}, err
	case apierrors.IsForbidden(err) && slices.ContainsFunc(policy.Metrics, func(m annotations.Metric) bool { return m.Source == "" }):
		// What this user may not read says nothing of the workload. Any other failure is a part of the explanation.
		return scaler.Explanation{}, fmt.Errorf("what the pods of %s use is not known to you: %w", w.Title(), err)
	}
	asked, err := asks(api.Sources, list, policy, set)
	if err != nil {
		return scaler.Explanation{}, err
	}
	readers := metrics.NewReaders(metrics.ReadersConfig{Sources: asked, Timeout: api.Patience, Concurrency: togetherAsked})
	defer readers.Close()
	explanation, err := scaler.Explain(ctx, scaler.Observer{Workloads: set, Surroundings: surroundings(beside), Samples: feed, Answers: readers,
		Sources:  func() *catalog.Catalog { return list },
		Requests: unasked{}, Defaults: e.decision.Defaults, Rules: e.decision.Rules, Now: time.Now}, w.Key)
	if explanation.Decision.Asleep {
		explanation.AsleepSince = asleepSince(ctx, api, w)
	}
	requests, unread := leads(ctx, api, w)
	explanation.Leads, explanation.Warnings = requests, append(explanation.Warnings, unread...)
	explanation.Warnings = append(explanation.Warnings, unlisted(list, policy)...)
	explanation.Warnings = append(explanation.Warnings, unseen(w, around.Hidden)...)
	explanation.Warnings = append(explanation.Warnings, chained(set, w, unfollowed)...)
	return explanation, err
}

// asleepSince is when the replicas were set to 0, by the last Event that says how many were set; zero if there is none that says so any more. An
// API server keeps Events for an hour (--event-ttl), and no time of a write to the scale subresource.
func asleepSince(ctx context.Context, api cluster.Clients, w *annotations.Workload) time.Time {
	events, err := api.Act.CoreV1().Events(w.Namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
		"involvedObject.uid": string(w.UID), "reason": scaler.EventSuccessfulRescale}.String()})
	if err != nil {
		return time.Time{} // it is good to know, and nothing depends on it
	}
	var last, since time.Time
	for i := range events.Items {
		e := &events.Items[i]
		size, ok := scaler.NewSize(e.Message)
		if at := e.LastTimestamp.Time; ok && !at.Before(last) {
			if last, since = at, at; size != 0 {
				since = time.Time{}
			}
		}
	}
	return since
}

// precheck asks for what the informers would go on asking for in vain, so that what is missing or forbidden is said at once.
// It returns the workload and what bears on it.
func precheck(ctx context.Context, api cluster.Clients, o object) (*annotations.Workload, *neighbors.Neighborhood, error) {
	w, err := o.read(ctx, api)
	if err != nil {
		return nil, nil, err
	}
	if !annotations.Selected(w.Annotations) {
		return nil, nil, fmt.Errorf("%s has no %s annotation, so mini-hpa does not scale it; set at least %s and %s",
			w.Title(), annotations.Prefix, annotations.Max, annotations.TargetCPU)
	}
	if class := annotations.ClassOf(w.Annotations); class != o.class {
		return nil, nil, otherClass(w, class)
	}
	around, err := neighbors.Read(ctx, api.Act, api.Dynamic, w.Namespace)
	if err == nil {
		err = seesPods(ctx, api, w)
	}
	return w, around, err
}

// otherClass says who is to be asked about a workload that the controller does not scale.
func otherClass(w *annotations.Workload, class string) error {
	if class == "" {
		return fmt.Errorf("%s has no %s, so that the controller without a class scales it; ask that one, with --controller, and without --class", w.Title(), annotations.ClassKey)
	}
	return fmt.Errorf("%s is of class %s, so that the controller of that class scales it; ask that one, with --controller and --class=%s", w.Title(), cli.Quote(class), class)
}

// unseen tells what else could bear on the workload and could not be seen.
func unseen(w *annotations.Workload, hidden []error) []annotations.Warning {
	var warnings []annotations.Warning
	for _, err := range hidden {
		warnings = append(warnings, annotations.Warning{Field: "metadata.annotations", Rule: annotations.FoundUnchecked,
			Message: fmt.Sprintf("it is not known what else scales the %s or changes its requests: %v", w.Kind.Kind, err)})
	}
	return warnings
}

// chained tells where the chains of controllers lead to what is not watched, so that the controller, if it watches more, sees more.
func chained(set *informer.Set, w *annotations.Workload, unfollowed []error) []annotations.Warning {
	var warnings []annotations.Warning
	warn := func(field, format string, args ...any) {
		warnings = append(warnings, annotations.Warning{Field: field, Rule: annotations.FoundUnchecked, Message: fmt.Sprintf(format, args...)})
	}
	for _, err := range unfollowed {
		warn("--kinds", "%v", err)
	}
	above, abovePods := set.Unfollowed(w)
	if !above.Empty() {
		warn("metadata.ownerReferences", "what controls the %s leads to a %s, which is not followed: if the controller has that kind among its --kinds, and the object is annotated, "+
			"too, it scales that one in the place of this one", w.Kind.Kind, cli.Quote(above.String()))
	}
	if set.BySelector(w) {
		warn("status.selector", "of the scale: its pods are those that this selects, and that nothing else is known to control, because no chain of controllers leads from a pod to it")
	}
	for _, kind := range abovePods {
		warn("status.selector", "of the scale: what controls a pod leads to a %s, which is not followed: if the controller has that kind among its --kinds, "+
			"the pod belongs to what controls that one", cli.Quote(kind.String()))
	}
	return warnings
}

// seesPods says what keeps the pods from being seen.
func seesPods(ctx context.Context, api cluster.Clients, w *annotations.Workload) error {
	one, apps := metav1.ListOptions{Limit: 1}, api.Act.AppsV1()
	_, noDeployments := apps.Deployments(w.Namespace).List(ctx, one)
	_, noPods := api.Act.CoreV1().Pods(w.Namespace).List(ctx, one)
	_, noReplicaSets := apps.ReplicaSets(w.Namespace).List(ctx, one)
	_, noStatefulSets := apps.StatefulSets(w.Namespace).List(ctx, one)
	if err := errors.Join(noDeployments, noPods, noReplicaSets, noStatefulSets); err != nil {
		return fmt.Errorf("cannot see the pods of %s: %w", w.Title(), err)
	}
	return nil
}

// scalable says what keeps the workload from being scaled. Whether a container is injected, its pods will show.
func (e *task) scalable(w *annotations.Workload, s annotations.Surroundings) error {
	problems := slices.DeleteFunc(e.decision.Defaults.Review(w, s).Problems, annotations.LacksContainer)
	if err := cli.Joined(problems); err != nil {
		return fmt.Errorf("%s cannot be autoscaled (%s), so mini-hpa leaves it alone:\n%w", w.Title(), scaler.ProblemEvent(problems), err)
	}
	return nil
}

// surroundings are what bore on the workload at one moment.
type surroundings annotations.Surroundings

// Surroundings is scaler.Surroundings'.
func (s surroundings) Surroundings(_, _ *annotations.Workload) annotations.Surroundings {
	return annotations.Surroundings(s)
}
