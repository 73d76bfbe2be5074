package cluster

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Served is the version of a kind in which its objects are read and written. Of custom kinds the API server is asked for it; it is an error if
// that knows no group of the name.
func Served(config *rest.Config, kind schema.GroupResource) (schema.GroupVersionResource, error) {
	for _, k := range annotations.Builtin() {
		if k.GroupResource() == kind {
			return k.GroupVersionResource(), nil
		}
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return schema.GroupVersionResource{}, fmt.Errorf("cannot make a client for the API server: %w", err)
	}
	groups, err := client.ServerGroups()
	if err != nil {
		return schema.GroupVersionResource{}, fmt.Errorf("cannot ask for the versions of %s: %w", kind.Group, err)
	}
	for _, group := range groups.Groups {
		if group.Name == kind.Group {
			return kind.WithVersion(group.PreferredVersion.Version), nil
		}
	}
	return schema.GroupVersionResource{}, fmt.Errorf("the API server knows no group %s", cli.Quote(kind.Group))
}
