package scaler

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// reviewed is a verdict, and all that it came of. What it is made of never changes, it is only replaced: so the verdict holds for
// as long as the same objects are in the caches. With documents in YAML it is most of the work of a look at a workload.
type reviewed struct {
	workload     *annotations.Workload
	surroundings annotations.Surroundings
	verdict      annotations.Verdict
}

func (r *reviewed) of(w *annotations.Workload, s annotations.Surroundings) bool {
	return r.workload == w && r.surroundings.Unknown == s.Unknown &&
		slices.Equal(r.surroundings.LimitRanges, s.LimitRanges) && slices.Equal(r.surroundings.Autoscalers, s.Autoscalers) &&
		slices.Equal(r.surroundings.Resizers, s.Resizers)
}

// hasRival says whether another autoscaler keeps the workload from being scaled.
func (r *reviewed) hasRival() bool {
	return slices.ContainsFunc(r.verdict.Problems, func(e *field.Error) bool { return e.Origin == annotations.FoundConflict })
}

// renew makes the same checks as admission, because the workload may have been stored while no webhook answered. What was found before is
// returned again if nothing has changed.
func (r *reviewed) renew(o *Observer, w *annotations.Workload) annotations.Verdict {
	surroundings := o.Surroundings.Surroundings(w.Key)
	if !r.of(w, surroundings) || slices.ContainsFunc(r.verdict.Problems, annotations.LacksContainer) {
		*r = reviewed{w, surroundings, o.Review(w, surroundings)}
	}
	return r.verdict
}
