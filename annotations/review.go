package annotations

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Verdict is what there is to say of one workload.
type Verdict struct {
	// Policy is what the annotations ask for; the zero Policy if there are problems or no annotations.
	Policy Policy
	// Problems keep the workload from being scaled. The Origin of each is the name of a Finding.
	Problems field.ErrorList
	// Warnings do not.
	Warnings []Warning
	// Mode is what the annotations ask for, also where there are problems; the default where it cannot be read.
	Mode Mode
	// Until is from when on the passing of time alone makes another warning; zero if it never does, or if the moment of the review is not known.
	Until time.Time
}

// Review is the one opinion that admission, controller, lint and simulate have of a workload: Parse, checkRequests, CheckAutoscalers,
// checkSources, checkRequestsWake, checkResizers, checkReach, checkCores, checkBytes, checkClaims and checkPast together, and a look at the pod template for annotations that do nothing there. A workload without
// annotations has no problems. Nothing that it is given is written to.
func (d Defaults) Review(w *Workload, s Surroundings) Verdict {
	if !Selected(w.Annotations) {
		return Verdict{Warnings: misplaced(w)}
	}
	p := d.draft(w.Annotations)
	known := p.known()
	ofTemplate, problems := checkTemplate(w, known, s)
	ofOthers, conflicts := CheckAutoscalers(w, p.mode, s)
	unseen := p.checkWakesIdle(w.Annotations)
	var ofRequests []Warning
	if len(unseen) == 0 {
		ofRequests, unseen = p.checkRequestsWake(w, s)
	}
	v := Verdict{Mode: p.mode, Problems: slices.Concat(p.errs, p.checkWakes(w.Annotations), p.checkSources(w, s), unseen, problems, conflicts), Warnings: slices.Concat(
		p.warnings, misplaced(w), ofRequests, ofTemplate, ofOthers, checkResizers(w, known, s), checkReach(w, known, s), checkCores(w, known, s), checkBytes(w, known), checkClaims(w, known), p.checkPast(s.Now))}
	if len(v.Problems) == 0 {
		v.Policy = p.policy()
	}
	if !s.Now.IsZero() {
		v.Until = p.schedule.NextPast(s.Now)
	}
	return v
}

// checkClaims warns of a StatefulSet whose volume claims are deleted when it is scaled in. While nothing is written, nothing is deleted.
func checkClaims(w *Workload, p Policy) []Warning {
	if !w.DeletesClaims || p.Mode != ModeAuto {
		return nil
	}
	return []Warning{{Field: "spec.persistentVolumeClaimRetentionPolicy.whenScaled", Rule: FoundDeletedClaims,
		Message: "is Delete: each time mini-hpa scales in, the volume claims of the pods that go are deleted, and most likely what is on the volumes; set Retain to keep them"}}
}

// checkTemplate is checkRequests, whose problems are only warnings while nothing is decided.
func checkTemplate(w *Workload, p Policy, s Surroundings) ([]Warning, field.ErrorList) {
	warnings, problems := checkRequests(w, p, s)
	if p.Mode != ModePaused {
		return warnings, problems
	}
	for _, problem := range problems {
		warnings = append(warnings, Warning{Field: problem.Field, Rule: problem.Origin, Message: fmt.Sprintf(
			"%s (this counts as soon as %s is no longer %q)", problem.ErrorBody(), ModeKey, ModePaused)})
	}
	return warnings, nil
}

// known is the policy as far as the checks need it and it could be read.
func (p *draft) known() Policy {
	known := Policy{Mode: p.mode, Up: autoscalingv2.HPAScalingRules{Tolerance: &p.up.tolerance}}
	if p.knowsMetrics() {
		known.Metrics = p.metrics()
	}
	return known
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

// misplaced warns of keys on the pod template, unless the workload has them as well: kustomize's commonAnnotations writes both.
func misplaced(w *Workload) []Warning {
	for key, value := range w.template().Annotations {
		if own, ok := w.Annotations[key]; strings.HasPrefix(key, Prefix) && (!ok || own != value) {
			return []Warning{{Field: TemplatePath, Rule: FoundMisplaced, Message: OnTheTemplate(w.Kind.Kind)}}
		}
	}
	return nil
}

// TemplatePath is the field of the annotations of a pod template.
const TemplatePath = "spec.template.metadata.annotations"

// OnTheTemplate is what there is to say of mini-hpa's annotations on the pod template of a workload of a kind.
func OnTheTemplate(kind string) string {
	return Prefix + " annotations have no effect on the pod template; set them on the " + kind + " itself"
}
