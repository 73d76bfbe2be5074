package lint

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// patched is a patch: a part of an object, or a list of operations on one (RFC 6902). The patched object may have what the patch lacks.
type patched struct {
	object
	operations []any
	use        kustomize.Use
}

// patchUse says where a source is used as a patch.
func (m *manifests) patchUse(s source) (kustomize.Use, bool) {
	whole, err := filepath.Abs(s.name)
	if err != nil || s.name == "-" {
		return kustomize.Use{}, false
	}
	use, ok := m.layout.Patches[whole]
	return use, ok
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
		m.strays = append(m.strays, o.strays()...)
	}
	m.findings = append(m.findings, o.repeated(false)...)
	if o.Object["$patch"] == "delete" {
		m.deleted[deletion{use.Dir, o.GetKind(), o.GetName()}] = true
	}
	m.patched = append(m.patched, patched{o, operations, use})
}

// aim makes the kind of a patch that of what it is for. With a target its own counts for nothing, and may be left out; without one kustomize takes
// that of the Deployment.
func (o object) aim(use kustomize.Use) {
	if version := workloadVersions[use.Kind]; version != "" && use.Kind != o.GetKind() {
		o.SetKind(use.Kind)
		o.SetAPIVersion(version)
	}
	if version := workloadVersions[o.GetKind()]; version != "" && o.GetAPIVersion() == "" {
		o.SetAPIVersion(version)
	}
}

// deletion is an object that a patch takes out of a kustomization.
type deletion struct{ dir, kind, name string }

// addInline takes the patches that stand in a Kustomization, or in what has the lists of one.
func (m *manifests) addInline(o object) {
	for _, w := range o.writers() {
		for _, p := range kustomize.PatchesOf(w.fields) {
			_, node := o.Walk(append(slices.Clone(w.way), p.At...)...)
			if p.Path != "" || node == nil {
				continue
			}
			dir, _ := filepath.Abs(filepath.Dir(o.file))
			use := p.Use(dir)
			if !m.addText(o, manifest.Followed(node), "patch", func(p part) { m.addPatch(p, use) }) {
				m.layout.Writes[dir] = true
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
				add(part{Document: d, file: o.file, unfilled: p.Unfilled(o.file)})
			}
		}
	}
	return isRead
}

// judge reports what can be known of a patch.
func (m *manifests) judge(p patched, defaults annotations.Defaults) []finding {
	if p.operations != nil {
		return m.operate(p, defaults)
	}
	if !p.isDeployment() {
		return nil
	}
	found := p.values(defaults)
	if len(p.pairs("spec", "template", "metadata")) > 0 && len(p.pairs("metadata")) == 0 {
		found = append(found, p.finding(severityWarning, annotations.FoundMisplaced, onTemplate, annotations.OnTheTemplate))
	}
	found = append(found, p.lookalikes()...)
	spec, _ := p.Object["spec"].(map[string]any)
	found = append(found, m.replicas(p, "spec.replicas", spec["replicas"], p.annotations())...)
	return append(found, m.besidePatch(p)...)
}

// values judges each annotation of a patch by itself. Null takes an annotation away.
func (o object) values(defaults annotations.Defaults) []finding {
	d := &candidate{object: o, problems: o.quoteAnnotations()}
	verdict := d.withUnquoted(partly(o.texts(), defaults))
	found := d.errors(verdict.Problems)
	for _, warning := range verdict.Warnings {
		found = append(found, o.finding(severityWarning, warning.Rule, warning.Path(), warning.Message))
	}
	return found
}

// partly is what there is to say of annotations beside which there may be others: none is missing.
func partly(pairs map[string]string, defaults annotations.Defaults) annotations.Verdict {
	if len(pairs) == 0 {
		return annotations.Verdict{}
	}
	_, warnings, problems := defaults.Parse(pairs)
	isMissing := func(e *field.Error) bool { return isMissing(e, pairs) }
	isOfOthers := func(w annotations.Warning) bool {
		return w.Rule != annotations.FoundUnknownAnnotation && (w.Rule != annotations.FoundDoubtful || w.Key == annotations.Container)
	}
	return annotations.Verdict{Problems: slices.DeleteFunc(problems, isMissing), Warnings: slices.DeleteFunc(warnings, isOfOthers)}
}

// isMissing says whether a problem is that there is no annotation.
func isMissing(e *field.Error, pairs map[string]string) bool {
	rest, isAnnotation := strings.CutPrefix(e.Field, "metadata.annotations[")
	key, _, _ := strings.Cut(rest, "]")
	_, ok := pairs[key]
	return isAnnotation && !ok
}

