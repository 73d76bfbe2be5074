package annotations

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// amountsOf is the field that holds a request of that origin.
func amountsOf(o podspec.Origin) string {
	if o == podspec.Limit {
		return "limits"
	}
	return "requests"
}

// defaultRequest is the request above zero that a container gets if it has none, and the LimitRange that gives it.
func defaultRequest(ranges []*corev1.LimitRange, name corev1.ResourceName) (*corev1.LimitRange, resource.Quantity, bool) {
	for _, r := range ranges {
		if amount, ok := DefaultRequest(r, name); ok {
			return r, amount, true
		}
	}
	return nil, resource.Quantity{}, false
}

// DefaultRequest is the request above zero that a LimitRange gives to a container that has none.
func DefaultRequest(r *corev1.LimitRange, name corev1.ResourceName) (resource.Quantity, bool) {
	for i := range r.Spec.Limits {
		if amount, ok := defaultOf(&r.Spec.Limits[i], name); ok && amount.Sign() > 0 {
			return amount, true
		}
	}
	return resource.Quantity{}, false
}

// DefaultLimit is the limit above zero that a LimitRange gives to a container that has none.
func DefaultLimit(r *corev1.LimitRange, name corev1.ResourceName) (resource.Quantity, bool) {
	for i := range r.Spec.Limits {
		item := &r.Spec.Limits[i]
		for _, list := range [...]corev1.ResourceList{item.Default, item.Max} { // SetDefaults_LimitRangeItem
			if amount, ok := list[name]; ok && item.Type == corev1.LimitTypeContainer && amount.Sign() > 0 {
				return amount, true
			}
		}
	}
	return resource.Quantity{}, false
}

// defaultOf is the default request of one item. What stands in for one that is not set is the API server's choice
// (SetDefaults_LimitRangeItem), which a manifest does not show yet.
func defaultOf(item *corev1.LimitRangeItem, name corev1.ResourceName) (resource.Quantity, bool) {
	if item.Type != corev1.LimitTypeContainer {
		return resource.Quantity{}, false
	}
	for _, list := range [...]corev1.ResourceList{item.DefaultRequest, item.Default, item.Max, item.Min} {
		if amount, ok := list[name]; ok {
			return amount, true
		}
	}
	return resource.Quantity{}, false
}

// pathOf is the field of a container of the pod template. It is made only where there is something to say.
func pathOf(at podspec.Place) *field.Path {
	return field.NewPath("spec", "template", "spec").Child(at.List).Index(at.Index)
}
