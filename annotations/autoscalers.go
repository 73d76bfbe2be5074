package annotations

import (
	"cmp"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Kinds of other autoscalers.
const (
	// KindHPA is in group autoscaling.
	KindHPA = "HorizontalPodAutoscaler"
	// KindScaledObject is in KEDA's group.
	KindScaledObject = "ScaledObject"
	// GroupKEDA is the API group of KindScaledObject.
	GroupKEDA = "keda.sh"
	// GroupPausing is what the annotations of KEDA that pause a ScaledObject begin with.
	GroupPausing = "autoscaling.keda.sh/"
)

// Scales returns under which kind and name an object that scales something is reported, and what it scales; the zero Key if that is not
// said. A HorizontalPodAutoscaler that KEDA has made is reported as its ScaledObject, because deleting it would be in vain. The
// reference of a ScaledObject has defaults (KEDA's documentation of scaleTargetRef).
func Scales(kind string, o metav1.Object, ref autoscalingv2.CrossVersionObjectReference) (Autoscaler, Key) {
	is := Autoscaler{Kind: kind, Name: o.GetName()}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil && owner.Kind == KindScaledObject && groupOf(owner.APIVersion) == GroupKEDA {
		is = Autoscaler{Kind: KindScaledObject, Name: owner.Name}
	}
	if kind == KindScaledObject {
		is.Paused = pausedByKEDA(o.GetAnnotations())
		ref.APIVersion, ref.Kind = cmp.Or(ref.APIVersion, appsv1.SchemeGroupVersion.String()), cmp.Or(ref.Kind, kindDeployment)
	}
	return is, targetKey(o.GetNamespace(), ref.APIVersion, ref.Kind, ref.Name)
}

// pausedByKEDA reads the annotations of a ScaledObject as KEDA does (ScaledObject.NeedToBePausedByAnnotation): any value but a false
// one pauses. It deletes the HorizontalPodAutoscaler that it has made, so while that is there, it still scales.
func pausedByKEDA(pairs map[string]string) bool {
	const paused, pausedAt = GroupPausing + "paused", GroupPausing + "paused-replicas"
	if _, ok := pairs[pausedAt]; ok {
		return true
	}
	value, ok := pairs[paused]
	off, err := strconv.ParseBool(value)
	return ok && (off || err != nil)
}

// CheckAutoscalers finds others that scale the workload. While mini-hpa only watches (see Mode) they are no problem: that is
// how two autoscalers are compared. Neither is one that is paused.
func CheckAutoscalers(w *Workload, mode Mode, s Surroundings) ([]Warning, field.ErrorList) {
	var warnings []Warning
	var errs field.ErrorList
	at := field.NewPath("metadata", "annotations")
	for i, other := range s.Autoscalers {
		if i == mostReported {
			break
		}
		name := s.title(other.Kind, other.Name)
		switch {
		case mode == ModeObserve || mode == ModePaused:
			warnings = append(warnings, Warning{Field: at.String(), Rule: FoundObservedAutoscaler,
				Message: fmt.Sprintf("%s already scales this %s; delete it before you set %s to %q", name, w.Kind.Kind, ModeKey, ModeAuto)})
		case other.Paused:
			warnings = append(warnings, Warning{Field: at.String(), Rule: FoundObservedAutoscaler,
				Message: fmt.Sprintf("%s is paused, so mini-hpa scales this %s; once it is resumed, mini-hpa leaves the %[2]s to it; delete it", name, w.Kind.Kind)})
		default:
			problem := field.Forbidden(at, fmt.Sprintf("%s already scales this %s, and two autoscalers would undo each other's changes: "+
				"mini-hpa leaves the %[2]s alone until that is gone; delete it, or set %s to %q to only compare", name, w.Kind.Kind, ModeKey, ModeObserve))
			problem.BadValue = other
			errs = append(errs, problem.WithOrigin(FoundConflict))
		}
	}
	return warnings, errs
}

// mostReported is how many are reported: no reader needs more, and a manifest may have thousands.
const mostReported = 8
