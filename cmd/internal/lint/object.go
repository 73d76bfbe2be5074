package lint

import (
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// object is one object of a manifest.
type object struct {
	unstructured.Unstructured
	manifest.Document
	file      string
	namespace string
	structs   structs
}

// object is that of the part, with these fields.
func (m *manifests) object(p part, fields map[string]any) object {
	return object{Unstructured: unstructured.Unstructured{Object: fields}, Document: p.Document, file: p.file, namespace: m.namespace, structs: m.structs}
}

// title is the object's name, with its namespace if there is one.
func (o object) title() string {
	if o.namespace == "" {
		return o.GetName()
	}
	return o.namespace + "/" + o.GetName()
}

// annotations are those of the object, of whatever type.
func (o object) annotations() map[string]any {
	found, _, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", "annotations")
	set, _ := found.(map[string]any)
	return set
}

// ownKeys are the annotations that begin with the Prefix, sorted.
func (o object) ownKeys() []string {
	var keys []string
	for key := range o.annotations() {
		if strings.HasPrefix(key, annotations.Prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// notes are problems of an object that asks nothing of mini-hpa. They fail no check, but the object does not count while the API server
// would refuse it.
func (o object) notes(problems field.ErrorList) []finding {
	found := o.errors(problems)
	for i := range found {
		found[i].Severity = severityWarning
		found[i].Message += "; the API server refuses the whole object"
	}
	return found
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

// anonymous reports annotations for mini-hpa in a document without a kind or a version, which cannot be applied as an object. A document
// without a kind was not decoded, but has nodes.
func (o object) anonymous() []finding {
	if o.Node == nil || !o.MayHaveKeys() {
		return nil
	}
	_, pairs := o.Walk("metadata", "annotations")
	if pairs = manifest.Followed(cmp.Or(pairs, o.Node)); pairs == o.Node || pairs.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(pairs.Content); i += 2 {
		key := pairs.Content[i].Value
		if !strings.HasPrefix(key, annotations.Prefix) {
			continue
		}
		at := field.NewPath("metadata", "annotations").Key(key).String()
		if _, kind := o.Walk("kind"); kind != nil {
			return []finding{o.finding(severityWarning, annotations.FoundMisplaced, at, annotations.Prefix+" annotations have no effect on an object without apiVersion; only Deployments of apps/v1 are autoscaled")}
		}
		return []finding{o.finding(severityWarning, annotations.FoundMisplaced, at, annotations.Prefix+" annotations have no effect on an object without a kind; if this is a Deployment, write apiVersion: apps/v1 and kind: Deployment")}
	}
	return nil
}
