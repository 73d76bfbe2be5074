package annotations

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// goodBehavior is a value of the behavior annotation and how it differs from having none. The differences are what
// SetDefaults_HorizontalPodAutoscalerBehavior of the API server makes of the same behavior of an HPA.
type goodBehavior struct {
	name, value string
	want        func(p *Policy)
}

func goodBehaviors() []goodBehavior {
	choose := func(r *autoscalingv2.HPAScalingRules, choice autoscalingv2.ScalingPolicySelect) {
		*r.SelectPolicy = choice
	}
	return []goodBehavior{
		{"empty, as a recorder writes it", `{}`, nil},
		{"directions that are null", `{"scaleUp":null,"scaleDown":null}`, nil},
		{"directions that are empty", `{"scaleUp":{},"scaleDown":{}}`, nil},
		{"fields that are null", `{"scaleUp":{"policies":null,"selectPolicy":null,"tolerance":null,"stabilizationWindowSeconds":null}}`, nil},
		{"one direction, as a recorder writes it", `{"scaleUp":{"stabilizationWindowSeconds":60,"selectPolicy":"Max","policies":[{"type":"Pods","value":5,"periodSeconds":120},{"type":"Percent","value":100,"periodSeconds":15}],"tolerance":"50m"}}`,
			func(p *Policy) {
				*p.Up.StabilizationWindowSeconds, *p.Up.Tolerance = 60, resource.MustParse("0.05")
				p.Up.Policies = []autoscalingv2.HPAScalingPolicy{pods(5, 120), percent(100, 15)}
			}},
		{"parts of both, as a recorder writes them", `{"scaleUp":{"policies":[{"type":"Pods","value":6,"periodSeconds":10}],"tolerance":"50m"},"scaleDown":{"stabilizationWindowSeconds":300,"policies":[{"type":"Pods","value":4,"periodSeconds":60}],"tolerance":"0"}}`,
			func(p *Policy) {
				*p.Up.Tolerance, *p.Down.Tolerance = resource.MustParse("0.05"), resource.MustParse("0")
				p.Up.Policies = []autoscalingv2.HPAScalingPolicy{pods(6, 10)}
				p.Down.Policies = []autoscalingv2.HPAScalingPolicy{pods(4, 60)}
			}},
		{"other parts, as a recorder writes them", `{"scaleUp":{"policies":[{"type":"Pods","value":4,"periodSeconds":10}]},"scaleDown":{"stabilizationWindowSeconds":30,"selectPolicy":"Max"}}`,
			func(p *Policy) {
				p.Up.Policies, *p.Down.StabilizationWindowSeconds = []autoscalingv2.HPAScalingPolicy{pods(4, 10)}, 30
			}},
		{"the example", exampleBehavior, func(p *Policy) {
			*p.Up.StabilizationWindowSeconds, *p.Down.StabilizationWindowSeconds = 30, 120
			choose(&p.Down, autoscalingv2.MinChangePolicySelect)
			p.Down.Policies = []autoscalingv2.HPAScalingPolicy{pods(2, 60), percent(10, 60)}
			*p.Down.Tolerance = resource.MustParse("0.05")
		}},
		{"windows at their limits", `{"scaleUp":{"stabilizationWindowSeconds":3600},"scaleDown":{"stabilizationWindowSeconds":0}}`,
			func(p *Policy) { *p.Up.StabilizationWindowSeconds, *p.Down.StabilizationWindowSeconds = 3600, 0 }},
		{"policies at their limits", `{"scaleUp":{"policies":[{"type":"Percent","value":2147483647,"periodSeconds":1800},{"type":"Pods","value":1,"periodSeconds":1}]}}`,
			func(p *Policy) {
				p.Up.Policies = []autoscalingv2.HPAScalingPolicy{percent(2147483647, 1800), pods(1, 1)}
			}},
		{"tolerances at their limits", `{"scaleUp":{"tolerance":0},"scaleDown":{"tolerance":"1e99"}}`,
			func(p *Policy) {
				*p.Up.Tolerance, *p.Down.Tolerance = resource.MustParse("0"), resource.MustParse("1e99")
			}},
		{"a disabled direction keeps the default policies", "scaleDown:\n  selectPolicy: Disabled\n",
			func(p *Policy) { choose(&p.Down, autoscalingv2.DisabledPolicySelect) }},
		{"a disabled direction with policies", `{"scaleDown":{"selectPolicy":"Disabled","policies":[{"type":"Pods","value":1,"periodSeconds":1}]}}`,
			func(p *Policy) {
				choose(&p.Down, autoscalingv2.DisabledPolicySelect)
				p.Down.Policies = []autoscalingv2.HPAScalingPolicy{pods(1, 1)}
			}},
		{"YAML on one line", "{scaleUp: {selectPolicy: Min}}", func(p *Policy) { choose(&p.Up, autoscalingv2.MinChangePolicySelect) }},
	}
}