// replicas warns of replicas that a patch gives a Deployment which mini-hpa scales.
func (m *manifests) replicas(p patched, at string, value any, own map[string]any) []finding {
	n, ok := value.(int64)
	if !ok || n == 0 {
		return nil
	}
	mode, _ := own[annotations.ModeKey].(string)
	switch {
	case mode != "" && mode != string(annotations.ModeAuto), len(p.ownKeys()) == 0 && !m.scales(p.use, p.GetName()):
		return nil
	}
	return []finding{p.finding(severityWarning, annotations.FoundReplicasOverwritten, at, overwritten(n))}
}

// overwritten is what there is to say of replicas that a manifest sets.
func overwritten(n int64) string {
	return fmt.Sprintf("each apply sets the replicas to %d, whatever mini-hpa has made of them; %s", n, annotations.LeaveReplicasOut)
}

// scales says whether a kustomization is made of a Deployment of a name that mini-hpa scales there; of any if the name is empty.
func (m *manifests) scales(use kustomize.Use, name string) bool {
	if use.Dir == "" {
		return false
	}
	return m.deploymentOf(use.Dir, name, func(d *candidate) bool {
		pairs := d.workload.Annotations
		if name != "" { // of all the forms of all names there may be too many
			pairs = m.form(use.Dir, d).workload.Annotations
		}
		mode := pairs[annotations.ModeKey]
		return annotations.Selected(pairs) && (mode == "" || mode == string(annotations.ModeAuto))
	}) != nil
}

// inFile are the Deployments of a file, by its absolute path, that have a name; all of them if it is empty.
type inFile struct{ file, name string }

// deploymentOf returns the first wanted Deployment of a kustomization, with the given name unless that is "", or nil if there is none.
func (m *manifests) deploymentOf(dir, name string, isWanted func(*candidate) bool) *candidate {
	m.sortDeployments()
	for _, part := range m.layout.Compose(dir, kustomize.AnyNamespace).Order {
		found := m.deploymentsIn[inFile{part, name}]
		if i := slices.IndexFunc(found, isWanted); i >= 0 {
			return found[i]
		}
	}
	return nil
}

// sortDeployments sorts them by their files and names, once.
func (m *manifests) sortDeployments() {
	if m.deploymentsIn != nil {
		return
	}
	m.deploymentsIn = map[inFile][]*candidate{}
	for _, d := range m.deployments {
		if file, err := filepath.Abs(d.file); err == nil {
			m.deploymentsIn[inFile{file, ""}] = append(m.deploymentsIn[inFile{file, ""}], d)
			if named := (inFile{file, d.GetName()}); named.name != "" {
				m.deploymentsIn[named] = append(m.deploymentsIn[named], d)
			}
		}
	}
}

// texts are the object's own annotations that are strings.
func (o object) texts() map[string]string {
	pairs, set := map[string]string{}, o.annotations()
	for _, key := range o.ownKeys() {
		if text, ok := set[key].(string); ok {
			pairs[key] = text
		}
	}
	return pairs
}

// besidePatch warns of autoscalers beside a patch that asks for mini-hpa, where it is not known what is patched.
func (m *manifests) besidePatch(p patched) []finding {
	if len(p.ownKeys()) == 0 || p.use.Dir == "" {
		return nil
	}
	isKnown := func(d *candidate) bool { return !m.form(p.use.Dir, d).isUnknown }
	if name := cmp.Or(p.use.Name, p.GetName()); name != "" && m.deploymentOf(p.use.Dir, name, isKnown) != nil {
		return nil
	}
	pairs := p.texts()
	d := &candidate{object: p.object, workload: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: p.GetName(), Annotations: pairs}}}
	d.file = filepath.Join(p.use.Dir, filepath.Base(p.file))
	around := m.surroundings(d)
	around.Autoscalers = slices.DeleteFunc(slices.Clone(around.Autoscalers), func(a annotations.Autoscaler) bool { return m.isDeleted(p.use.Dir, a.Kind, a.Name) })
	warnings, problems := annotations.CheckAutoscalers(annotations.OfDeployment(d.workload), annotations.Policy{Mode: annotations.Mode(pairs[annotations.ModeKey])}, around)
	var found []finding
	for _, w := range (annotations.Verdict{Problems: problems, Warnings: warnings}).Replacing(nil).Warnings {
		found = append(found, p.finding(severityWarning, w.Rule, w.Path(), w.Message))
	}
	return found
}

