// Package recommend is the decision: from what was seen of a workload and what is remembered of it to the number of
// replicas it should have, with the reasons. It is pure: no I/O, no log, no clock, no randomness; inputs are never
// written to. Time comes in with the Snapshot.
//
//	              per metric                         whole workload
//	Snapshot -> pods -> ratio -> tolerance -> largest -> stabilize -> bounds -> policy -> Decision
//	 Policy                                                 ^                     ^
//	History  recommendations -------------------------------+    changes ---------+
//
// The stages are the list in recommend.go. They hand on values: the facts of a pod, their sum over the pods, what a metric
// proposes, the decision so far. A repair that had a say is a part of the value where it had it.
//
// The rules are those of the Kubernetes HPA controller (k8s.io/kubernetes/pkg/controller/podautoscaler, 1.37.2) with
// the repairs of RepairTable; Rules.Compat switches the repairs off.
package recommend