func TestGoodBehaviors(t *testing.T) {
	for _, tc := range goodBehaviors() {
		t.Run(tc.name, func(t *testing.T) {
			got, warnings, errs := parse(basic(map[string]string{Behavior: tc.value}))
			if diff := cmp.Diff(basicPolicy(tc.want), got); diff != "" || len(errs)+len(warnings) > 0 {
				t.Errorf("errors %v, warnings %v, policy (-want +got):\n%s", errs, warnings, diff)
			}
		})
	}
}

// TestNothingMayChange: where both directions are disabled, the number of replicas is as fixed as where min is max.
func TestNothingMayChange(t *testing.T) {
	const both = "{scaleUp: {selectPolicy: Disabled}, scaleDown: {selectPolicy: Disabled}}"
	said := func(key string) string {
		return "metadata.annotations[" + key + "]: scaling is disabled both up and down, so the replicas never change while they are from mini-hpa/min to mini-hpa/max"
	}
	for name, tc := range map[string]struct {
		pairs map[string]string
		want  string
	}{
		"in short":               {map[string]string{ScaleUpPolicies: "disabled", ScaleDownPolicies: "disabled"}, said(ScaleUpPolicies)},
		"in full":                {map[string]string{Behavior: both}, said(Behavior)},
		"one in full":            {map[string]string{Behavior: "{scaleUp: {selectPolicy: Disabled}}", ScaleDownPolicies: "disabled"}, said(Behavior)},
		"min is max besides":     {map[string]string{Behavior: both, Min: "10"}, "metadata.annotations[mini-hpa/max]: equals mini-hpa/min (10), so the replicas never change"},
		"only up":                {map[string]string{ScaleUpPolicies: "disabled"}, ""},
		"only down":              {map[string]string{ScaleDownPolicies: "disabled"}, ""},
		"a schedule changes it":  {map[string]string{Behavior: both, ScheduleKey: "daily 08:00-18:00 min=5"}, ""},
		"a min that is unread":   {map[string]string{Behavior: both, Min: "few"}, ""},
		"it would never wake up": {map[string]string{Behavior: both, Min: "0", Metrics: lag}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, _ := parse(basic(tc.pairs))
			if tc.want == "" && len(warnings) == 0 {
				return
			}
			if len(warnings) != 1 || warnings[0].String() != tc.want || warnings[0].Rule != FoundFixedReplicas {
				t.Errorf("%v, want %q", warnings, tc.want)
			}
		})
	}
}

// TestBehaviorKeepsTheOperatorsDefaults: like an HPA, what is left out comes from the controller's flags.
func TestBehaviorKeepsTheOperatorsDefaults(t *testing.T) {
	d := DefaultDefaults()
	d.Tolerance, d.ScaleDownStabilization = resource.MustParse("0.2"), 90*time.Second
	all := basic(map[string]string{Behavior: `{"scaleUp":{"tolerance":"0.3"},"scaleDown":{"selectPolicy":"Min"}}`})
	want := basicPolicy(func(p *Policy) {
		*p.Up.Tolerance, *p.Down.Tolerance = resource.MustParse("0.3"), resource.MustParse("0.2")
		*p.Down.StabilizationWindowSeconds, *p.Down.SelectPolicy = 90, autoscalingv2.MinChangePolicySelect
	})
	got, _, errs := d.Parse(all)
	if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
		t.Errorf("errors %v, policy (-want +got):\n%s", errs, diff)
	}
}