// operate judges the operations of a patch (RFC 6902).
func (m *manifests) operate(p patched, defaults annotations.Defaults) []finding {
	var found []finding
	for i, item := range p.operations {
		members, _ := item.(map[string]any)
		op, _ := members["op"].(string)
		if pointer, ok := members["path"].(string); ok && (op == "add" || op == "replace") {
			o := operation{patched: p, at: (*field.Path)(nil).Index(i), way: pointed(pointer), value: members["value"]}
			found = append(found, m.operation(o, defaults)...)
		}
	}
	return found
}

// operation is one that sets a value.
type operation struct {
	patched
	at    *field.Path
	way   []string
	value any
	// in is where in the value that is which counts.
	in []string
}

// pointed takes a JSON pointer apart (RFC 6901).
func pointed(pointer string) []string {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
	}
	return steps
}

// place is the path of a part of the operation.
func (o operation) place(name string) string { return o.at.Child(name).String() }

func (m *manifests) operation(o operation, defaults annotations.Defaults) []finding {
	if members, ok := o.value.(map[string]any); ok && strings.Join(o.way, "/") == "metadata" && members["annotations"] != nil {
		o.way, o.value, o.in = append(o.way, "annotations"), members["annotations"], []string{"annotations"}
	}
	whole := strings.Join(o.way, "/")
	own, last := map[string]any{}, len(o.way)-1
	mapping := whole
	if members, ok := o.value.(map[string]any); ok && (o.way[last] == "annotations" || o.way[last] == "labels") {
		for key, value := range members {
			if strings.HasPrefix(key, annotations.Prefix) {
				own[key] = value
			}
		}
	} else if strings.HasPrefix(o.way[last], annotations.Prefix) {
		own[o.way[last]], mapping = o.value, strings.Join(o.way[:last], "/")
	}
	isOther := o.use.Kind != "" && o.use.Kind != "Deployment"
	switch {
	case whole == "spec/replicas" && !isOther:
		return m.replicas(o.patched, o.place("value"), o.value, nil)
	case strings.Contains(whole+"/", "annotations/"+annotations.Prefix) && len(own) == 0:
		return []finding{o.finding(severityWarning, annotations.FoundMisplaced, o.place("path"),
			`in a JSON pointer a slash within a name is written ~1, as in /metadata/annotations/mini-hpa~1max`)}
	case len(own) == 0:
		return o.lookalike(mapping)
	case isOther:
		return []finding{o.finding(severityWarning, annotations.FoundMisplaced, o.place("path"), fmt.Sprintf("%s annotations have no effect on %s; only Deployments of apps/v1 are autoscaled",
			annotations.Prefix, cli.Quote(o.use.Kind)))}
	case mapping != "metadata/annotations":
		return []finding{o.finding(severityWarning, annotations.FoundMisplaced, o.place("path"),
			fmt.Sprintf("%s keys have no effect here; only those in the metadata.annotations of Deployments of apps/v1 have one", annotations.Prefix))}
	}
	return o.values(own, defaults)
}

// lookalike warns of a key that was meant for mini-hpa.
func (o operation) lookalike(mapping string) []finding {
	key := o.way[len(o.way)-1]
	if meant := annotations.Lookalike(key); meant != "" && mapping == "metadata/annotations/"+key {
		return []finding{o.finding(severityWarning, annotations.FoundUnknownAnnotation, o.place("path"), noEffect(meant))}
	}
	return nil
}

// values judges what an operation writes into the annotations.
func (o operation) values(own map[string]any, defaults annotations.Defaults) []finding {
	changed := o.object
	changed.Unstructured = unstructured.Unstructured{Object: map[string]any{"kind": "Deployment", "apiVersion": "apps/v1",
		"metadata": map[string]any{"name": o.GetName(), "annotations": own}}}
	if manifest.HasPlaceholder(o.value) {
		return nil // it is to be filled in first
	}
	_, isMapping := o.value.(map[string]any)
	way := append(manifest.Steps(o.place("value")), o.in...)
	_, value := o.Walk(way...)
	if value == nil {
		return nil
	}
	// The annotations as they would stand in a Deployment, made of the nodes of the operation, so that what is found has their lines.
	pairs := value
	if !isMapping {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: o.way[len(o.way)-1], Line: value.Line, Column: value.Column}
		pairs = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}, Line: value.Line, Column: value.Column}
	}
	changed.Node = mapped("metadata", mapped("annotations", pairs))
	return changed.values(defaults)
}

// mapped is a mapping with one member.
func mapped(name string, value *yaml.Node) *yaml.Node {
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: value.Line, Column: value.Column}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}, Line: value.Line, Column: value.Column}
}
