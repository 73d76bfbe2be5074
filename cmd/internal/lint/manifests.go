package lint

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/fitting"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
)

// manifests are what was read of all files; see newManifests.
type manifests struct {
	// namespace is that of objects that name none.
	namespace string
	// sources is what the administrator's file has; nil where none was given.
	sources *catalog.Catalog
	// activator is where requests come from that have waited; nil where that was not given.
	activator *annotations.Activator
	workloads []*candidate
	// around are the objects that bear on the workloads.
	around map[area]*neighbors.Neighborhood
	// composites are what bears on workloads because something is made of it and them.
	composites map[*kustomize.Composition]*neighbors.Neighborhood
	// known is what levels has found.
	known map[area][]*neighbors.Neighborhood
	// strays are annotations that nothing reads, kustomizations objects that may write some to all others.
	strays         []stray
	kustomizations []object
	// findings are those for which nothing but the object is needed.
	findings []finding
	// unreadable are the first of each file that could not be read, failed how many there are of each.
	unreadable []notice
	failed     map[string]int
	// files and size are how many files were read, and how long they are together.
	files, size int
	// structs are what the fields of objects should be, kinds which of them are scaled, paths where the files are, charts which of those are of one.
	structs fitting.Structs
	kinds   *kinds
	paths   paths
	charts  charts
	// later are objects, and patches, whose kinds may be defined by what is read after them.
	later        []object
	laterPatches []patched
	// layout is what kustomizations say of the files, patched what their patches change.
	layout  *kustomize.Layout
	patched []patched
	// deleted are objects that patches take away; workloadsIn are those of each file, all and by their names, nil until it is asked for.
	deleted     map[deletion]bool
	workloadsIn map[inFile][]*candidate
	// readPatches are the files of patches that could be read, by their absolute paths.
	readPatches map[string]bool
	// overlays are made of the layout and of what was read; nil until they are asked for.
	overlays *overlays
	// others, strangers, templates and patches count what is skipped: other objects, documents that are not objects, templates to be filled
	// in first, and parts of objects.
	others, strangers, templates, patches int
}

// area is where objects are neighbors: a namespace or, for objects that name none, a directory, because those of another directory
// may be another environment's. A file is an area of its own where a kustomization names it.
type area struct {
	namespace, dir, file string
	// isPut says that kustomizations put the objects into the namespace, which do not name it themselves. They count for those that name it, and
	// not for each other: they may be of other clusters.
	isPut bool
}

// areaOf is an object's own.
func areaOf(o object) area {
	if o.namespace != "" || o.file == standardInput {
		return area{namespace: o.namespace}
	}
	return area{dir: o.dir()}
}

// patched is a patch: a part of an object, or a list of operations on one (RFC 6902). The patched object may have what the patch lacks.
type patched struct {
	object
	operations []any
	use        kustomize.Use
	// cost is what it counts as where it is applied.
	cost int
}

// deletion is an object that a patch takes out of a kustomization.
type deletion struct{ dir, kind, name string }

// inFile are the workloads of a file, by its absolute path, that have a name; all of them if it is empty.
type inFile struct{ file, name string }

// overlaid is a target in one kustomization.
type overlaid struct {
	dir string
	target
}

// formKey is a workload in a kustomization.
type formKey struct {
	dir string
	on  *candidate
}

// form is what a kustomization makes of a workload that it is made of: what is applied, while the manifest alone is not.
type form struct {
	dir string
	on  *candidate
	// patches are those of the workload, as they are applied: those of what the kustomization is made of come first.
	patches []patched
	reading
	// problems are those of fields that the API server would refuse.
	problems field.ErrorList
	// isUnknown says that something else also changes it, or that it is removed.
	isUnknown bool
	verdict   annotations.Verdict
}

