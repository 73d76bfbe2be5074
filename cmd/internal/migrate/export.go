package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	document "sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

const aboutExport = `Says what the annotations of workloads are as HorizontalPodAutoscalers of autoscaling/v2, and changes nothing:

mini-hpa export -f web.yaml                     of files, - is standard input
mini-hpa export deploy/web                      of the cluster
mini-hpa export -A                              all of them
mini-hpa export rollouts.argoproj.io/web        custom resources are named in full, or their kind is by --kinds

A workload that another one controls which is annotated, too, is part of that, as for the controller: of a Deployment's ReplicaSets, to which its
annotations are copied, no HPA is made.

Each annotation that an HPA has nothing for is told on standard error, with what to do, and then the exit code is 1. It is 2 if a file cannot be read. Where an
HPA would do something else altogether, such as for a workload that scales on sources alone, none is written. Remove the annotations before
the HPA is created, or in the same release: mini-hpa leaves a workload alone as long as it has an HPA.`

// ExportCommand is "mini-hpa export".
func ExportCommand() cli.Command {
	return cli.Command{
		Name:    "export",
		Args:    "[KIND/NAME...]",
		Summary: "turn annotations into HorizontalPodAutoscalers",
		About:   aboutExport,
		Task: func() cli.Task {
			return &exportTask{input: input{api: cluster.DefaultAPIFlags()}, output: outYAML}
		},
	}
}

// exportTask is a call of export.
type exportTask struct {
	input
	output string
	kinds  []schema.GroupResource
}

// Declare is cli.Task's.
func (t *exportTask) Declare(f *pflag.FlagSet) {
	t.input.declare(f)
	f.VarP(cli.OneOf(&t.output, outYAML, outJSON), "output", "o", "the form of the objects")
	f.Var(cli.Kinds(&t.kinds), "kinds", "the custom resources that the controller scales, which are read of the cluster, too; see controller")
}

// Run is cli.Task's.
func (t *exportTask) Run(ctx context.Context, args []string, s cli.Streams) error {
	from := offer{kinds: workloads(), anyCustom: true}
	for _, name := range t.kinds {
		from.kinds = append(from.kinds, customKind(name))
	}
	found, err := t.read(ctx, args, s, from)
	if err != nil {
		return err
	}
	for _, note := range found.notes {
		fmt.Fprintln(s.Err, "mini-hpa export: note: "+cli.Clean(note))
	}
	e := export{lineage: lineageOf(found), kinds: t.kinds}
	for _, o := range found.objects {
		e.convert(o)
	}
	if len(e.results) == 0 && len(found.unreadable) == 0 {
		return cli.Unreadable(errors.New("found no workload with annotations of mini-hpa" + e.inners()))
	}
	if err := e.write(t.output, s); err != nil {
		return fmt.Errorf("cannot write what was converted: %w", err)
	}
	for _, r := range e.results {
		r.tell("export", s)
	}
	return found.outcome(slices.ContainsFunc(e.results, (*result).lost))
}

// export is what becomes of the workloads.
type export struct {
	lineage lineage
	// kinds are the custom ones that were read.
	kinds   []schema.GroupResource
	results []*result
	made    []any
	// passed counts those that are annotated and not scaled themselves.
	passed int
}

// inners says of how many annotated objects nothing is told.
func (e *export) inners() string {
	if e.passed == 0 {
		return ""
	}
	return fmt.Sprintf(" that is scaled itself; %s annotated and part of another workload", is(e.passed, "object"))
}

// convert takes an object, if it is annotated.
func (e *export) convert(o *object) {
	all := o.annotations()
	if !annotations.Selected(all) || o.is(convertible()) || o.isAround {
		return
	}
	r := &result{From: o.reference, object: o}
	if why := e.lineage.outer(o); why != nil {
		if e.passed++; o.isAsked || annotations.AnnotatedInVain(o.meta()) {
			r.Remarks = append(r.Remarks, *why)
			e.results = append(e.results, r)
		}
		return
	}
	e.results = append(e.results, r)
	if !o.mayScale() {
		r.Remarks = append(r.Remarks, hpa.Remark{Path: "kind", Value: o.Kind, Why: "is none that an HPA scales, and mini-hpa does not either: no HPA is made", Do: "remove the annotations, or put them on what controls it", Lost: true})
		return
	}
	spec, remarks, problems := hpa.Of(all)
	r.Remarks = append(remarks, e.unknownOwner(o)...)
	for _, p := range problems {
		member, _ := p.BadValue.(string) // the name of a field that is none, or another text that is no name of a member
		r.Remarks = append(r.Remarks, hpa.Remark{Path: p.Field, Member: member, Why: "cannot be followed, so that no HPA is made: " + p.ErrorBody(), Lost: true})
	}
	if spec == nil {
		return
	}
	spec.ScaleTargetRef.APIVersion, spec.ScaleTargetRef.Kind, spec.ScaleTargetRef.Name = o.APIVersion, o.Kind, o.Name
	metadata := map[string]any{"name": o.Name}
	if o.Namespace != "" {
		metadata["namespace"] = o.Namespace
	}
	e.made = append(e.made, map[string]any{"apiVersion": "autoscaling/v2", "kind": annotations.KindHPA, "metadata": metadata, "spec": spec})
}

// unknownOwner remarks that what controls an object was not read.
func (e *export) unknownOwner(o *object) []hpa.Remark {
	owner := metav1.GetControllerOfNoCopy(o.meta())
	if owner == nil || e.lineage.byUID[owner.UID] != nil {
		return nil
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || version.Group == appsv1.GroupName || slices.ContainsFunc(e.kinds, func(k schema.GroupResource) bool { return k.Group == version.Group }) {
		return nil // it is gone
	}
	return []hpa.Remark{{Path: owners, Value: owner.Kind + " " + owner.Name, Why: "controls it, and was not read: if that is annotated and of a kind that the controller scales, it is scaled instead", Do: "name its kind by --kinds"}}
}

func (e *export) write(output string, s cli.Streams) error {
	if output == outJSON {
		if len(e.made) == 1 {
			return cli.WriteJSON(s.Out, e.made[0])
		}
		return cli.WriteJSON(s.Out, map[string]any{"apiVersion": "v1", "kind": "List", "items": e.made})
	}
	for i, o := range e.made {
		text, err := document.Marshal(o)
		if err != nil {
			return err
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := s.Out.Write(text); err != nil {
			return err
		}
	}
	return nil
}
