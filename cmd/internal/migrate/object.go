package migrate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/manifest"
)

// reference names an object and says where it is.
type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
}

// title is how messages name it.
func (r reference) title() string {
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return r.Kind + " " + cli.Quote(name)
}

// identity is what an object is, in whatever version.
type identity struct {
	schema.GroupKind
	namespace, name string
}

// identity is false if the version of the object is none.
func (r reference) identity() (identity, bool) {
	version, err := schema.ParseGroupVersion(r.APIVersion)
	return identity{schema.GroupKind{Group: version.Group, Kind: r.Kind}, r.Namespace, r.Name}, err == nil
}

// kind is one that is read from a cluster, and what it may be called on the command line. The version and the kind of a custom one are not known until its
// CustomResourceDefinition has been read.
type kind struct {
	schema.GroupVersionResource
	kind  string
	names []string
	// isExtension says that few clusters have it.
	isExtension bool
}

// convertible are the kinds that are turned into annotations.
func convertible() []kind {
	return []kind{
		{schema.GroupVersionResource{Group: autoscalingv2.GroupName, Version: "v2", Resource: "horizontalpodautoscalers"}, annotations.KindHPA,
			[]string{"hpa", "horizontalpodautoscaler", "horizontalpodautoscalers"}, false},
		{schema.GroupVersionResource{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}, annotations.KindScaledObject,
			[]string{"so", "scaledobject", "scaledobjects"}, true},
	}
}

// workloads are the kinds whose annotations are turned into HPAs.
func workloads() []kind {
	short := map[string]string{"Deployment": "deploy", "StatefulSet": "sts", "ReplicaSet": "rs"}
	var all []kind
	for _, k := range annotations.Builtin() {
		all = append(all, kind{k.GroupVersionResource(), k.Kind, []string{short[k.Kind], strings.ToLower(k.Kind), k.Resource}, false})
	}
	return all
}

// customKind is one that a CustomResourceDefinition defines.
func customKind(name schema.GroupResource) kind {
	return kind{name.WithVersion(""), "", []string{name.String(), name.Resource, strings.TrimSuffix(name.Resource, "s")}, false}
}

// customNamed is the custom kind that a word means in full, such as rollouts.argoproj.io; false if it means none.
func customNamed(word string) (kind, bool) {
	name := schema.ParseGroupResource(word)
	// The groups of all CustomResourceDefinitions have a dot.
	return customKind(name), strings.Contains(name.Group, ".") && len(validation.IsDNS1035Label(name.Resource)) == 0 && len(validation.IsDNS1123Subdomain(name.Group)) == 0
}

// object is one of a manifest or of the cluster.
type object struct {
	reference
	fields map[string]any
	// document is where it stands in a file; its Node is nil if it is from the cluster.
	document manifest.Document
	// inList says that it is an item of a list.
	inList bool
	// isAsked says that it was named, isAround that it was only read because it controls another one.
	isAsked, isAround bool
	// section is what values of a Helm chart say in this place; nil for objects.
	section *section
}

// is says whether it is of one of the kinds, in any version.
func (o *object) is(kinds []kind) bool {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	return err == nil && slices.ContainsFunc(kinds, func(k kind) bool { return k.Group == version.Group && k.kind == o.Kind })
}

// mayScale says whether it is of a kind that is scaled: one that is built in, or a custom resource, which may have a scale subresource.
func (o *object) mayScale() bool {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	_, isBuiltin := annotations.BuiltinOf(schema.GroupKind{Group: version.Group, Kind: o.Kind})
	return err == nil && (isBuiltin || strings.Contains(version.Group, "."))
}

// place is where a field is, or a member of it, with a colon and a blank; empty if it is in no file.
func (o *object) place(path, member string) string {
	if o.document.Node == nil {
		return ""
	}
	var within any // the field itself
	if member != "" {
		within = member
	}
	return fmt.Sprintf("%s:%d: ", o.File, o.document.Locate(path, within).Line)
}

// json is the object as JSON.
func (o *object) json() []byte {
	data, _ := json.Marshal(o.fields) // what was read as JSON or YAML can be written
	return data
}

// meta is its metadata.
func (o *object) meta() metav1.Object { return &unstructured.Unstructured{Object: o.fields} }

// annotations are its annotations that are texts.
func (o *object) annotations() map[string]string {
	all, _, _ := unstructured.NestedMap(o.fields, "metadata", "annotations")
	texts := map[string]string{}
	for key, value := range all {
		if text, ok := value.(string); ok {
			texts[key] = text
		}
	}
	return texts
}

// with is the object with these annotations, too.
func (o *object) with(all map[string]string) *object {
	if len(all) == 0 {
		return o
	}
	var fields map[string]any
	_ = json.Unmarshal(o.json(), &fields) // a copy
	whole := object{fields: fields}
	pairs, _, _ := unstructured.NestedMap(fields, "metadata", "annotations")
	if pairs == nil {
		pairs = map[string]any{}
	}
	for key, value := range all {
		pairs[key] = value
	}
	_ = unstructured.SetNestedMap(fields, pairs, "metadata", "annotations") // a workload has metadata, which its name is in
	return &whole
}

func newObject(fields map[string]any) *object {
	u := unstructured.Unstructured{Object: fields}
	return &object{reference: reference{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}, fields: fields}
}
