package main

import (
	stdjson "encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// stray is a mapping with mini-hpa's keys that nothing reads.
type stray struct {
	object
	at   *field.Path // of the mapping
	keys []string
	// pairs is what it says, to know it again.
	pairs string
}

// maxStrays is how many are told of one object.
const maxStrays = 8

// strays are those of an object. Of other kinds than Kubernetes' own only the metadata is looked at: a HelmRelease, say, has the
// annotations of a Deployment among its values.
func (o object) strays() []stray {
	if isOwnKind(o.GroupVersionKind()) {
		return o.straysIn(o.Object, nil, nil)
	}
	var found []stray
	for _, way := range [][]string{{"metadata"}, {"annotations"}, {"labels"}, {"spec", "template", "metadata"}} {
		value, at := any(o.Object), (*field.Path)(nil)
		for _, name := range way {
			members, _ := value.(map[string]any)
			value, at = members[name], at.Child(name)
		}
		found = o.straysIn(value, at, found)
	}
	return found
}

// isOwnKind says whether a kind is one of Kubernetes, kustomize or KEDA, of which it is known what is read.
func isOwnKind(kind schema.GroupVersionKind) bool {
	return !strings.Contains(kind.Group, ".") || strings.HasSuffix(kind.Group, ".k8s.io") || kind.Group == annotations.GroupKEDA
}

// straysIn adds those below a value to what was found.
func (o object) straysIn(value any, at *field.Path, found []stray) []stray {
	if len(found) == maxStrays {
		return found // strayAt looks at all that is below, and would do so at each level
	}
	switch v := value.(type) {
	case map[string]any:
		if s, ok := o.strayAt(v, at); ok {
			found = append(found, s)
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			found = o.straysIn(v[name], at.Child(name), found)
		}
	case []any:
		for i, item := range v {
			found = o.straysIn(item, at.Index(i), found)
		}
	}
	return found
}

// strayAt looks at one mapping.
func (o object) strayAt(members map[string]any, at *field.Path) (stray, bool) {
	s := stray{object: o, at: at}
	for key := range members {
		if strings.HasPrefix(key, annotations.Prefix) {
			s.keys = append(s.keys, key)
		}
	}
	if len(s.keys) == 0 || o.isReadAt(at.String()) {
		return s, false
	}
	slices.Sort(s.keys)
	s.pairs = pairsOf(members, s.keys)
	return s, true
}

// isReadAt says whether somebody reads the keys of a mapping, or tells otherwise what is wrong with them.
func (o object) isReadAt(at string) bool {
	switch {
	case o.isDeployment():
		return at == "metadata.annotations" || at == "spec.template.metadata.annotations"
	case o.isKustomization():
		return at == commonAnnotations
	}
	return false
}

func (o object) isDeployment() bool {
	return o.GroupVersionKind() == appsv1.SchemeGroupVersion.WithKind("Deployment")
}

// pairsOf is what a mapping says by some of its keys.
func pairsOf(members map[string]any, keys []string) string {
	own := make(map[string]any, len(keys))
	for _, key := range keys {
		own[key] = members[key]
	}
	text, _ := stdjson.Marshal(own) // what was read from JSON can be written as such
	return string(text)
}

// tell says where the keys are and where they belong.
func (s stray) tell() finding {
	steps := strings.Split(s.at.String(), ".")
	message := fmt.Sprintf("%s keys have no effect here; only those in the metadata.annotations of Deployments of apps/v1 have one", annotations.Prefix)
	switch last := steps[len(steps)-1]; {
	case s.at.String() == "metadata.annotations":
		message = fmt.Sprintf("%s annotations have no effect on %s of %s; only Deployments of apps/v1 are autoscaled", annotations.Prefix, quote(s.GetKind()), quote(s.GetAPIVersion()))
	case last == "labels":
		message = fmt.Sprintf("%s keys have no effect among the labels; write them into the metadata.annotations of the Deployment", annotations.Prefix)
	case last != "annotations" && len(steps) > 1 && steps[len(steps)-2] == "metadata":
		message = fmt.Sprintf("%s is no field of metadata, so %s keys have no effect in it; write them into metadata.annotations", quote(last), annotations.Prefix)
	}
	if more := len(s.keys) - 1; more > 0 {
		message += fmt.Sprintf(" (this and %d more)", more)
	}
	return s.finding(severityWarning, annotations.FoundMisplaced, s.at.Key(s.keys[0]).String(), message)
}

// misplaced tells of all strays. What kustomize's commonAnnotations writes to everything is one hint, however many objects have it.
func (m *manifests) misplaced() []finding {
	hints := map[string]*hint{}
	for _, d := range m.deployments {
		own, copied := d.ownPairs("metadata"), d.ownPairs("spec", "template", "metadata")
		if own != "" && own == copied {
			if hints[own] == nil {
				hints[own] = &hint{first: d.object}
			}
			hints[own].count++
		}
	}
	var found []finding
	for _, s := range m.strays {
		if h := hints[s.pairs]; h != nil && strings.HasSuffix(s.at.String(), "annotations") {
			h.count++
		} else {
			found = append(found, s.tell())
		}
	}
	for _, pairs := range slices.Sorted(maps.Keys(hints)) {
		found = append(found, hints[pairs].tell())
	}
	return found
}

// hint is about annotations that were written to Deployments and to pod templates alike.
type hint struct {
	first object
	count int
}

func (h *hint) tell() finding {
	return h.first.finding(severityWarning, annotations.FoundMisplaced, "spec.template.metadata.annotations", fmt.Sprintf(
		"the same %s annotations are on the Deployment and on its pod template, as kustomize's commonAnnotations writes them to everything (here to %s): "+
			"they only count on the Deployment, and on the template each change of them restarts the pods; write them with a patch of the Deployment",
		annotations.Prefix, plural(h.count, "object")))
}

// ownPairs is what the annotations of a metadata field say to mini-hpa; empty if nothing.
func (o object) ownPairs(way ...string) string {
	value := any(o.Object)
	for _, name := range append(way, "annotations") {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	members, _ := value.(map[string]any)
	s, ok := object{}.strayAt(members, nil)
	if !ok {
		return ""
	}
	return s.pairs
}

const commonAnnotations = "commonAnnotations"

// isKustomization goes by the kind, which the file need not have.
func (o object) isKustomization() bool {
	return o.GroupVersionKind().Group == groupKustomize
}

const groupKustomize = "kustomize.config.k8s.io"

// kustomization is the kind of objects in a file of that name that name none.
func kustomization(file string) schema.GroupVersionKind {
	if slices.Contains([]string{"kustomization.yaml", "kustomization.yml"}, filepath.Base(file)) {
		return schema.GroupVersionKind{Group: groupKustomize, Version: "v1beta1", Kind: "Kustomization"}
	}
	return schema.GroupVersionKind{}
}

// common judges what a Kustomization writes to everything. Other annotations may come from elsewhere, so that none is missing.
func (o object) common(defaults annotations.Defaults) []finding {
	members, _ := o.Object[commonAnnotations].(map[string]any)
	s, ok := object{}.strayAt(members, field.NewPath(commonAnnotations))
	if !ok {
		return nil
	}
	pairs := map[string]string{}
	for _, key := range s.keys {
		text, isText := members[key].(string)
		if !isText {
			text = fmt.Sprint(members[key])
		}
		pairs[key] = text
	}
	found := []finding{o.finding(severityWarning, annotations.FoundMisplaced, s.at.Key(s.keys[0]).String(), fmt.Sprintf(
		"kustomize writes these to every object and to the pod templates, but %s annotations only count on Deployments, and on a template each change of them restarts the pods; "+
			"write them with a patch of the Deployment", annotations.Prefix))}
	_, _, problems := defaults.Parse(pairs)
	for _, problem := range problems {
		if problem.Type == field.ErrorTypeInvalid {
			problem.Field = strings.Replace(problem.Field, "metadata.annotations", commonAnnotations, 1)
			found = append(found, o.errors(field.ErrorList{problem})...)
		}
	}
	return found
}
