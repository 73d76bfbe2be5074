package stage

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/demo/observe"
	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// podParts are a pod template in the making and its only container.
type podParts struct {
	pod       *corev1.PodSpec
	container *corev1.Container
}

// deployment is a workload as the API server gets it. Replicas start at 1 and are the controller's from then on.
func (s *Stage) deployment(w story.Workload) *appsv1.Deployment {
	labels := map[string]string{observe.Label: w.Name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: w.Name, Annotations: w.Annotations},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: s.pod()},
		},
	}
}

// pod is a pod that any admission policy lets in.
func (s *Stage) pod() corev1.PodSpec {
	parts := podParts{
		pod: &corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				RunAsUser:      new(int64(65534)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
		},
		container: &corev1.Container{
			Name:  "app",
			Image: s.actors.image(),
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: *resource.NewMilliQuantity(s.Request, resource.DecimalSI),
			}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem:   new(true),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		},
	}
	s.actors.dress(&parts)
	parts.pod.Containers = []corev1.Container{*parts.container}
	return *parts.pod
}

// createNamespace makes the demo's own namespace. The API server completes the name.
func (s *Stage) createNamespace(ctx context.Context) error {
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mini-hpa-demo-"}}
	namespace, err := s.Client.CoreV1().Namespaces().Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("could not create a namespace: %w", err)
	}
	s.Namespace = namespace.Name
	return nil
}

func (s *Stage) deleteNamespace(ctx context.Context) error {
	if err := s.Client.CoreV1().Namespaces().Delete(ctx, s.Namespace, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("could not delete namespace %s: please do: %w", s.Namespace, err)
	}
	return nil
}
