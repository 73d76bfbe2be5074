package migrate

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// read reads files or the cluster.
func (i *input) read(ctx context.Context, args []string, s cli.Streams, from offer) (*objects, error) {
	switch {
	case len(i.files) > 0 && (len(args) > 0 || i.all):
		return nil, cli.Usagef("either files or the cluster are read; want --filename, or names and --all-namespaces, but not both")
	case len(i.files) == 0 && len(args) == 0 && !i.all:
		return nil, cli.Usagef("nothing to read; want --filename, a KIND/NAME such as %s/web, or --all-namespaces", from.kinds[0].names[0])
	case i.all && i.namespace != "":
		return nil, cli.Usagef("want either --namespace or --all-namespaces")
	}
	r := &objects{texts: map[string]string{}}
	if len(i.files) > 0 {
		for _, name := range i.files {
			r.readPath(name, s.In)
		}
		for _, o := range r.objects {
			if o.Namespace == "" {
				o.Namespace = i.namespace
			}
		}
		return r, nil
	}
	wanted, err := from.namedBy(args, i.all)
	if err != nil {
		return nil, err
	}
	s.LogErrors() // what libraries log is not what was asked for
	return r, i.ask(ctx, r, wanted, from, s)
}

// readPath reads a file, or those of a directory.
func (r *objects) readPath(name string, in io.Reader) {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		r.readFile(name, in)
		return
	}
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		files, _ := filepath.Glob(filepath.Join(name, pattern)) // the pattern is well formed unless the directory's name has brackets
		for _, file := range files {
			r.readFile(file, in)
		}
	}
}

// maxFile is how many bytes a file may have.
const maxFile = 10 << 20

func (r *objects) readFile(name string, in io.Reader) {
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user's own path
		if err != nil {
			r.unreadable = append(r.unreadable, fmt.Sprintf("%s: %v", name, cli.Bare(err)))
			return
		}
		defer file.Close()
		in = file
	} else {
		name = "<stdin>"
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	switch {
	case err != nil:
		r.unreadable = append(r.unreadable, fmt.Sprintf("%s: %v", name, cli.Bare(err)))
		return
	case len(data) > maxFile:
		r.unreadable = append(r.unreadable, fmt.Sprintf("%s: is too large; a file may have %d MiB", name, maxFile>>20))
		return
	}
	r.names = append(r.names, name)
	r.readText(name, string(data))
}

// readText reads what a file says.
func (r *objects) readText(name, text string) {
	r.texts[name] = text
	for part := range manifest.Read(text, false) {
		if part.Err != nil {
			r.fail(name, part.Advised())
		}
		for _, d := range part.Documents {
			r.add(name, d, false)
		}
	}
}

// add takes an object, or the items of a list.
func (r *objects) add(file string, d manifest.Document, inList bool) {
	fields, ok := d.Value.(map[string]any)
	if !ok || fields["apiVersion"] == nil {
		(&chartValues{r, file, d, d}).add(d.Node, "", nil, 0)
		return
	}
	o := newObject(fields)
	r.addValues(file, d, o)
	if items, isList := fields["items"].([]any); isList && strings.HasSuffix(o.Kind, "List") {
		_, nodes := d.Walk("items")
		for i, item := range items {
			if nodes == nil || i >= len(manifest.Followed(nodes).Content) {
				break
			}
			r.add(file, d.At(manifest.Followed(nodes).Content[i], typed(item, o)), true)
		}
		return
	}
	o.File, o.Line, o.document, o.inList = file, d.PlaceOf(d.Node).Line, d, inList
	r.objects = append(r.objects, o)
}

// kindValues is what a section of the values of a Helm chart is called in messages.
const kindValues = "values"

// valuesIn are the paths to the values of charts in an object that installs them: those of Flux and of Argo CD. Of two in one source the first counts.
func valuesIn(o *object) [][]string {
	switch o.Kind {
	case "HelmRelease":
		return [][]string{{"spec.values"}}
	case "Application":
		return helmSources("spec", o.fields)
	case "ApplicationSet":
		return helmSources("spec.template.spec", o.fields)
	}
	return nil
}

