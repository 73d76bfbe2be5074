//go:build linux

// Command bench holds mini-hpa against the HPA controller: the same Deployments, control plane, samples and load, one after the
// other on one machine, in one run. Pods are KWOK's and their CPU is loadsim's, so that what is measured is the autoscaler and what
// it costs the API server, not the pods.
//
// The HPA controller is kube-controller-manager with that one controller; everything else of the control plane runs in another
// process, for both alike. Figures of the API server and etcd are those above the same cluster without an autoscaler.
package main
