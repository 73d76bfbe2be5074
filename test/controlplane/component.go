//go:build unix

package controlplane

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
)

// Component is a process of the control plane, named as its program is.
type Component string

// The processes of a cluster, in the order in which they start.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
	KWOK              Component = "kwok"
)

// The clients' rate limits in requests per second. The defaults (20, burst 30) would make a test of many pods wait for the
// control plane instead of for what it tests.
const (
	clientQPS   = 1000
	clientBurst = 2000
)

// nodeGrace is how long a node may go without a heartbeat before its pods are no longer ready. KWOK's nodes do not fail, but
// their heartbeats stop while a test has the API server or KWOK down.
const nodeGrace = "24h"

// serviceRange holds the virtual addresses of Services, which only the pods of real nodes can reach. The Service "kubernetes" has the
// first one.
const (
	serviceRange   = "10.96.0.0/16"
	serviceAddress = "10.96.0.1"
)

// args is a component's command line.
func (c *Cluster) args(component Component) []string {
	var args []string
	switch component {
	case Etcd:
		args = c.etcdArgs()
	case APIServer:
		args = slices.Concat(c.apiServerArgs(), c.addressArgs(), c.auditArgs())
	case ControllerManager:
		args = append(c.clientArgs(component, c.ports.manager), "--service-account-private-key-file="+c.file("sa.key"),
			"--root-ca-file="+c.file("ca.crt"), "--node-monitor-grace-period="+nodeGrace)
	case Scheduler:
		args = c.clientArgs(component, c.ports.scheduler)
	case KWOK:
		args = c.kwokArgs()
	}
	return append(args, c.options.Args[component]...)
}

// etcdArgs protect the store with the cluster's certificates: an API server that finds the etcd of another cluster at its port cannot
// write to it.
func (c *Cluster) etcdArgs() []string {
	client, peer := c.url(c.ports.etcd), fmt.Sprintf("http://%s:%d", loopback, c.ports.peer)
	return []string{
		"--data-dir=" + c.file("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--cert-file=" + c.file("serving.crt"), "--key-file=" + c.file("serving.key"),
		"--client-cert-auth", "--trusted-ca-file=" + c.file("ca.crt"),
		"--enable-grpc-gateway=false", // it would call etcd itself, with a certificate that is for servers only
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--watch-progress-notify-interval=5s", // as kubeadm has it: without it an API server sends no bookmarks where nothing changes
		"--unsafe-no-fsync",                   // the data outlives the process, not the machine: all that a test asks for
	}
}

// apiServerArgs include the front proxy's certificates, by which aggregated APIs believe the API server who asks.
func (c *Cluster) apiServerArgs() []string {
	return []string{
		"--etcd-servers=" + c.url(c.ports.etcd), "--etcd-cafile=" + c.file("ca.crt"),
		"--etcd-certfile=" + c.file("etcd-client.crt"), "--etcd-keyfile=" + c.file("etcd-client.key"),
		"--secure-port=" + strconv.Itoa(c.ports.api),
		"--tls-cert-file=" + c.file("serving.crt"), "--tls-private-key-file=" + c.file("serving.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("sa.key"), "--service-account-signing-key-file=" + c.file("sa.key"),
		"--requestheader-client-ca-file=" + c.file("front-proxy-ca.crt"), "--requestheader-allowed-names=" + frontProxyUser,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.file("front-proxy.crt"), "--proxy-client-key-file=" + c.file("front-proxy.key"),
	}
}

// addressArgs say where the API server is reached. With real nodes they also say how it reaches the nodes, and that it reaches pods directly,
// since no kube-proxy leads its own requests to them. Without an address nobody keeps the endpoints of the Service "kubernetes": they would
// be on loopback, which the API refuses.
func (c *Cluster) addressArgs() []string {
	if c.options.Address == "" {
		return []string{"--bind-address=" + loopback, "--advertise-address=" + loopback, "--endpoint-reconciler-type=none"}
	}
	return []string{
		"--bind-address=0.0.0.0", "--advertise-address=" + c.options.Address,
		"--enable-aggregator-routing=true", "--allow-privileged=true",
		"--kubelet-client-certificate=" + c.file("kubelet-client.crt"), "--kubelet-client-key=" + c.file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// auditArgs keep one file: a reader should not have to follow rotations.
func (c *Cluster) auditArgs() []string {
	if !c.options.Audit {
		return nil
	}
	return []string{"--audit-policy-file=" + c.file(auditPolicyFile), "--audit-log-path=" + c.AuditLog(), "--audit-log-maxsize=0"}
}

// clientArgs are common to the two that talk to the API server and serve on a port of their own.
func (c *Cluster) clientArgs(component Component, port int) []string {
	kubeconfig := c.componentKubeconfig(component)
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + c.file("serving.crt"), "--tls-private-key-file=" + c.file("serving.key"),
		"--leader-elect=false",
		fmt.Sprintf("--kube-api-qps=%d", clientQPS), fmt.Sprintf("--kube-api-burst=%d", clientBurst),
	}
}

func (c *Cluster) kwokArgs() []string {
	return []string{
		"--kubeconfig=" + c.componentKubeconfig(KWOK),
		"--config=" + c.stages(),
		"--node-lease-duration-seconds=40", // without it the nodes have no heartbeat at all
		"--manage-nodes-with-annotation-selector=" + fakeNodeKey + "=" + fakeNodeValue,
		"--server-address=" + loopback + ":" + strconv.Itoa(c.ports.kwok),
		"--tls-cert-file=" + c.file("serving.crt"), "--tls-private-key-file=" + c.file("serving.key"),
	}
}

func (c *Cluster) componentKubeconfig(component Component) string {
	return c.file(string(component) + ".kubeconfig")
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) url(port int) string { return fmt.Sprintf("https://%s:%d", loopback, port) }
