package main

import (
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// patchFiles are the files, as absolute paths, that the kustomizations among the sources call patches: what is in them is no whole object.
func patchFiles(sources []source) map[string]bool {
	found := map[string]bool{}
	for _, s := range sources {
		if kustomization(s.name).Kind == "" {
			continue
		}
		text, err := s.read(nil)
		if err != nil {
			continue // which is told when it is read for what else is in it
		}
		for _, c := range chunks(text) {
			c.always = true
			documents, _ := c.documents()
			for _, d := range documents {
				for _, name := range patchesIn(d.value) {
					if whole, err := filepath.Abs(filepath.Join(filepath.Dir(s.name), name)); err == nil {
						found[whole] = true
					}
				}
			}
		}
	}
	return found
}

// patchesIn are the names of the files in the three lists of patches that a Kustomization may have.
func patchesIn(value any) (names []string) {
	fields, _ := value.(map[string]any)
	for _, list := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
		items, _ := fields[list].([]any)
		for _, item := range items {
			if members, ok := item.(map[string]any); ok {
				item = members["path"]
			}
			if name, ok := item.(string); ok && name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// isPatch says whether a source is one of the patches.
func (m *manifests) isPatch(s source) bool {
	whole, err := filepath.Abs(s.name)
	return err == nil && s.name != "-" && m.patchFiles[whole]
}

// addPatch takes a part of a Deployment. Whatever else a patch is a part of bears on nothing by itself.
func (m *manifests) addPatch(p part) {
	fields, _ := p.value.(map[string]any)
	if p.unfilled(fields) {
		m.templates++
		return
	}
	m.patches++
	o := object{Unstructured: unstructured.Unstructured{Object: fields}, file: p.file, node: p.node, namespace: m.namespace,
		atlas: m.atlas, structs: m.structs, sheet: p.sheet}
	if o.GroupVersionKind() == appsv1.SchemeGroupVersion.WithKind("Deployment") && len(o.ownKeys()) > 0 {
		m.patched = append(m.patched, o)
	}
}

// values judges each annotation of a patch by itself: what is missing may be in what is patched. Null takes an annotation away.
func (o object) values(defaults annotations.Defaults) []finding {
	d := &candidate{object: o, problems: o.quoteAnnotations()}
	pairs, set := map[string]string{}, o.annotations()
	for _, key := range o.ownKeys() {
		if text, ok := set[key].(string); ok {
			pairs[key] = text
		}
	}
	_, warnings, problems := defaults.Parse(pairs)
	var invalid field.ErrorList
	for _, problem := range problems {
		if problem.Type == field.ErrorTypeInvalid {
			invalid = append(invalid, problem)
		}
	}
	verdict := d.withUnquoted(annotations.Verdict{Problems: invalid, Warnings: warnings})
	found := d.errors(verdict.Problems)
	for _, warning := range verdict.Warnings {
		if warning.Rule == annotations.FoundUnknownAnnotation {
			found = append(found, o.finding(severityWarning, warning.Rule, warning.Path(), warning.Message))
		}
	}
	return found
}
