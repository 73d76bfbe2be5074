package lint

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// judge reports what can be known of a patch.
func (m *manifests) judge(p patched, defaults annotations.Defaults) []finding {
	if p.operations != nil {
		return m.operate(p, defaults)
	}
	kind, ok := p.scaled()
	if !ok {
		return p.unscalable()
	}
	found := p.values(defaults)
	if len(p.pairs("spec", "template", "metadata")) > 0 && len(p.pairs("metadata")) == 0 {
		found = append(found, p.warning(annotations.FoundMisplaced, annotations.TemplatePath, annotations.OnTheTemplate(kind.Kind)))
	}
	found = append(found, p.lookalikes()...)
	found = append(found, m.replicas(p, pathOfReplicas(kind), p.part(annotations.Steps(kind.ReplicasPath)...), p.annotations())...)
	return append(found, m.besidePatch(p)...)
}

// values judges each annotation of a patch by itself. Null takes an annotation away.
func (o object) values(defaults annotations.Defaults) []finding {
	d := &candidate{object: o, problems: o.quoteOwn()}
	verdict := d.withUnquoted(partly(o.texts(), defaults))
	return append(d.errors(verdict.Problems), d.warnings(verdict.Warnings)...)
}

// replicas warns of replicas that a patch gives a workload which mini-hpa scales.
func (m *manifests) replicas(p patched, at string, value any, own map[string]any) []finding {
	n, ok := value.(int64)
	if !ok || n == 0 {
		return nil
	}
	mode, _ := own[annotations.ModeKey].(string)
	switch {
	case mode != "" && mode != string(annotations.ModeAuto), len(p.ownKeys()) == 0 && !m.scales(p.use.Dir, target{p.kindName(), p.GetName()}):
		return nil
	}
	return []finding{p.warning(annotations.FoundReplicasOverwritten, at, overwritten(m.kindOf(p), n))}
}

// besidePatch warns of autoscalers beside a patch that asks for mini-hpa, where it is not known what is patched.
func (m *manifests) besidePatch(p patched) []finding {
	if len(p.ownKeys()) == 0 || p.use.Dir == "" {
		return nil
	}
	isKnown := func(d *candidate) bool { return !m.form(p.use.Dir, d).isUnknown }
	if name := cmp.Or(p.use.Name, p.GetName()); name != "" && m.workloadOf(p.use.Dir, target{p.kindName(), name}, isKnown) != nil {
		return nil
	}
	pairs := p.texts()
	kind := m.kindOf(p)
	w := &annotations.Workload{Key: annotations.Key{Kind: kind.GroupKind(), Name: p.GetName()}, Annotations: pairs}
	d := &candidate{object: p.object, reading: reading{kind: kind, workload: w}}
	d.file = filepath.Join(p.use.Dir, filepath.Base(p.file))
	around := m.withoutDeleted(m.surroundings(d), p.use.Dir)
	warnings, problems := annotations.CheckAutoscalers(w, annotations.Mode(pairs[annotations.ModeKey]), around)
	return p.warnings((annotations.Verdict{Problems: problems, Warnings: warnings}).Replacing(nil).Warnings)
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

// place is the path of a part of the operation.
func (o operation) place(name string) string { return o.at.Child(name).String() }

func (m *manifests) operation(o operation, defaults annotations.Defaults) []finding {
	if members, ok := o.value.(map[string]any); ok && strings.Join(o.way, "/") == "metadata" && members["annotations"] != nil {
		o.way, o.value, o.in = append(o.way, "annotations"), members["annotations"], []string{"annotations"}
	}
	whole := strings.Join(o.way, "/")
	last := len(o.way) - 1
	mapping, set := whole, map[string]any(nil)
	if members, ok := o.value.(map[string]any); ok && (o.way[last] == "annotations" || o.way[last] == "labels") {
		set = own(members)
	} else if strings.HasPrefix(o.way[last], annotations.Prefix) {
		mapping, set = strings.Join(o.way[:last], "/"), map[string]any{o.way[last]: o.value}
	}
	kind, isScaled := m.kinds.named(o.use.Kind)
	isOther := o.use.Kind != "" && !isScaled
	replicas := "spec/replicas"
	if isScaled {
		replicas = strings.Join(annotations.Steps(kind.ReplicasPath), "/")
	}
	switch {
	case whole == replicas && !isOther:
		return m.replicas(o.patched, o.place("value"), o.value, nil)
	case strings.Contains(whole+"/", "annotations/"+annotations.Prefix) && len(set) == 0:
		return []finding{o.warning(annotations.FoundMisplaced, o.place("path"),
			`in a JSON pointer a slash within a name is written ~1, as in /metadata/annotations/mini-hpa~1max`)}
	case len(set) == 0:
		return o.lookalike(mapping)
	case isOther:
		return []finding{o.warning(annotations.FoundMisplaced, o.place("path"), noEffectOn(cli.Quote(o.use.Kind)))}
	case mapping != "metadata/annotations":
		return []finding{o.warning(annotations.FoundMisplaced, o.place("path"), noEffectHere)}
	}
	return o.values(set, defaults)
}

// lookalike warns of a key that was meant for mini-hpa.
func (o operation) lookalike(mapping string) []finding {
	key := o.way[len(o.way)-1]
	if meant := annotations.Lookalike(key); meant != "" && mapping == "metadata/annotations/"+key {
		return []finding{o.warning(annotations.FoundUnknownAnnotation, o.place("path"), noEffect(meant))}
	}
	return nil
}

// values judges what an operation writes into the annotations.
func (o operation) values(own map[string]any, defaults annotations.Defaults) []finding {
	changed := o.object
	kind := cmp.Or(o.use.Kind, "Deployment")
	changed.Unstructured = unstructured.Unstructured{Object: map[string]any{"kind": kind, "apiVersion": o.versionOf(kind),
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
	// The annotations as they would stand in a workload, made of the nodes of the operation, so that what is found has their lines.
	pairs := value
	if !isMapping {
		pairs = mapped(o.way[len(o.way)-1], value)
	}
	changed.Node = mapped("metadata", mapped("annotations", pairs))
	return changed.values(defaults)
}

// mapped is a mapping with one member.
func mapped(name string, value *yaml.Node) *yaml.Node {
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: value.Line, Column: value.Column}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}, Line: value.Line, Column: value.Column}
}

// counted warns of the replicas that a Kustomization gives to workloads which mini-hpa scales. Of each name kustomize writes them to all built-in
// kinds.
func (m *manifests) counted(o object) []finding {
	items, _ := o.Object["replicas"].([]any)
	var found []finding
	for i, item := range items {
		members, _ := item.(map[string]any)
		name, _ := members["name"].(string)
		n, ok := members["count"].(int64)
		if !ok || n <= 0 || name == "" {
			continue
		}
		for _, kind := range annotations.Builtin() {
			if m.scales(o.dir(), target{kind.Kind, name}) {
				found = append(found, o.warning(annotations.FoundReplicasOverwritten, field.NewPath("replicas").Index(i).Child("count").String(),
					fmt.Sprintf("of %s %s: %s", kind.Kind, cli.Quote(name), overwritten(kind, n))))
			}
		}
	}
	return found
}

// kindOf is the kind that a patch is for: Deployment if it does not say, as most are.
func (m *manifests) kindOf(p patched) annotations.Kind {
	if kind, ok := m.kinds.named(p.kindName()); ok {
		return kind
	}
	return annotations.Builtin()[0]
}