// overlays are what is known of all kustomizations together; it is made when all was read.
type overlays struct {
	// uses has, by the absolute path of a file with workloads, the directories of the kustomizations that are made of it. ends are those
	// of them that are not part of another one.
	uses, ends map[string][]string
	// patches are those for workloads. Patched are the directories that have some for a target, and objects the kustomizations.
	patches map[overlaid][]patched
	patched map[target]map[string]bool
	objects map[string]object
	forms   map[formKey]*form
	// writers has, by the directory of a kustomization, what writersOf has found, and patching the directories of those that have patches. patterns are those
	// of targets.
	writers  map[string][]string
	patching map[string]bool
	patterns patterns
	// most is how many values the forms may have, room how many more. omitted are the workloads for whose forms there was none.
	most, room int
	omitted    map[*candidate]bool
}

// newManifests makes an empty set; namespace is for objects that name none.
func newManifests(namespace string) *manifests {
	return &manifests{namespace: namespace, around: map[area]*neighbors.Neighborhood{}, known: map[area][]*neighbors.Neighborhood{}, layout: layoutOf(nil, paths{}), composites: map[*kustomize.Composition]*neighbors.Neighborhood{}, deleted: map[deletion]bool{}, readPatches: map[string]bool{}, failed: map[string]int{}, structs: fitting.Structs{}, kinds: newKinds(), paths: pathsFromHere(), charts: charts{}}
}

func (m *manifests) read(s source, stdin io.Reader) {
	kind := kindOf(s.name)
	use, isPatch := m.patchUse(s)
	all, err := m.parts(s, stdin, kind.Kind != "" || isPatch)
	if s.met && errors.Is(err, errNotOurs) {
		m.strangers++
		return
	}
	if err != nil {
		m.fail(s.shown(), err)
		return
	}
	m.files++
	if isPatch {
		m.readPatches[m.paths.of(s.name).path] = true
	}
	inChart := m.charts.hold(m.paths.of(s.name).dir)
	for p := range all {
		m.size += p.Size()
		if p.Err != nil && isPatch {
			m.layout.Writes[use.Dir] = true
		}
		switch {
		case p.Err == nil:
		case m.failed[s.shown()] < maxErrors && p.IsTemplate(inChart): // which takes the time of another look
			m.templates++
			continue
		case s.met && !p.MayBeManifest():
			m.strangers++
			continue
		default:
			m.failIn(s.shown(), p)
		}
		unfilled := p.Unfilled(inChart)
		for _, d := range p.Documents {
			one := part{Document: d, file: s.shown(), unfilled: unfilled}
			if isPatch {
				m.addPatch(one, use)
			} else {
				m.add(one, kind)
			}
		}
	}
}

// parts are those of a file. The layout has read some before.
func (m *manifests) parts(s source, stdin io.Reader, all bool) (iter.Seq[manifest.Part], error) {
	if known := m.layout.Take(m.paths.of(s.name).path); known != nil {
		return slices.Values(known), nil
	}
	text, err := s.read(stdin)
	return manifest.Read(text, all), err
}

// failIn is fail for a part of a file. It makes the advice, which takes time, only for an error that is printed.
func (m *manifests) failIn(file string, p manifest.Part) {
	err := p.Err
	if m.failed[file] < maxErrors {
		err = p.Advised()
	}
	m.fail(file, err)
}

func (m *manifests) fail(file string, err error) {
	if m.failed[file]++; m.failed[file] > maxErrors {
		return
	}
	at := manifest.LineError{}
	errors.As(err, &at)
	m.unreadable = append(m.unreadable, notice{File: file, Line: at.Line, Message: cli.Clean(err.Error())})
}

// notices are what could not be read, of each file the first of it and how much more there is.
func (m *manifests) notices() []notice {
	all := slices.Clone(m.unreadable)
	last := map[string]int{}
	for i, n := range all {
		last[n.File] = i
	}
	for file, i := range last {
		if more := m.failed[file] - maxErrors; more > 0 {
			all[i].Message += fmt.Sprintf(" (and %d more of the same file)", more)
		}
	}
	return all
}

// patchUse says where a source is used as a patch.
func (m *manifests) patchUse(s source) (kustomize.Use, bool) {
	use, ok := m.layout.Patches[m.paths.of(s.name).path]
	return use, ok && s.name != "-"
}

