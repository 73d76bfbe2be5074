package annotations

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// parse reads annotations with DefaultDefaults.
func parse(annotations map[string]string) (Policy, []Warning, field.ErrorList) {
	return DefaultDefaults().Parse(annotations)
}

// basic is the smallest set of annotations that is valid.
func basic(more map[string]string) map[string]string {
	all := map[string]string{TargetCPU: "50", Max: "10"}
	maps.Copy(all, more)
	return all
}

// basicPolicy is what basic means, written out in full.
func basicPolicy(change func(p *Policy)) Policy {
	p := Policy{
		Min:     1,
		Max:     10,
		Metrics: MetricsOf([]autoscalingv2.MetricSpec{utilization(corev1.ResourceCPU, 50)}),
		Up: autoscalingv2.HPAScalingRules{
			StabilizationWindowSeconds: new(int32(0)),
			SelectPolicy:               new(autoscalingv2.MaxChangePolicySelect),
			Policies:                   []autoscalingv2.HPAScalingPolicy{pods(4, 15), percent(100, 15)},
			Tolerance:                  new(resource.MustParse("0.1")),
		},
		Down: autoscalingv2.HPAScalingRules{
			StabilizationWindowSeconds: new(int32(300)),
			SelectPolicy:               new(autoscalingv2.MaxChangePolicySelect),
			Policies:                   []autoscalingv2.HPAScalingPolicy{percent(100, 15)},
			Tolerance:                  new(resource.MustParse("0.1")),
		},
		Mode:         ModeAuto,
		WakeReplicas: 1,
		SyncPeriod:   15 * time.Second,
	}
	if change != nil {
		change(&p)
	}
	return p
}

func pods(value, period int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: value, PeriodSeconds: period}
}

func percent(value, period int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: value, PeriodSeconds: period}
}

func utilization(name corev1.ResourceName, percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricSource{
			Name:   name,
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
		},
	}
}

func average(name corev1.ResourceName, amount string) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricSource{
			Name: name,
			Target: autoscalingv2.MetricTarget{
				Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse(amount)),
			},
		},
	}
}

// ofContainer turns a Resource metric into the same for one container.
func ofContainer(name string, m autoscalingv2.MetricSpec) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ContainerResourceMetricSourceType,
		ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
			Name: m.Resource.Name, Container: name, Target: m.Resource.Target,
		},
	}
}

func metrics(want ...autoscalingv2.MetricSpec) func(*Policy) {
	return func(p *Policy) { p.Metrics = MetricsOf(want) }
}

