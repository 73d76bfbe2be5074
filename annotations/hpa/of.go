package hpa

import (
	"fmt"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Of is what annotations are as the spec of a HorizontalPodAutoscaler, but for what it scales, and everything that it cannot do. The spec is nil
// where it would do something else altogether. The problems are those of annotations that cannot be followed at all.
func Of(all map[string]string) (*autoscalingv2.HorizontalPodAutoscalerSpec, []Remark, field.ErrorList) {
	policy, _, problems := annotations.DefaultDefaults().Parse(all)
	if len(problems) > 0 {
		return nil, nil, problems
	}
	w := writer{all: all, policy: &policy}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		w.judge(key)
	}
	spec := &autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: policy.Max, MinReplicas: &policy.Min, Behavior: w.behavior()}
	total := false
	for i := range policy.Metrics {
		if m := &policy.Metrics[i]; m.Line == nil {
			total = total || m.IsTotal()
			spec.Metrics = append(spec.Metrics, m.Spec)
		}
	}
	switch {
	case policy.Max == 0:
		w.lost(annotations.Max, "is 0, which switches the workload off; no HPA is made, because one has at least 1", "scale the workload to 0, which pauses its HPA")
		return nil, w.remarks, nil
	case len(spec.Metrics) == 0:
		w.remarks = append(w.remarks, Remark{Path: "metadata.annotations", Lost: true, Why: "have no metric that an HPA can scale on; none is made, because it would scale on 80 % of the CPU request", Do: "set " + annotations.TargetCPU + ", or an External metric in " + annotations.Metrics})
		return nil, w.remarks, nil
	case policy.Min == 0 && !total:
		*spec.MinReplicas = 1
		w.lost(annotations.Min, "is 0; an HPA needs an Object or External metric for that, so that it has 1", "serve what wakes it as an external metric, by an adapter")
	case policy.Min == 0:
		w.remarks = append(w.remarks, Remark{Path: annotations.Path(annotations.Min).String(), Value: "0", Why: "is taken by API servers with the feature gate HPAScaleToZero only, which is on from Kubernetes 1.37"})
	}
	return spec, w.remarks, nil
}

// writer writes the annotations of one workload as an HPA.
type writer struct {
	all     map[string]string
	policy  *annotations.Policy
	remarks []Remark
}

func (w *writer) lost(key, why, do string) {
	w.remarks = append(w.remarks, Remark{Path: annotations.Path(key).String(), Value: shown(w.all[key]), Why: why, Do: do, Lost: true})
}

// judge remarks on an annotation that an HPA has no field for.
func (w *writer) judge(key string) {
	switch key {
	case annotations.TargetCPU, annotations.TargetMemory, annotations.Container, annotations.Min, annotations.Max, annotations.Metrics, annotations.Behavior,
		annotations.ScaleUpStabilization, annotations.ScaleDownStabilization, annotations.ScaleUpPolicies, annotations.ScaleDownPolicies, annotations.Tolerance:
	case annotations.ModeKey:
		if w.policy.Mode != annotations.ModeAuto {
			w.lost(key, "is lost: an HPA scales as soon as it is there", "create it when it is to scale")
		}
	case annotations.ScheduleKey:
		w.lost(key, "is lost: an HPA has the same bounds at all times", "let a CronJob change its bounds, or use KEDA's cron trigger")
	case annotations.SourcesKey:
		for i := range w.policy.Metrics {
			if m := &w.policy.Metrics[i]; m.Line != nil {
				w.remarks = append(w.remarks, Remark{Path: fmt.Sprintf("%s[%d]", annotations.Path(key), m.Line.Number-1), Value: m.ID, Lost: true,
					Why: "is lost: an HPA asks no source", Do: "serve it as an external metric by an adapter, such as KEDA or prometheus-adapter, and name that"})
			}
		}
	case annotations.WarmUp:
		w.lost(key, "is lost: an HPA has no time for pods to warm up", "begin readiness later; --horizontal-pod-autoscaler-cpu-initialization-period is the same for all HPAs of a cluster")
	case annotations.SyncPeriod:
		w.lost(key, "is lost: all HPAs of a cluster have one period, 15s unless --horizontal-pod-autoscaler-sync-period says otherwise", "")
	default:
		if annotations.IsKnown(key) {
			w.lost(key, "is lost: an HPA has nothing like it", "")
		}
	}
}

// behavior has what the annotations set. Where they set nothing it has the limits that mini-hpa has then: an HPA without any adds replicas by others.
func (w *writer) behavior() *autoscalingv2.HorizontalPodAutoscalerBehavior {
	var given autoscalingv2.HorizontalPodAutoscalerBehavior
	_ = yaml.Unmarshal([]byte(w.all[annotations.Behavior]), &given) // it has been parsed before
	sets := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { _, set := w.all[key]; return set })
	}
	up, down := w.policy.Up, w.policy.Down
	for _, d := range []struct {
		rules, given *autoscalingv2.HPAScalingRules
		window       string
	}{{&up, given.ScaleUp, annotations.ScaleUpStabilization}, {&down, given.ScaleDown, annotations.ScaleDownStabilization}} {
		if len(d.rules.Policies) == 0 {
			d.rules.Policies = nil // an HPA takes no empty list
		}
		if !sets(annotations.Tolerance) && (d.given == nil || d.given.Tolerance == nil) {
			d.rules.Tolerance = nil
		}
		if !sets(d.window) && (d.given == nil || d.given.StabilizationWindowSeconds == nil) {
			d.rules.StabilizationWindowSeconds = nil
		}
	}
	if up.Tolerance != nil || down.Tolerance != nil {
		w.remarks = append(w.remarks, Remark{Path: annotations.Path(annotations.Tolerance).String(), Value: shown(w.all[annotations.Tolerance]), Why: "is taken by API servers with the feature gate HPAConfigurableTolerance only, which is on from Kubernetes 1.35"})
	}
	return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &up, ScaleDown: &down}
}
