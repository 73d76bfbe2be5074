package hpa

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Annotations are what the spec of a HorizontalPodAutoscaler, which is complete, is in annotations: the short ones where they say the same, and
// metrics and behavior for the rest. The order of the metrics, which means nothing, may be another one. Whether mini-hpa takes them is for
// annotations.Defaults.Parse to say: there are a few things that the API server does not mind.
func Annotations(spec *autoscalingv2.HorizontalPodAutoscalerSpec) map[string]string {
	all := map[string]string{annotations.Max: strconv.Itoa(int(spec.MaxReplicas))}
	if spec.MinReplicas != nil && *spec.MinReplicas != 1 {
		all[annotations.Min] = strconv.Itoa(int(*spec.MinReplicas))
	}
	if rest := addTargets(all, spec.Metrics); len(rest) > 0 {
		all[annotations.Metrics] = document(rest)
	}
	AddBehavior(all, spec.Behavior)
	return all
}

// addTargets adds the short annotations of CPU and memory, and returns the metrics that they cannot say.
func addTargets(all map[string]string, metrics []autoscalingv2.MetricSpec) []autoscalingv2.MetricSpec {
	type usage struct {
		of        corev1.ResourceName
		container string
	}
	times := map[usage]int{}
	for i := range metrics {
		if name, container, target := annotations.Usage(&metrics[i]); target != nil {
			times[usage{name, container}]++
		}
	}
	var rest []autoscalingv2.MetricSpec
	chosen, isChosen := "", false // the container of which both have to be
	for i := range metrics {
		m := &metrics[i]
		name, container, target := annotations.Usage(m)
		key := map[corev1.ResourceName]string{corev1.ResourceCPU: annotations.TargetCPU, corev1.ResourceMemory: annotations.TargetMemory}[name]
		if target == nil || key == "" || times[usage{name, container}] > 1 || all[key] != "" || isChosen && container != chosen {
			rest = append(rest, *m)
			continue
		}
		value := targetText(name, target)
		if !saysMetric(m, key, value, container) {
			rest = append(rest, *m)
			continue
		}
		chosen, isChosen, all[key] = container, true, value
		if container != "" {
			all[annotations.Container] = container
		}
	}
	return rest
}

// targetText is a target as a short annotation could have it.
func targetText(name corev1.ResourceName, t *autoscalingv2.MetricTarget) string {
	switch {
	case t.AverageUtilization != nil:
		// Above that a number without a sign is asked about.
		if usual := map[corev1.ResourceName]int32{corev1.ResourceCPU: 1000, corev1.ResourceMemory: 100}[name]; *t.AverageUtilization > usual {
			return fmt.Sprintf("%d%%", *t.AverageUtilization)
		}
		return strconv.Itoa(int(*t.AverageUtilization))
	case t.AverageValue == nil || t.AverageValue.Cmp(*resource.NewQuantity(1<<50, resource.BinarySI)) > 0:
		return ""
	case name == corev1.ResourceCPU:
		return fmt.Sprintf("%dm", t.AverageValue.MilliValue())
	}
	for _, format := range []resource.Format{resource.BinarySI, resource.DecimalSI} {
		if text := resource.NewQuantity(t.AverageValue.Value(), format).String(); strings.Trim(text, "0123456789") != "" {
			return text
		}
	}
	return ""
}

// saysMetric says whether a short annotation is read as just this metric, without a warning.
func saysMetric(m *autoscalingv2.MetricSpec, key, value, container string) bool {
	all := map[string]string{key: value, annotations.Max: "2"}
	if container != "" {
		all[annotations.Container] = container
	}
	policy, warnings, problems := annotations.DefaultDefaults().Parse(all)
	return len(warnings)+len(problems) == 0 && len(policy.Metrics) == 1 && equality.Semantic.DeepEqual(&policy.Metrics[0].Spec, m)
}

// AddBehavior adds the annotations of a behavior, which is complete or nil. With one that only says what is usual anyway there is one annotation
// all the same: an HPA without a behavior has other limits, and it is to be seen that this one had one.
func AddBehavior(all map[string]string, b *autoscalingv2.HorizontalPodAutoscalerBehavior) {
	if b == nil {
		return
	}
	short := map[string]string{}
	fits := addRules(short, b.ScaleUp, usualUp(), annotations.ScaleUpStabilization, annotations.ScaleUpPolicies) &&
		addRules(short, b.ScaleDown, usualDown(), annotations.ScaleDownStabilization, annotations.ScaleDownPolicies) && addTolerance(short, b)
	if len(short) == 0 {
		short[annotations.ScaleUpPolicies] = policiesText(usualUp().Policies)
	}
	if !fits || !saysBehavior(b, short) {
		short = map[string]string{annotations.Behavior: document(brief(b))}
	}
	for key, value := range short {
		all[key] = value
	}
}

