// Package doctor is the command that looks for whatever may be wrong: with the installation, and with each workload.
package doctor

import (
	"bytes"
	"context"
	"encoding/json"
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
			return &task{leader: leader.DefaultFlags(), webhook: "mini-hpa", account: "mini-hpa"}
		},
	}
}

type task struct {
	cluster   cluster.Flags
	leader    leader.Flags
	namespace string
	all       bool
	// webhook is the ValidatingWebhookConfiguration, account the controller's service account; empty for none.
	webhook, account string
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.BoolVarP(&t.all, "all-namespaces", "A", false, "the workloads of all namespaces")
	t.leader.Declare(f)
	f.Var(cli.OptionalName(&t.webhook), "webhook-configuration", "`name` of the webhook's ValidatingWebhookConfiguration; empty if there is no webhook")
	f.Var(cli.OptionalName(&t.account), "service-account", "`name` of the controller's service account in the Lease's namespace; empty not to test its rights")
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	target, err := t.cluster.ForUser(s.Build)
	if err != nil {
		return err
	}
	if t.namespace != "" {
		target.Namespace = t.namespace
	}
	wrong, err := t.installation(ctx, s, target.Namespace)
	if err != nil {
		return err
	}
	more, err := t.workloads(ctx, s, target.Namespace)
	switch {
	case err != nil:
		return err
	case wrong+more > 0:
		return fmt.Errorf("%s", cli.Plural(wrong+more, "finding"))
	}
	return nil
}

// played is what a command writes, and what it ends with.
func played(ctx context.Context, c cli.Command, args []string, s cli.Streams) (out *bytes.Buffer, failed error, err error) {
	task := c.Task()
	if err := c.Flags(task).Parse(args); err != nil {
		return nil, nil, fmt.Errorf("cannot call %s: %w", c.Name, err)
	}
	out = &bytes.Buffer{}
	s.Out = out
	return out, task.Run(ctx, nil, s), nil
}

// installation makes the checks of selftest, and counts those that fail.
func (t *task) installation(ctx context.Context, s cli.Streams, namespace string) (failures int, err error) {
	args := append(t.cluster.Args(), "--namespace="+namespace, "--webhook-configuration="+t.webhook, "--leader-elect-resource-name="+t.leader.Lease.Name,
		fmt.Sprintf("--state-port=%d", t.leader.Port))
	if t.account != "" {
		args = append(args, "--service-account="+t.leader.Lease.Namespace+"/"+t.account)
	}
	out, failed, err := played(ctx, selftest.ForUsers(), args, s)
	if err != nil {
		return 0, err
	}
	if out.Len() == 0 && failed != nil {
		return 0, failed
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "FAIL ") {
			failures++
		}
		if _, err := io.WriteString(s.Out, line); err != nil {
			return 0, fmt.Errorf("cannot write: %w", err)
		}
	}
	return failures, nil
}

// workloads lists those with which something is wrong, and counts them.
func (t *task) workloads(ctx context.Context, s cli.Streams, namespace string) (findings int, err error) {
	args := append(t.cluster.Args(), "--namespace="+namespace, "--output=json", "--sort-by=state", "--controller="+t.leader.Lease.String(), fmt.Sprintf("--state-port=%d", t.leader.Port))
	if t.all {
		args = append(args, "--all-namespaces")
	}
	out, failed, err := played(ctx, get.Command(), args, s)
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, fmt.Errorf("how the workloads stand is not known: %w", failed)
	}
	var fleet struct {
		Source string          `json:"source"`
		Items  []scaler.Status `json:"items"`
	}
	if err := json.Unmarshal(out.Bytes(), &fleet); err != nil {
		return 0, fmt.Errorf("cannot read how the workloads stand: %w", err)
	}
	say := func(word, text string) {
		if _, failed := fmt.Fprintf(s.Out, "%-4s %s\n", word, cli.Clean(text)); failed != nil {
			err = fmt.Errorf("cannot write: %w", failed)
		}
	}
	say("ok", cli.Plural(len(fleet.Items), "workload")+" looked at; "+fleet.Source)
	down := 0
	for i := range fleet.Items {
		switch w := &fleet.Items[i]; {
		case w.State == scaler.StateDown: // all of them are
			down++
		case w.State.IsProblem():
			findings++
			say("FAIL", t.finding(w))
		}
	}
	if down > 0 {
		findings++
		say("FAIL", fmt.Sprintf("%s not scaled, as no controller leads; next: %s", cli.Plural(down, "workload"), t.command("kubectl", t.leader.Lease.Namespace, "get", "pods,lease")))
	}
	return findings, err
}

// command is what a user would type next, about the same cluster.
func (t *task) command(program, namespace string, words ...string) string {
	all := append([]string{program, words[0]}, t.cluster.Args()...)
	return cli.ShellWords(append(append(all, "-n", namespace), words[1:]...))
}

// finding is what is wrong with a workload, and what to do next.
func (t *task) finding(w *scaler.Status) string {
	kind := map[string]string{"Deployment": "deploy", "StatefulSet": "sts", "ReplicaSet": "rs"}[w.Kind]
	if kind == "" {
		kind = strings.ToLower(w.Kind) + "s." + w.Group
	}
	name := kind + "/" + w.Name
	next := t.command("mini-hpa", w.Namespace, "explain", name)
	switch w.State {
	case scaler.StateConflict:
		next = t.command("kubectl", w.Namespace, "get", "hpa")
	case scaler.StateDenied, scaler.StateOverwritten:
		next = t.command("mini-hpa", w.Namespace, "history", name)
	case scaler.StateLimited:
		if w.Wants != nil && strings.Contains(w.Why, annotations.Max+" is") {
			next = t.command("kubectl", w.Namespace, "annotate", name, "--overwrite", fmt.Sprintf("%s=%d", annotations.Max, *w.Wants))
		}
	}
	return fmt.Sprintf("%s %s is %s: %s; next: %s", w.Namespace, name, w.State, w.Why, next)
}
