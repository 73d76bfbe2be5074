package annotations

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// A Resizer's kind and API group.
const (
	KindResizer  = "VerticalPodAutoscaler"
	GroupResizer = "autoscaling.k8s.io"
)

// ReadResizer reads a VerticalPodAutoscaler of a namespace from its fields, and returns the workload whose pods it resizes, or the zero
// Key if it only recommends. A field of a wrong type counts as missing.
func ReadResizer(namespace, name string, fields map[string]any) (*Resizer, Key) {
	spec := part(fields, "spec")
	ref := part(spec, "targetRef")
	target := targetKey(namespace, text(ref, "apiVersion"), text(ref, "kind"), text(ref, "name"))
	if target == (Key{}) || text(part(spec, "updatePolicy"), "updateMode") == "Off" {
		return &Resizer{Name: name}, Key{}
	}
	r := &Resizer{Name: name, Policies: map[string]ResizePolicy{}}
	policies, _ := part(spec, "resourcePolicy")["containerPolicies"].([]any)
	for _, item := range policies {
		one, _ := item.(map[string]any)
		policy := ResizePolicy{Off: text(one, "mode") == "Off"}
		if resources, ok := one["controlledResources"].([]any); ok {
			policy.Resources = []corev1.ResourceName{}
			for _, resource := range resources {
				policy.Resources = append(policy.Resources, corev1.ResourceName(fmt.Sprint(resource)))
			}
		}
		r.Policies[cmp.Or(text(one, "containerName"), anyOther)] = policy
	}
	return r, target
}

// anyOther is the name of a policy for containers that have none of their own.
const anyOther = "*"

// resizes says whether the requests of a container for a resource change.
func (r *Resizer) resizes(container string, resource corev1.ResourceName) bool {
	policy, ok := r.Policies[container]
	if !ok {
		policy = r.Policies[anyOther]
	}
	if policy.Resources == nil {
		policy.Resources = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}
	}
	return !policy.Off && slices.Contains(policy.Resources, resource)
}

// checkResizers warns of VerticalPodAutoscalers that change the requests which a target is a percentage of: they make the requests what
// usage is, so that usage is never far from any percentage, and the more replicas there are the less is requested.
func checkResizers(w *Workload, p Policy, s Surroundings) []Warning {
	if len(s.Resizers) == 0 {
		return nil
	}
	var warnings []Warning
	for d := range denominators(w.Annotations, p) {
		if d.target.AverageUtilization == nil {
			continue
		}
		for _, r := range s.Resizers[:min(len(s.Resizers), mostReported)] {
			if d.isResizedBy(r, &w.template().Spec) {
				warnings = append(warnings, Warning{Field: d.source.at.String(), Rule: FoundResized, Message: fmt.Sprintf(
					`%s changes the %s requests that %s is a percentage of; set updateMode: "Off" in it (with the quotes), take %s out of its controlledResources, or %s`,
					s.title(KindResizer, r.Name), d.what(), d.source.name, clean(string(d.resource), shown), d.source.amount)})
			}
		}
	}
	return warnings
}

// isResizedBy says whether any request changes that the percentage is one of.
func (d *denominator) isResizedBy(r *Resizer, pod *corev1.PodSpec) bool {
	for _, container := range podspec.LongRunning(pod) {
		if (d.container == "" || d.container == container.Name) && r.resizes(container.Name, d.resource) {
			return true
		}
	}
	return false
}
