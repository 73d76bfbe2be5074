package lint

import (
	"cmp"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
)

// spareValues and sizeValue are how many values the forms of all workloads, and their patches, may have together: so many, and one more for so many bytes of
// what was read. Many kustomizations of one large base must take no quadratic time. Each form, and each patch of it, takes the time of formValues besides
// its own.
const spareValues, sizeValue, formValues = 100_000, 4, 15

func (m *manifests) newOverlays() *overlays {
	room := spareValues + m.size/sizeValue
	o := &overlays{most: room, room: room, uses: map[string][]string{}, ends: map[string][]string{}, patches: map[overlaid][]patched{}, patched: map[target]map[string]bool{}, objects: map[string]object{}, forms: map[formKey]*form{}, writers: map[string][]string{}, patching: map[string]bool{}, patterns: patterns{}, omitted: map[*candidate]bool{}}
	for _, k := range m.kustomizations {
		if k.isKustomization() {
			o.objects[k.dir()] = k
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(m.layout.Parts)) {
		for _, part := range m.layout.Compose(dir, kustomize.AnyNamespace).Order {
			if len(m.workloadsIn[inFile{part, ""}]) == 0 {
				continue
			}
			o.uses[part] = append(o.uses[part], dir)
			if !m.layout.Listed[dir] {
				o.ends[part] = append(o.ends[part], dir)
			}
		}
	}
	o.addPatches(m)
	return o
}

// addPatches sorts the patches by their kustomizations and by what they are for.
func (o *overlays) addPatches(m *manifests) {
	for path, use := range m.layout.Patches {
		m.layout.Writes[use.Dir] = m.layout.Writes[use.Dir] || !m.readPatches[path] // its content is not known
	}
	for _, p := range m.patched {
		kind := p.kindName()
		if _, isScaled := m.kinds.named(kind); p.use.Dir == "" || kind != "" && !isScaled {
			continue
		}
		key := overlaid{p.use.Dir, target{kind, cmp.Or(p.use.Name, p.GetName())}}
		if !isPlainName.MatchString(key.name) || p.operations == nil && p.use.Name == "" && p.use.Kind != "" {
			key.name = ""
		}
		p.cost = formValues + valuesOf(p.Object) + valuesOf(p.operations)
		o.patches[key] = append(o.patches[key], p)
		if o.patched[key.target] == nil {
			o.patched[key.target] = map[string]bool{}
		}
		o.patched[key.target][key.dir], o.patching[key.dir] = true, true
	}
}

// isPlainName is what a target's name is if it is no regular expression.
var isPlainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// ready makes what is known of all kustomizations.
func (m *manifests) ready() *overlays {
	if m.overlays == nil {
		m.sortWorkloads()
		m.overlays = m.newOverlays()
	}
	return m.overlays
}

// forms are those in which a workload is applied, judged. There are none if there is no room for all of them.
func (m *manifests) forms(d *candidate, defaults annotations.Defaults) []*form {
	if d.file == standardInput {
		return nil
	}
	o := m.ready()
	dirs := o.ends[d.path()]
	if len(dirs) == 0 {
		dirs = o.uses[d.path()] // they go in a circle
	}
	var found []*form
	for _, dir := range dirs {
		f := m.form(dir, d)
		if o.omitted[d] {
			return nil
		}
		if !f.isUnknown && annotations.Selected(f.workload.Annotations) {
			f.verdict = reviewed(defaults, f.workload, cmp.Or(m.layout.Namespaces[dir], d.namespace), m.withoutDeleted(m.surroundingsOf(f.workload, m.levelsOf(f)), dir))
		}
		found = append(found, f)
	}
	return found
}

// valuesOf is how many values are in a tree.
func valuesOf(tree any) int {
	n := 1
	switch v := tree.(type) {
	case map[string]any:
		for _, value := range v {
			n += valuesOf(value)
		}
	case []any:
		for _, item := range v {
			n += valuesOf(item)
		}
	}
	return n
}

// withoutDeleted are surroundings without the autoscalers that patches take out of a kustomization.
func (m *manifests) withoutDeleted(s annotations.Surroundings, dir string) annotations.Surroundings {
	if len(m.deleted) == 0 {
		return s
	}
	parts := append(slices.Clone(m.layout.Compose(dir, kustomize.AnyNamespace).Order), dir)
	s.Autoscalers = slices.DeleteFunc(slices.Clone(s.Autoscalers), func(a annotations.Autoscaler) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return m.deleted[deletion{part, a.Kind, a.Name}] })
	})
	return s
}

