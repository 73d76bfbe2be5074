package lint

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// kindOf is the kind of objects in a file that name none.
func kindOf(file string) schema.GroupVersionKind {
	if kustomize.IsFile(file) {
		return schema.GroupVersionKind{Group: kustomize.Group, Version: "v1beta1", Kind: "Kustomization"}
	}
	return schema.GroupVersionKind{}
}

// writer is a part of an object that says what a tool writes to all that it applies.
type writer struct {
	by string
	// fields are what has the lists of a Kustomization, at a place of the object.
	fields map[string]any
	way    []string
	// pairs is the place of the annotations, and onTemplates says whether they are also written to pod templates.
	pairs       []string
	onTemplates bool
}

// writers are those of an object, if it is one of kustomize, Flux or Argo CD.
func (o object) writers() []writer {
	kind := o.GroupVersionKind()
	switch {
	case o.isKustomization():
		return []writer{{by: "kustomize", fields: o.Object, pairs: []string{kustomize.CommonAnnotations}, onTemplates: true}}
	case kind.Version == builtin && kind.Kind == "AnnotationsTransformer":
		return []writer{{by: "kustomize", pairs: []string{"annotations"}, onTemplates: o.reachesTemplates()}}
	case kind.Group == "kustomize.toolkit.fluxcd.io" && kind.Kind == "Kustomization":
		return []writer{{by: "Flux", fields: o.mapping("spec"), way: []string{"spec"}, pairs: []string{"spec", "commonMetadata", "annotations"}}}
	case kind.Group == "helm.toolkit.fluxcd.io" && kind.Kind == "HelmRelease":
		all := []writer{{by: "Flux", pairs: []string{"spec", "commonMetadata", "annotations"}}}
		renderers, _ := o.mapping("spec")["postRenderers"].([]any)
		for i := range renderers {
			all = append(all, o.kustomized("Flux", "spec", "postRenderers", strconv.Itoa(i), "kustomize"))
		}
		return all
	case kind.Group == "argoproj.io" && kind.Kind == "Application":
		return o.sources("spec")
	case kind.Group == "argoproj.io" && kind.Kind == "ApplicationSet":
		return o.sources("spec", "template", "spec")
	}
	return nil
}

// reachesTemplates says whether a transformer writes to pod templates.
func (o object) reachesTemplates() bool {
	specs, _ := o.Object["fieldSpecs"].([]any)
	return slices.ContainsFunc(specs, func(item any) bool {
		members, _ := item.(map[string]any)
		path, _ := members["path"].(string)
		return strings.HasPrefix(path, "spec/template/")
	})
}

// sources are those of an Argo CD application.
func (o object) sources(way ...string) []writer {
	const by = "Argo CD"
	all := []writer{o.kustomized(by, append(slices.Clone(way), "source", "kustomize")...)}
	items, _ := o.mapping(way...)["sources"].([]any)
	for i := range items {
		all = append(all, o.kustomized(by, append(slices.Clone(way), "sources", strconv.Itoa(i), "kustomize")...))
	}
	return all
}

// kustomized is a writer with some of the fields of a Kustomization.
func (o object) kustomized(by string, way ...string) writer {
	return writer{by: by, fields: o.mapping(way...), way: way, pairs: append(slices.Clone(way), kustomize.CommonAnnotations), onTemplates: true}
}

// common judges the annotations that go everywhere. Others may come from elsewhere, so that none is missing.
func (o object) common(w writer, defaults annotations.Defaults) []finding {
	at := pathOf(w.pairs)
	s, ok := object{kinds: o.kinds}.strayAt(o.mapping(w.pairs...), at)
	if !ok {
		return nil
	}
	message := w.by + " writes these to every object: mini-hpa scales each workload among them, and on others they have no effect; write them with a patch of the workload"
	if w.onTemplates {
		message = w.by + " writes these to every object and to the pod templates: " + onlyOn("workload")
	}
	found := []finding{o.warning(annotations.FoundMisplaced, at.Key(s.keys[0]).String(), message)}
	pairs := map[string]string{}
	var problems field.ErrorList
	for _, key := range s.keys {
		if manifest.HasPlaceholder(s.members[key]) {
			continue // it is to be filled in first
		}
		text, isText := s.members[key].(string)
		if value := s.members[key]; !isText && value != nil {
			text = o.Written(at.Key(key).String(), value)
			problems = append(problems, field.Invalid(at.Key(key), value, "must be a string; put it in quotes: "+cli.Quote(text)).WithOrigin(annotations.FoundInvalid))
		}
		pairs[key] = text
	}
	for _, problem := range partly(pairs, defaults).Problems {
		problem.Field = strings.Replace(problem.Field, "metadata.annotations", at.String(), 1)
		isTold := slices.ContainsFunc(problems, func(e *field.Error) bool { return strings.HasPrefix(problem.Field, e.Field) })
		if !isTold {
			problems = append(problems, problem)
		}
	}
	return append(found, o.errors(problems)...)
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
