//go:build unix

// Package controlplane starts a real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler, with KWOK playing the nodes and their pods. It needs neither root nor a container runtime, only Go: the
// programs are downloaded or built once (package binaries).
//
//	etcd <- kube-apiserver <- kube-controller-manager, kube-scheduler, kwok, the test
//
// Every cluster has its own ports, data directory and certificate authorities, so that any number of them live side by side.
// On Linux the processes end with the process that started them, whatever ends that one.
package controlplane
