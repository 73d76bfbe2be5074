package annotations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Surroundings are what else in the cluster bears on whether a workload can be scaled.
type Surroundings struct {
	// LimitRanges are those of the workload's namespace, sorted by name. They are only read.
	LimitRanges []*corev1.LimitRange
	// Autoscalers are others that scale the workload, sorted by kind and name.
	Autoscalers []Autoscaler
	// Unknown says why the LimitRanges could not be read; empty if they could.
	Unknown string
}

// Verdict is what there is to say of one workload.
type Verdict struct {
	// Policy is what the annotations ask for; the zero Policy if there are problems or no annotations.
	Policy Policy
	// Problems keep the workload from being scaled. The Origin of each is the name of a Finding.
	Problems field.ErrorList
	// Warnings do not.
	Warnings []Warning
}

// Review is the one opinion that admission, controller and lint have of a workload: Parse, CheckRequests and
// CheckAutoscalers together, and a look at the pod template for annotations that do nothing there. A workload without
// annotations has no problems. Nothing that it is given is written to.
func (d Defaults) Review(w *appsv1.Deployment, s Surroundings) Verdict {
	if !Selected(w.Annotations) {
		return Verdict{Warnings: misplaced(w)}
	}
	p := d.draft(w.Annotations)
	v := Verdict{Problems: p.errs, Warnings: append(p.warnings, misplaced(w)...)}
	known := Policy{Mode: p.mode}
	if p.knowsMetrics() {
		known.Metrics = p.metrics()
	}
	for _, check := range []func(*appsv1.Deployment, Policy, Surroundings) ([]Warning, field.ErrorList){CheckRequests, CheckAutoscalers} {
		warnings, problems := check(w, known, s)
		v.Warnings, v.Problems = append(v.Warnings, warnings...), append(v.Problems, problems...)
	}
	if len(v.Problems) == 0 {
		v.Policy = p.policy()
	}
	return v
}

// knowsMetrics says whether what is measured, and where, could be read: only then can requests be missing for it.
func (p *draft) knowsMetrics() bool {
	return !slices.ContainsFunc(p.errs, func(e *field.Error) bool {
		switch strings.TrimPrefix(annotation(e), "metadata.annotations[") {
		case TargetCPU, TargetMemory, Container, Metrics:
			return true
		}
		return false
	})
}

// misplaced warns of keys on the pod template.
func misplaced(w *appsv1.Deployment) []Warning {
	if !Selected(w.Spec.Template.Annotations) {
		return nil
	}
	return []Warning{{Field: "spec.template.metadata.annotations", Rule: FoundMisplaced,
		Message: Prefix + " annotations have no effect on the pod template; set them on the Deployment itself"}}
}

// ReviewUpdate reviews what an update makes of a workload, and finds fault only with what the update has brought: a problem
// that was there before is a warning, so that nobody who changes something else is kept from doing so.
func (d Defaults) ReviewUpdate(before, after *appsv1.Deployment, s Surroundings) Verdict {
	v := d.Review(after, s)
	v.Warnings = append(v.Warnings, overwritten(before, after, v.Policy)...)
	if len(v.Problems) == 0 {
		return v
	}
	old := map[string]bool{}
	for _, problem := range d.Review(before, s).Problems {
		old[sameness(before, problem)] = true
	}
	isOld := func(e *field.Error) bool { return old[sameness(after, e)] }
	return v.excuse(isOld, FoundUnchanged, "it was so before this change; mini-hpa does not scale the Deployment until it is fixed")
}

// Excuse turns all problems into warnings of a rule, because of a reason that goes with each.
func (v Verdict) Excuse(rule, because string) Verdict {
	return v.excuse(func(*field.Error) bool { return true }, rule, because)
}

func (v Verdict) excuse(excused func(*field.Error) bool, rule, because string) Verdict {
	var left field.ErrorList
	for _, problem := range v.Problems {
		if !excused(problem) {
			left = append(left, problem)
			continue
		}
		v.Warnings = append(v.Warnings, Warning{Field: problem.Field, Rule: rule, Message: problem.ErrorBody() + " (" + because + ")"})
	}
	v.Problems = left
	return v
}

// sameness is what makes a problem the same before and after an update: what is wrong with what, by the name of the container
// and not by its place.
func sameness(w *appsv1.Deployment, e *field.Error) string {
	at := e.Field
	for list, containers := range containerLists(&w.Spec.Template.Spec) {
		rest, ok := strings.CutPrefix(at, list.String()+"[")
		index, field, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(index); ok && err == nil && i < len(containers) {
			at = list.Key(containers[i].Name).String() + field
		}
	}
	return fmt.Sprintf("%s %s %s %v", e.Origin, e.Type, at, e.BadValue)
}

// overwritten warns of an update that sets the replicas of a workload that is autoscaled before and after it. Zero is how
// autoscaling is paused on purpose.
func overwritten(before, after *appsv1.Deployment, p Policy) []Warning {
	from, to := replicas(before), replicas(after)
	if from == to || from == 0 || to == 0 || p.Mode != ModeAuto || !Selected(before.Annotations) {
		return nil
	}
	return []Warning{{Field: "spec.replicas", Rule: FoundReplicasOverwritten, Message: fmt.Sprintf(
		"changed from %d to %d, but mini-hpa scales this Deployment and will change it again; leave spec.replicas out of the manifest "+
			`(take it out of what "kubectl apply" remembers with "kubectl apply edit-last-applied" first)`, from, to)}}
}

// replicas is spec.replicas; the API server stores 1 where it is not set.
func replicas(w *appsv1.Deployment) int32 {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}
