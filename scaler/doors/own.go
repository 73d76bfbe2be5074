package doors

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// written is a slice as the watch has brought it, and what it says.
type written struct {
	object *discoveryv1.EndpointSlice
	says   serves.Slice
}

func (w *written) name() types.NamespacedName {
	return types.NamespacedName{Namespace: w.object.Namespace, Name: w.object.Name}
}

// slicesOf are the slices that say that they are of a workload, by their Services. Those of a Service that is gone go with it.
func (k *Keeper) slicesOf(key annotations.Key) map[types.NamespacedName][]*written {
	k.mu.Lock()
	names := k.of[key]
	k.mu.Unlock()
	all := map[types.NamespacedName][]*written{}
	for _, name := range names {
		object := k.Cluster.OwnSlice(name)
		if object == nil {
			continue
		}
		read := k.read(object)
		if read.err != nil || workloadOf(&read.says) != key {
			continue
		}
		service := types.NamespacedName{Namespace: name.Namespace, Name: read.says.Service}
		if k.Cluster.Service(service) != nil {
			all[service] = append(all[service], &written{object, read.says})
		}
	}
	return all
}
