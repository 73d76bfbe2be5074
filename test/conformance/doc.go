// Package conformance holds mini-hpa to the HPA controller of Kubernetes: it runs the real one in fake time on generated
// workloads, and compares every decision.
package conformance
