//go:build linux

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
	"github.com/mini-hpa/mini-hpa/test/rig"
)

// startKubelet gives the kubelet the rights of its own node only (the Node authorizer), not those of an administrator.
func (m *Machine) startKubelet(ctx context.Context) error {
	config, err := m.settings.write("kubelet.yaml")
	if err != nil {
		return err
	}
	kubeconfig, err := m.Cluster.KubeconfigFor("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	p, err := m.spawn(m.Programs["kubelet"], "--config="+config, "--kubeconfig="+kubeconfig,
		"--root-dir="+filepath.Join(m.dir, "kubelet"), "--cert-dir="+filepath.Join(m.dir, "kubelet", "pki"),
		"--hostname-override="+nodeName, "--node-ip="+sandbox.Address)
	if err != nil {
		return err
	}
	return p.await(ctx, "the node to be ready", m.nodeReady)
}

// nodeReady also waits for the taint of new nodes to go: pods are not scheduled until then.
func (m *Machine) nodeReady(ctx context.Context) error {
	node, err := m.Client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("the node has the taint %s", node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return errors.New("the node is not ready")
}

// The modes of kube-proxy.
const (
	iptables = "iptables"
	Nftables = "nftables"
)

// delay puts a proxy before the API server that is late to tell of EndpointSlices. It returns a kubeconfig that leads there, and what says whether anybody
// watches them that way.
func (m *Machine) delay(kubeconfig string) (path string, watches func() bool, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return "", nil, err
	}
	proxy, err := rig.Start(config)
	if err != nil {
		return "", nil, err
	}
	watch := rig.On("watch", "endpointslices")
	proxy.Break(watch, rig.Fault{Late: m.options.Late})
	path, err = proxy.Kubeconfig(m.dir)
	return path, func() bool { return len(proxy.Seen(watch)) > 0 }, err
}

func (m *Machine) startProxy(ctx context.Context) error {
	kubeconfig, err := m.Cluster.KubeconfigFor("system:kube-proxy")
	if err != nil {
		return err
	}
	watches := func() bool { return true }
	if m.options.Late != nil {
		if kubeconfig, watches, err = m.delay(kubeconfig); err != nil {
			return err
		}
	}
	if err := os.Rename(kubeconfig, filepath.Join(m.dir, "proxy.kubeconfig")); err != nil {
		return err
	}
	config, err := m.settings.write("proxy.yaml")
	if err != nil {
		return err
	}
	p, err := m.spawn(m.Programs["kube-proxy"], "--config="+config)
	if err != nil {
		return err
	}
	return p.await(ctx, "kube-proxy", func(ctx context.Context) error {
		if !watches() {
			return errors.New("it does not watch EndpointSlices by way of what delays them")
		}
		return get(ctx, "http://127.0.0.1:10256/livez")
	})
}
