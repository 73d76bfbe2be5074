package informer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
)

// Most pods of a cluster belong to nothing that is autoscaled: to Jobs, DaemonSets, objects of operators. So of a pod nothing but the
// name is kept, unless its owner is of a kind that matters: a ReplicaSet, a StatefulSet if one is annotated, and all that can lead to a
// custom resource if one is. When the first workload of another kind is annotated, pods are listed once more, into a second cache that takes the place of the first one as soon as
// it is filled. Until then the new workload counts as one that does not exist, so that nothing is decided on half of its pods.

// wants says of which pods more than the name is kept. It is never changed once a cache has it.
type wants struct {
	// kinds are those of the owners of pods. If there is a custom one among them, labels are kept, too: the selector of its scale says which
	// of its pods count.
	kinds map[schema.GroupKind]bool
	// labels are the namespaces where a selector alone says which pods belong to a workload, counted those where somebody has asked which pods a
	// selector chooses (see Set.Counted). All pods there are kept, with their labels.
	labels, counted map[string]bool
}

// leastWanted is what is wanted wherever mini-hpa runs: the pods of Deployments.
func leastWanted() wants {
	return wants{kinds: map[schema.GroupKind]bool{replicaSetKind: true}, labels: map[string]bool{}, counted: map[string]bool{}}
}

// clone returns a copy, to which more can be added.
func (w wants) clone() wants {
	return wants{kinds: maps.Clone(w.kinds), labels: maps.Clone(w.labels), counted: maps.Clone(w.counted)}
}

// isOpen says whether all pods of a namespace are kept, with their labels.
func (w wants) isOpen(namespace string) bool { return w.labels[namespace] || w.counted[namespace] }

// hasCustoms says whether there are custom kinds, whose objects select pods by their labels.
func (w wants) hasCustoms() bool {
	for kind := range w.kinds {
		if kind != replicaSetKind && kind != statefulSetKind {
			return true
		}
	}
	return false
}

// beyond returns what is wanted and not in the other, in words; empty if the other covers it.
func (w wants) beyond(other wants) string {
	var words []string
	for kind := range w.kinds {
		if !other.kinds[kind] {
			words = append(words, "the pods of each "+kind.String())
		}
	}
	for namespace := range w.labels {
		if !other.labels[namespace] {
			words = append(words, fmt.Sprintf("the labels of pods in namespace %q", namespace))
		}
	}
	for namespace := range w.counted {
		if !other.counted[namespace] {
			words = append(words, fmt.Sprintf("the pods in namespace %q, which are counted", namespace))
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// pods is a cache of pods, filled by what is wanted.
type pods struct {
	wants    wants
	informer cache.TypedSharedIndexInformer[*keptPod]
	handled  cache.DoneChecker
	stop     context.CancelFunc
}

// byLabels is the index of all pods of the namespaces where all are kept, with their labels.
const byLabels = "labels"

func (w wants) open(p *keptPod) ([]string, error) {
	if !w.isOpen(p.namespace) {
		return nil, nil
	}
	return []string{p.namespace}, nil
}
