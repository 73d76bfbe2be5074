package annotations

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// checkReach warns of targets for usage that usage cannot exceed, because of the limits of the containers: such a target never adds a
// replica, however much load there is.
//
//	0 ---- request ---- limit ---- target --- target + tolerance
//	       usage stays below ^                ^ only from here on replicas are added
func checkReach(w *Workload, p Policy, s Surroundings) []Warning {
	var warnings []Warning
	for d := range denominators(w.Annotations, p) {
		r := reachOf(w, d, s)
		if message := r.exceeded(p.Up.Tolerance); message != "" {
			warnings = append(warnings, Warning{Field: r.source.at.String(), Rule: FoundUnreachable, Message: message})
		}
	}
	return warnings
}

// reach is how far the usage of a pod, or of one of its containers, can go.
type reach struct {
	pod    *corev1.PodSpec
	ranges []*corev1.LimitRange
	denominator
	// hasMore says that injected containers count as well, whose requests and limits are not known.
	hasMore bool
}

func reachOf(w *Workload, d denominator, s Surroundings) *reach {
	return &reach{pod: &w.template().Spec, ranges: s.LimitRanges, denominator: d, hasMore: d.container == "" && injects(w.template(), s)}
}

// exceeded says why usage does not get beyond the target; empty if it can, or if that is not known.
func (r *reach) exceeded(tolerance *resource.Quantity) string {
	limit, isLimited := r.limit()
	if !isLimited {
		return ""
	}
	target, wording := 0.0, ""
	switch t := r.target; {
	case t.AverageUtilization != nil:
		request, ok := r.request()
		if !ok {
			return ""
		}
		target = request * float64(*t.AverageUtilization) / 100
		wording = fmt.Sprintf("%d%% of the %s that %s requests is %s", *t.AverageUtilization, r.amount(request), r.subject(), r.amount(target))
	case t.AverageValue != nil:
		target = t.AverageValue.AsApproximateFloat64()
		wording = fmt.Sprintf("the target is %s", r.amount(target))
	}
	most := r.amount(limit)
	switch begin := target * (1 + tolerance.AsApproximateFloat64()); {
	case target > limit:
		return fmt.Sprintf("%s, above its limit of %s: usage cannot get there, so this target never adds a replica; lower it, or raise the limit", wording, most)
	case begin >= limit && target > 0:
		return fmt.Sprintf("%s, and replicas are only added above %s (%s): usage cannot get there, because the limit is %s; lower the target, or raise the limit",
			wording, r.amount(begin), Tolerance, most)
	}
	return ""
}

func (r *reach) subject() string {
	if r.container != "" {
		return fmt.Sprintf("container %q", clean(r.container, shown))
	}
	return "the pod"
}

// amount writes a number of cores, bytes or whatever the resource is counted in.
func (r *reach) amount(n float64) string {
	if r.resource == corev1.ResourceCPU {
		return resource.NewMilliQuantity(int64(math.Round(min(n*1000, math.MaxInt64/2))), resource.DecimalSI).String()
	}
	whole := int64(math.Round(min(n, math.MaxInt64/2)))
	binary, decimal := resource.NewQuantity(whole, resource.BinarySI).String(), resource.NewQuantity(whole, resource.DecimalSI).String()
	if len(decimal) < len(binary) { // 200M is no whole number of Ki
		return decimal
	}
	return binary
}

// limit returns the most that can be used, and whether there is a limit at all. A limit of the pod as a whole also limits each container.
func (r *reach) limit() (float64, bool) {
	sum, isLimited := r.sum(func(container *corev1.Container) (resource.Quantity, bool) {
		if limit, ok := container.Resources.Limits[r.resource]; ok {
			return limit, true
		}
		for _, given := range r.ranges {
			if limit, ok := DefaultLimit(given, r.resource); ok {
				return limit, true
			}
		}
		return resource.Quantity{}, false
	})
	isLimited = isLimited && !r.hasMore
	if r.pod.Resources == nil {
		return sum, isLimited
	}
	whole, ok := r.pod.Resources.Limits[r.resource]
	switch n := whole.AsApproximateFloat64(); {
	case !ok:
		return sum, isLimited
	case !isLimited || n < sum:
		return n, true
	}
	return sum, true
}

// request is what a percentage is one of, and whether that is known.
func (r *reach) request() (float64, bool) {
	if r.container == "" && isWhole(r.pod) {
		if whole, ok := r.pod.Resources.Requests[r.resource]; ok {
			return whole.AsApproximateFloat64(), true
		}
	}
	sum, ok := r.sum(func(container *corev1.Container) (resource.Quantity, bool) {
		if request, origin := podspec.Given(&container.Resources, r.resource); origin != podspec.None {
			return request, true
		}
		_, request, ok := defaultRequest(r.ranges, r.resource)
		return request, ok
	})
	return sum, ok && !r.hasMore
}

// sum adds up an amount of the containers of the template that count, and says whether each of them has one.
func (r *reach) sum(of func(*corev1.Container) (resource.Quantity, bool)) (float64, bool) {
	sum, n := 0.0, 0
	for _, container := range podspec.LongRunning(r.pod) {
		if r.container != "" && container.Name != r.container {
			continue
		}
		amount, ok := of(container)
		if !ok {
			return 0, false
		}
		sum, n = sum+amount.AsApproximateFloat64(), n+1
	}
	return sum, n > 0
}
