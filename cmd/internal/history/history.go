// Package history is the command that lists what has happened to a workload.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
)

const about = `Lists what has happened to a workload, the oldest first: each change of its replicas and why, also by somebody else, and what else was told of it.

The controller that leads remembers it, since it leads: the last 20 lines of each workload, and 5,000 of all. It is asked by a port-forward
with your own rights, as get does. What is older, or all of it where it cannot be asked, is from the Events on the workload, which an API server keeps for an
hour, if it is not told otherwise; the first line says which, and so does each line. Reading Events takes the right to list them in the namespace.

Of a workload that is gone, and of one that is not scaled any more, Events tell what they still have. One of which nothing is known, and that is not there, is not found: exit code 1.

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
	o := object{Workload: w, namespace: target.Namespace, config: t.api.Config(target.Config, t.api.Timeout)}
	found := t.leader.Find(ctx, target.Config)
	defer found.Close()
	told, err := tell(ctx, found, o)
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

// tell asks the leader, and reads Events for what it does not remember. The error says that nothing is known, or that there is no such workload.
func tell(ctx context.Context, found *leader.Leader, o object) (*story, error) {
	s := &story{Resource: o.Resource.String(), Namespace: o.namespace, Name: o.Name, Time: time.Now(), Entries: []line{}}
	var notAsked, unscaled error
	if found.Head != nil {
		if notAsked = s.remembered(ctx, found); errors.Is(notAsked, leader.ErrUnknown) {
			notAsked, unscaled = nil, notAsked
		}
	}
	s.Source = sourceOf(found, notAsked, unscaled)
	before := s.Time
	if len(s.Entries) > 0 { // where there are none, the leader has forgotten them, and Events that are younger than its lead tell nothing twice
		before = s.Entries[0].Time.Add(-time.Second) // an Event has whole seconds
	}
	older, err := o.events(ctx, before)
	switch isScaled := found.Head != nil && notAsked == nil && unscaled == nil; {
	case err != nil && unscaled != nil:
		return nil, fmt.Errorf("%w; Events cannot be read: %w", unscaled, err)
	case err != nil && !isScaled:
		return nil, fmt.Errorf("%s; Events cannot be read: %w", s.Source, err)
	case err != nil:
		s.Missing = err.Error()
	case len(older) == 0 && !isScaled:
		return s, cmp.Or(o.missing(ctx), unscaled)
	}
	s.Entries = slices.Concat(older, s.Entries)
	return s, nil
}

// sourceOf says who tells. The errors are why the leader could not be asked, or that it does not scale the workload.
func sourceOf(found *leader.Leader, notAsked, unscaled error) string {
	switch {
	case notAsked != nil:
		return fmt.Sprintf("source: Events; the leader %s cannot be asked: %v", found.Pod(), notAsked)
	case unscaled != nil:
		return fmt.Sprintf("source: Events; the leader %s does not scale it", found.Pod())
	case found.Head == nil:
		return "source: Events; " + found.Absence()
	}
	source := "source: leader " + found.Pod()
	if !found.Began.IsZero() {
		source += ", which leads since " + stamp(found.Began)
	}
	return source + "; what it does not remember is from Events"
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
