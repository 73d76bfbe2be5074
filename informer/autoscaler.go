package informer

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
)

// autoscaler is what a cache holds of an object that scales something.
type autoscaler struct {
	metav1.ObjectMeta
	is     annotations.Autoscaler
	target annotations.Key // the zero Key if it scales nothing
	// resizer is nil unless the object scales vertically.
	resizer *annotations.Resizer
}

// GetObjectKind implements runtime.Object. The kind of the object is in its other fields.
func (a *autoscaler) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. It shares the resizer, which is never changed.
func (a *autoscaler) DeepCopyObject() runtime.Object {
	return &autoscaler{ObjectMeta: *a.ObjectMeta.DeepCopy(), is: a.is, target: a.target, resizer: a.resizer}
}

// says returns everything that is read of an autoscaler, for a comparison.
func (a *autoscaler) says() string {
	if a.resizer != nil {
		return fmt.Sprint(*a.resizer, a.target)
	}
	return fmt.Sprint(a.is, a.target)
}

// Names of the indexes of neighbors.
const (
	byNamespace = "namespace"
	byTarget    = "target" // autoscalers by the workload that they scale
)

// targetOf indexes autoscalers by the workload that they scale.
func targetOf(obj any) ([]string, error) {
	a, ok := obj.(*autoscaler)
	if !ok || a.target == (annotations.Key{}) {
		return nil, nil
	}
	return []string{a.target.String()}, nil
}

// slim makes what a cache holds of an object of any kind.
func slim(kind string, o metav1.Object, ref autoscalingv2.CrossVersionObjectReference) *autoscaler {
	out := &autoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}}
	out.is, out.target = annotations.Scales(kind, o, ref)
	return out
}

// slimHPA keeps the target of a HorizontalPodAutoscaler.
func slimHPA(obj any) (any, error) {
	in, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return obj, nil
	}
	return slim(annotations.KindHPA, in, in.Spec.ScaleTargetRef), nil
}

// slimScaledObject keeps the target of a ScaledObject.
func slimScaledObject(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	var ref autoscalingv2.CrossVersionObjectReference
	// A field of a wrong type counts as missing: such an object scales nothing.
	for name, field := range map[string]*string{"apiVersion": &ref.APIVersion, "kind": &ref.Kind, "name": &ref.Name} {
		if value, _, err := unstructured.NestedString(in.Object, "spec", "scaleTargetRef", name); err == nil {
			*field = value
		}
	}
	return slim(annotations.KindScaledObject, in, ref), nil
}

// slimResizer keeps the target of a VerticalPodAutoscaler, and which requests it changes.
func slimResizer(obj any) (any, error) {
	in, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	out := &autoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: in.GetNamespace(), Name: in.GetName(), UID: in.GetUID(), ResourceVersion: in.GetResourceVersion()}}
	out.resizer, out.target = annotations.ReadResizer(in.GetNamespace(), in.GetName(), in.Object)
	return out, nil
}

// slimLimitRange keeps the limits, with quantities of bounded size.
func slimLimitRange(obj any) (any, error) {
	in, ok := obj.(*corev1.LimitRange)
	if !ok {
		return obj, nil
	}
	out := &corev1.LimitRange{ObjectMeta: slimMeta(&in.ObjectMeta)}
	for _, item := range in.Spec.Limits {
		out.Spec.Limits = append(out.Spec.Limits, amount.BoundedItem(item))
	}
	return out, nil
}

// slimNetworkPolicy keeps what says who may come in.
func slimNetworkPolicy(obj any) (any, error) {
	in, ok := obj.(*networkingv1.NetworkPolicy)
	if !ok {
		return obj, nil
	}
	return &networkingv1.NetworkPolicy{ObjectMeta: slimMeta(&in.ObjectMeta),
		Spec: networkingv1.NetworkPolicySpec{PodSelector: in.Spec.PodSelector, Ingress: in.Spec.Ingress, PolicyTypes: in.Spec.PolicyTypes}}, nil
}
