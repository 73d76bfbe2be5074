package lint

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// kinds are those whose objects are scaled.
type kinds struct {
	known map[schema.GroupKind]annotations.Kind
	// custom are, by the name of the kind, those of CustomResourceDefinitions. Refused is why there are some whose objects cannot be scaled.
	custom  map[string]annotations.Kind
	refused map[schema.GroupKind]error
	// promised are those that a flag names, and assumed the kinds among them of which no CustomResourceDefinition was met.
	promised []schema.GroupResource
	assumed  map[schema.GroupKind]bool
}

func newKinds() *kinds {
	k := &kinds{known: map[schema.GroupKind]annotations.Kind{}, custom: map[string]annotations.Kind{}, refused: map[schema.GroupKind]error{}, assumed: map[schema.GroupKind]bool{}}
	for _, kind := range annotations.Builtin() {
		k.known[kind.GroupKind()] = kind
	}
	return k
}

// define takes a CustomResourceDefinition of a kind, which is in a place.
func (k *kinds) define(of schema.GroupKind, definition map[string]any, place string) {
	kind, err := annotations.ReadKind(definition)
	if err != nil {
		k.refused[of] = fmt.Errorf("%w (%s)", err, place)
		return
	}
	k.known[kind.GroupKind()], k.custom[kind.Kind] = kind, kind
}

// assume makes a kind known that is promised, with the paths that most kinds have.
func (k *kinds) assume(of schema.GroupVersionKind) {
	plural, _ := meta.UnsafeGuessKindToResource(of)
	name := of.GroupKind()
	if _, isKnown := k.known[name]; isKnown || k.refused[name] != nil || !slices.Contains(k.promised, plural.GroupResource()) {
		return
	}
	kind := annotations.Kind{GroupVersionKind: of, Resource: plural.Resource, ReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.replicas"}
	k.known[name], k.custom[kind.Kind], k.assumed[name] = kind, kind, true
}

// named is the kind of a name, as the target of a patch gives it, and whether there is one. One without a name may be any.
func (k *kinds) named(name string) (annotations.Kind, bool) {
	if kind, ok := annotations.BuiltinOf(schema.GroupKind{Group: appsv1.GroupName, Kind: name}); ok {
		return kind, true
	}
	kind, ok := k.custom[name]
	return kind, ok
}