// part is a document of a file, or an item of one.
type part struct {
	manifest.Document
	file string
	// unfilled says whether an object is still to be filled in.
	unfilled func(fields map[string]any) bool
}

// object is that of the part, with these fields.
func (m *manifests) object(p part, fields map[string]any) object {
	return object{Unstructured: unstructured.Unstructured{Object: fields}, Document: p.Document, file: p.file, namespace: m.namespace, structs: m.structs, kinds: m.kinds, paths: m.paths}
}

// add takes an object, or all of a list. The items of a typed list have its kind if they do not name one.
func (m *manifests) add(p part, inherited schema.GroupVersionKind) {
	fields, _ := p.Value.(map[string]any)
	o := m.object(p, fields)
	if fields != nil && o.GetKind() == "" && inherited.Kind != "" {
		o.SetGroupVersionKind(inherited)
	}
	items, ok := fields["items"].([]any)
	isList := ok && strings.HasSuffix(o.GetKind(), "List")
	switch {
	case !isList && p.unfilled(fields):
		m.templates++
		return
	case isList && o.GetAPIVersion() != "":
		m.findings = append(m.findings, o.repeated(isList)...)
		m.addAll(p, o, items)
		return
	}
	problems := o.rectified()
	if o.GetAPIVersion() == "" || o.GetKind() == "" {
		m.strangers++
		m.findings = append(m.findings, o.anonymous()...)
		return
	}
	switch err := m.place(o, problems); {
	case errors.Is(err, errUnfilled):
		m.templates++
	case err != nil:
		m.fail(p.file, err)
	}
}

func (m *manifests) addAll(p part, list object, items []any) {
	if err := p.List(items); err != nil {
		m.fail(p.file, err)
		return
	}
	kind := list.GroupVersionKind()
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	for i, item := range items {
		_, at := list.Walk("items", strconv.Itoa(i))
		if at == nil {
			at = list.Node // of what is merged in, kubectl's parser may take another one
		}
		m.add(part{Document: p.At(at, item), file: p.file, unfilled: p.unfilled}, kind)
	}
}

// place puts an object where it belongs. There may be problems of its version.
func (m *manifests) place(o object, problems field.ErrorList) error {
	if namespace := o.GetNamespace(); namespace != "" {
		o.namespace = namespace
	}
	if o.isCustom() {
		m.later = append(m.later, o)
		return nil
	}
	return m.put(o, problems)
}

// put is place when all that bears on the kind of the object is known.
func (m *manifests) put(o object, problems field.ErrorList) error {
	var err error
	if kind, ok := o.scaled(); ok {
		err = m.addWorkload(o, kind, problems)
	} else if err = m.addOther(o); err == nil {
		m.findings = append(m.findings, o.errors(problems)...)
	}
	if err == nil {
		m.strays = append(m.strays, o.strays()...)
		m.findings = append(m.findings, o.repeated(false)...)
	}
	return err
}

// addNetwork takes an object that bears on how requests reach pods, and asks nothing of mini-hpa. What is wrong with it is for others to say; then
// it does not count.
func addNetwork[T any](m *manifests, o object, add func(*neighbors.Neighborhood, *T, string)) {
	into := new(T)
	if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into) != nil {
		return
	}
	for _, n := range m.neighborhoods(o) {
		add(n, into, o.place())
	}
}

