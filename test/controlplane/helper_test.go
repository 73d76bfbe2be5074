//go:build unix

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// helperVariable makes the test binary run a cluster instead of tests, as a parent that can be killed.
const helperVariable = "MINI_HPA_CONTROLPLANE_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		holdCluster()
		return
	}
	goleak.VerifyTestMain(m)
}

// components are all processes of a cluster.
func components() []Component {
	return []Component{Etcd, APIServer, ControllerManager, Scheduler, KWOK}
}

// testTimeout is when a test gives up waiting for something that should happen within a second or two.
const testTimeout = time.Minute

// eventually fails the test unless the condition holds in time.
func eventually(t *testing.T, condition check) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if err := untilReady(ctx, condition); err != nil {
		t.Fatal(err)
	}
}

// clientOf is a client as users make one.
func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Timeout = testTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/image"}}},
			},
		},
	}
}

func create(t *testing.T, client kubernetes.Interface, d *appsv1.Deployment) {
	t.Helper()
	if _, err := client.AppsV1().Deployments("default").Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// hasRunning is whether exactly want pods of the Deployment exist and all run and are ready.
func hasRunning(client kubernetes.Interface, name string, want int) check {
	return func(ctx context.Context) error {
		pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		running := 0
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning && podReady(pod) {
				running++
			}
		}
		if running != want || len(pods.Items) != want {
			return fmt.Errorf("%d of %d pods of %s run, want %d", running, len(pods.Items), name, want)
		}
		return nil
	}
}

func podReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// footprint is what a cluster takes of the machine.
type footprint struct {
	Pids  []int
	Ports []int
	Dir   string
}

func footprintOf(c *Cluster) footprint {
	f := footprint{Dir: c.Dir()}
	for _, p := range c.all() {
		f.Pids = append(f.Pids, p.PID())
	}
	for _, port := range c.ports.each() {
		f.Ports = append(f.Ports, *port)
	}
	return f
}

// inUse is the first thing of the footprint that is there.
func (f footprint) inUse() error {
	for _, pid := range f.Pids {
		if syscall.Kill(pid, 0) == nil && !isZombie(pid) {
			return fmt.Errorf("process %d lives", pid)
		}
	}
	for _, port := range f.Ports {
		if connection, err := net.Dial("tcp", net.JoinHostPort(loopback, strconv.Itoa(port))); err == nil {
			_ = connection.Close()
			return fmt.Errorf("port %d answers", port)
		}
	}
	return nil
}

// free is whether nothing of the footprint is there, the directory included.
func (f footprint) free() error {
	if _, err := os.Stat(f.Dir); err == nil {
		return fmt.Errorf("directory %s exists", f.Dir)
	}
	return f.inUse()
}

// isZombie is true for a dead process that nobody has waited for: in a container the first process may not do it.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	var id int
	var name, state string
	_, err = fmt.Sscan(string(stat), &id, &name, &state)
	return err == nil && state == "Z"
}

func errorIs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}
