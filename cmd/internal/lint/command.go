// Package lint says of manifests what admission and controller would say of them, with the file and line of each problem, and what only files
// can have wrong: annotations where nothing reads them, and what kustomizations make of a workload.
package lint

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
	systems "github.com/mini-hpa/mini-hpa/scaler/sources"
)

const about = `Tells of manifests what admission and controller would say of them: annotations that cannot be followed, targets whose
requests are missing, a second autoscaler. It needs no cluster and changes nothing.

FILE is YAML or JSON of any number of documents, DIR all *.yaml, *.yml, *.json and Kustomization below it except in hidden
directories; for - it is standard input. Templates, of whatever tool, are counted and passed over, and of the patches of a kustomization only what they set is looked at:
helm template . | mini-hpa lint -, kustomize build . | mini-hpa lint - see the whole. What --exclude matches is left out, and so is what .mini-hpa-lint.yaml lists under "exclude", in the
working directory or in a DIR: globs relative to the directory, in which ** stands for any number of directories; one without a slash
matches at any depth, and what matches a directory leaves out all that is in it.
Deployments, StatefulSets and ReplicaSets of apps/v1 are looked at, and objects of kinds whose CustomResourceDefinition is among the files, if it has a
scale subresource, or that --kinds names; HorizontalPodAutoscalers, KEDA ScaledObjects, VerticalPodAutoscalers, LimitRanges, Services and NetworkPolicies count if they are in
the same namespace, in whichever file they are. Where neither names a namespace, they count if they are in the same directory
or one above it, or in what a kustomization there is made of, the nearest of each kind: other directories may be other environments. A workload is
judged as the kustomizations that are made of it have it: with their patches, their namespace, and what else they are made of. With --namespace all that name none are
in that one. Of other objects only annotations that have no effect there are told. With --server-side what the
cluster has of those counts too, unless a manifest has one of the same name, and what the namespace's labels announce; for that
you need the right to list them, and to get the namespace.

Each problem has its file and line, and names the file of what it rests on. A field that the API server would refuse is an error, and a warning
in an object that asks nothing of mini-hpa; the others are looked at all the same. The exit code is 1 if there are errors and 0 if there are warnings at most. It is 2
if a file cannot be read; its name and line are told, and the others are looked at.

So that no file takes long, it may have 10 MiB, in a document lists and mappings may be in each other 1000 levels deep, and its aliases may repeat
1 MiB and 2 times its size, and at most 8 MiB, where of a text each byte after the first 64 counts as 8. Of an object 100 errors are told, 100 findings about requests among them, and 8 places where annotations have no effect; of a file 100 parts
that cannot be read, after which no other is taken for a template. The patches that stand in a file may have 1000 documents, and one more for every 32 bytes
of it, and its lists 1000 items, and one more for every 100 bytes. Of a kustomization up to 1000 parts on 32 levels count, and of all together 20000, and 50 more for each file.
What the kustomizations make of all workloads may have 100000 values, and one more for every 4 bytes of what is read, where each workload, and each patch of one, counts as 15 more;
of the workloads beyond, what stands in the files is judged. What was not looked at is told once, with a count, and the exit code is 2.
So no input takes more than a second of CPU time per MiB, where each file and each directory counts as 4 KiB more, as it does on most disks: beside
its bytes, finding, opening and starting to read it takes some 0.02 to 0.1 ms.`

// Command is "mini-hpa lint".
func Command() cli.Command {
	return cli.Command{
		Name:    "lint",
		Offline: true,
		Args:    "FILE|DIR|-...",
		Summary: "find what is wrong with manifests before the cluster does",
		About:   about,
		Task: func() cli.Task {
			return &task{defaults: annotations.DefaultDefaults(), api: cluster.DefaultAPIFlags(), output: "text"}
		},
	}
}

type task struct {
	defaults   annotations.Defaults
	namespace  string
	output     string
	exclude    []string
	kinds      []schema.GroupResource
	sources    string
	activator  string
	serverSide bool
	cluster    cluster.Flags
	api        cluster.APIFlags
	// given says whether a flag was set.
	given func(flag string) bool
}

