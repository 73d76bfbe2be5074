// Package simulate is the command that tries annotations on a load, without a cluster.
package simulate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

const about = `Plays a load against the annotations of a workload, without a cluster: pods take time to start, the metrics API tells
of their usage late, and mini-hpa decides. It shows when the replicas change and why. The same call always gives the
same answer; half an hour takes a moment, a week some seconds.

--load is a file of time,millicores (a name that ends in .csv, or - for standard input), or a shape, NAME or
NAME:PARAMETER=VALUE,... with these parameters and defaults (loads in millicores):
%s
--arrivals, instead of it, are messages that wait until pods serve them, and the value of the workload's only External or
Object metric, or only line of mini-hpa/sources, is how many wait: a file of time,messages per second, or a shape with these defaults (messages per second):
%s
Without -f a Deployment is simulated whose pods request 1 CPU and have a limit of 2, with target-cpu 50, min 1, max 10;
for --arrivals one with an External metric, backlog, of which there should be 100 for each pod, min 0, max 10.
--set tries other annotations. --compare puts a second variant beside it: the manifest with those annotations instead,
and without those of --set. The flags of the decision are the controller's.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "simulate",
		Offline: true,
		Summary: "try annotations on a load, without a cluster",
		About:   fmt.Sprintf(about, shapesText(simulate.Millicores), shapesText(simulate.PerSecond)),
		Task: func() cli.Task {
			return &task{setup: simulate.DefaultSetup(), serviceRate: 10, sourceDelay: 5 * time.Second, decision: cli.DefaultDecisionFlags(), output: "table",
				interpolation: "linear", set: cli.Settings{}, compare: cli.Settings{}}
		},
	}
}

func shapesText(u simulate.Unit) string {
	var b strings.Builder
	for _, s := range simulate.Shapes() {
		fmt.Fprintf(&b, "\n    %-52s %s", s.Name+":"+s.Defaults(u), s.Doc)
	}
	return b.String() + "\n"
}

func (t *task) Run(ctx context.Context, _ []string, s cli.Streams) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := t.prepare(s); err != nil {
		return err
	}
	for _, line := range t.besides {
		fmt.Fprintf(s.Err, "mini-hpa simulate: %s\n", line)
	}
	variants := []*variant{{name: "annotated", set: t.set}}
	if len(t.set) > 0 {
		variants[0].name = "--set"
	}
	if len(t.compare) > 0 {
		variants = append(variants, &variant{name: "--compare", set: t.compare})
	}
	sleeps := false
	for _, v := range variants {
		if err := t.play(ctx, v, s); err != nil {
			return err
		}
		fewest, _ := v.setup.Policy.Widest()
		sleeps = sleeps || fewest == 0
	}
	for _, v := range variants {
		v.sleeps = sleeps
	}
	return t.show(variants, s)
}

// progress prints now and then how far a long simulation is.
func (t *task) progress(s cli.Streams) func(at time.Duration) {
	const often = 5 * time.Second
	told := time.Now()
	return func(at time.Duration) {
		if at%time.Minute == 0 && time.Since(told) >= often {
			told = time.Now()
			fmt.Fprintf(s.Err, "mini-hpa simulate: at %s of %s\n", cli.Short(at), cli.Short(t.setup.Duration))
		}
	}
}

// play simulates one variant.
func (t *task) play(ctx context.Context, v *variant, s cli.Streams) error {
	v.setup = t.setup
	v.setup.Progress = t.progress(s)
	w := *t.subject.Workload
	if changed := v.set.Apply(w.Annotations); changed != nil {
		w.Annotations = changed
	}
	policy, err := t.policy(v, &w, s)
	if err != nil {
		return err
	}
	if w.Template != nil {
		w.Template = w.Template.DeepCopy()
		supply(&w.Template.Spec, t.subject.Surroundings.LimitRanges)
	}
	v.setup.Workload = &w
	if !t.subject.GivesReplicas {
		w.Replicas = max(policy.At(t.setup.Begin()).Min, 1) // as the API server would
	}
	v.setup.Policy, v.setup.Rules, v.setup.StartupMilli = policy, t.decision.Rules, float64(t.startupCPU)
	v.setup.WarmUpMilli, v.setup.OrderedReady = float64(t.warmUpCPU), t.subject.OrderedReady
	if t.record == "" {
		return v.simulate(ctx)
	}
	out, err := os.Create(t.record)
	if err != nil {
		return fmt.Errorf("cannot record: %w", err)
	}
	if v.setup.Record, err = trace.NewWriter(out, &w); err == nil {
		err = v.simulate(ctx)
	}
	if bad := out.Close(); err == nil && bad != nil {
		err = fmt.Errorf("cannot record: %w", bad)
	}
	return err
}

// maxRefused is how many problems are told.
const maxRefused = 100

// policy is what the annotations of a variant ask for. What lint and admission would refuse is not simulated, and what they would warn of is told.
func (t *task) policy(v *variant, w *annotations.Workload, s cli.Streams) (annotations.Policy, error) {
	verdict := t.subject.Verdict(t.decision.Defaults, w, v.set.Sets)
	for _, warning := range verdict.Warnings {
		fmt.Fprintf(s.Err, "mini-hpa simulate: %s: warning: %s\n", v.name, cli.Clean(warning.String()))
	}
	var refused []string
	for i, problem := range verdict.Problems {
		if i == maxRefused {
			refused = append(refused, fmt.Sprintf("(and %d more)", len(verdict.Problems)-maxRefused))
			break
		}
		if t.file == "" || v.set.Sets(problem.Field) {
			refused = append(refused, problem.Error())
		} else {
			refused = append(refused, t.subject.Line(problem))
		}
	}
	if len(refused) == 0 {
		return verdict.Policy, nil
	}
	return annotations.Policy{}, cli.Unreadable(fmt.Errorf("cannot simulate %s %s/%s %s: it would not be scaled:\n%s",
		strings.ToLower(w.Kind.Kind), w.Namespace, w.Name, v.name, strings.Join(refused, "\n")))
}

func (t *task) show(variants []*variant, s cli.Streams) error {
	var err error
	switch t.output {
	case "json":
		err = writeLines(s.Out, variants)
	case "svg", "html":
		err = draw(s.Out, t.output, variants)
	default:
		err = newTable(s.Out, variants, t.all).write()
	}
	if err != nil {
		return fmt.Errorf("cannot write the simulation: %w", err)
	}
	return nil
}