// addRules adds the short annotations of a direction, and says whether they can say all of it.
func addRules(short map[string]string, r *autoscalingv2.HPAScalingRules, usual autoscalingv2.HPAScalingRules, window, policies string) bool {
	if !equality.Semantic.DeepEqual(r.StabilizationWindowSeconds, usual.StabilizationWindowSeconds) {
		short[window] = durationText(*r.StabilizationWindowSeconds)
	}
	isUsual := slices.Equal(r.Policies, usual.Policies)
	switch *r.SelectPolicy {
	case autoscalingv2.DisabledPolicySelect:
		short[policies] = "disabled"
		return isUsual // others have no effect, and would be lost
	case autoscalingv2.MaxChangePolicySelect:
		if !isUsual {
			short[policies] = policiesText(r.Policies)
		}
		return true
	default:
		return false
	}
}

func addTolerance(short map[string]string, b *autoscalingv2.HorizontalPodAutoscalerBehavior) bool {
	up, down := b.ScaleUp.Tolerance, b.ScaleDown.Tolerance
	switch {
	case up == nil && down == nil:
		return true
	case up == nil || down == nil || up.Cmp(*down) != 0:
		return false
	}
	nano := up.ScaledValue(resource.Nano)
	if short[annotations.Tolerance] = strconv.FormatFloat(float64(nano)/1e9, 'f', 9, 64); nano%1e7 == 0 {
		short[annotations.Tolerance] = fmt.Sprintf("%d%%", nano/1e7)
	}
	return true
}

func durationText(seconds int32) string {
	text := (time.Duration(seconds) * time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func policiesText(policies []autoscalingv2.HPAScalingPolicy) string {
	texts := make([]string, len(policies))
	for i, p := range policies {
		amount := fmt.Sprintf("%d%%", p.Value)
		if p.Type == autoscalingv2.PodsScalingPolicy {
			amount = fmt.Sprintf("%d pod%s", p.Value, strings.Repeat("s", min(max(int(p.Value)-1, 0), 1)))
		}
		texts[i] = amount + "/" + durationText(p.PeriodSeconds)
	}
	return strings.Join(texts, ", ")
}

// saysBehavior says whether short annotations are read as just this behavior. The window of scale-down and the tolerance, where they are not
// set, are the administrator's.
func saysBehavior(b *autoscalingv2.HorizontalPodAutoscalerBehavior, short map[string]string) bool {
	all := map[string]string{annotations.TargetCPU: "50", annotations.Max: "2"}
	for key, value := range short {
		all[key] = value
	}
	defaults := annotations.DefaultDefaults()
	policy, warnings, problems := defaults.Parse(all)
	if len(warnings)+len(problems) > 0 {
		return false
	}
	same := func(want *autoscalingv2.HPAScalingRules, got autoscalingv2.HPAScalingRules, window time.Duration) bool {
		want = completed(want, autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(window / time.Second))})
		if want.Tolerance == nil {
			want.Tolerance = &defaults.Tolerance
		}
		if *got.SelectPolicy == autoscalingv2.DisabledPolicySelect {
			got.Policies = want.Policies
		}
		return equality.Semantic.DeepEqual(want, &got)
	}
	return same(b.ScaleUp, policy.Up, 0) && same(b.ScaleDown, policy.Down, defaults.ScaleDownStabilization)
}

// brief is a behavior without what the API server fills in.
func brief(b *autoscalingv2.HorizontalPodAutoscalerBehavior) *autoscalingv2.HorizontalPodAutoscalerBehavior {
	return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: briefRules(b.ScaleUp, usualUp()), ScaleDown: briefRules(b.ScaleDown, usualDown())}
}

func briefRules(r *autoscalingv2.HPAScalingRules, usual autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	rules := *r
	if equality.Semantic.DeepEqual(r.StabilizationWindowSeconds, usual.StabilizationWindowSeconds) {
		rules.StabilizationWindowSeconds = nil
	}
	if *r.SelectPolicy == *usual.SelectPolicy {
		rules.SelectPolicy = nil
	}
	if slices.Equal(r.Policies, usual.Policies) {
		rules.Policies = nil
	}
	if equality.Semantic.DeepEqual(rules, autoscalingv2.HPAScalingRules{}) {
		return nil
	}
	return &rules
}

// document is YAML.
func document(value any) string {
	text, err := yaml.Marshal(value)
	if err != nil { // what was read can be written
		panic(err)
	}
	return string(text)
}
