//go:build unix

package controlplane

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestKillAndRestart(t *testing.T) {
	c := Start(t, Options{})
	client := clientOf(t, c.Kubeconfig())
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, Data: map[string]string{"key": "value"}}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), stored, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	before := footprintOf(c).Ports

	for _, component := range []Component{Etcd, APIServer} {
		kill(t, c, component)
		if data, err := keptData(t, client, time.Second); err == nil {
			t.Errorf("without %s the API answers %v", component, data)
		}
		restart(t, c, component)
		data, err := keptData(t, client, testTimeout)
		if err != nil {
			t.Errorf("after the restart of %s: %v", component, err)
		}
		if diff := cmp.Diff(stored.Data, data); diff != "" {
			t.Errorf("after the restart of %s (-want +got):\n%s", component, diff)
		}
	}
	create(t, client, deployment("survivors", 2)) // by the components that lived through it
	eventually(t, hasRunning(client, "survivors", 2))

	for _, component := range []Component{ControllerManager, Scheduler, KWOK} {
		kill(t, c, component)
	}
	for _, component := range []Component{KWOK, Scheduler, ControllerManager} {
		restart(t, c, component)
	}
	restart(t, c, KWOK) // also one that runs
	create(t, client, deployment("restarted", 2))
	eventually(t, hasRunning(client, "restarted", 2))
	if diff := cmp.Diff(before, footprintOf(c).Ports); diff != "" {
		t.Errorf("ports (-before +after):\n%s", diff)
	}
}

func keptData(t *testing.T, client kubernetes.Interface, timeout time.Duration) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	found, err := client.CoreV1().ConfigMaps("default").Get(ctx, "kept", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return found.Data, nil
}

func kill(t *testing.T, c *Cluster, component Component) {
	t.Helper()
	if err := c.Kill(component); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(component); err == nil || !strings.Contains(err.Error(), string(component)+" is not running") {
		t.Errorf("a second kill: %v", err)
	}
}

func restart(t *testing.T, c *Cluster, component Component) {
	t.Helper()
	if err := c.Restart(component); err != nil {
		t.Fatal(err)
	}
}