// Declare is cli.Task's.
func (l *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.OneOf(&l.output, "text", "json", "sarif", "github"), "output", "o",
		"text for people, json for programs, sarif for code scanning, github for annotations in the log of a GitHub workflow")
	f.VarP(cli.Namespace(&l.namespace), "namespace", "n", "the namespace of manifests that name none; without it none, or with --server-side the context's")
	f.Var(globs(&l.exclude), "exclude", "files and directories that are left out; may be repeated")
	f.Var(cli.Kinds(&l.kinds), "kinds", "the custom resources that the controller scales, for those whose CustomResourceDefinition is not among the files; see controller")
	f.StringVar(&l.sources, "sources", "", "the administrator's `file` of sources, to which the lines of mini-hpa/sources are held; see controller")
	f.StringVar(&l.activator, "activator-namespace", "", "the `namespace` of mini-hpa's activators, which NetworkPolicies must let in; without it these are not looked at")
	cli.DeclareMinSyncPeriod(f, &l.defaults)
	f.BoolVar(&l.serverSide, "server-side", false, "let the LimitRanges and autoscalers that are in the cluster count too")
	l.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account. For --server-side, as the next two")
	f.Var(cli.Duration(&l.api.Timeout, 100*time.Millisecond, 5*time.Minute), "kube-api-timeout", "deadline of one request to the API server")
	l.given = f.Changed
}

// Run is cli.Task's.
func (l *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	if err := l.check(args); err != nil {
		return err
	}
	var ask func(context.Context, string) (*neighbors.Neighborhood, error)
	if l.serverSide {
		// What libraries log is no finding.
		s.LogErrors()
		var err error
		if ask, err = l.connect(s.Build); err != nil {
			return err
		}
	}
	return l.lint(ctx, args, s, ask)
}

func (l *task) check(args []string) error {
	if len(args) == 0 {
		return cli.Usagef("nothing to lint; want at least one FILE or DIR, or - for standard input")
	}
	for _, name := range []string{"kubeconfig", "context", "kube-api-timeout"} {
		if l.given(name) && !l.serverSide {
			return cli.Usagef("--%s is for --server-side; without that no cluster is asked", name)
		}
	}
	// The usual period has no influence here, and must not be in the way of the shortest.
	l.defaults.SyncPeriod = max(l.defaults.SyncPeriod, l.defaults.MinSyncPeriod)
	if err := l.defaults.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	return nil
}

// connect finds the cluster, and with it the namespace of manifests that name none.
func (l *task) connect(b cli.Build) (func(context.Context, string) (*neighbors.Neighborhood, error), error) {
	t, err := l.cluster.ForUser(b)
	if err != nil {
		return nil, err
	}
	if l.namespace == "" {
		l.namespace = t.Namespace
	}
	config := l.api.Config(t.Config, l.api.Timeout)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	scaledObjects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for ScaledObjects: %w", err)
	}
	return func(ctx context.Context, namespace string) (*neighbors.Neighborhood, error) {
		return neighbors.Read(ctx, client, scaledObjects, namespace)
	}, nil
}