func TestParseGoodValues(t *testing.T) {
	cpu, memory := corev1.ResourceCPU, corev1.ResourceMemory
	tests := map[string]struct {
		annotations map[string]string
		want        func(p *Policy)
	}{
		"the smallest set":                   {nil, nil},
		"target-cpu as a plain percent":      {map[string]string{TargetCPU: "75"}, metrics(utilization(cpu, 75))},
		"target-cpu with a percent sign":     {map[string]string{TargetCPU: "75%"}, metrics(utilization(cpu, 75))},
		"target-cpu above its request":       {map[string]string{TargetCPU: "250"}, metrics(utilization(cpu, 250))},
		"target-cpu far above its request":   {map[string]string{TargetCPU: "2000%"}, metrics(utilization(cpu, 2000))},
		"target-cpu as an amount":            {map[string]string{TargetCPU: "250m"}, metrics(average(cpu, "250m"))},
		"target-cpu as the largest amount":   {map[string]string{TargetCPU: "1000000000m"}, metrics(average(cpu, "1M"))},
		"target-cpu as the smallest amount":  {map[string]string{TargetCPU: "1m"}, metrics(average(cpu, "1m"))},
		"target-memory beside target-cpu":    {map[string]string{TargetMemory: "70%"}, metrics(utilization(cpu, 50), utilization(memory, 70))},
		"target-memory plain is a percent":   {map[string]string{TargetMemory: "100"}, metrics(utilization(cpu, 50), utilization(memory, 100))},
		"target-memory as a binary amount":   {map[string]string{TargetMemory: "512Mi"}, metrics(utilization(cpu, 50), average(memory, "512Mi"))},
		"target-memory as a decimal amount":  {map[string]string{TargetMemory: "2G"}, metrics(utilization(cpu, 50), average(memory, "2000M"))},
		"target-memory with a fraction":      {map[string]string{TargetMemory: "1.5Gi"}, metrics(utilization(cpu, 50), average(memory, "1536Mi"))},
		"target-memory as the largest":       {map[string]string{TargetMemory: "1Pi"}, metrics(utilization(cpu, 50), average(memory, "1Pi"))},
		"target-memory in petabytes":         {map[string]string{TargetMemory: "0.5P"}, metrics(utilization(cpu, 50), average(memory, "500T"))},
		"container measures both targets":    {map[string]string{TargetMemory: "1Ki", Container: "app"}, metrics(ofContainer("app", utilization(cpu, 50)), ofContainer("app", average(memory, "1Ki")))},
		"class, of which nothing is decided": {map[string]string{ClassKey: "batch"}, nil},
		"min":                                {map[string]string{Min: "9"}, func(p *Policy) { p.Min = 9 }},
		"min with leading zeros is decimal":  {map[string]string{Min: "010", Max: "11"}, func(p *Policy) { p.Min, p.Max = 10, 11 }},
		"max at the end of int32":            {map[string]string{Max: "2147483647"}, func(p *Policy) { p.Max = 2147483647 }},
		"tolerance as a percent":             {map[string]string{Tolerance: "5%"}, tolerance("50m")},
		"tolerance as a fraction":            {map[string]string{Tolerance: "0.05"}, tolerance("50m")},
		"tolerance with nine decimals":       {map[string]string{Tolerance: "0.000000001"}, tolerance("1n")},
		"tolerance of a whole target":        {map[string]string{Tolerance: "1.0"}, tolerance("1")},
		"tolerance zero":                     {map[string]string{Tolerance: "0"}, tolerance("0")},
		"tolerance zero percent":             {map[string]string{Tolerance: "0%"}, tolerance("0")},
		"tolerance at its largest":           {map[string]string{Tolerance: "1000000%"}, tolerance("10000")},
		"scale-up-stabilization":             {map[string]string{ScaleUpStabilization: "90s"}, func(p *Policy) { *p.Up.StabilizationWindowSeconds = 90 }},
		"scale-up-stabilization at its end":  {map[string]string{ScaleUpStabilization: "1h"}, func(p *Policy) { *p.Up.StabilizationWindowSeconds = 3600 }},
		"scale-down-stabilization of zero":   {map[string]string{ScaleDownStabilization: "0s"}, func(p *Policy) { *p.Down.StabilizationWindowSeconds = 0 }},
		"scale-down-stabilization, fraction": {map[string]string{ScaleDownStabilization: "1.5m"}, func(p *Policy) { *p.Down.StabilizationWindowSeconds = 90 }},
		"scale-up-policies":                  {map[string]string{ScaleUpPolicies: "2 pods/30s,50%/1m"}, func(p *Policy) { p.Up.Policies = []autoscalingv2.HPAScalingPolicy{pods(2, 30), percent(50, 60)} }},
		"scale-up-policies at their limits": {map[string]string{ScaleUpPolicies: "2147483647% / 30m , 1 pod / 1s"}, func(p *Policy) {
			p.Up.Policies = []autoscalingv2.HPAScalingPolicy{percent(2147483647, 1800), pods(1, 1)}
		}},
		"scale-up-policies disabled":        {map[string]string{ScaleUpPolicies: "disabled"}, func(p *Policy) { off(&p.Up) }},
		"scale-down-policies":               {map[string]string{ScaleDownPolicies: "1 pods/60s"}, func(p *Policy) { p.Down.Policies = []autoscalingv2.HPAScalingPolicy{pods(1, 60)} }},
		"scale-down-policies, singular":     {map[string]string{ScaleDownPolicies: "1 pod/60s"}, func(p *Policy) { p.Down.Policies = []autoscalingv2.HPAScalingPolicy{pods(1, 60)} }},
		"scale-down-policies disabled":      {map[string]string{ScaleDownPolicies: "disabled"}, func(p *Policy) { off(&p.Down) }},
		"warm-up":                           {map[string]string{WarmUp: "90s"}, func(p *Policy) { p.WarmUp = 90 * time.Second }},
		"no warm-up":                        {map[string]string{WarmUp: "0s"}, nil},
		"the longest warm-up":               {map[string]string{WarmUp: "30m"}, func(p *Policy) { p.WarmUp = 30 * time.Minute }},
		"sync-period":                       {map[string]string{SyncPeriod: "5s"}, func(p *Policy) { p.SyncPeriod = 5 * time.Second }},
		"sync-period at the floor":          {map[string]string{SyncPeriod: "1s"}, func(p *Policy) { p.SyncPeriod = time.Second }},
		"sync-period in parts of a second":  {map[string]string{SyncPeriod: "1500ms"}, func(p *Policy) { p.SyncPeriod = 1500 * time.Millisecond }},
		"mode observe":                      {map[string]string{ModeKey: "observe"}, func(p *Policy) { p.Mode = ModeObserve }},
		"mode paused":                       {map[string]string{ModeKey: "paused"}, func(p *Policy) { p.Mode = ModePaused }},
		"annotations of others are skipped": {map[string]string{"mini-hpa.io/max": "x", "min": "\x00", "": ""}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings, errs := parse(basic(tc.annotations))
			if diff := cmp.Diff(basicPolicy(tc.want), got); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if len(warnings) > 0 || len(errs) > 0 {
				t.Errorf("want no problems, got warnings %v and errors %v", warnings, errs)
			}
		})
	}
}

func tolerance(amount string) func(*Policy) {
	return func(p *Policy) {
		p.Up.Tolerance, p.Down.Tolerance = new(resource.MustParse(amount)), new(resource.MustParse(amount))
	}
}

func off(r *autoscalingv2.HPAScalingRules) {
	*r.SelectPolicy, r.Policies = autoscalingv2.DisabledPolicySelect, []autoscalingv2.HPAScalingPolicy{}
}

