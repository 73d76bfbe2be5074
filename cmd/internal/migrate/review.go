package migrate

import (
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// review is what admission says of annotations, if the other autoscaler is gone. What was read of their workload counts too; nil is nothing. What the cluster
// may add to its pods, a LimitRange or a webhook, is not known.
func review(all map[string]string, workload *object) annotations.Verdict {
	w := &annotations.Workload{}
	if workload != nil {
		version, _ := schema.ParseGroupVersion(workload.APIVersion) // it is that of a workload
		kind := annotations.Kind{GroupVersionKind: version.WithKind(workload.Kind)}
		w = kind.Read(&unstructured.Unstructured{Object: workload.fields})
	}
	if w.Template != nil && len(w.Template.Spec.Containers) == 0 {
		w.Template = nil // as in a patch of a kustomization
	}
	w.Annotations = all
	v := annotations.DefaultDefaults().Review(w, annotations.Surroundings{Unknown: "only what is converted was read", Injection: "labels of its namespace were not read"})
	v.Warnings = slices.DeleteFunc(v.Warnings, func(warning annotations.Warning) bool { return warning.Rule == annotations.FoundNoTemplate })
	return v
}

// wakeless raises the fewest replicas of an HPA from 0 if nothing could wake its workload, which admission refuses. An API server minds that only where there is no
// metric of something else: it takes scaling up that is disabled.
func wakeless(all map[string]string, spec *autoscalingv2.HorizontalPodAutoscalerSpec) []hpa.Remark {
	isFound := func(e *field.Error) bool { return e.Origin == annotations.FoundNothingWakes }
	if !slices.ContainsFunc(review(all, nil).Problems, isFound) {
		return nil
	}
	delete(all, annotations.Min)
	r := hpa.Remark{Path: "spec.minReplicas", Value: "0", Why: "is 1 here: a workload without pods has no CPU, memory or metric of its pods, so that nothing could wake it",
		Do: "add a line to " + annotations.SourcesKey + " or " + annotations.ScheduleKey + " that can, and set " + annotations.Min + " to \"0\"", Lost: true}
	if b := spec.Behavior; b != nil && b.ScaleUp != nil && b.ScaleUp.SelectPolicy != nil && *b.ScaleUp.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		r.Why, r.Do = "is 1 here: while scaling up is disabled nothing could wake it", "set "+annotations.Min+" to \"0\" when it is allowed again"
	}
	return []hpa.Remark{r}
}
