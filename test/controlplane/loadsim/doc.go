// Package loadsim is the metrics API of a cluster whose pods are not real: an aggregated metrics.k8s.io/v1beta1
// server which behaves as metrics-server does, while the pods' usage comes from a load curve per workload.
//
//	SetLoad / ConfigMap "loadsim"      pods, ReplicaSets (informers)
//	           \                         /
//	            CPU time per pod: load / ready pods, at most the container's limit
//	                       |
//	            a sample set every Period, over Window     <- Fault{Stale}
//	                       |
//	            GET and LIST through the API server        <- Fault{Delay, Error, Partial, Empty}
//
// The load is what arrives at a Service: it is divided over the ready pods of the workload, whatever their number. A
// container with a CPU limit uses no more than that, the rest of the load is lost, as a throttled server loses it.
//
// What is taken over from metrics-server (pkg/storage/pod.go, pkg/api/pod.go): usage is CPU time over the window in
// nanocores; a pod has a sample once it was seen twice, or once if it is older than ten seconds; only running pods are
// listed, with their present labels; answers carry no resourceVersion and there is no watch; between two ticks the
// answer does not change.
//
// # Custom and external metrics
//
// The same server answers as adapters for custom.metrics.k8s.io/v1beta2 and external.metrics.k8s.io/v1beta1. What there
// is, a test says: SetExternal, SetPodsMetric (divided over the ready pods, as loads are), SetObjectMetric; and
// SetMetricFault, Withdraw and Offer what goes wrong.
//
// # Setting a load with kubectl
//
// A ConfigMap named "loadsim" in the namespace of the Deployments holds one text per Deployment, see [ParseCurve]:
//
//	kubectl create configmap loadsim --from-literal=web='burst(200m,2200m,20s,10s)'
//
// A changed text restarts its curve, a removed one ends the load, a bad one is reported and changes nothing.
package loadsim
