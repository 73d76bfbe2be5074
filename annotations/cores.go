package annotations

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// A container without a limit may well use several times what it requests, so that only what is both many cores and far above the request is
// doubted.
const (
	manyCores  = 10
	farRequest = 10 // times the request
)

// checkCores warns of amounts of CPU in the list of metrics that are so many cores that a percentage or millicores may have been meant: 50 is
// 50 cores. Where there is a limit, checkReach knows whether usage gets there. Of mini-hpa/target-cpu an amount has its unit.
func checkCores(w *Workload, p Policy, s Surroundings) []Warning {
	var warnings []Warning
	for d := range denominators(w.Annotations, p) {
		if d.resource != corev1.ResourceCPU || d.target.AverageValue == nil || d.source.name == TargetCPU || len(warnings) >= maxFindings {
			continue
		}
		cores, isWhole := d.target.AverageValue.AsInt64()
		if !isWhole || cores < manyCores {
			continue
		}
		r := reachOf(w, d, s)
		if _, isLimited := r.limit(); isLimited {
			continue
		}
		if request, ok := r.request(); ok && request > 0 && float64(cores) > farRequest*request {
			warnings = append(warnings, Warning{Field: d.averageValue().String(), Rule: FoundDoubtful, Message: fmt.Sprintf(
				"is %d cores, and %s requests %s: replicas are only added above that; for millicores write \"%dm\", for a percentage of the request type: %s with averageUtilization: %d",
				cores, r.subject(), r.amount(request), cores, autoscalingv2.UtilizationMetricType, cores)})
		}
	}
	return warnings
}
