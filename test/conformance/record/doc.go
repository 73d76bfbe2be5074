// Package record runs the HPA controller of Kubernetes in fake time on generated workloads, and writes down what it saw
// and what it decided.
package record
