package hpa

import (
	"cmp"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

func cpu(percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU,
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent}}}
}

// Default fills in what the API server does (pkg/apis/autoscaling/v2/defaults.go): one replica at least, 80 % of the CPU request where there is no
// metric, and of a behavior all but the window of scale-down and the tolerances, which are flags of the controller.
func Default(o *autoscalingv2.HorizontalPodAutoscaler) {
	o.APIVersion, o.Kind = autoscalingv2.SchemeGroupVersion.String(), "HorizontalPodAutoscaler"
	if o.Spec.MinReplicas == nil {
		o.Spec.MinReplicas = new(int32(1))
	}
	if len(o.Spec.Metrics) == 0 {
		o.Spec.Metrics = []autoscalingv2.MetricSpec{cpu(80)}
	}
	if b := o.Spec.Behavior; b != nil {
		b.ScaleUp, b.ScaleDown = completed(b.ScaleUp, usualUp()), completed(b.ScaleDown, usualDown())
	}
}

// completed are rules with what they leave out.
func completed(r *autoscalingv2.HPAScalingRules, usual autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	if r == nil {
		return &usual
	}
	usual.StabilizationWindowSeconds = cmp.Or(r.StabilizationWindowSeconds, usual.StabilizationWindowSeconds)
	usual.SelectPolicy = cmp.Or(r.SelectPolicy, usual.SelectPolicy)
	usual.Tolerance = r.Tolerance
	if r.Policies != nil {
		usual.Policies = r.Policies
	}
	return &usual
}

// usualUp and usualDown are GenerateHPAScaleUpRules and GenerateHPAScaleDownRules of the API server.
func usualUp() autoscalingv2.HPAScalingRules {
	return autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(0)), SelectPolicy: new(autoscalingv2.MaxChangePolicySelect),
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
		}}
}

func usualDown() autoscalingv2.HPAScalingRules {
	return autoscalingv2.HPAScalingRules{SelectPolicy: new(autoscalingv2.MaxChangePolicySelect),
		Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}}}
}
