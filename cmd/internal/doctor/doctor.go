// Package doctor is the command that looks for whatever may be wrong: with the installation, and with each workload.
package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/get"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/selftest"
	"github.com/mini-hpa/mini-hpa/scaler"
)

const about = `Makes the checks of selftest, and then lists the workloads with which something is wrong, as get --problem does: one line for each, with the command that
says more or repairs it. The exit code is 1 if anything is wrong.

It finds the Lease by --controller, and with it the namespace of the controller's service account. What you lack the rights to check is a skip here, while selftest
fails, as the cluster's administrator wants it.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:     "doctor",
		Summary:  "find what is wrong, with the installation and with workloads, and what to do next",
		About:    about,
		Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{Question: Question{Leader: leader.DefaultFlags(), Webhook: "mini-hpa", Account: "mini-hpa"}}
		},
	}
}

// Question is which cluster is looked at, and what in it.
type Question struct {
	Cluster cluster.Flags
	Leader  leader.Flags
	// Namespace is where workloads are tried out as a dry run; empty for that of the context.
	Namespace string
	// Webhook is the ValidatingWebhookConfiguration, Account the controller's service account in the namespace of the Lease; empty for none.
	Webhook, Account string
	// Class is that of the workloads that the controller scales.
	Class string
}

// Line is what was found of one thing.
type Line struct {
	// Word is WordOK, WordFail or, of what was not looked at, "skip".
	Word string `json:"word"`
	// Text says what was seen and, where there is something to do, what that is. A terminal may be shown it.
	Text string `json:"text"`
}

// Words of a Line.
const (
	WordOK   = "ok"
	WordFail = "FAIL"
)

type task struct {
	Question
	all bool
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.Namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.BoolVarP(&t.all, "all-namespaces", "A", false, "the workloads of all namespaces")
	t.Leader.Declare(f)
	f.Var(cli.Class(&t.Class), "class", "the class of the workloads that the controller scales; see controller")
	f.Var(cli.OptionalName(&t.Webhook), "webhook-configuration", "`name` of the webhook's ValidatingWebhookConfiguration; empty if there is no webhook")
	f.Var(cli.OptionalName(&t.Account), "service-account", "`name` of the controller's service account in the Lease's namespace; empty not to test its rights")
	t.Cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	lines, err := t.Installation(ctx, s)
	wrong, failed := write(s.Out, lines)
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	lines, err = t.workloads(ctx, s)
	more, failed := write(s.Out, lines)
	switch err = errors.Join(err, failed); {
	case err != nil:
		return err
	case wrong+more > 0:
		return fmt.Errorf("%s", cli.Plural(wrong+more, "finding"))
	}
	return nil
}

// write writes lines, and counts those that say that something is wrong.
func write(out io.Writer, lines []Line) (wrong int, err error) {
	for _, l := range lines {
		if l.Word == WordFail {
			wrong++
		}
		if _, err := fmt.Fprintf(out, "%-4s %s\n", l.Word, l.Text); err != nil {
			return wrong, fmt.Errorf("cannot write: %w", err)
		}
	}
	return wrong, nil
}

// written is what a command has written before its time was over: what it says afterwards is of the time, and not of the cluster.
type written struct {
	ctx context.Context //nolint:containedctx // it is that of one call
	bytes.Buffer
}

// Write is io.Writer's.
func (w *written) Write(text []byte) (int, error) {
	if w.ctx.Err() != nil {
		return len(text), nil //nolint:nilerr // it is not wanted any more, which is no failure of who writes
	}
	return w.Buffer.Write(text)
}

// played is what a command writes, and what it ends with.
func played(ctx context.Context, c cli.Command, args []string, s cli.Streams) (out *written, failed error, err error) {
	task := c.Task()
	if err := c.Flags(task).Parse(args); err != nil {
		return nil, nil, fmt.Errorf("cannot call %s: %w", c.Name, err)
	}
	out = &written{ctx: ctx}
	s.Out = out
	return out, task.Run(ctx, nil, s), nil
}

// Installation makes the checks of selftest. An error says why not all of them were made, beside those that were.
func (q *Question) Installation(ctx context.Context, s cli.Streams) ([]Line, error) {
	target, err := q.Cluster.ForUser(s.Build)
	if err != nil {
		return nil, err
	}
	args := append(q.Cluster.Args(), "--namespace="+cmp.Or(q.Namespace, target.Namespace), "--class="+q.Class, "--webhook-configuration="+q.Webhook, "--leader-elect-resource-name="+q.Leader.Lease.Name,
		fmt.Sprintf("--state-port=%d", q.Leader.Port))
	if q.Account != "" {
		args = append(args, "--service-account="+q.Leader.Lease.Namespace+"/"+q.Account)
	}
	out, failed, err := played(ctx, selftest.ForUsers(), args, s)
	if err != nil {
		return nil, err
	}
	if out.Len() == 0 && failed != nil && ctx.Err() == nil {
		return nil, failed
	}
	var lines []Line
	for line := range strings.Lines(out.String()) {
		word, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, Line{word, strings.TrimLeft(text, " ")})
	}
	if ctx.Err() != nil {
		return lines, fmt.Errorf("not all checks were made: %w", context.Cause(ctx))
	}
	return lines, nil
}

// workloads asks for those with which something is wrong.
func (t *task) workloads(ctx context.Context, s cli.Streams) ([]Line, error) {
	args := append(t.Cluster.Args(), "--class="+t.Class, "--output=json", "--sort-by=state", "--controller="+t.Leader.Lease.String(), fmt.Sprintf("--state-port=%d", t.Leader.Port))
	if t.Namespace != "" {
		args = append(args, "--namespace="+t.Namespace)
	}
	if t.all {
		args = append(args, "--all-namespaces")
	}
	out, failed, err := played(ctx, get.Command(), args, s)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, fmt.Errorf("how the workloads stand is not known: %w", failed)
	}
	var fleet struct {
		Source string          `json:"source"`
		Items  []scaler.Status `json:"items"`
	}
	if err := json.Unmarshal(out.Bytes(), &fleet); err != nil {
		return nil, fmt.Errorf("cannot read how the workloads stand: %w", err)
	}
	return t.Workloads(fleet.Items, fleet.Source), nil
}

// Workloads says which of them something is wrong with, after how many there are and who has told.
func (q *Question) Workloads(all []scaler.Status, source string) []Line {
	lines := []Line{{WordOK, cli.Clean(cli.Plural(len(all), "workload") + " looked at; " + source)}}
	down := 0
	for i := range all {
		switch w := &all[i]; {
		case w.State == scaler.StateDown: // all of them are
			down++
		case w.State.IsProblem():
			lines = append(lines, Line{WordFail, cli.Clean(q.finding(w))})
		}
	}
	if down > 0 {
		lines = append(lines, Line{WordFail, cli.Clean(fmt.Sprintf("%s not scaled, as no controller leads; next: %s", cli.Plural(down, "workload"),
			q.command("kubectl", q.Leader.Lease.Namespace, "get", "pods,lease")))})
	}
	return lines
}

// command is what a user would type next, about the same cluster.
func (q *Question) command(program, namespace string, words ...string) string {
	all := append([]string{program, words[0]}, q.Cluster.Args()...)
	return cli.ShellWords(append(append(all, "-n", namespace), words[1:]...))
}

// finding is what is wrong with a workload, and what to do next.
func (q *Question) finding(w *scaler.Status) string {
	kind := map[string]string{"Deployment": "deploy", "StatefulSet": "sts", "ReplicaSet": "rs"}[w.Kind]
	if kind == "" {
		kind = strings.ToLower(w.Kind) + "s." + w.Group
	}
	name := kind + "/" + w.Name
	next := q.command("mini-hpa", w.Namespace, "explain", name)
	switch w.State {
	case scaler.StateConflict:
		next = q.command("kubectl", w.Namespace, "get", "hpa")
	case scaler.StateDenied, scaler.StateOverwritten:
		next = q.command("mini-hpa", w.Namespace, "history", name)
	case scaler.StateLimited:
		if w.Wants != nil && strings.Contains(w.Why, annotations.Max+" is") {
			next = q.command("kubectl", w.Namespace, "annotate", name, "--overwrite", fmt.Sprintf("%s=%d", annotations.Max, *w.Wants))
		}
	default: // explain says more of it
	}
	return fmt.Sprintf("%s %s is %s: %s; next: %s", w.Namespace, name, w.State, w.Why, next)
}