// addOther takes what is no workload.
func (m *manifests) addOther(o object) error {
	kind := o.GroupVersionKind()
	switch {
	case kind == corev1.SchemeGroupVersion.WithKind("LimitRange"):
		limits := &corev1.LimitRange{}
		problems, err := o.decode(limits)
		if err != nil {
			return err
		}
		m.findings = append(m.findings, o.notes(problems)...)
		for _, n := range m.neighborhoods(o) {
			n.AddLimitRange(limits, o.place())
		}
	case kind == corev1.SchemeGroupVersion.WithKind(annotations.KindService):
		addNetwork(m, o, (*neighbors.Neighborhood).AddService)
	case kind == networkingv1.SchemeGroupVersion.WithKind(annotations.KindNetworkPolicy):
		addNetwork(m, o, (*neighbors.Neighborhood).AddNetworkPolicy)
	case kind.Group == "autoscaling" && kind.Kind == annotations.KindHPA, kind.Group == annotations.GroupKEDA && kind.Kind == annotations.KindScaledObject:
		var s neighbors.Scaler
		quoted := o.quote(annotations.GroupPausing, annotations.FoundInvalidField)
		problems, err := o.decode(&s)
		if err != nil {
			return err
		}
		m.findings = append(m.findings, o.notes(append(quoted, problems...))...)
		for _, n := range m.neighborhoods(o) {
			n.AddScaler(kind.Kind, s, o.place())
		}
	case kind.Group == annotations.GroupResizer && kind.Kind == annotations.KindResizer:
		m.findings = append(m.findings, o.notes(o.quotedModes())...)
		for _, n := range m.neighborhoods(o) {
			n.AddResizer(o.GetName(), o.Object, o.place())
		}
	case kind == corev1.SchemeGroupVersion.WithKind("Namespace") && o.GetName() != "":
		where := o
		where.namespace = o.GetName()
		for _, n := range m.neighborhoods(where) {
			n.Injection = annotations.NamespaceInjection(&o)
		}
	case kind.Group == "apiextensions.k8s.io" && kind.Kind == "CustomResourceDefinition":
		group, _ := o.part("spec", "group").(string)
		name, _ := o.part("spec", "names", "kind").(string)
		m.kinds.define(schema.GroupKind{Group: group, Kind: name}, o.Object, o.place())
	case len(o.writers()) > 0:
		m.kustomizations = append(m.kustomizations, o)
		m.addInline(o)
	}
	m.findings = append(m.findings, o.unscalable()...)
	m.others++
	return nil
}

// neighborhoods are those that an object is a part of: that of its area, and that of its file where a kustomization names it.
func (m *manifests) neighborhoods(o object) []*neighbors.Neighborhood {
	where := areaOf(o)
	all := []*neighbors.Neighborhood{m.neighborhood(where)}
	if file := o.path(); m.layout.Listed[file] && (where.dir != "" || m.layout.Home(o.dir()) != "") {
		all = append(all, m.neighborhood(area{file: file}))
	}
	if namespace := m.putInto(o); namespace != "" && o.file != standardInput {
		all = append(all, m.neighborhood(area{namespace: namespace, isPut: true}))
	}
	return all
}

// putInto is the namespace into which the nearest kustomization puts an object; empty if it names one itself, or is in none.
func (m *manifests) putInto(o object) string {
	where := areaOf(o)
	if where.dir == "" || len(m.layout.Namespaces) == 0 {
		return ""
	}
	return m.layout.Home(where.dir)
}

func (m *manifests) neighborhood(where area) *neighbors.Neighborhood {
	around, ok := m.around[where]
	if !ok {
		around = neighbors.New()
		m.around[where] = around
	}
	return around
}

func (m *manifests) addWorkload(o object, kind annotations.Kind, problems field.ErrorList) error {
	d := &candidate{object: o, problems: append(problems, o.quoteOwn()...)}
	var err error
	if d.reading, problems, err = o.read(kind); err != nil {
		return err
	}
	d.problems, d.isUnfit = append(d.problems, problems...), len(problems) > 0
	if !annotations.Selected(d.workload.Annotations) {
		m.others++
	}
	m.workloads = append(m.workloads, d)
	for _, n := range m.neighborhoods(o) {
		n.AddWorkload(d.workload, o.place())
	}
	return nil
}

