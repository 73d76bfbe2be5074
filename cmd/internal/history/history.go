// Package history is the command that lists what has happened to a workload.
package history

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

const about = `Lists what has happened to a workload, the oldest first: each change of its replicas and why, also by somebody else, and what else was told of it.

The controller that leads remembers it, since it leads: the last 20 lines of each workload, and 5,000 of all. It is asked by a port-forward
with your own rights, as get does. What is older, or all of it where it cannot be asked, is from the Events on the workload, which an API server keeps for an
hour, if it is not told otherwise; the first line says which, and so does each line. Reading Events takes the right to list them in the namespace.

What a controller has seen for longer is in the traces of --record, which mini-hpa replay reads, and in its log: one line for each change.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:     "history",
		Args:     "KIND/NAME",
		Summary:  "list what has happened to a workload: what was decided and why",
		About:    about,
		Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{api: cluster.DefaultAPIFlags(), leader: leader.DefaultFlags(), output: "table"}
		},
	}
}

type task struct {
	cluster   cluster.Flags
	api       cluster.APIFlags
	leader    leader.Flags
	namespace string
	since     time.Duration
	output    string
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workload's namespace; without it the context's")
	f.Var(cli.Duration(&t.since, 0, 10*365*24*time.Hour), "since", "only what happened no longer ago than this; 0s for all that is known")
	f.VarP(cli.OneOf(&t.output, "table", "json"), "output", "o", "table for people, json for programs")
	t.leader.Declare(f)
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	w, err := cli.OneWorkload(args, "show")
	if err != nil {
		return err
	}
	target, err := t.cluster.ForAnswer(s, t.namespace)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(t.api.Config(target.Config, t.api.Timeout))
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	found := t.leader.Find(ctx, target.Config)
	defer found.Close()
	told, err := tell(ctx, found, client, w, target.Namespace)
	if err != nil {
		return err
	}
	if t.since > 0 {
		earliest := told.Time.Add(-t.since)
		told.Entries = slices.DeleteFunc(told.Entries, func(l line) bool { return l.Time.Before(earliest) })
	}
	if t.output == "json" {
		return cli.WriteJSON(s.Out, told)
	}
	return told.write(s.Out)
}

// tell asks the leader, and reads Events for what it does not remember. The error says that nothing is known.
func tell(ctx context.Context, found *leader.Leader, client kubernetes.Interface, w cli.Workload, namespace string) (*story, error) {
	s := &story{Resource: w.Resource.String(), Namespace: namespace, Name: w.Name, Time: time.Now(), Entries: []line{}}
	var notAsked error
	if found.Head != nil {
		notAsked = s.remembered(ctx, found)
		if errors.Is(notAsked, leader.ErrUnknown) {
			return nil, notAsked
		}
	}
	switch {
	case notAsked != nil:
		s.Source = fmt.Sprintf("source: Events; the leader %s cannot be asked: %v", found.Pod(), notAsked)
	case found.Head == nil:
		s.Source = "source: Events; " + found.Absence()
	default:
		s.Source = "source: leader " + found.Pod()
		if !found.Began.IsZero() {
			s.Source += ", which leads since " + stamp(found.Began)
		}
		s.Source += "; what it does not remember is from Events"
	}
	before := s.Time
	if len(s.Entries) > 0 { // where there are none, the leader has forgotten them, and Events that are younger than its lead tell nothing twice
		before = s.Entries[0].Time.Add(-time.Second) // an Event has whole seconds
	}
	older, err := events(ctx, client, w, namespace, before)
	switch {
	case err != nil && (found.Head == nil || notAsked != nil):
		return nil, fmt.Errorf("%s; Events cannot be read: %w", s.Source, err)
	case err != nil:
		s.Missing = err.Error()
	}
	s.Entries = slices.Concat(older, s.Entries)
	return s, nil
}

// remembered is what the leader remembers. The error is leader.ErrUnknown if it does not know the workload.
func (s *story) remembered(ctx context.Context, found *leader.Leader) error {
	query := url.Values{state.ParamNamespace: {s.Namespace}, state.ParamKind: {s.Resource}, state.ParamName: {s.Name}}
	known, err := found.All(ctx, query)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return fmt.Errorf("%w: %s/%s in namespace %s", leader.ErrUnknown, s.Resource, s.Name, cli.Quote(s.Namespace))
	}
	var page state.ChroniclePage
	if err := found.Get(ctx, state.PathHistory, query, &page); err != nil {
		return err
	}
	s.Time = page.Time
	for _, of := range page.Items {
		for _, e := range of.Entries {
			s.Entries = append(s.Entries, line{e, byLeader})
		}
	}
	return nil
}

// events are those that mini-hpa has told of a workload before a moment.
func events(ctx context.Context, client kubernetes.Interface, w cli.Workload, namespace string, before time.Time) ([]line, error) {
	list, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{"involvedObject.name": w.Name, "source": annotations.FieldManager}.String()})
	if err != nil {
		return nil, err
	}
	var all []line
	for i := range list.Items {
		e := &list.Items[i]
		resource, _ := meta.UnsafeGuessKindToResource(e.InvolvedObject.GroupVersionKind()) // as the leader names it, too
		if at := e.LastTimestamp.Time; e.InvolvedObject.Name == w.Name && e.Source.Component == annotations.FieldManager && resource.GroupResource() == w.Resource && at.Before(before) {
			all = append(all, line{scaler.Entry{Time: at, Reason: e.Reason, Message: messageOf(e), To: sizeOf(e)}, byEvent})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time.Before(all[j].Time) }) // a sort of package slices for this type is 6 kB of the program
	return all, nil
}

// sizeOf is how many replicas an Event says were written; 0 if it says nothing of that.
func sizeOf(e *corev1.Event) int32 {
	if e.Reason != scaler.EventSuccessfulRescale {
		return 0
	}
	size, _ := scaler.NewSize(e.Message)
	return size
}

// messageOf is an Event's message, and how often it was told.
func messageOf(e *corev1.Event) string {
	if e.Count < 2 {
		return e.Message
	}
	return fmt.Sprintf("%s (%d times since %s)", e.Message, e.Count, stamp(e.FirstTimestamp.Time))
}
