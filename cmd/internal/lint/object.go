package lint

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/fitting"
	"github.com/mini-hpa/mini-hpa/cmd/internal/kustomize"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// object is one object of a manifest.
type object struct {
	unstructured.Unstructured
	manifest.Document
	file      string
	namespace string
	structs   fitting.Structs
	kinds     *kinds
	paths     paths
}

// decode makes an API object of the fields as the API server does. A field that the API server would refuse is left out and told, so that it hides nothing of
// what else there is to say.
func (o object) decode(into any) (field.ErrorList, error) {
	problems, err := fitting.Fit(o.Object, into, o.structs, o.Written)
	if slices.ContainsFunc(problems, func(e *field.Error) bool { return o.Awaits(e.Field) }) {
		return nil, errUnfilled
	}
	if err != nil {
		return nil, manifest.LineError{Line: o.Node.Line, Err: fmt.Errorf("cannot be read as %s %s: %w", o.GetKind(), o.title(), err)}
	}
	return problems, nil
}

// errUnfilled says that a field of an object cannot be read because it has a placeholder.
var errUnfilled = errors.New("is a template")

// title is the object's name, with its namespace if there is one.
func (o object) title() string {
	if o.namespace == "" {
		return o.GetName()
	}
	return o.namespace + "/" + o.GetName()
}

// place is where an object is, as messages about others name it.
func (o object) place() string { return fmt.Sprintf("%s:%d", o.file, o.Node.Line) }

// path is where its file is, from the root on.
func (o object) path() string { return o.paths.of(o.file).path }

// dir is the directory that its file is in.
func (o object) dir() string { return o.paths.of(o.file).dir }

// part is what the object has at the end of a way of names and indexes; nil if there is nothing.
func (o object) part(way ...string) any {
	value := any(o.Object)
	for _, step := range way {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// mapping is part for a mapping; nil if there is anything else.
func (o object) mapping(way ...string) map[string]any {
	members, _ := o.part(way...).(map[string]any)
	return members
}

// pathOf is the end of a way as findings name it.
func pathOf(way []string) *field.Path {
	var at *field.Path
	for _, step := range way {
		if i, err := strconv.Atoi(step); err == nil {
			at = at.Index(i)
		} else {
			at = at.Child(step)
		}
	}
	return at
}

// isKustomization goes by the group, which the file need not have: there are Kustomizations and Components.
func (o object) isKustomization() bool { return o.GroupVersionKind().Group == kustomize.Group }

// builtin is the version of kustomize's transformers.
const builtin = "builtin"

// annotations are those of the object, of whatever type.
func (o object) annotations() map[string]any { return o.mapping("metadata", "annotations") }

// own are the members of a mapping whose names begin with the Prefix; nil if there are none, as in nearly all mappings.
func own(members map[string]any) map[string]any {
	var found map[string]any
	for key, value := range members {
		if !strings.HasPrefix(key, annotations.Prefix) {
			continue
		}
		if found == nil {
			found = map[string]any{}
		}
		found[key] = value
	}
	return found
}

// ownKeys are the annotations that begin with the Prefix, sorted.
func (o object) ownKeys() []string { return slices.Sorted(maps.Keys(own(o.annotations()))) }

// texts are the object's own annotations that are strings.
func (o object) texts() map[string]string {
	pairs := map[string]string{}
	for key, value := range own(o.annotations()) {
		if text, ok := value.(string); ok {
			pairs[key] = text
		}
	}
	return pairs
}

// asksInVain says whether an object names mini-hpa's annotations, but its annotations, or its metadata, are not a mapping.
func (o object) asksInVain() bool {
	value := o.Object["metadata"]
	if metadata, isMapping := value.(map[string]any); isMapping {
		value = metadata["annotations"]
		if _, isMapping := value.(map[string]any); isMapping {
			return false
		}
	}
	text, err := stdjson.Marshal(value)
	return err == nil && strings.Contains(string(text), annotations.Prefix)
}

// workloadVersions are the versions in which API servers have the kinds that run pods.
var workloadVersions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
	"Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1",
}

// rectified corrects the version of a workload that asks for mini-hpa, if no API server knows it, so that its other problems are found. A
// group with a dot may have kinds of the same name.
func (o object) rectified() field.ErrorList {
	meant, own := workloadVersions[o.GetKind()], o.Object["apiVersion"]
	text, isText := own.(string)
	group, _, _ := strings.Cut(text, "/")
	if meant == "" || own == meant || strings.Contains(group, ".") || len(o.ownKeys()) == 0 && !o.asksInVain() {
		return nil
	}
	o.SetAPIVersion(meant)
	at := field.NewPath("apiVersion")
	if own == nil || isText && text == "" {
		return field.ErrorList{field.Required(at, fmt.Sprintf("the API server refuses an object without it; write apiVersion: %s", meant)).WithOrigin(annotations.FoundInvalidField)}
	}
	return field.ErrorList{field.Invalid(at, own, fmt.Sprintf("API servers have no %s of this version; write apiVersion: %s", o.GetKind(), meant)).WithOrigin(annotations.FoundInvalidField)}
}
