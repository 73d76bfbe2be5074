// Package pause is the commands that let workloads alone for a while, and have them scaled again, by their annotation of the mode.
package pause

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

const aboutBoth = `

It prints the command of kubectl that does the same, and then what has become of each workload. --dry-run=client reads the workload and writes nothing;
--dry-run=server has the API server and the webhook judge the change, and stores nothing. A workload that is so already is left alone.
It takes the rights to get and patch the workload.

Where manifests are applied from a repository (Argo CD, Flux) what is set here may be taken back: set it there, or have the annotation ignored.`

const aboutPause = `Sets mini-hpa/mode to "paused", so that nothing is decided and the replicas stay as they are. Who wants to see what would be decided meanwhile sets it to "observe".
A workload in mode observe is not paused, as resume would have it scaled.` + aboutBoth

const aboutResume = `Removes mini-hpa/mode where it is "paused", so that the workload is scaled again.` + aboutBoth

// Command is the row of the table of commands that pauses.
func Command() cli.Command {
	return cli.Command{Name: "pause", Args: "KIND/NAME...", Summary: "let workloads alone: their replicas stay as they are", About: aboutPause, Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{verb: "pause", done: "paused", api: cluster.DefaultAPIFlags(), dry: dryNone, to: annotations.ModePaused}
		}}
}

// ResumeCommand is the row of the table of commands that resumes.
func ResumeCommand() cli.Command {
	return cli.Command{Name: "resume", Args: "KIND/NAME...", Summary: "have workloads scaled again that are paused", About: aboutResume, Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{verb: "resume", done: "resumed", api: cluster.DefaultAPIFlags(), dry: dryNone}
		}}
}

// What is written.
const (
	dryNone   = "none"
	dryClient = "client"
	dryServer = "server"
)

type task struct {
	// verb is what it does, done the same when it is done.
	verb, done string
	cluster    cluster.Flags
	api        cluster.APIFlags
	namespace  string
	dry        string
	// to is the mode that is set; empty to remove the annotation.
	to annotations.Mode
}

// Declare is cli.Task's.
func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.Var(cli.OneOf(&t.dry, dryNone, dryClient, dryServer), "dry-run", "client to write nothing, server to have the API server judge it and store nothing")
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
}

// Run is cli.Task's.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	workloads, err := cli.WorkloadsOf(args, t.verb)
	if err != nil {
		return err
	}
	target, err := t.cluster.ForAnswer(s, t.namespace)
	if err != nil {
		return err
	}
	target.Config = t.api.Config(target.Config, t.api.Timeout)
	target.Config.WarningHandler = warner{s.Err}
	objects, err := metadata.NewForConfig(target.Config)
	if err != nil {
		return fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	var problems []error
	for _, w := range workloads {
		problems = append(problems, t.set(ctx, s.Out, target, objects, w))
	}
	return errors.Join(problems...)
}

// set sets the mode of one workload.
func (t *task) set(ctx context.Context, out io.Writer, target cluster.Target, objects metadata.Interface, w cli.Workload) error {
	namespace := target.Namespace
	resource, err := cluster.Served(target.Config, w.Resource)
	if err != nil {
		return err
	}
	of := objects.Resource(resource).Namespace(namespace)
	object, err := of.Get(ctx, w.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read %s in namespace %s: %w", w, cli.Quote(namespace), err)
	}
	mode := annotations.Mode(object.Annotations[annotations.ModeKey])
	switch {
	case !annotations.Selected(object.Annotations):
		return fmt.Errorf("%s in namespace %s has no %s annotation, so mini-hpa does not scale it", w, cli.Quote(namespace), annotations.Prefix)
	case t.to != "" && mode == t.to:
		return say(out, w.String()+" is paused already")
	case t.to == "" && (mode == "" || mode == annotations.ModeAuto):
		return say(out, w.String()+" is not paused")
	case t.to == "" && mode != annotations.ModePaused, mode == annotations.ModeObserve:
		return fmt.Errorf("%s in namespace %s has %s %s, so it is not scaled, and not paused either; what it is to be is for you to set", w, cli.Quote(namespace), annotations.ModeKey, cli.Quote(string(mode)))
	}
	if err := say(out, t.command(w, namespace)); err != nil {
		return err
	}
	done := w.String() + " " + t.done
	options := metav1.PatchOptions{FieldManager: "mini-hpa-cli"}
	switch t.dry {
	case dryClient:
		return say(out, done+" (dry run)")
	case dryServer:
		options.DryRun, done = []string{metav1.DryRunAll}, done+" (server dry run)"
	}
	if _, err := of.Patch(ctx, w.Name, types.MergePatchType, t.patch(), options); err != nil {
		return fmt.Errorf("cannot %s %s in namespace %s: %w", t.verb, w, cli.Quote(namespace), err)
	}
	return say(out, done)
}

// patch is the change of the annotations.
func (t *task) patch() []byte {
	value := map[string]any{annotations.ModeKey: nil}
	if t.to != "" {
		value[annotations.ModeKey] = t.to
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": value}})
	if err != nil {
		panic(err) // texts always are JSON
	}
	return text
}

// command is what a user of kubectl would type.
func (t *task) command(w cli.Workload, namespace string) string {
	words := append([]string{"kubectl", "annotate"}, t.cluster.Args()...)
	words = append(words, "--namespace="+namespace, w.Resource.String(), w.Name)
	if t.to == "" {
		return cli.ShellWords(append(words, annotations.ModeKey+"-"))
	}
	return cli.ShellWords(append(words, "--overwrite", annotations.ModeKey+"="+string(t.to)))
}

func say(out io.Writer, line string) error {
	if _, err := fmt.Fprintln(out, cli.Clean(line)); err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	return nil
}

// warner repeats what the API server and its webhooks warn of.
type warner struct{ out io.Writer }

// HandleWarningHeader is rest.WarningHandler's.
func (w warner) HandleWarningHeader(_ int, _, text string) {
	fmt.Fprintln(w.out, cli.Clean("Warning: "+text))
}
