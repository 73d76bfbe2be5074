package browser

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// samplePeriod is how often there are new samples.
const samplePeriod = 2 * time.Second

// world is a real control plane with simulated load.
type world struct {
	cluster    *controlplane.Cluster
	load       *loadsim.Server
	client     kubernetes.Interface
	kubeconfig string
}

func startWorld(ctx context.Context) (*world, error) {
	c, err := controlplane.Run(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	w := &world{cluster: c}
	if w.client, err = kubernetes.NewForConfig(c.Config()); err == nil {
		w.kubeconfig, err = c.KubeconfigFor("admin", "system:masters")
	}
	if err == nil {
		w.load, err = loadsim.Start(ctx, c.Config(), loadsim.Options{Period: samplePeriod, Window: samplePeriod, FirstSample: samplePeriod,
			Report: func(err error) { fmt.Fprintln(os.Stderr, "loadsim:", err) }})
	}
	if err != nil {
		_ = c.Stop() // the error that matters is the one before
		return nil, err
	}
	started = true
	return w, nil
}

func (w *world) stop() {
	w.load.Close()
	if err := w.cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the control plane:", err)
	}
}

// realWorld is the control plane, with a namespace for the test.
func realWorld(t *testing.T, namespace string) *world {
	t.Helper()
	needChromium(t)
	w, err := cluster()
	must(t, err)
	_, err = w.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(t, err)
	return w
}

// deploy creates a Deployment of one pod that requests 1 CPU.
func (w *world) deploy(t *testing.T, namespace, name string, annotations map[string]string) {
	t.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}}}}}
	_, err := w.client.AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{})
	must(t, err)
}

// setLoads puts the Deployments of a namespace under loads, as a user of loadsim does: by its ConfigMap.
func (w *world) setLoads(t *testing.T, namespace string, loads map[string]string) {
	t.Helper()
	maps := w.client.CoreV1().ConfigMaps(namespace)
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: loadsim.ControlName}, Data: loads}
	if _, err := maps.Update(t.Context(), m, metav1.UpdateOptions{}); err == nil {
		return
	}
	_, err := maps.Create(t.Context(), m, metav1.CreateOptions{})
	must(t, err)
}

// controller is a running one of a namespace.
type controller struct {
	*child.Process
	// flags are how others find it.
	flags []string
}

func (w *world) lead(t *testing.T, namespace string) *controller {
	t.Helper()
	address, err := controlplane.FreeAddress()
	must(t, err)
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	process, err := child.Start("controller", exec.Command(program, "controller", "--kubeconfig", w.kubeconfig, "--namespace", namespace, "--leader-elect-resource-namespace", namespace,
		"--metrics-resolution", samplePeriod.String(), "--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--state-bind-address", address), filepath.Join(t.TempDir(), "controller.log"))
	must(t, err)
	t.Cleanup(func() {
		process.Stop(patience)
		if t.Failed() {
			t.Logf("the controller's log ends with:\n%s", process.Tail())
		}
	})
	return &controller{process, []string{"-n", namespace, "--controller", namespace + "/mini-hpa", "--state-port", port}}
}
