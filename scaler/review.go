package scaler

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/lru"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// reviewed is a verdict, and all that it came of. What it is made of never changes, it is only replaced: so the verdict holds for
// as long as the same objects are in the caches, and no date passes that it is about. With documents in YAML it is most of the work of a look at a workload.
type reviewed struct {
	workload     *annotations.Workload
	sources      *catalog.Catalog
	surroundings *annotations.Surroundings
	verdict      *annotations.Verdict
}

// nothing is what there is around most workloads.
var nothing annotations.Surroundings

// of says whether the verdict is of these, and holds now.
func (r *reviewed) of(w *annotations.Workload, s annotations.Surroundings, now time.Time) bool {
	return r.workload == w && r.sources == s.Sources && areSame(r.surroundings, &s) && (r.verdict.Until.IsZero() || now.Before(r.verdict.Until))
}

// areSame says whether two surroundings bear on a workload in the same way, as far as they are read from the cluster and not the same for all.
func areSame(a, b *annotations.Surroundings) bool {
	return a.Unknown == b.Unknown && slices.Equal(a.LimitRanges, b.LimitRanges) && slices.Equal(a.Autoscalers, b.Autoscalers) && slices.Equal(a.Resizers, b.Resizers) &&
		(a.Services == nil) == (b.Services == nil) && slices.Equal(a.Services, b.Services) && slices.Equal(a.NetworkPolicies, b.NetworkPolicies) && slices.Equal(a.Beside, b.Beside)
}

// newReviewed keeps what a verdict came of.
func newReviewed(w *annotations.Workload, s annotations.Surroundings, v *annotations.Verdict) reviewed {
	if areSame(&s, &nothing) {
		return reviewed{w, s.Sources, &nothing, v}
	}
	return reviewed{w, s.Sources, new(s), v}
}

// underAnother says whether another autoscaler keeps the workload from being scaled.
func (r *reviewed) underAnother() bool {
	return slices.ContainsFunc(r.verdict.Problems, func(e *field.Error) bool { return e.Origin == annotations.FoundConflict })
}

// renew makes the same checks as admission, because the workload may have been stored while no webhook answered. What was found before is
// returned again if nothing has changed.
func (r *reviewed) renew(o *Observer, equal verdicts, w *annotations.Workload) *annotations.Verdict {
	surroundings := o.around(w)
	if w.Annotations[annotations.WakeKey] == "" { // what is not looked at need not be remembered
		surroundings.NetworkPolicies = nil
	}
	if !r.of(w, surroundings, o.Now()) || slices.ContainsFunc(r.verdict.Problems, annotations.LacksContainer) {
		*r = newReviewed(w, surroundings, equal.share(w, o.Review(w, surroundings), r))
	}
	return r.verdict
}

// verdictsKept is how many verdicts are remembered that others may equal, and longestAnnotations how many bytes of annotations they may be of:
// a document of many lines is seldom that of another workload, too. Forgetting one only costs memory, for the next that equals it.
const (
	verdictsKept       = 256
	longestAnnotations = 1024
)

// verdicts lets workloads with equal annotations share the policy that these are read as, which takes 1 kB (BenchmarkMemory). Each is remembered by their text.
type verdicts struct{ seen *lru.Cache }

func newVerdicts() verdicts { return verdicts{lru.New(verdictsKept)} }

// share returns what was said earlier of equal annotations. Of a workload about which there is nothing to say they alone decide; what else
// is said is its own. Most often it equals what was last said of the same workload, which costs less to find.
func (v verdicts) share(w *annotations.Workload, own annotations.Verdict, last *reviewed) *annotations.Verdict {
	saysNothing := func(v *annotations.Verdict) bool { return len(v.Problems)+len(v.Warnings) == 0 }
	if !saysNothing(&own) {
		return &own
	}
	if last.workload != nil && saysNothing(last.verdict) && own.Until.Equal(last.verdict.Until) && maps.Equal(last.workload.Annotations, w.Annotations) {
		return last.verdict
	}
	text := fmt.Sprintf("%q", w.Annotations) // sorted by key
	if len(text) > longestAnnotations {
		return &own
	}
	earlier, _ := v.seen.Get(text)
	if shared, known := earlier.(*annotations.Verdict); known {
		return shared
	}
	v.seen.Add(text, &own)
	return &own
}
