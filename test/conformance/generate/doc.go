// Package generate makes workloads for the conformance suite: an object with annotations, the HorizontalPodAutoscaler
// that says the same, and a small cluster whose pods, samples and metrics live through what autoscalers get wrong.
// Everything follows from a seed.
package generate