// texts are the lines a user reads.
func texts(errs field.ErrorList) []string {
	var lines []string
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	return lines
}

func TestParseReportsEverythingAtOnce(t *testing.T) {
	annotations := map[string]string{
		TargetCPU: "fast", TargetMemory: "0", Container: "App", Min: "no", Max: "+5", Metrics: "[]", Behavior: "[]",
		Tolerance: "10", ScaleUpStabilization: "5", ScaleDownStabilization: "2h", ScaleUpPolicies: "0 pods/15s, all",
		ScaleDownPolicies: "1 pod/31m", WarmUp: "90", SyncPeriod: "1ms", ModeKey: "off", "mini-hpa/maxx": "3",
	}
	policy, warnings, errs := parse(annotations)

	if diff := cmp.Diff(Policy{}, policy, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a policy came with errors (-want +got):\n%s", diff)
	}
	want := map[string]int{
		TargetCPU: 1, TargetMemory: 1, Container: 1, Min: 1, Max: 1, Metrics: 1, Behavior: 1, Tolerance: 1,
		ScaleUpStabilization: 1, ScaleDownStabilization: 1, ScaleUpPolicies: 2, ScaleDownPolicies: 1, WarmUp: 1, SyncPeriod: 1, ModeKey: 1,
	}
	got := map[string]int{}
	for i, err := range errs {
		got[keyOf(t, err)]++
		if i > 0 && keyOf(t, errs[i-1]) > keyOf(t, err) {
			t.Errorf("%s comes after %s", err.Field, errs[i-1].Field)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors for each key (-want +got):\n%s", diff)
	}
	if len(warnings) != 1 {
		t.Errorf("want one warning beside the errors, got %v", warnings)
	}
}

// keyOf returns the annotation that an error is about, and fails if there is none.
func keyOf(t *testing.T, err *field.Error) string {
	t.Helper()
	for _, key := range Rows() {
		if rest, ok := strings.CutPrefix(err.Field, "metadata.annotations["+key.Name+"]"); ok && (rest == "" || key.document) {
			return key.Name
		}
	}
	t.Errorf("no key is named by %v", err)
	return ""
}

func TestParseSharesNothing(t *testing.T) {
	annotations := basic(map[string]string{TargetMemory: "512Mi", Tolerance: "0.2", ScaleDownPolicies: "1 pod/60s"})
	before := maps.Clone(annotations)
	defaults := DefaultDefaults()
	first, _, _ := defaults.Parse(annotations)
	second, _, _ := defaults.Parse(annotations)
	want := *first.Metrics[1].Spec.Resource.DeepCopy()

	for _, r := range []autoscalingv2.HPAScalingRules{first.Up, first.Down} {
		*r.StabilizationWindowSeconds = 7
		*r.SelectPolicy = autoscalingv2.MinChangePolicySelect
		r.Policies[0].Value = 7
	}
	first.Up.Tolerance.Add(resource.MustParse("7"))
	first.Metrics[1].Spec.Resource.Target.AverageValue.Add(resource.MustParse("7"))
	*first.Metrics[0].Spec.Resource.Target.AverageUtilization = 7

	third, _, _ := defaults.Parse(annotations)
	if diff := cmp.Diff(third, second); diff != "" {
		t.Errorf("writing to one policy changed another:\n%s", diff)
	}
	if diff := cmp.Diff(&want, second.Metrics[1].Spec.Resource); diff != "" {
		t.Errorf("writing to one policy changed another:\n%s", diff)
	}
	if got := first.Down.Tolerance.String(); got != "200m" {
		t.Errorf("the directions share a tolerance: %s", got)
	}
	if diff := cmp.Diff(before, annotations); diff != "" {
		t.Errorf("Parse wrote to its input:\n%s", diff)
	}
}

func TestParseTakesEveryMemoryUnit(t *testing.T) {
	for _, unit := range memoryUnits {
		policy, _, errs := parse(map[string]string{TargetMemory: "0.25" + unit, Max: "1"})
		want := []autoscalingv2.MetricSpec{average(corev1.ResourceMemory, "0.25"+unit)}
		if diff := cmp.Diff(MetricsOf(want), policy.Metrics); diff != "" || len(errs) > 0 {
			t.Errorf("%s: errors %v, metrics (-want +got):\n%s", unit, errs, diff)
		}
	}
}

func TestSelected(t *testing.T) {
	tests := map[string]struct {
		annotations map[string]string
		want        bool
	}{
		"none":            {nil, false},
		"others":          {map[string]string{"mini-hpa": "1", "mini-hpa.io/max": "1", "x/mini-hpa/max": "1"}, false},
		"one of ours":     {map[string]string{"a": "b", Max: "10"}, true},
		"a misspelt one":  {map[string]string{"mini-hpa/macks": "10"}, true},
		"one that is bad": {map[string]string{Max: ""}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Selected(tc.annotations); got != tc.want {
				t.Errorf("Selected(%v) = %v", tc.annotations, got)
			}
		})
	}
}
