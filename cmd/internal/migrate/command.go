// Package migrate is the commands that turn other autoscalers into annotations, and annotations into HorizontalPodAutoscalers.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

const about = `Says what HorizontalPodAutoscalers (autoscaling/v2, v2beta2, v2beta1, v1) and ScaledObjects of KEDA are in annotations, and changes nothing:

mini-hpa migrate -f web.yaml                    of files, - is standard input
mini-hpa migrate -f values.yaml                 of the values of a Helm chart that has autoscaling, as that of helm create
mini-hpa migrate hpa/web scaledobject/worker    of the cluster
mini-hpa migrate -A                             all of them

-o patch writes a document for each workload that has its annotations alone: for the patches of a kustomization, for
kubectl apply --server-side --field-manager=mini-hpa-migrate -f -, to be copied, or, where it is one alone, for kubectl patch --type=merge --patch-file;
-o command writes the kubectl annotate of each; -o manifest writes the files once more with the annotations in their workloads and without what was
converted; -o sources writes the entries that the triggers of ScaledObjects need in the administrator's file (docs/sources.md); -o json has everything.

Values do not say which workload they are about: of them -o patch writes the annotations without a name, and nothing else can be written. What the chart's
templates make of them is known for certain only from what they render: helm template . | mini-hpa migrate -f -

Each field that is lost, or means something else, is told on standard error, with its place, its value, why, and what to do; then the exit code
is 1, and the rest is written all the same. It is 2 if a file cannot be read. What the version of an object leaves out counts as what the API
server, or KEDA, fills in. Credentials are never repeated: an entry names the files that they belong in, and what the object does not say stands in it in angle
brackets, which the file does not take until it is filled in. docs/migrate.md has the steps of a migration.`

// Command is "mini-hpa migrate".
func Command() cli.Command {
	return cli.Command{
		Name:    "migrate",
		Args:    "[hpa/NAME|scaledobject/NAME...]",
		Summary: "turn HorizontalPodAutoscalers and ScaledObjects into annotations",
		About:   about,
		Task: func() cli.Task {
			return &task{input: input{api: cluster.DefaultAPIFlags()}, output: outPatch, outputs: []string{outPatch, outCommand, outManifest, outSources, outJSON}}
		},
	}
}

// task is a call of migrate.
type task struct {
	input
	output  string
	outputs []string
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	t.input.declare(f)
	f.VarP(cli.OneOf(&t.output, t.outputs...), "output", "o", "what is written: see above")
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	if t.output == outManifest && len(t.files) == 0 {
		return cli.Usagef("-o manifest writes files once more; want --filename")
	}
	found, err := t.read(ctx, args, s, offer{kinds: convertible()})
	if err != nil {
		return err
	}
	m := migration{objects: found}
	for _, o := range found.objects {
		if o.section != nil || o.is(convertible()) {
			m.convert(o)
		} else if why := unknown(o); why != nil {
			m.results = append(m.results, &result{From: o.reference, object: o, Remarks: []hpa.Remark{*why}})
		}
	}
	if len(m.results) == 0 && len(found.unreadable) == 0 {
		return cli.Unreadable(errors.New("found no HorizontalPodAutoscaler and no ScaledObject, and no values of a Helm chart that say how it is autoscaled"))
	}
	if err := m.write(t.output, s); err != nil {
		return fmt.Errorf("cannot write what was converted: %w", err)
	}
	m.tell(s)
	return found.outcome(slices.ContainsFunc(m.results, (*result).lost))
}
