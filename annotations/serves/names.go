package serves

import (
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Manager is the value of the label endpointslice.kubernetes.io/managed-by on the slices that are mini-hpa's.
const Manager = "mini-hpa"

// What a slice's name has before and behind that of its Service. The name of a Service has no dots, so that no two Services share a name.
const (
	namePrefix = "mini-hpa-"
	nameOfIPv6 = ".ipv6"
)

// SliceName is the name of the slice that a Service has for one address family: "mini-hpa-web", or "mini-hpa-web.ipv6".
func SliceName(service string, family discoveryv1.AddressType) string {
	if family == discoveryv1.AddressTypeIPv6 {
		return namePrefix + service + nameOfIPv6
	}
	return namePrefix + service
}

// ReadSliceName is whose slice it is by its name, and for which address family. An error says what the name must be.
func ReadSliceName(name string) (service string, family discoveryv1.AddressType, err error) {
	service, ok := strings.CutPrefix(name, namePrefix)
	family = discoveryv1.AddressTypeIPv4
	if without, is := strings.CutSuffix(service, nameOfIPv6); is {
		service, family = without, discoveryv1.AddressTypeIPv6
	}
	if !ok || len(validation.IsDNS1123Label(service)) > 0 {
		return "", "", fmt.Errorf("name %q must be %q and the name of a Service, with %q behind it for IPv6", name, namePrefix, nameOfIPv6)
	}
	return service, family, nil
}

// OneOfBoth is the name of a slice, or of its namespace and it, that the slices of a Service have in common: as if it were that of IPv4.
func OneOfBoth(name string) string { return strings.TrimSuffix(name, nameOfIPv6) }

// Labels are those of a Service's slice. Data planes find it by the Service's name, and kube-controller-manager leaves it alone because of
// who manages it.
func Labels(service string) map[string]string {
	return map[string]string{discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: Manager}
}

// Ours selects the slices that are mini-hpa's, in all namespaces.
func Ours() labels.Selector {
	return labels.SelectorFromSet(labels.Set{discoveryv1.LabelManagedBy: Manager})
}
