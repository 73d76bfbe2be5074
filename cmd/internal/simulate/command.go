// Package simulate is the command that tries annotations on a load, without a cluster.
package simulate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/lint"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

const about = `Plays a load against the annotations of a Deployment, without a cluster: pods take time to start, the metrics API tells
of their usage late, and mini-hpa decides. It shows when the replicas change and why. The same call always gives the
same answer; half an hour takes a moment.

--load is a file of time,millicores (a name that ends in .csv, or - for standard input), or a shape, NAME or
NAME:PARAMETER=VALUE,... with these parameters and defaults (loads in millicores):
%s
Without -f a Deployment is simulated whose pods request 1 CPU and have a limit of 2, with target-cpu 50, min 1, max 10.
--set tries other annotations. --compare puts a second variant beside it: the manifest with those annotations instead,
and without those of --set. The flags of the decision are the controller's.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "simulate",
		Offline: true,
		Summary: "try annotations on a load, without a cluster",
		About:   fmt.Sprintf(about, shapesText()),
		Task: func() cli.Task {
			return &task{setup: simulate.DefaultSetup(), decision: cli.DefaultDecisionFlags(), output: "table",
				interpolation: "linear", set: cli.Settings{}, compare: cli.Settings{}}
		},
	}
}

func shapesText() string {
	var b strings.Builder
	for _, s := range simulate.Shapes() {
		fmt.Fprintf(&b, "\n    %-52s %s", s.Name+":"+s.Defaults, s.Doc)
	}
	return b.String() + "\n"
}

type task struct {
	setup                 simulate.Setup
	decision              cli.DecisionFlags
	file, load            string
	interpolation, output string
	startupCPU, warmUpCPU int
	rollout, outage       string
	duration              time.Duration
	set, compare          cli.Settings
	record                string
	all                   bool
	// deployment is what the manifest has, and besides what else lint finds in it.
	deployment *lint.Subject
	besides    []string
	// given says whether a flag was set.
	given func(flag string) bool
}

func (t *task) Declare(f *pflag.FlagSet) {
	const hour = time.Hour
	f.StringVarP(&t.file, "filename", "f", "", "`path` of the annotated Deployment's manifest, or - for standard input; without it a built-in one")
	f.StringVar(&t.load, "load", "", "`SHAPE or FILE.csv`: the CPU that is asked of the whole Deployment; see above")
	f.Var(cli.OneOf(&t.interpolation, "linear", "step"), "interpolation", "between two points of a file: straight, or the one before until the next")
	f.Var(span(&t.duration, longestSimulation), "duration", "how long to simulate; without it as long as the file, or 30m")
	f.Var(cli.Seconds(&t.setup.Startup, 0, hour), "startup", "time from a pod's creation until it is ready; it is Pending for the first half")
	f.Var(cli.Count(&t.startupCPU, 0, 1_000_000), "startup-cpu", "millicores that a pod uses while it runs and is not ready")
	f.Var(cli.Seconds(&t.setup.WarmUp, 0, hour), "warm-up", "how long a pod uses --warm-up-cpu after it is ready; what the decision makes of that is mini-hpa/warm-up")
	f.Var(cli.Count(&t.warmUpCPU, 0, 1_000_000), "warm-up-cpu", "millicores that a pod uses for --warm-up, besides those that its load takes")
	f.Var(incident(&t.rollout, "at=10m,surge=25%,unavailable=25%; PODS are a number or a percent of the replicas, by default the manifest's strategy or 25%"),
		"rollout", "replace all pods by new ones, as after a change of the template: `at=TIME,surge=PODS,unavailable=PODS`")
	f.Var(incident(&t.outage, "at=10m,for=5m"), "outage", "let the metrics API fail: `at=TIME,for=TIME`")
	f.Var(cli.Seconds(&t.setup.MetricsPeriod, time.Second, 10*time.Minute), "metrics-period", "time between two samples of a pod (metrics-server --metric-resolution)")
	f.Var(cli.Seconds(&t.setup.MetricsDelay, 0, 10*time.Minute), "metrics-delay", "how old a sample is when it can be read; may be longer than the period")
	f.Var(t.set, "set", "another `mini-hpa/KEY=VALUE` than in the manifest; without a VALUE the annotation is removed. May be repeated")
	f.Var(t.compare, "compare", "the same for a second variant beside the first: the manifest with this `mini-hpa/KEY=VALUE`. May be repeated")
	f.VarP(cli.OneOf(&t.output, "table", "json", "html", "svg"), "output", "o",
		"table for people, json with one line for each evaluation for programs, html or svg with a picture")
	f.BoolVar(&t.all, "all", false, "show every evaluation in the table; without it those where something changes, and one a minute")
	f.StringVar(&t.record, "record", "", "`path` of a trace to write, for mini-hpa replay; not with --compare")
	t.decision.Declare(f)
	t.given = f.Changed
}

// span is a duration of whole seconds, or empty for what the load says.
func span(value *time.Duration, hi time.Duration) cli.Value[time.Duration] {
	return cli.Value[time.Duration]{Var: value, Kind: "duration",
		Want: fmt.Sprintf("a duration of whole seconds from 1s to %s, such as 30m", cli.Short(hi)),
		Format: func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			return cli.Short(d)
		},
		Parse: func(s string) (time.Duration, bool) {
			d, err := time.ParseDuration(s)
			return d, err == nil && time.Second <= d && d <= hi && d%time.Second == 0
		}}
}

// incident is something that happens in a simulation; empty if it does not. Its errors are reported when all flags are known.
func incident(value *string, example string) cli.Value[string] {
	return cli.Value[string]{Var: value, Kind: "event", Format: cli.AsIs, Want: "it in this form, such as " + example,
		Parse: func(s string) (string, bool) { return s, true }}
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
	for _, v := range variants {
		if err := t.play(ctx, v, s); err != nil {
			return err
		}
	}
	return t.show(variants, s)
}

func (t *task) check() error {
	switch {
	case t.load == "":
		return cli.Usagef("nothing to simulate: --load is not set; want a shape such as burst, or a file of time,millicores such as load.csv")
	case t.record != "" && len(t.compare) > 0:
		return cli.Usagef("--record and --compare cannot be used together: a trace is of one variant")
	case t.all && t.output != "table":
		return cli.Usagef("--all and --output %s cannot be used together: only the table leaves evaluations out", t.output)
	case t.given("interpolation") && !t.readsCurve():
		return cli.Usagef("--interpolation is for the points of a file; --load %s is a shape", cli.Quote(t.load))
	case t.file == "-" && t.load == "-":
		return cli.Usagef("--filename and --load cannot both be standard input")
	}
	return t.decision.Check()
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
	d := t.deployment.Workload.DeepCopy()
	if changed := v.set.Apply(d.Annotations); changed != nil {
		d.Annotations = changed
	}
	policy, err := t.policy(v, d, s)
	if err != nil {
		return err
	}
	supply(&d.Spec.Template.Spec, t.deployment.Surroundings.LimitRanges)
	v.setup.Workload = annotations.OfDeployment(d)
	if d.Spec.Replicas == nil {
		v.setup.Workload.Replicas = policy.Min
	}
	v.setup.Policy, v.setup.Rules, v.setup.StartupMilli = policy, t.decision.Rules, float64(t.startupCPU)
	v.setup.WarmUpMilli = float64(t.warmUpCPU)
	if t.record == "" {
		return v.simulate(ctx)
	}
	out, err := os.Create(t.record)
	if err != nil {
		return fmt.Errorf("cannot record: %w", err)
	}
	if v.setup.Record, err = trace.NewWriter(out, d); err == nil {
		err = v.simulate(ctx)
	}
	if bad := out.Close(); err == nil && bad != nil {
		err = fmt.Errorf("cannot record: %w", bad)
	}
	return err
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
