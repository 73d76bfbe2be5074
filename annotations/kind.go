package annotations

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is a kind of object that can be scaled: what it is called, and where the fields of its scale subresource are.
type Kind struct {
	// GroupVersionKind is the kind in the version in which its objects are read and written.
	schema.GroupVersionKind
	// Resource is its name in the API, such as "deployments".
	Resource string
	// ReplicasPath, StatusReplicasPath and SelectorPath lead to the fields, as in a CustomResourceDefinition: ".spec.replicas". The
	// selector is a text there. SelectorPath is empty where there is none.
	ReplicasPath, StatusReplicasPath, SelectorPath string
}

// Kinds of group apps.
const (
	kindDeployment  = "Deployment"
	kindStatefulSet = "StatefulSet"
	kindReplicaSet  = "ReplicaSet"
)

// Builtin returns the kinds that are scaled wherever mini-hpa runs.
func Builtin() []Kind {
	return []Kind{builtin(kindDeployment, "deployments"), builtin(kindStatefulSet, "statefulsets"), builtin(kindReplicaSet, "replicasets")}
}

// BuiltinOf returns the kind that is scaled wherever mini-hpa runs and has this group and name; false if there is none.
func BuiltinOf(kind schema.GroupKind) (Kind, bool) {
	all := Builtin()
	if at := slices.IndexFunc(all, func(k Kind) bool { return k.GroupKind() == kind }); at >= 0 {
		return all[at], true
	}
	return Kind{}, false
}

// builtin is a kind of group apps. Its selector is not a text, so that it has no path.
func builtin(kind, resource string) Kind {
	return Kind{GroupVersionKind: appsv1.SchemeGroupVersion.WithKind(kind), Resource: resource,
		ReplicasPath: replicasPath, StatusReplicasPath: ".status.replicas"}
}

// replicasPath is where most kinds have their replicas.
const replicasPath = ".spec.replicas"

// GroupVersionResource is what requests are made of.
func (k *Kind) GroupVersionResource() schema.GroupVersionResource {
	return k.GroupVersion().WithResource(k.Resource)
}

// GroupResource is the kind as it is named on a command line: "deployments.apps".
func (k *Kind) GroupResource() schema.GroupResource { return k.GroupVersionResource().GroupResource() }

// ReadKind reads the kind that a CustomResourceDefinition (apiextensions.k8s.io/v1) defines, in the version that is stored, or in the
// first one that is served if the stored one is not. An error says what keeps its objects from being scaled.
func ReadKind(definition map[string]any) (Kind, error) {
	spec := part(definition, "spec")
	names := part(spec, "names")
	k := Kind{Resource: text(names, "plural")}
	k.Group, k.Kind = text(spec, "group"), text(names, "kind")
	if k.Group == "" || k.Kind == "" || k.Resource == "" {
		return Kind{}, fmt.Errorf("spec.group is %q, spec.names.kind %q and spec.names.plural %q; none may be empty", k.Group, k.Kind, k.Resource)
	}
	if scope := text(spec, "scope"); scope != "Namespaced" {
		return Kind{}, fmt.Errorf("spec.scope of %s is %q; only objects in a namespace (\"Namespaced\") are scaled", k.GroupResource(), scope)
	}
	version := servedVersion(spec)
	if version == nil {
		return Kind{}, fmt.Errorf("no version of %s is served", k.GroupResource())
	}
	k.Version = text(version, "name")
	scale := part(part(version, "subresources"), "scale")
	k.ReplicasPath, k.StatusReplicasPath = text(scale, "specReplicasPath"), text(scale, "statusReplicasPath")
	k.SelectorPath = text(scale, "labelSelectorPath")
	if k.ReplicasPath == "" || k.StatusReplicasPath == "" {
		return Kind{}, fmt.Errorf("version %q of %s has no scale subresource (subresources.scale with specReplicasPath and statusReplicasPath)", k.Version, k.GroupResource())
	}
	return k, nil
}

func servedVersion(spec map[string]any) map[string]any {
	versions, _ := spec["versions"].([]any)
	var served map[string]any
	for _, item := range versions {
		version, _ := item.(map[string]any)
		switch {
		case version["served"] != true:
		case version["storage"] == true:
			return version
		case served == nil:
			served = version
		}
	}
	return served
}