func badBehaviors() []badDocument {
	return []badDocument{
		{"a list", "- scaleUp", []string{
			`: Invalid value: "- scaleUp": must be an autoscaling/v2 HorizontalPodAutoscalerBehavior in YAML or JSON, the same as in the spec.behavior of an HPA`,
		}},
		{"null", "~", []string{
			`: Invalid value: "~": must be an autoscaling/v2 HorizontalPodAutoscalerBehavior in YAML or JSON, the same as in the spec.behavior of an HPA`,
		}},
		{"an unknown field and a misspelt case", `{"scaleup":{},"scaleDown":{"tolerances":1}}`, []string{
			`: Invalid value: "scaleup": is not a field here; must be one of "scaleUp", "scaleDown"`,
			`.scaleDown: Invalid value: "tolerances": is not a field here; must be one of "stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"`,
		}},
		{"a field twice", `{"scaleUp":{},"scaleUp":{}}`, []string{
			`: Invalid value: "scaleUp": is there twice`,
		}},
		{"rules that are a list", `{"scaleUp":[]}`, []string{
			`.scaleUp: Invalid value: "a list": must be a mapping of "stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"`,
		}},
		{"windows out of their range", `{"scaleUp":{"stabilizationWindowSeconds":-1},"scaleDown":{"stabilizationWindowSeconds":3601}}`, []string{
			`.scaleUp.stabilizationWindowSeconds: Invalid value: -1: must be from 0 to 3600`,
			`.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be from 0 to 3600`,
		}},
		{"windows that are no numbers", `{"scaleUp":{"stabilizationWindowSeconds":"30"},"scaleDown":{"stabilizationWindowSeconds":"5m"}}`, []string{
			`.scaleUp.stabilizationWindowSeconds: Invalid value: "30": must be a whole number up to 2147483647, without quotes`,
			`.scaleDown.stabilizationWindowSeconds: Invalid value: "5m": must be a whole number up to 2147483647, without quotes`,
		}},
		{"an unknown choice", `{"scaleUp":{"selectPolicy":"max"},"scaleDown":{"selectPolicy":""}}`, []string{
			`.scaleUp.selectPolicy: Invalid value: "max": must be one of "Disabled", "Max", "Min"`,
			`.scaleDown.selectPolicy: Invalid value: "": must be one of "Disabled", "Max", "Min"`,
		}},
		{"no policies", `{"scaleUp":{"policies":[]},"scaleDown":{"selectPolicy":"Disabled","policies":[]}}`, []string{
			`.scaleUp.policies: Required value: must hold at least one policy; remove it for the default ones`,
			`.scaleDown.policies: Required value: must hold at least one policy; remove it for the default ones`,
		}},
		{"a policy without anything", `{"scaleUp":{"policies":[{}]}}`, []string{
			`.scaleUp.policies[0].type: Invalid value: "": must be one of "Percent", "Pods"`,
			`.scaleUp.policies[0].value: Invalid value: 0: must be above 0`,
			`.scaleUp.policies[0].periodSeconds: Invalid value: 0: must be from 1 to 1800`,
		}},
		{"policies out of their range", `{"scaleUp":{"policies":[{"type":"Pods","value":0,"periodSeconds":0},{"type":"Percent","value":-1,"periodSeconds":1801},{"type":"pods","value":1,"periodSeconds":1}]}}`, []string{
			`.scaleUp.policies[0].value: Invalid value: 0: must be above 0`,
			`.scaleUp.policies[0].periodSeconds: Invalid value: 0: must be from 1 to 1800`,
			`.scaleUp.policies[1].value: Invalid value: -1: must be above 0`,
			`.scaleUp.policies[1].periodSeconds: Invalid value: 1801: must be from 1 to 1800`,
			`.scaleUp.policies[2].type: Invalid value: "pods": must be one of "Percent", "Pods"`,
		}},
		{"policies of the wrong kind", `{"scaleUp":{"policies":[{"type":"Pods","value":"4","periodSeconds":15.5},"4 pods/15s"]}}`, []string{
			`.scaleUp.policies[0].value: Invalid value: "4": must be a whole number up to 2147483647, without quotes`,
			`.scaleUp.policies[0].periodSeconds: Invalid value: "15.5": must be a whole number up to 2147483647, without quotes`,
			`.scaleUp.policies[1]: Invalid value: "4 pods/15s": must be a mapping of "type", "value", "periodSeconds"`,
		}},
		{"policies as the short annotation has them", "scaleUp:\n  policies: 4 pods/15s", []string{
			`.scaleUp.policies: Invalid value: "4 pods/15s": must be a list`,
		}},
		{"tolerances out of their range", `{"scaleUp":{"tolerance":"-100m"},"scaleDown":{"tolerance":-1}}`, []string{
			`.scaleUp.tolerance: Invalid value: "-100m": must not be below 0; it is a fraction such as "0.1"`,
			`.scaleDown.tolerance: Invalid value: "-1": must not be below 0; it is a fraction such as "0.1"`,
		}},
		{"tolerances that are no quantities", `{"scaleUp":{"tolerance":"10%"},"scaleDown":{"tolerance":"1e9999"}}`, []string{
			`.scaleUp.tolerance: Invalid value: "10%": must be a quantity such as "500m", "40" or "1Gi"`,
			`.scaleDown.tolerance: Invalid value: "1e9999": must be at most 64 bytes long, with an exponent of at most 2 digits`,
		}},
		{"an alias", "scaleUp: &up {tolerance: 0}\nscaleDown: *up", []string{
			`: Invalid value: "scaleUp: &up {tolerance: 0} scaleDown: *up": must not use YAML anchors, aliases or merges ("&", "*" or "<<" without quotes)`,
		}},
		{"two documents", "scaleUp: {}\n---\nscaleDown: {}", []string{
			`: Invalid value: "scaleUp: {} --- scaleDown: {}": must be a single YAML document`,
		}},
	}
}

func TestBadBehaviors(t *testing.T) {
	for _, tc := range badBehaviors() {
		t.Run(tc.name, func(t *testing.T) { mustRefuse(t, Behavior, tc) })
	}
}
