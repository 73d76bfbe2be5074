package annotations

import (
	"cmp"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Kinds of other autoscalers.
const (
	// KindHPA is autoscaling's.
	KindHPA = "HorizontalPodAutoscaler"
	// KindScaledObject is KEDA's.
	KindScaledObject = "ScaledObject"
	// GroupKEDA is the API group of KindScaledObject.
	GroupKEDA = "keda.sh"
)

// Autoscaler is an object that scales a workload.
type Autoscaler struct {
	// Kind is HorizontalPodAutoscaler or ScaledObject; Name is the object's name, in the workload's namespace.
	Kind, Name string
}

// Scales says as what an object that scales something is told, and the name of the Deployment that it scales; empty if it scales
// something else. A HorizontalPodAutoscaler that KEDA has made for a ScaledObject is told as that: to delete it would be in vain.
// The reference of a ScaledObject has defaults (KEDA's documentation of scaleTargetRef).
func Scales(kind string, o metav1.Object, ref autoscalingv2.CrossVersionObjectReference) (Autoscaler, string) {
	is := Autoscaler{Kind: kind, Name: o.GetName()}
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil && owner.Kind == KindScaledObject && groupOf(owner.APIVersion) == GroupKEDA {
		is = Autoscaler{Kind: KindScaledObject, Name: owner.Name}
	}
	if kind == KindScaledObject {
		ref.APIVersion, ref.Kind = cmp.Or(ref.APIVersion, appsv1.SchemeGroupVersion.String()), cmp.Or(ref.Kind, "Deployment")
	}
	if ref.Kind != "Deployment" || groupOf(ref.APIVersion) != appsv1.GroupName {
		return is, ""
	}
	return is, ref.Name
}

func groupOf(apiVersion string) string {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return ""
	}
	return version.Group
}

// CheckAutoscalers finds others that scale the workload. While mini-hpa only watches (see Mode) they are no problem: that is
// how two autoscalers are compared.
func CheckAutoscalers(_ *appsv1.Deployment, p Policy, s Surroundings) ([]Warning, field.ErrorList) {
	var warnings []Warning
	var errs field.ErrorList
	at := field.NewPath("metadata", "annotations")
	for _, other := range s.Autoscalers {
		already := fmt.Sprintf("%s %q already scales this Deployment", other.Kind, clean(other.Name, shownName))
		if p.Mode == ModeObserve || p.Mode == ModePaused {
			warnings = append(warnings, Warning{Field: at.String(), Rule: FoundObservedAutoscaler,
				Message: fmt.Sprintf("%s; delete it before you set %s to %q", already, ModeKey, ModeAuto)})
			continue
		}
		errs = append(errs, field.Forbidden(at, fmt.Sprintf("%s, and two autoscalers would undo each other's changes; "+
			"delete it, or set %s to %q to only compare", already, ModeKey, ModeObserve)).WithOrigin(FoundConflict))
	}
	return warnings, errs
}

// shownName is enough for the name of every object.
const shownName = 253