// addPatch takes a part of an object, or operations.
func (m *manifests) addPatch(p part, use kustomize.Use) {
	fields, _ := p.Value.(map[string]any)
	operations, isList := p.Value.([]any)
	if p.unfilled(fields) {
		m.layout.Writes[use.Dir] = true
		m.templates++
		return
	}
	m.patches++
	if isList {
		fields = map[string]any{"kind": use.Kind, "metadata": map[string]any{"name": use.Name}}
	} else if fields == nil {
		return
	}
	o := m.object(p, fields)
	if !isList {
		o.aim(use)
		if workloadVersions[o.GetKind()] == "" {
			m.laterPatches = append(m.laterPatches, patched{object: o, operations: operations, use: use})
		} else {
			m.strays = append(m.strays, o.strays()...)
		}
	}
	m.findings = append(m.findings, o.repeated(false)...)
	if o.Object["$patch"] == "delete" {
		m.deleted[deletion{use.Dir, o.GetKind(), o.GetName()}] = true
	}
	m.patched = append(m.patched, patched{object: o, operations: operations, use: use})
}

// aim makes the kind of a patch that of what it is for. With a target its own counts for nothing, and may be left out; without one kustomize takes
// that of the workload.
func (o object) aim(use kustomize.Use) {
	if version := o.versionOf(use.Kind); version != "" && use.Kind != o.GetKind() {
		o.SetKind(use.Kind)
		o.SetAPIVersion(version)
	}
	if version := o.versionOf(o.GetKind()); version != "" && o.GetAPIVersion() == "" {
		o.SetAPIVersion(version)
	}
}

// addInline takes the patches that stand in a Kustomization, or in what has the lists of one.
func (m *manifests) addInline(o object) {
	for _, w := range o.writers() {
		for _, p := range kustomize.PatchesOf(o.dir(), w.fields) {
			_, node := o.Walk(append(slices.Clone(w.way), p.At...)...)
			if p.Path != "" || node == nil {
				continue
			}
			if !m.addText(o, manifest.Followed(node), "patch", func(one part) { m.addPatch(one, p.Use) }) {
				m.layout.Writes[p.Dir] = true
			}
		}
		transformers, _ := w.fields["transformers"].([]any)
		for i, item := range transformers {
			text, _ := item.(string)
			_, node := o.Walk(append(slices.Clone(w.way), "transformers", strconv.Itoa(i))...)
			if strings.Contains(text, "\n") && node != nil {
				m.addText(o, manifest.Followed(node), "transformer", func(p part) { m.add(p, schema.GroupVersionKind{}) })
			}
		}
	}
}

// addText takes a text that is something in a Kustomization, and says whether all of it can be read.
func (m *manifests) addText(o object, text *yaml.Node, what string, add func(part)) bool {
	if text.Kind != yaml.ScalarNode {
		return false
	}
	isRead := true
	for p := range o.ReadText(text) {
		if p.Err != nil {
			if m.failed[o.file] >= maxErrors {
				m.fail(o.file, p.Err)
				continue
			}
			isRead = false
			at := p.Told()
			m.fail(o.file, manifest.LineError{Line: at.Line, Err: fmt.Errorf("a %s in it: %w", what, at.Err)})
			continue
		}
		for _, d := range p.Documents {
			if d.Node != nil {
				add(part{Document: d, file: o.file, unfilled: p.Unfilled(m.charts.hold(o.dir()))})
			}
		}
	}
	return isRead
}

// isCustom says whether the kind of an object may be one of a CustomResourceDefinition that is met later.
func (o object) isCustom() bool { return !isOwnKind(o.GroupVersionKind()) && len(o.writers()) == 0 }

// settle takes the objects whose kinds may have been defined after them, when all was read.
func (m *manifests) settle() {
	later, patches := m.later, m.laterPatches
	m.later, m.laterPatches = nil, nil
	for _, o := range later {
		m.kinds.assume(o.GroupVersionKind())
		m.findings = append(m.findings, o.assumed()...)
		if err := m.put(o, nil); err != nil {
			m.fail(o.file, err)
		}
	}
	for _, p := range patches {
		p.aim(p.use)
		m.strays = append(m.strays, p.strays()...)
	}
}

// kindName is the kind that a patch is for; empty if it does not say.
func (p patched) kindName() string { return cmp.Or(p.use.Kind, p.GetKind()) }
