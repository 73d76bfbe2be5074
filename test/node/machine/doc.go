//go:build linux

// Package machine makes a real Kubernetes node out of a sandbox: containerd with runc and CNI's bridge, a kubelet and kube-proxy with
// identities of their own, metrics-server as a Deployment, and before them the control plane of package controlplane. Images come
// from archives, but for that of the product, which is pulled from a registry on loopback as a release publishes it. Everything runs
// in the sandbox and ends with it, so nothing here is ever stopped.
package machine
