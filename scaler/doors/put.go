package doors

import (
	"context"
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// put writes a slice over the one that is stored; nil if none is. It fails with a conflict if somebody else has written meanwhile.
func (k *Keeper) put(ctx context.Context, have *stored, want *discoveryv1.EndpointSlice) (*discoveryv1.EndpointSlice, error) {
	client := k.Slices.EndpointSlices(want.Namespace)
	if have == nil {
		made, err := client.Create(ctx, want, metav1.CreateOptions{FieldManager: annotations.FieldManager})
		if err != nil {
			return nil, fmt.Errorf("creating EndpointSlice %s: %w", want.Name, err)
		}
		return made, nil
	}
	object := have.object.DeepCopy()
	if object.Labels == nil {
		object.Labels = map[string]string{}
	}
	for key, value := range want.Labels {
		object.Labels[key] = value
	}
	kept := map[string]string{}
	for key, value := range object.Annotations {
		if !strings.HasPrefix(key, annotations.Prefix) {
			kept[key] = value
		}
	}
	for key, value := range want.Annotations {
		kept[key] = value
	}
	object.Annotations, object.OwnerReferences, object.Endpoints, object.Ports = kept, want.OwnerReferences, want.Endpoints, want.Ports
	made, err := client.Update(ctx, object, metav1.UpdateOptions{FieldManager: annotations.FieldManager})
	if err != nil {
		return nil, fmt.Errorf("updating EndpointSlice %s: %w", want.Name, err)
	}
	return made, nil
}
