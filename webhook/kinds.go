package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Kinds knows which kinds of workloads are scaled.
type Kinds interface {
	// Of returns a kind by its group and name, in the version in which it is scaled, and whether it is scaled at all.
	Of(kind schema.GroupKind) (annotations.Kind, bool)
}

// BuiltinKinds are those that are scaled wherever mini-hpa runs.
type BuiltinKinds struct{}

// Of implements Kinds.
func (BuiltinKinds) Of(kind schema.GroupKind) (annotations.Kind, bool) {
	for _, k := range annotations.Builtin() {
		if k.GroupKind() == kind {
			return k, true
		}
	}
	return annotations.Kind{}, false
}

// Kinds whose objects are read by the fields of group apps.
var (
	deployments  = schema.GroupKind{Group: appsv1.GroupName, Kind: "Deployment"}
	statefulSets = schema.GroupKind{Group: appsv1.GroupName, Kind: "StatefulSet"}
	replicaSets  = schema.GroupKind{Group: appsv1.GroupName, Kind: "ReplicaSet"}
)

// groupKind is the kind that a request is about.
func groupKind(req *admission.Request) schema.GroupKind {
	return schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}
}

// kindOf is the kind of workload that a request is about, and whether the webhook checks such a request. The configuration has the API
// server send no other. The object may be in another version of a custom kind than the one that is scaled; it is not known then where its
// replicas are.
func (r *reviewer) kindOf(req *admission.Request) (annotations.Kind, bool) {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return annotations.Kind{}, false
	}
	kind, ok := r.Kinds.Of(groupKind(req))
	if kind.Version != req.Kind.Version {
		kind.Version, kind.ReplicasPath, kind.StatusReplicasPath, kind.SelectorPath = req.Kind.Version, "", "", ""
	}
	return kind, ok
}
