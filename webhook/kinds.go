package webhook

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
	return annotations.BuiltinOf(kind)
}

// Kinds whose objects are read by the fields of group apps.
var (
	deployments  = schema.GroupKind{Group: appsv1.GroupName, Kind: "Deployment"}
	statefulSets = schema.GroupKind{Group: appsv1.GroupName, Kind: "StatefulSet"}
	replicaSets  = schema.GroupKind{Group: appsv1.GroupName, Kind: "ReplicaSet"}
)
