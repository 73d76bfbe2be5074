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
)

// Injections knows what other webhooks put into the pods of a Deployment.
type Injections interface {
	// Find adds to the surroundings what the namespace of the Deployment in a request announces, or which containers its pods have. The error says why that is not known.
	Find(ctx context.Context, namespace string, deployment []byte, s annotations.Surroundings) (annotations.Surroundings, error)
}

// injections asks the API server, in the same bounds as revisions.
type injections struct {
	names   metadata.Interface
	objects kubernetes.Interface
	places  chan struct{}
}

// NewInjections asks the API server for the labels of the namespace and for a few pods of the Deployment.
func NewInjections(names metadata.Interface, objects kubernetes.Interface) Injections {
	return &injections{names: names, objects: objects, places: make(chan struct{}, maxLookups)}
}

// samplePods is of how many pods the containers are looked at: all of a Deployment are alike, but for those that are older than the
// injection.
const samplePods = 5

// Find is Injections'.
func (i *injections) Find(ctx context.Context, namespace string, deployment []byte, s annotations.Surroundings) (annotations.Surroundings, error) {
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	select {
	case i.places <- struct{}{}:
		defer func() { <-i.places }()
	case <-ctx.Done():
		return s, errors.New("too many Deployments are being compared with their pods")
	}
	home, err := i.names.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, namespace, cached)
	if err != nil {
		return s, fmt.Errorf("reading the labels of the namespace: %w", err)
	}
	s.Injection = annotations.NamespaceInjection(home)
	if s.Injection != "" {
		return s, nil
	}
	s.Containers, err = i.containers(ctx, namespace, deployment)
	return s, err
}

// containers are the names of those that run in pods.
func (i *injections) containers(ctx context.Context, namespace string, deployment []byte) ([]string, error) {
	var d struct {
		Spec struct {
			Selector *metav1.LabelSelector `json:"selector"`
		} `json:"spec"`
	}
	if len(deployment) > maxRevised || utiljson.Unmarshal(deployment, &d) != nil {
		return nil, errors.New("the Deployment is too large, or cannot be decoded")
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.String() == "" || namespace == "" {
		return nil, errors.New("the Deployment has no selector or namespace")
	}
	list, err := i.objects.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: samplePods})
	if err != nil {
		return nil, fmt.Errorf("listing pods of the Deployment: %w", err)
	}
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	return annotations.RunningIn(pods), nil
}
