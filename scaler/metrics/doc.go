// Package metrics brings the samples of the resource metrics API (metrics.k8s.io) to the scaler: one LIST serves every
// workload of a scope, it is made just after a new sample set became readable, and no sample is reported twice.
//
//	metrics-server                Feed                                     scaler
//	  publishes a set  <-- LIST --  schedule: when to look                   OnSamples(pods) -> their workloads
//	  every 15 s                    latest:   what is new, what vanished     Sample(pod)
//	                                health:   is there an answer at all      OnState(err), Err()
//
// Custom and external metrics (custom.metrics.k8s.io, external.metrics.k8s.io) cannot be listed: Readers ask for each of
// them in the background, once for all workloads that ask the same Question.
package metrics
