// Package replay is the command that decides again on what was recorded, or tries other annotations on it.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/picture"
	"github.com/mini-hpa/mini-hpa/scaler/trace"
)

const about = `Feeds the observations of recorded traces to the recommender, offline, and shows what it decides and why. A trace is
what "mini-hpa controller --record" writes, or one made by hand: see docs/replay.md.

FILE is a trace, plain or compressed with gzip; - is standard input. Each starts from an empty history. Every decision to
scale counts as written, and the recorded replicas are taken as they are. With --set the annotations of the header are
changed first: it shows, observation by observation, what other annotations would have decided where the recorded ones
had led. The flags of the decision are the controller's: give them as it was given them.

If a file cannot be read, its name and line are told, the others are replayed, and the exit code is 2.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "replay",
		Offline: true,
		Args:    "FILE...",
		Summary: "decide again on what a controller saw, or try other annotations on it",
		About:   about,
		Task: func() cli.Task {
			return &task{decision: cli.DefaultDecisionFlags(), output: "table", set: cli.Settings{}, page: picture.Page{Title: "mini-hpa: replay"}}
		},
	}
}

type task struct {
	decision cli.DecisionFlags
	set      cli.Settings
	output   string
	all      bool
	// page is what is drawn of all files.
	page picture.Page
}

func (r *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.OneOf(&r.output, "table", "json", "html", "svg"), "output", "o",
		"table with a summary for people, json with one line for each observation for programs, html with a picture in one self-contained page, svg the picture alone")
	f.Var(r.set, "set", "another `mini-hpa/KEY=VALUE` than recorded; without a VALUE the annotation is removed. May be repeated")
	f.BoolVar(&r.all, "all", false, "show every observation in the table; without it those where something changes")
	r.decision.Declare(f)
}

func (r *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	if len(args) == 0 {
		return cli.Usagef("nothing to replay; want at least one FILE, or - for standard input")
	}
	if err := r.decision.Check(); err != nil {
		return err
	}
	var problems []error
	for i, name := range args {
		job := job{task: r, name: name, streams: s}
		if len(args) > 1 {
			job.file = name
		}
		if r.output == "table" && i > 0 {
			fmt.Fprintln(s.Out)
		}
		problems = append(problems, job.run(ctx))
	}
	if len(r.page.Variants) > 0 {
		draw := picture.HTML
		if r.output == "svg" {
			draw = picture.SVG
		}
		problems = append(problems, draw(s.Out, r.page))
	}
	return errors.Join(problems...)
}

// job replays one file.
type job struct {
	task *task
	// name is the file as the user wrote it, file the same where lines have to say which one they are from.
	name, file string
	streams    cli.Streams
}

func (j job) run(ctx context.Context) error {
	in, err := j.open()
	if err != nil {
		return j.unreadable(err)
	}
	defer in.Close()
	r, err := trace.NewReader(in)
	if err != nil {
		return j.unreadable(err)
	}
	c, err := j.compare(r)
	if err != nil {
		return err
	}
	return j.each(ctx, r, c)
}

func (j job) open() (io.ReadCloser, error) {
	if j.name == "-" {
		return io.NopCloser(j.streams.In), nil
	}
	in, err := os.Open(j.name)
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return nil, path.Err // it is named by the caller
	}
	return in, err
}

func (j job) unreadable(err error) error {
	return cli.Unreadable(fmt.Errorf("cannot read %s: %w", j.source(), err))
}

// source is the file in messages.
func (j job) source() string {
	if j.name == "-" {
		return "standard input"
	}
	return cli.Quote(j.name)
}

// each replays the observations. What was decided before a line that cannot be read is shown.
func (j job) each(ctx context.Context, r *trace.Reader, c *comparison) error {
	view := j.view(c)
	for ctx.Err() == nil {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return view.end()
		}
		if err != nil {
			return errors.Join(view.end(), j.unreadable(err))
		}
		if err := view.show(c.next(s)); err != nil {
			return fmt.Errorf("cannot write what was replayed: %w", err)
		}
	}
	return context.Cause(ctx)
}

// view shows a replay while it runs.
type view interface {
	// show takes the next observation's outcome.
	show(p pair) error
	// end comes after the last one.
	end() error
}

func (j job) view(c *comparison) view {
	switch j.task.output {
	case "html", "svg":
		return newDrawing(&j.task.page, c)
	case "json":
		e := json.NewEncoder(j.streams.Out)
		e.SetEscapeHTML(false)
		return &lines{file: j.file, encoder: e}
	}
	return newTable(j.streams.Out, j.task.all, c)
}

// lines shows one object a line.
type lines struct {
	file    string
	encoder *json.Encoder
}

func (l *lines) show(p pair) error {
	return l.encoder.Encode(struct {
		trace.Outcome
		File string `json:"file,omitempty"`
	}{*p.asked(), l.file})
}

func (l *lines) end() error { return nil }

// compare prepares the replay under the annotations as recorded and, if there are any, under those of --set. If the workload had no
// annotations, or if the output has room for one answer only, there is no comparison: those of --set take the place of the recorded ones.
func (j job) compare(r *trace.Reader) (*comparison, error) {
	workload := r.Workload()
	recorded, when := workload.Annotations, ""
	changed := j.task.set.Apply(recorded)
	c := &comparison{title: fmt.Sprintf("%s: %s", j.name, workload.Title()), settings: j.task.set.Words()}
	if changed != nil && (j.task.output == "json" || !annotations.Selected(recorded)) {
		recorded, changed, when = changed, nil, withSet
	}
	var err error
	if c.recorded, err = j.replay(recorded, when); err != nil || changed == nil {
		return c, err
	}
	c.set, err = j.replay(changed, withSet)
	return c, err
}

// withSet begins messages about the annotations of --set.
const withSet = "with --set, "

// replay starts one under these annotations. Warnings about them are told; errors are one to a line.
func (j job) replay(set map[string]string, when string) (*trace.Replay, error) {
	policy, err := j.task.decision.Policy(set, func(warning string) {
		fmt.Fprintf(j.streams.Err, "mini-hpa replay: %s: %swarning: %s\n", j.source(), when, warning)
	})
	if err != nil {
		return nil, cli.Unreadable(fmt.Errorf("cannot replay %s: line 1: %sthe workload's annotations are invalid:\n%w", j.source(), when, err))
	}
	return trace.NewReplay(policy, j.task.decision.Rules), nil
}