// helmSources are those of an Application of Argo CD, which has one or several. An object of values takes the place of a text.
func helmSources(spec string, fields map[string]any) (all [][]string) {
	of := func(source string) {
		all = append(all, []string{source + ".helm.valuesObject", source + ".helm.values"})
	}
	of(spec + ".source")
	several, _, _ := unstructured.NestedFieldNoCopy(fields, append(strings.Split(spec, "."), "sources")...)
	list, _ := several.([]any)
	for i := range list {
		of(fmt.Sprintf("%s.sources[%d]", spec, i))
	}
	return all
}

// addValues takes the values of the charts that an object installs.
func (r *objects) addValues(file string, d manifest.Document, o *object) {
	for _, paths := range valuesIn(o) {
		for _, path := range paths {
			_, values := d.Walk(manifest.Steps(path)...)
			if values = followed(values); values == nil || values.Tag == "!!null" {
				continue
			}
			r.addChart(file, d, values, path)
			break
		}
		if helm, ok := strings.CutSuffix(paths[0], ".valuesObject"); ok {
			r.addParameters(file, d, helm+".parameters")
		}
	}
}

// addParameters takes those that set a value of a section, so that they are told of: Argo CD has them take the place of values.
func (r *objects) addParameters(file string, d manifest.Document, path string) {
	_, list := d.Walk(manifest.Steps(path)...)
	if list = followed(list); list == nil {
		return
	}
	for i, item := range list.Content {
		var p struct{ Name, Value string }
		if item.Decode(&p) != nil || !slices.ContainsFunc(strings.Split(p.Name, "."), func(step string) bool { return slices.Contains(sectionNames, step) }) {
			continue
		}
		at := reference{Kind: kindValues, Name: fmt.Sprintf("%s[%d]", path, i), File: file, Line: d.PlaceOf(item).Line}
		r.objects = append(r.objects, &object{reference: at, document: d, section: &section{parameter: p.Name + "=" + p.Value}})
	}
}

func followed(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	return manifest.Followed(n)
}

// addChart takes the values of a chart, which may be written as a text.
func (r *objects) addChart(file string, d manifest.Document, values *yaml.Node, path string) {
	if values.Kind != yaml.ScalarNode {
		(&chartValues{r, file, d, d}).add(values, path, nil, 0)
		return
	}
	for part := range d.ReadText(values) {
		if part.Err != nil {
			r.fail(file, part.Advised())
		}
		for _, inner := range part.Documents {
			(&chartValues{r, file, d, inner}).add(inner.Node, path, nil, 0)
		}
	}
}

// chartValues are those of a chart, in a document.
type chartValues struct {
	*objects
	file     string
	document manifest.Document
	// nodes is the document that the values are, which may be a text in the other one.
	nodes manifest.Document
}

// add takes the sections that stand below a node.
func (v *chartValues) add(n *yaml.Node, path string, beside []string, depth int) {
	switch {
	case n == nil || depth > deepest:
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			v.add(item, fmt.Sprintf("%s[%d]", path, i), nil, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		var names []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			names = append(names, n.Content[i].Value)
		}
		for i, name := range names {
			value, at := n.Content[2*i+1], strings.TrimPrefix(path+"."+name, ".")
			isSection := slices.Contains(sectionNames, name)
			if isSection && v.addSection(n.Content[2*i], manifest.Followed(value), at, slices.Concat(names, beside)) {
				continue
			}
			var around []string
			if isSection {
				around = names
			}
			v.add(value, at, around, depth+1)
		}
	}
}

// addSection takes a section, if the node is one.
func (v *chartValues) addSection(name, n *yaml.Node, path string, beside []string) bool {
	s := section{beside: beside}
	if n.Kind != yaml.MappingNode || n.Decode(&s.fields) != nil || !s.says() {
		return false
	}
	v.objects.objects = append(v.objects.objects, &object{reference: reference{Kind: kindValues, Name: path, File: v.file, Line: v.nodes.PlaceOf(name).Line}, document: v.document, section: &s})
	return true
}

// typed gives an item of a list of one kind that kind, as kubectl does.
func typed(item any, list *object) any {
	fields, ok := item.(map[string]any)
	if kind := strings.TrimSuffix(list.Kind, "List"); ok && kind != "" && fields["kind"] == nil {
		fields["kind"], fields["apiVersion"] = kind, list.APIVersion
	}
	return item
}
