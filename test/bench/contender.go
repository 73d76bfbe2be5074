//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// Who can be measured.
const (
	miniHPA       = "mini-hpa"
	miniHPABefore = "mini-hpa-before"
	tunedHPA      = "hpa-tuned"
	defaultHPA    = "hpa-default"
)

// contender is an autoscaler.
type contender interface {
	// arm asks for every workload to be autoscaled, disarm for none.
	arm(ctx context.Context) error
	disarm(ctx context.Context) error
	start(ctx context.Context) (*process, error)
	// evaluations counts how often a workload was looked at, and requests what was asked of the API server, watches included, as it says
	// itself.
	evaluations(ctx context.Context) (float64, error)
	requests(ctx context.Context) (float64, error)
}

func makers() map[string]func(*arena) contender {
	// With the period and behavior that are everybody's default, but four times the workers and fifty times the requests.
	tuned := []string{"--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-horizontal-pod-autoscaler-syncs=20"}
	return map[string]func(*arena) contender{
		miniHPA:       func(a *arena) contender { return &annotated{arena: a, program: a.program, flags: a.extra} },
		miniHPABefore: func(a *arena) contender { return &annotated{arena: a, program: a.before} },
		tunedHPA:      func(a *arena) contender { return &hpa{arena: a, flags: tuned} },
		defaultHPA:    func(a *arena) contender { return &hpa{arena: a} },
	}
}

// hpa is the HPA controller, by itself in a kube-controller-manager.
type hpa struct {
	*arena
	flags   []string
	address string
}

func (h *hpa) arm(ctx context.Context) error {
	return h.fleet.each(func(name types.NamespacedName) error {
		_, err := h.client.AutoscalingV2().HorizontalPodAutoscalers(name.Namespace).Create(ctx, h.object(name), metav1.CreateOptions{})
		return err
	})
}

func (h *hpa) object(name types.NamespacedName) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name.Name},
			MinReplicas:    new(int32(1)), MaxReplicas: int32(10 * h.pods),
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(target))}}}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(0))}},
		},
	}
}

func (h *hpa) disarm(ctx context.Context) error {
	for _, namespace := range h.fleet.namespaces() {
		err := h.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *hpa) start(context.Context) (*process, error) {
	program, err := h.cluster.Program(controlplane.ControllerManager)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := h.cluster.KubeconfigFor("system:kube-controller-manager")
	if err != nil {
		return nil, err
	}
	if h.address, err = controlplane.FreeAddress(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(h.address)
	args := append([]string{"--controllers=horizontal-pod-autoscaler-controller", "--leader-elect=false",
		"--use-service-account-credentials", "--bind-address=127.0.0.1", "--secure-port=" + port,
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--authorization-always-allow-paths=/metrics", "--authentication-skip-lookup", "--cert-dir=" + h.cluster.Dir()}, h.flags...)
	return launch(program, args, filepath.Join(h.out, "hpa-controller.log"))
}

func (h *hpa) evaluations(ctx context.Context) (float64, error) {
	return counter(ctx, "https://"+h.address+"/metrics", "horizontal_pod_autoscaler_controller_reconciliations_total")
}

func (h *hpa) requests(ctx context.Context) (float64, error) {
	return counter(ctx, "https://"+h.address+"/metrics", "rest_client_requests_total")
}

// annotated is mini-hpa, of this commit or of another.
type annotated struct {
	*arena
	program string
	flags   []string
	address string
}

func (m *annotated) arm(ctx context.Context) error {
	return m.patch(ctx, fmt.Sprintf(`{"mini-hpa/target-cpu":"%d","mini-hpa/min":"1","mini-hpa/max":"%d","mini-hpa/scale-down-stabilization":"0s"}`, target, 10*m.pods))
}

func (m *annotated) disarm(ctx context.Context) error {
	return m.patch(ctx, `{"mini-hpa/target-cpu":null,"mini-hpa/min":null,"mini-hpa/max":null,"mini-hpa/scale-down-stabilization":null}`)
}

func (m *annotated) patch(ctx context.Context, annotations string) error {
	return m.fleet.each(func(name types.NamespacedName) error {
		patch := []byte(`{"metadata":{"annotations":` + annotations + `}}`)
		_, err := m.client.AppsV1().Deployments(name.Namespace).Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
}

// account is what it is in a cluster, whose requests have the priority of every other ServiceAccount's.
const account = "system:serviceaccount:mini-hpa:mini-hpa"

// start runs it with its own flags and rights.
func (m *annotated) start(ctx context.Context) (*process, error) {
	if err := m.grant(ctx); err != nil {
		return nil, err
	}
	kubeconfig, err := m.cluster.KubeconfigFor(account, "system:serviceaccounts")
	if err != nil {
		return nil, err
	}
	if m.address, err = controlplane.FreeAddress(); err != nil {
		return nil, err
	}
	args := append([]string{"controller", "--kubeconfig=" + kubeconfig, "--leader-elect=false", "--metrics-bind-address=" + m.address,
		"--health-probe-bind-address=0"}, m.flags...)
	return launch(m.program, args, filepath.Join(m.out, "mini-hpa.log"))
}

func (m *annotated) grant(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join("..", "docs", "rbac.yaml"))
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		return fmt.Errorf("docs/rbac.yaml: %w", err)
	}
	if _, err := m.client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil // this is another start
		}
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: miniHPA},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: account}}}
	_, err = m.client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// page is all of its metrics.
func (m *annotated) page(ctx context.Context) (string, error) {
	return scrape(ctx, "http://"+m.address+"/metrics")
}

func (m *annotated) evaluations(ctx context.Context) (float64, error) {
	return counter(ctx, "http://"+m.address+"/metrics", "mini_hpa_reconciliations_total")
}

func (m *annotated) requests(ctx context.Context) (float64, error) {
	return counter(ctx, "http://"+m.address+"/metrics", "rest_client_requests_total")
}