// lint reads everything first, because what a workload is next to may be in a later file. A cluster is asked only if
// ask is not nil.
func (l *task) lint(ctx context.Context, args []string, s cli.Streams, ask func(context.Context, string) (*neighbors.Neighborhood, error)) error {
	m := newManifests(l.namespace)
	m.kinds.promised = l.kinds
	var err error
	if l.activator != "" {
		m.activator = &annotations.Activator{Namespace: l.activator}
	}
	if m.sources, err = catalogOf(l.sources); err != nil {
		return cli.Unreadable(fmt.Errorf("the file of sources %s cannot be used: %w", cli.Quote(l.sources), err))
	}
	x := exclusions{paths: m.paths}
	if err := errors.Join(x.add(".", l.exclude), x.configure(args)); err != nil {
		return err
	}
	found, idle := sources(args, x)
	m.layout = layoutOf(found, m.paths)
	for _, source := range found {
		m.read(source, s.In)
	}
	m.settle()
	var told strings.Builder
	if len(idle) > 0 {
		fmt.Fprintf(&told, "mini-hpa lint: warning: %s\n", plain(cli.Clean(notRead(idle))))
	}
	if n := m.asksFromNowhere(); n > 0 {
		fmt.Fprintf(&told, "mini-hpa lint: warning: %s with lines of %s could not be held to --sources, because no namespace is named; name one with --namespace\n", cli.Plural(n, "workload"), annotations.SourcesKey)
	}
	for _, n := range m.notices() {
		fmt.Fprintf(&told, "mini-hpa lint: %s\n", plain(n.text()))
	}
	_, _ = io.WriteString(s.Err, told.String()) // nothing can be done if messages cannot be written
	if ask != nil {
		if err := l.askCluster(ctx, m, s, ask); err != nil {
			return err
		}
	}
	r := m.report(l.defaults)
	for _, n := range r.omitted {
		fmt.Fprintf(s.Err, "mini-hpa lint: %s\n", plain(n.text()))
	}
	if err := l.show(r, s); err != nil {
		return fmt.Errorf("cannot write the findings: %w", err)
	}
	switch {
	case r.Summary.Unreadable > 0:
		return cli.Unreadable(cli.ErrReported)
	case r.Summary.Errors > 0:
		return cli.ErrReported
	}
	return nil
}

// catalogOf reads the administrator's file, or returns nil if none is given.
func catalogOf(path string) (*catalog.Catalog, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user's own path
	if err != nil {
		return nil, cli.Bare(err)
	}
	return catalog.Parse(data, systems.Types())
}

// askCluster adds what the cluster has to what the manifests have.
func (l *task) askCluster(ctx context.Context, m *manifests, s cli.Streams, ask func(context.Context, string) (*neighbors.Neighborhood, error)) error {
	for _, namespace := range m.namespaces() {
		inCluster, err := ask(ctx, namespace)
		if err != nil {
			return err
		}
		for _, hidden := range inCluster.Hidden {
			fmt.Fprintf(s.Err, "mini-hpa lint: warning: %s\n", cli.Clean(hidden.Error()))
		}
		m.neighborhood(area{namespace: namespace}).Take(inCluster)
	}
	return nil
}

func (l *task) show(r report, s cli.Streams) error {
	switch l.output {
	case "json":
		return writeInert(s.Out, r)
	case "sarif":
		return writeInert(s.Out, sarifOf(r, s.Build.Version))
	}
	line := finding.text
	out := bufio.NewWriter(s.Out) // which keeps its first error
	if l.output == "github" {
		line = finding.workflowCommand
		for _, n := range r.Unreadable {
			fmt.Fprintln(out, n.workflowCommand())
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintln(out, line(f))
	}
	err := out.Flush()
	fmt.Fprintln(s.Err, r.Summary)
	return err
}

// writeInert writes JSON that, like plain text, has nothing that the log of a workflow takes for a command. In JSON, two # are in a string.
func writeInert(w io.Writer, value any) error {
	var text bytes.Buffer
	if err := cli.WriteJSON(&text, value); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(text.Bytes(), []byte("##"), []byte(`#\u0023`)))
	return err
}

// asksFromNowhere is how many workloads ask sources, where these are known, and are in no namespace.
func (m *manifests) asksFromNowhere() int {
	n := 0
	for _, d := range m.workloads {
		if m.sources != nil && d.namespace == "" && d.workload.Annotations[annotations.SourcesKey] != "" && len(m.layout.Namespaces) == 0 {
			n++
		}
	}
	return n
}

// namespaces are those in which a workload asks to be scaled, sorted.
func (m *manifests) namespaces() []string {
	var names []string
	for _, d := range m.workloads {
		if annotations.Selected(d.workload.Annotations) {
			names = append(names, d.namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