// levelsOf returns the neighborhoods of a form, and then those of the manifest. If a workload has a namespace, objects to which a
// kustomization gives none are not in it.
func (m *manifests) levelsOf(f *form) []*neighbors.Neighborhood {
	own := m.levels(f.on.object)
	if m.layout.Namespaces[f.dir] == "" && cmp.Or(f.on.GetNamespace(), m.layout.Home(f.on.dir())) != "" {
		return own
	}
	there := object{file: filepath.Join(f.dir, kustomize.Names()[0]), namespace: m.namespace}
	return append(slices.Clone(m.levels(there)), own...)
}

// form finds what a kustomization makes of a workload.
func (m *manifests) form(dir string, d *candidate) *form {
	o := m.ready()
	key := formKey{dir, d}
	if known, ok := o.forms[key]; ok {
		return known
	}
	f := &form{dir: dir, on: d, reading: d.reading}
	o.forms[key] = f
	if d.cost == 0 {
		d.cost = formValues + valuesOf(d.Object)
	}
	hasRoom := o.takes(d, d.cost)
	var changes []change
	for _, part := range m.writersFor(dir, d.target()) {
		for _, p := range o.patchesFor(part, d) {
			if hasRoom = hasRoom && o.takes(d, p.cost); !hasRoom {
				break
			}
			f.patches = append(f.patches, p)
			changes = append(changes, p.change(d))
		}
		pairs := o.objects[part].mapping(kustomize.CommonAnnotations)
		if hasRoom = hasRoom && o.takes(d, len(pairs)); len(pairs) > 0 && hasRoom {
			changes = append(changes, annotating(pairs))
		}
		if f.isUnknown = !hasRoom || m.layout.Writes[part]; f.isUnknown {
			return f
		}
	}
	f.make(changes)
	return f
}

// change is what a kustomization does to a workload.
type change struct {
	// by changes an object, which may be written to.
	by func(tree map[string]any) (map[string]any, error)
	// pairs are the annotations that it sets, or takes away where there is nil, if it does nothing else.
	pairs           map[string]any
	isOfAnnotations bool
}

// annotating is the change of annotations that a kustomization has for all. Those that are no text it leaves out.
func annotating(pairs map[string]any) change {
	texts := map[string]any{}
	for key, value := range pairs {
		if text, ok := value.(string); ok {
			texts[key] = text
		}
	}
	return change{pairs: texts, isOfAnnotations: true, by: func(tree map[string]any) (map[string]any, error) { return tree, annotate(tree, texts) }}
}

// change is that of a patch. Most patches are of annotations and of nothing else.
func (p patched) change(d *candidate) change {
	c := change{by: p.applyTo}
	pairs := p.annotations()
	if p.operations != nil || p.use.Selects || pairs == nil || !isOnly(p.mapping("metadata"), "name", "annotations") || !isOnly(p.Object, "apiVersion", "kind", "metadata") ||
		p.GroupVersionKind() != d.GroupVersionKind() {
		return c
	}
	for key, value := range pairs {
		if _, isText := value.(string); !isText && value != nil || strings.HasPrefix(key, "$") {
			return c
		}
	}
	c.pairs, c.isOfAnnotations = pairs, true
	return c
}

