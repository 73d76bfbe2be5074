package neighbors

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/amount"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Read asks the API server for the neighborhood of one namespace. What the caller may not list is a part of
// the answer; any other failure is an error.
func Read(ctx context.Context, client kubernetes.Interface, scaledObjects dynamic.Interface, namespace string) (*Neighborhood, error) {
	found := New()
	r := clusterReader{client: client, dynamic: scaledObjects, namespace: namespace, found: found, of: func(string) *Neighborhood { return found }}
	return found, r.read(ctx, r.readNamespace)
}

// ReadAll asks for the neighborhoods of all namespaces, by name, with one list of each kind instead of one for each namespace. The error is one of a missing right if there is
// a kind that the caller may not list in all namespaces: he may see it in some.
func ReadAll(ctx context.Context, client kubernetes.Interface, scaledObjects dynamic.Interface) (map[string]*Neighborhood, error) {
	all := map[string]*Neighborhood{}
	r := clusterReader{client: client, dynamic: scaledObjects, of: func(namespace string) *Neighborhood {
		if all[namespace] == nil {
			all[namespace] = New()
		}
		return all[namespace]
	}}
	return all, r.read(ctx, r.readNamespaces)
}

// read reads all kinds, and what the namespaces themselves say.
func (r *clusterReader) read(ctx context.Context, namespaces func(context.Context) error) error {
	for _, read := range []func(context.Context) error{r.readLimitRanges, r.readHPAs, r.readScaledObjects, r.readResizers, namespaces, r.readServices, r.readNetworkPolicies} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// each lists the objects of a kind, page by page.
func each[L, T runtime.Object](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), add func(T) error) error {
	page := func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return list(ctx, o) }
	return pager.New(page).EachListItem(ctx, metav1.ListOptions{}, func(found runtime.Object) error {
		if one, ok := found.(T); ok {
			return add(one)
		}
		return nil
	})
}

// clusterReader reads one namespace, or all.
type clusterReader struct {
	client  kubernetes.Interface
	dynamic dynamic.Interface
	// namespace is the one that is read; empty for all.
	namespace string
	// found is what is known of the one namespace; nil for all. A right that is missing there is a part of it, for all it is an error.
	found *Neighborhood
	// of is the neighborhood of a namespace.
	of func(namespace string) *Neighborhood
}

func (r *clusterReader) readLimitRanges(ctx context.Context) error {
	err := each(ctx, r.client.CoreV1().LimitRanges(r.namespace).List, func(limits *corev1.LimitRange) error {
		for i, item := range limits.Spec.Limits {
			limits.Spec.Limits[i] = amount.BoundedItem(item)
		}
		r.of(limits.Namespace).AddLimitRange(limits, "")
		return nil
	})
	if r.conceded(err) {
		r.found.unknown = fmt.Sprintf("listing the LimitRanges of namespace %s is forbidden", cli.Quote(r.namespace))
		return nil
	}
	return r.failed("LimitRanges", err)
}

func (r *clusterReader) readHPAs(ctx context.Context) error {
	err := each(ctx, r.client.AutoscalingV2().HorizontalPodAutoscalers(r.namespace).List, func(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
		s := Scaler{Metadata: hpa.ObjectMeta}
		s.Spec.ScaleTargetRef = hpa.Spec.ScaleTargetRef
		r.of(hpa.Namespace).AddScaler(annotations.KindHPA, s, "")
		return nil
	})
	return r.hidden("HorizontalPodAutoscalers", err)
}

// readScaledObjects finds none where KEDA is not installed.
func (r *clusterReader) readScaledObjects(ctx context.Context) error {
	return r.readExtension(ctx, schema.GroupVersionResource{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}, "ScaledObjects",
		func(o *unstructured.Unstructured) error {
			var s Scaler
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err != nil {
				return fmt.Errorf("cannot read ScaledObject %s: %w", cli.Quote(o.GetName()), err)
			}
			r.of(o.GetNamespace()).AddScaler(annotations.KindScaledObject, s, "")
			return nil
		})
}

// readResizers finds none where there is no VerticalPodAutoscaler.
func (r *clusterReader) readResizers(ctx context.Context) error {
	return r.readExtension(ctx, schema.GroupVersionResource{Group: annotations.GroupResizer, Version: "v1", Resource: "verticalpodautoscalers"}, "VerticalPodAutoscalers",
		func(o *unstructured.Unstructured) error {
			r.of(o.GetNamespace()).AddResizer(o.GetName(), o.Object, "")
			return nil
		})
}

// readServices and readNetworkPolicies matter only to workloads that requests wake. Who may not list them is not told.
func (r *clusterReader) readServices(ctx context.Context) error {
	err := each(ctx, r.client.CoreV1().Services(r.namespace).List, func(service *corev1.Service) error {
		r.of(service.Namespace).AddService(service, "")
		return nil
	})
	if r.conceded(err) {
		return nil
	}
	return r.failed("Services", err)
}

func (r *clusterReader) readNetworkPolicies(ctx context.Context) error {
	err := each(ctx, r.client.NetworkingV1().NetworkPolicies(r.namespace).List, func(policy *networkingv1.NetworkPolicy) error {
		r.of(policy.Namespace).AddNetworkPolicy(policy, "")
		return nil
	})
	if r.conceded(err) {
		return nil
	}
	return r.failed("NetworkPolicies", err)
}

// readExtension reads a kind that few clusters have.
func (r *clusterReader) readExtension(ctx context.Context, resource schema.GroupVersionResource, what string, add func(*unstructured.Unstructured) error) error {
	err := each(ctx, r.dynamic.Resource(resource).Namespace(r.namespace).List, add)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return r.hidden(what, err)
}

// readNamespace learns whether the namespace announces injected containers. Who may not read it is not told: few name such containers.
func (r *clusterReader) readNamespace(ctx context.Context) error {
	namespace, err := r.client.CoreV1().Namespaces().Get(ctx, r.namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		r.found.Injection = fmt.Sprintf("reading the labels of namespace %s is forbidden, so that it is not known what it announces", cli.Quote(r.namespace))
		return nil
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("cannot read namespace %s: %w", cli.Quote(r.namespace), err)
	}
	r.found.Injection = annotations.NamespaceInjection(namespace)
	return nil
}

// readNamespaces is readNamespace of all.
func (r *clusterReader) readNamespaces(ctx context.Context) error {
	return r.failed("labels", each(ctx, r.client.CoreV1().Namespaces().List, func(namespace *corev1.Namespace) error {
		r.of(namespace.Name).Injection = annotations.NamespaceInjection(namespace)
		return nil
	}))
}

// conceded says whether it is a right that is missing, and a part of what is found.
func (r *clusterReader) conceded(err error) bool { return r.found != nil && apierrors.IsForbidden(err) }

// hidden turns an error of a missing right into a message.
func (r *clusterReader) hidden(what string, err error) error {
	failure := r.failed(what, err)
	if r.conceded(err) {
		r.found.Hidden = append(r.found.Hidden, failure)
		return nil
	}
	return failure
}

func (r *clusterReader) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	where := "all namespaces"
	if r.namespace != "" {
		where = "namespace " + cli.Quote(r.namespace)
	}
	return fmt.Errorf("cannot list the %s of %s: %w", what, where, err)
}
