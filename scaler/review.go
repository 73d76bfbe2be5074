package scaler

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/cache"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// reviewed is a verdict, and all that it came of. What it is made of never changes, it is only replaced: so the verdict holds for
// as long as the same objects are in the caches. With documents in YAML it is most of the work of a look at a workload.
type reviewed struct {
	deployment   *appsv1.Deployment
	surroundings annotations.Surroundings
	verdict      annotations.Verdict
}

func (r *reviewed) of(d *appsv1.Deployment, s annotations.Surroundings) bool {
	return r.deployment == d && r.surroundings.Unknown == s.Unknown &&
		slices.Equal(r.surroundings.LimitRanges, s.LimitRanges) && slices.Equal(r.surroundings.Autoscalers, s.Autoscalers) &&
		slices.Equal(r.surroundings.Resizers, s.Resizers)
}

// hasRival says whether another autoscaler keeps the workload from being scaled.
func (r *reviewed) hasRival() bool {
	return slices.ContainsFunc(r.verdict.Problems, func(e *field.Error) bool { return e.Origin == annotations.FoundConflict })
}

// review holds the workload to the same checks as admission, which may have been away when it was stored, and tells what is
// wrong. A workload with a problem is not scaled.
func (s *Scaler) review(w *workload, d *appsv1.Deployment) (annotations.Policy, bool) {
	surroundings := s.Surroundings.Surroundings(cache.MetaObjectToName(d))
	if !w.reviewed.of(d, surroundings) || slices.ContainsFunc(w.reviewed.verdict.Problems, annotations.LacksContainer) {
		w.reviewed = reviewed{d, surroundings, s.opinion(d, surroundings)}
	}
	v := w.reviewed.verdict
	s.tellVerdict(w, d, v)
	return v.Policy, len(v.Problems) == 0
}

// opinion is the review, with what the pods show of containers that are put into them.
func (s *Scaler) opinion(d *appsv1.Deployment, around annotations.Surroundings) annotations.Verdict {
	v := s.Defaults.Review(annotations.OfDeployment(d), around)
	if !slices.ContainsFunc(v.Problems, annotations.LacksContainer) {
		return v
	}
	around.Containers = annotations.RunningIn(s.Workloads.Pods(d))
	return s.Defaults.Review(annotations.OfDeployment(d), around)
}
