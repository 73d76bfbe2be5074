// Package sources is the command that tries out the administrator's file of sources before the controller has it.
package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

const about = `Reads the administrator's file of sources, and asks each of them what a workload of --namespace could ask: every query whose parameters
have defaults, and each LINE, which is written as in the annotation mini-hpa/sources:
mini-hpa sources check --sources sources.yaml -n shop 'orders-kafka group=shop.orders topic=shop.orders'

Each question is one line: ok with the value and the time that it took, FAIL with all that is known of the failure, or skip with why it
was not asked. What the file calls paths is read here, so that it is best run where the controller runs:
kubectl exec deploy/mini-hpa -- mini-hpa sources check. No API server is asked, and nothing is changed.

All are asked, whatever has come of the others. The exit code is 1 if any has failed, and 2 if the file cannot be used: everything that is wrong with
it is told.`

// usual is where the file is in the controller's pod.
const usual = "/etc/mini-hpa/sources.d/sources.yaml"

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:    "sources",
		Args:    "check [LINE...]",
		Summary: "try out the file of sources: is it right, and does each source answer",
		About:   about,
		Offline: true,
		Task: func() cli.Task {
			return &task{file: usual, namespace: "default", kinds: sources.Kinds(), read: sources.ReadFile, now: time.Now}
		},
	}
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.Var(cli.Text(&t.file, "file", "the path of a file, or - for standard input", func(s string) bool { return s != "" }), "sources", "the administrator's file; - is standard input")
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the namespace that asks, which is what $namespace stands for")
	f.Var(cli.ObjectName(&t.workload), "workload", "the name that $workload stands for; without it queries that need one are not asked")
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	switch {
	case len(args) == 0:
		return cli.Usagef("nothing to do; want check")
	case args[0] != "check":
		return cli.Usagef("cannot do %s%s; want check", cli.Quote(args[0]), cli.DidYouMean(args[0], []string{"check"}))
	case t.namespace == "":
		return cli.Usagef(`invalid value "" for --namespace: want the name of a namespace (a DNS label)`)
	}
	asked, err := linesOf(args[1:])
	if err != nil {
		return cli.Usagef("%v", err)
	}
	c, err := t.parse(s.In)
	if err != nil {
		return cli.Unreadable(fmt.Errorf("%s cannot be used: %w", cli.Quote(t.file), err))
	}
	s.LogErrors()
	for _, e := range c.Entries() {
		if e.Type.Entryless {
			continue
		}
		asked = append(asked, queriesOf(e)...)
		if len(e.Namespaces) == 0 {
			fmt.Fprintf(s.Err, "mini-hpa sources: warning: no namespace may ask source %q: the file says none, and its allow does not keep them apart\n", e.Name)
		}
		for _, name := range e.Overlapping() {
			fmt.Fprintf(s.Err, "mini-hpa sources: warning: what source %q allows of %s does not keep namespaces apart: shop may also ask for what shop-admin calls its own\n", e.Name, name)
		}
	}
	slices.SortStableFunc(asked, inOrderOf(c))
	return t.check(ctx, c, asked, s)
}

func (t *task) parse(in io.Reader) (*catalog.Catalog, error) {
	var data []byte
	var err error
	if t.file == "-" {
		data, err = io.ReadAll(io.LimitReader(in, catalog.MaxLength+1))
	} else {
		data, err = t.read(t.file)
	}
	if err != nil {
		return nil, cli.Bare(err)
	}
	var types []catalog.Type
	for _, k := range t.kinds {
		types = append(types, k.Type)
	}
	return catalog.Parse(data, types)
}

// check asks and tells.
func (t *task) check(ctx context.Context, c *catalog.Catalog, asked []question, s cli.Streams) error {
	results := t.ask(ctx, c, asked, sources.Env{Log: cli.LogFlags{Level: "error", Format: "console"}.Logger(s.Err), ReadFile: t.read})
	if ctx.Err() != nil {
		return errors.New("was told to end before it was done")
	}
	p := cli.NewPage(s.Out)
	failed := 0
	for i, q := range asked {
		r := results[i]
		switch {
		case r.skipped != "":
			p.Row("skip", q.String(), r.skipped)
		case r.err != nil:
			failed++
			p.Row("FAIL", q.String(), r.err.Error())
		default:
			p.Row("ok", q.String(), r.text(), r.took.Round(time.Millisecond).String())
		}
	}
	if err := p.Flush(); err != nil {
		return fmt.Errorf("cannot write what was found: %w", err)
	}
	fmt.Fprintf(s.Err, "%s in %s: %s asked, %d failed\n", cli.Plural(count(c), "source"), cli.Quote(t.file), cli.Plural(len(asked)-skipped(results), "question"), failed)
	if failed > 0 {
		return cli.ErrReported
	}
	return nil
}

// count is how many sources the file has.
func count(c *catalog.Catalog) int {
	n := 0
	for _, e := range c.Entries() {
		if !e.Type.Entryless {
			n++
		}
	}
	return n
}

func skipped(results []result) int {
	n := 0
	for _, r := range results {
		if r.skipped != "" {
			n++
		}
	}
	return n
}