// isOnly says whether a mapping has no other names than these.
func isOnly(members map[string]any, names ...string) bool {
	for name := range members {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// make makes the form by all changes, in order. Where they are all of annotations, and the manifest itself has nothing that the API server would refuse,
// the rest is what it was.
func (f *form) make(changes []change) {
	switch {
	case len(changes) == 0:
	case !f.on.isUnfit && !slices.ContainsFunc(changes, func(c change) bool { return !c.isOfAnnotations }):
		w := *f.workload
		w.Annotations = maps.Clone(w.Annotations)
		if w.Annotations == nil {
			w.Annotations = map[string]string{}
		}
		for _, c := range changes {
			for key, value := range c.pairs {
				if text, ok := value.(string); ok {
					w.Annotations[key] = text
				} else {
					delete(w.Annotations, key)
				}
			}
		}
		f.workload = &w
	default:
		f.remake(changes)
	}
}

// remake reads the object anew that is made of the workload by all changes.
func (f *form) remake(changes []change) {
	changed := f.on.object
	tree, err := runtime.DeepCopyJSON(f.on.Object), error(nil)
	for _, c := range changes {
		if tree, err = c.by(tree); err != nil {
			f.isUnknown = true
			return
		}
	}
	changed.Unstructured = unstructured.Unstructured{Object: tree}
	if f.reading, f.problems, err = changed.read(f.on.kind); err != nil {
		f.reading, f.isUnknown = f.on.reading, true
	}
}

// takes reserves so many values for a form of a workload from the room for all, and says whether there were so many left.
func (o *overlays) takes(d *candidate, values int) bool {
	if values > o.room {
		o.omitted[d] = true
		return false
	}
	o.room -= values
	return true
}

// writersFor are the kustomizations that change workloads of a kind and name, in the order in which they do.
func (m *manifests) writersFor(dir string, of target) []string {
	o, found := m.ready(), []string{}
	for _, part := range m.writersOf(dir) {
		if m.layout.Writes[part] || m.layout.Annotates[part] || slices.ContainsFunc(of.wider(), func(t target) bool { return o.patched[t][part] }) {
			found = append(found, part)
		}
	}
	return found
}

// writersOf are the kustomizations that a directory's is made of and that change anything, and it itself, in the order in which they do. There may be very
// many others.
func (m *manifests) writersOf(dir string) []string {
	o := m.ready()
	if known, ok := o.writers[dir]; ok {
		return known
	}
	found := []string{}
	for _, part := range append([]string{dir}, m.layout.Compose(dir, kustomize.AnyNamespace).Order...) {
		if m.layout.Writes[part] || m.layout.Annotates[part] || o.patching[part] {
			found = append(found, part)
		}
	}
	slices.Reverse(found) // what is nearer comes later
	o.writers[dir] = found
	return found
}

// wider are the targets of patches that may be for a workload.
func (t target) wider() []target { return []target{t, {"", t.name}, {t.kind, ""}, {}} }

// patchesFor are those of one kustomization for a workload, in the order in which kustomize applies them.
func (o *overlays) patchesFor(dir string, d *candidate) []patched {
	var found []patched
	for _, t := range d.target().wider() {
		for _, p := range o.patches[overlaid{dir, t}] {
			if t.name != "" || p.use.Name == "" || o.patterns.of(p.use.Name).matches(d.GetName(), func(values int) bool { return o.takes(d, values) }) {
				found = append(found, p)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b patched) int { return cmp.Compare(a.use.Order, b.use.Order) })
	return found
}

var errSelects = errors.New("it is not known what the patch is for")

// applyTo is an object with the patch. What kustomize would refuse is an error. The object may be written to.
func (p patched) applyTo(tree map[string]any) (changed map[string]any, err error) {
	defer func() { // the library meets what no API server would let come to it
		if recover() != nil {
			err = errSelects
		}
	}()
	switch {
	case p.use.Selects:
		return nil, errSelects
	case p.operations != nil:
		return p.operated(tree)
	case p.Object["$patch"] != nil:
		return nil, errSelects
	}
	part := p.quoted()
	if metadata := part.mapping("metadata"); metadata != nil {
		delete(metadata, "name") // of a patch with a target it may be any
	}
	return merged(tree, part.Object)
}

// merged is an object with a part of it, as kustomize merges them: lists of containers by their names, but those of a custom kind are replaced
// (RFC 7386), because nothing is known of them.
func merged(tree, part map[string]any) (map[string]any, error) {
	switch kind := (&unstructured.Unstructured{Object: tree}).GroupVersionKind(); {
	case kind.Group != appsv1.GroupName:
		return after(tree, part, jsonpatch.MergePatch)
	case kind.Kind == "StatefulSet":
		return strategicpatch.StrategicMergeMapPatch(tree, part, appsv1.StatefulSet{})
	case kind.Kind == "ReplicaSet":
		return strategicpatch.StrategicMergeMapPatch(tree, part, appsv1.ReplicaSet{})
	default:
		return strategicpatch.StrategicMergeMapPatch(tree, part, appsv1.Deployment{})
	}
}

// after is an object after a patch of its JSON.
func after(tree map[string]any, patch any, apply func(before, patch []byte) ([]byte, error)) (map[string]any, error) {
	before, err := stdjson.Marshal(tree)
	if err != nil {
		return nil, err
	}
	text, err := stdjson.Marshal(patch)
	if err != nil {
		return nil, err
	}
	whole, err := apply(before, text)
	if err != nil {
		return nil, err
	}
	var changed map[string]any
	return changed, json.Unmarshal(whole, &changed)
}

// operated is an object after the operations.
func (p patched) operated(tree map[string]any) (map[string]any, error) {
	for _, item := range p.operations {
		members, _ := item.(map[string]any)
		if op, _ := members["op"].(string); op == "copy" || op == "move" { // a few copies of copies are more than any memory
			return nil, errSelects
		}
	}
	return after(tree, p.operations, func(before, text []byte) ([]byte, error) {
		patch, err := jsonpatch.DecodePatch(text)
		if err != nil {
			return nil, err
		}
		return patch.Apply(before)
	})
}

// annotate writes the annotations that a kustomization has for all.
func annotate(tree, pairs map[string]any) error {
	for key, text := range pairs {
		if err := unstructured.SetNestedField(tree, text, "metadata", "annotations", key); err != nil {
			return err
		}
	}
	return nil
}

// asApplied is the verdict of a manifest of which only its forms are applied. A problem that no form has does not count, and a missing
// request is a problem only of the forms that lack it.
func (m *manifests) asApplied(verdict annotations.Verdict, forms []*form) annotations.Verdict {
	if len(forms) == 0 {
		return verdict
	}
	var left field.ErrorList
	for _, problem := range verdict.Problems {
		var lacking []string
		for _, f := range forms {
			if f.has(problem) {
				lacking = append(lacking, cli.Quote(m.shownDir(f.dir)))
			}
		}
		switch {
		case len(lacking) == len(forms), len(lacking) > 0 && !annotations.IsOfRequest(problem):
			left = append(left, problem)
		case len(lacking) > 0:
			verdict.Warnings = append(verdict.Warnings, annotations.Warning{Field: problem.Field, Rule: problem.Origin, Message: fmt.Sprintf(
				"%s; so it is in %s, and not in the other kustomizations that are made of it", problem.ErrorBody(), someOf(lacking, 5))})
		}
	}
	verdict.Problems = left
	return verdict
}

// shownDir is the file of a kustomization as findings name it.
func (m *manifests) shownDir(dir string) string {
	if k, ok := m.ready().objects[dir]; ok {
		return k.file
	}
	return dir
}

// has says whether what is wrong with a manifest is also wrong with the form.
func (f *form) has(problem *field.Error) bool {
	return slices.ContainsFunc(append(slices.Clone(f.verdict.Problems), f.problems...), func(e *field.Error) bool {
		return e.Field == problem.Field && e.Origin == problem.Origin
	})
}

// tell reports the problems of a form that neither the manifest has, by its verdict before that of the forms, nor one of the patches alone.
// It does not report missing annotations, which may come from elsewhere.
func (m *manifests) tell(f *form, alone annotations.Verdict, defaults annotations.Defaults) []finding {
	if f.isUnknown || !annotations.Selected(f.workload.Annotations) {
		return nil
	}
	known := map[string]bool{}
	note := func(v annotations.Verdict) {
		for _, problem := range v.Problems {
			known[problem.Error()] = true
		}
		for _, w := range v.Warnings {
			known[w.Path()+w.Message] = true
		}
	}
	note(alone)
	note(annotations.Verdict{Problems: f.on.problems})
	for _, p := range f.patches {
		note(partly(p.written(), defaults))
	}
	var found []finding
	isTold := func(e *field.Error) bool { return strings.HasPrefix(e.Field, "metadata.annotations[") } // where it is written
	for _, problem := range append(slices.DeleteFunc(slices.Clone(f.problems), isTold), f.verdict.Problems...) {
		if !known[problem.Error()] && !isMissing(problem, f.workload.Annotations) {
			known[problem.Error()] = true
			found = append(found, m.toldOf(f, severityError, problem.Origin, problem.Field, problem.ErrorBody()))
		}
	}
	for _, w := range f.verdict.Warnings {
		isMissing := w.Rule == annotations.FoundDoubtful && w.Key == annotations.Container // something that it would go with
		if w.Field != annotations.TemplatePath && !isMissing && !known[w.Path()+w.Message] {
			found = append(found, m.toldOf(f, severityWarning, w.Rule, w.Path(), w.Message))
		}
	}
	if n := f.replicas; n != nil && *n > 0 && f.verdict.Mode == annotations.ModeAuto && !m.tellsReplicas(f) && !f.on.isFromCluster() {
		found = append(found, m.toldOf(f, severityWarning, annotations.FoundReplicasOverwritten, f.replicasPath(), overwritten(f.kind, int64(*n))))
	}
	return found
}

// tellsReplicas says whether the replicas are reported for the manifest or a patch itself.
func (m *manifests) tellsReplicas(f *form) bool {
	if f.on.replicas != nil && annotations.Selected(f.on.workload.Annotations) {
		return true
	}
	return slices.ContainsFunc(f.patches, func(p patched) bool {
		return p.setsReplicas(f.kind) && (len(p.ownKeys()) > 0 || m.scales(p.use.Dir, f.on.target()))
	})
}

func (p patched) setsReplicas(kind annotations.Kind) bool {
	way := annotations.Steps(kind.ReplicasPath)
	return p.part(way...) != nil || slices.ContainsFunc(p.operations, func(item any) bool {
		members, _ := item.(map[string]any)
		pointer, _ := members["path"].(string)
		return slices.Equal(pointed(pointer), way)
	})
}

// toldOf is a finding of a form: at the last patch that writes annotations, or else at the kustomization.
func (m *manifests) toldOf(f *form, severity, rule, path, message string) finding {
	for _, p := range slices.Backward(f.patches) {
		if len(p.written()) > 0 {
			return p.findingAt(p.spotOf(path), severity, rule, path, withoutLine(message)+"; so it is with "+f.on.place())
		}
	}
	message = fmt.Sprintf("of %s %s (%s): %s: %s", f.kind.Kind, cli.Quote(f.on.GetName()), f.on.place(), path, message)
	if k, ok := m.ready().objects[f.dir]; ok {
		return k.finding(severity, rule, "resources", message)
	}
	return f.on.finding(severity, rule, path, message)
}

// spotOf is where in a patch that writes annotations something is, or else the first of those.
func (p patched) spotOf(path string) manifest.Place {
	for i := range p.operations {
		if one := (patched{operations: p.operations[i : i+1]}); len(one.written()) > 0 {
			return p.Locate((*field.Path)(nil).Index(i).Child("value").String(), nil)
		}
	}
	if keys := p.ownKeys(); len(keys) > 0 && !strings.HasPrefix(path, "metadata") {
		path = annotations.Path(keys[0]).String()
	}
	return p.Locate(path, nil)
}

// quoted is a copy of the patch in which annotations are the strings that were meant.
func (p patched) quoted() object {
	part := p.object
	part.Object = runtime.DeepCopyJSON(p.Object)
	part.quoteOwn()
	return part
}

// meant are the annotations of ours that an object has, as the strings that were meant.
func (o object) meant() map[string]string {
	pairs := map[string]string{}
	for key, value := range own(o.annotations()) {
		switch text, isText := value.(string); {
		case isText:
			pairs[key] = text
		case value != nil:
			pairs[key] = o.unquoted(key, value).text
		}
	}
	return pairs
}

// written are the annotations of ours that a patch sets.
func (p patched) written() map[string]string {
	pairs := map[string]string{}
	if p.operations == nil {
		pairs = p.meant()
	}
	for _, item := range p.operations {
		members, _ := item.(map[string]any)
		pointer, _ := members["path"].(string)
		set, isMapping := members["value"].(map[string]any)
		switch way := pointed(pointer); {
		case members["op"] != "add" && members["op"] != "replace":
		case len(way) == 3 && way[0] == "metadata" && way[1] == "annotations":
			set = map[string]any{way[2]: members["value"]}
		case isMapping && pointer == "/metadata":
			set, _ = set["annotations"].(map[string]any)
		case !isMapping || pointer != "/metadata/annotations":
			set = nil
		}
		for key, value := range own(set) {
			if value != nil {
				pairs[key] = fmt.Sprint(value)
			}
		}
	}
	return pairs
}

// pointed takes a JSON pointer apart (RFC 6901).
func pointed(pointer string) []string {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
	}
	return steps
}

// scales says whether a kustomization is made of a workload of a kind and name that mini-hpa scales there; of any name if that is empty.
func (m *manifests) scales(dir string, of target) bool {
	if dir == "" {
		return false
	}
	return m.workloadOf(dir, of, func(d *candidate) bool {
		pairs := d.workload.Annotations
		if of.name != "" { // of all the forms of all names there may be too many
			pairs = m.form(dir, d).workload.Annotations
		}
		mode := pairs[annotations.ModeKey]
		return annotations.Selected(pairs) && (mode == "" || mode == string(annotations.ModeAuto))
	}) != nil
}

// workloadOf returns the first wanted workload of a kustomization, with the given kind and name as far as those are not "", or nil if there is
// none.
func (m *manifests) workloadOf(dir string, of target, isWanted func(*candidate) bool) *candidate {
	m.sortWorkloads()
	for _, part := range m.layout.Compose(dir, kustomize.AnyNamespace).Order {
		found := m.workloadsIn[inFile{part, of.name}]
		if i := slices.IndexFunc(found, func(d *candidate) bool { return (of.kind == "" || of.kind == d.kind.Kind) && isWanted(d) }); i >= 0 {
			return found[i]
		}
	}
	return nil
}

// sortWorkloads sorts them by their files and names, once.
func (m *manifests) sortWorkloads() {
	if m.workloadsIn != nil {
		return
	}
	m.workloadsIn = map[inFile][]*candidate{}
	for _, d := range m.workloads {
		whole := inFile{d.path(), ""}
		m.workloadsIn[whole] = append(m.workloadsIn[whole], d)
		if named := (inFile{whole.file, d.GetName()}); named.name != "" {
			m.workloadsIn[named] = append(m.workloadsIn[named], d)
		}
	}
}

// overwritten is what there is to say of replicas that a manifest sets.
func overwritten(kind annotations.Kind, n int64) string {
	return fmt.Sprintf("each apply sets the replicas to %d, whatever mini-hpa has made of them; %s", n, annotations.LeaveReplicasOut(kind.GroupKind()))
}
