//go:build unix

package controlplane

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// KWOK plays the nodes that carry this annotation.
const (
	fakeNodeKey   = "kwok.x-k8s.io/node"
	fakeNodeValue = "fake"
)

// capacity lets one node take whatever a test asks for.
func capacity() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100k"),
		corev1.ResourceMemory: resource.MustParse("100Ti"),
		corev1.ResourcePods:   resource.MustParse("100k"),
	}
}

func fakeNode(number int) *corev1.Node {
	name := fmt.Sprintf("node-%d", number)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{fakeNodeKey: fakeNodeValue},
			Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"},
		},
		Status: corev1.NodeStatus{Allocatable: capacity(), Capacity: capacity()},
	}
}

func createNodes(ctx context.Context, client kubernetes.Interface, count int) error {
	for i := range count {
		_, err := client.CoreV1().Nodes().Create(ctx, fakeNode(i), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) { // a request may succeed without its answer arriving
			return fmt.Errorf("create node %d: %w", i, err)
		}
	}
	return nil
}

// canRunPods asks whether a pod created now would be admitted and bound at once.
func canRunPods(client kubernetes.Interface, nodes int) check {
	return func(ctx context.Context) error {
		if _, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return fmt.Errorf("look for the default service account: %w", err)
		}
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("look for ready nodes: %w", err)
		}
		if ready := countReady(list.Items); ready < nodes {
			return fmt.Errorf("%d of %d nodes are ready", ready, nodes)
		}
		return nil
	}
}

func countReady(nodes []corev1.Node) int {
	ready := 0
	for _, node := range nodes {
		if isReady(node) {
			ready++
		}
	}
	return ready
}

// isReady says whether the scheduler takes the node, too, which it does when the taint of new nodes is gone.
func isReady(node corev1.Node) bool {
	if len(node.Spec.Taints) > 0 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
