package webhook

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// Injections finds out which containers other webhooks inject into the pods of a workload.
type Injections interface {
	// Find adds to the surroundings of the workload in a request (as JSON) which injection its namespace announces, or else which
	// containers its pods have. An error says why that is not known.
	Find(ctx context.Context, namespace string, workload []byte, s annotations.Surroundings) (annotations.Surroundings, error)
}

type injections struct{ lookups }

// NewInjections asks the API server for the labels of the namespace and for a few pods of the workload.
func NewInjections(m metadata.Interface, objects kubernetes.Interface) Injections {
	return &injections{newLookups(m, objects)}
}

// samplePods is how many pods are asked for. A few will do: except for those that are older than the injection, the pods of a
// workload have the same containers.
const samplePods = 5

// Find implements Injections.
func (i *injections) Find(ctx context.Context, namespace string, workload []byte, s annotations.Surroundings) (annotations.Surroundings, error) {
	ctx, end, ok := i.begin(ctx)
	if !ok {
		return s, errors.New("too many workloads are being compared with their pods")
	}
	defer end()
	ns, err := i.metadata.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, namespace, cached)
	if err != nil {
		return s, fmt.Errorf("reading the labels of the namespace: %w", err)
	}
	s.Injection = annotations.NamespaceInjection(ns)
	if s.Injection != "" {
		return s, nil
	}
	s.Containers, err = i.containers(ctx, namespace, workload)
	return s, err
}

// containers returns the names of the containers that run in pods of the workload, whose selector is a label selector
// in its spec, as in group apps and in most custom resources that have a pod template.
func (i *injections) containers(ctx context.Context, namespace string, workload []byte) ([]string, error) {
	var o struct {
		Spec struct {
			Selector *metav1.LabelSelector `json:"selector"`
		} `json:"spec"`
	}
	if len(workload) > maxComparedBytes || utiljson.Unmarshal(workload, &o) != nil {
		return nil, errors.New("the workload is too large, or cannot be decoded")
	}
	selector, err := metav1.LabelSelectorAsSelector(o.Spec.Selector)
	if err != nil || selector.String() == "" || namespace == "" {
		return nil, errors.New("the workload has no selector or namespace")
	}
	list, err := i.objects.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: samplePods})
	if err != nil {
		return nil, fmt.Errorf("listing pods of the workload: %w", err)
	}
	pods := make([]*podspec.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = new(podspec.ReadPod(&list.Items[i]))
	}
	return annotations.RunningIn(pods), nil
}
