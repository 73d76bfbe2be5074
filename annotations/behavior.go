package annotations

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	policySelects = [...]autoscalingv2.ScalingPolicySelect{
		autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect,
	}
	policyTypes = [...]autoscalingv2.HPAScalingPolicyType{
		autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy,
	}
)

// setBehavior reads a HorizontalPodAutoscalerBehavior and holds it to the rules that the API server has for an HPA
// (validateBehavior of its autoscaling validation). What it leaves out keeps its default.
func setBehavior(p *draft, value string) error {
	tree, err := p.documents.read(value)
	if err != nil {
		return err
	}
	if _, ok := tree.(object); !ok {
		return errors.New("must be an autoscaling/v2 HorizontalPodAutoscalerBehavior in YAML or JSON, the same as in the spec.behavior of an HPA")
	}
	p.behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	found := len(p.errs)
	if p.fill(reflect.ValueOf(p.behavior).Elem(), tree, Path(Behavior)); len(p.errs) > found {
		return nil
	}
	p.setRules(p.behavior.ScaleUp, &p.up, Path(Behavior).Child("scaleUp"))
	p.setRules(p.behavior.ScaleDown, &p.down, Path(Behavior).Child("scaleDown"))
	return nil
}

// setRules takes over what the rules of one direction set, and checks it. What they leave out keeps its default, as in
// GenerateHPAScaleUpRules and GenerateHPAScaleDownRules of the API server.
func (p *draft) setRules(from *autoscalingv2.HPAScalingRules, to *rules, at *field.Path) {
	if from == nil {
		return
	}
	if from.StabilizationWindowSeconds != nil {
		to.window = *from.StabilizationWindowSeconds
	}
	if from.SelectPolicy != nil {
		to.choice = *from.SelectPolicy
	}
	if from.Tolerance != nil {
		to.tolerance = *from.Tolerance
	}
	if from.Policies != nil {
		to.policies = from.Policies
		p.checkPolicies(from.Policies, at.Child("policies"))
	}
	p.checkRules(from, at)
}

func (p *draft) checkRules(r *autoscalingv2.HPAScalingRules, at *field.Path) {
	if window := r.StabilizationWindowSeconds; window != nil && (*window < 0 || *window > int32(maxStabilization/time.Second)) {
		p.wrong(at.Child("stabilizationWindowSeconds"), *window, fmt.Sprintf("must be from 0 to %d", maxStabilization/time.Second))
	}
	if choice := r.SelectPolicy; choice != nil && !slices.Contains(policySelects[:], *choice) {
		p.wrong(at.Child("selectPolicy"), string(*choice), "must be one of "+alternatives(policySelects[:]))
	}
	if tolerance := r.Tolerance; tolerance != nil && tolerance.Sign() < 0 {
		p.wrong(at.Child("tolerance"), tolerance.String(), `must not be below 0; it is a fraction such as "0.1"`)
	}
}

func (p *draft) checkPolicies(policies []autoscalingv2.HPAScalingPolicy, at *field.Path) {
	if len(policies) == 0 {
		p.absent(at, "must hold at least one policy; remove it for the default ones")
	}
	for i := range policies {
		policy, at := &policies[i], at.Index(i)
		if !slices.Contains(policyTypes[:], policy.Type) {
			p.wrong(at.Child("type"), string(policy.Type), "must be one of "+alternatives(policyTypes[:]))
		}
		if policy.Value <= 0 {
			p.wrong(at.Child("value"), policy.Value, "must be above 0")
		}
		if policy.PeriodSeconds <= 0 || policy.PeriodSeconds > int32(maxPolicyPeriod/time.Second) {
			p.wrong(at.Child("periodSeconds"), policy.PeriodSeconds, fmt.Sprintf("must be from 1 to %d", maxPolicyPeriod/time.Second))
		}
	}
}
