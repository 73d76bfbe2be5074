// Package dictionary is the command that says which annotations there are, for people and, as a JSON schema, for editors and pipelines.
package dictionary

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

const about = `Lists the annotations, or says all of one: what it means, its default, examples, and which values it takes. KEY may be written without "mini-hpa/".

--schema writes a JSON schema (draft 7) of manifests that may be annotated, of any kind: annotations are texts, of the form that each has, those
that are needed are there, and none is misspelt. It is for editors (a first line such as
# yaml-language-server: $schema=mini-hpa.schema.json) and for pipelines that have no mini-hpa; mini-hpa lint finds more.`

// Command is "mini-hpa annotations".
func Command() cli.Command {
	return cli.Command{
		Name:    "annotations",
		Args:    "[KEY]",
		Summary: "say which annotations there are, or what one means",
		About:   about,
		Offline: true,
		Task:    func() cli.Task { return &task{} },
	}
}

type task struct{ schema bool }

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.BoolVar(&t.schema, "schema", false, "write a JSON schema of annotated manifests")
}

// Run is cli.Task's.
func (t *task) Run(_ context.Context, args []string, s cli.Streams) error {
	switch {
	case t.schema && len(args) > 0 || len(args) > 1:
		return cli.Usagef("want one KEY, or --schema, or nothing")
	case t.schema:
		return cli.WriteJSON(s.Out, Schema())
	}
	p := cli.NewPage(s.Out)
	if len(args) == 0 {
		for _, row := range annotations.Rows() {
			p.Row(row.Name, plain(row.Doc))
		}
		return written(p.Flush())
	}
	row, err := find(args[0])
	if err != nil {
		return err
	}
	p.Line("%s", row.Name)
	p.Line("  %s", plain(row.Doc))
	p.Title("Default: %s", cmp.Or(row.Default, map[bool]string{true: "none, it is required", false: "none"}[row.Required]))
	p.Line("Takes:   %s", takes(row))
	p.Title("Examples:")
	for _, example := range row.Examples {
		for line := range strings.Lines(yamlOf(row.Name, example)) {
			p.Line("  %s", strings.TrimSuffix(line, "\n"))
		}
	}
	return written(p.Flush())
}

func written(err error) error {
	if err != nil {
		return fmt.Errorf("cannot write the annotations: %w", err)
	}
	return nil
}

// find returns the row of a key.
func find(key string) (annotations.Row, error) {
	name := annotations.Prefix + strings.TrimPrefix(key, annotations.Prefix)
	var names []string
	for _, row := range annotations.Rows() {
		if row.Name == name {
			return row, nil
		}
		names = append(names, row.Name)
	}
	return annotations.Row{}, cli.Usagef("unknown annotation %s%s; mini-hpa annotations lists them", cli.Quote(key), cli.DidYouMean(name, names))
}
