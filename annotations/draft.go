package annotations

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// draft is a Policy in the making.
type draft struct {
	*backing
	min, max   int32
	mode       Mode
	warmUp     time.Duration
	sleepAfter time.Duration
	wake       int32
	fallback   Fallback
	schedule   schedule.Schedule
	syncPeriod time.Duration
	minSync    time.Duration
	container  string
	// specs and behavior are what the documents say; nil without one that could be read.
	specs    []autoscalingv2.MetricSpec
	behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
	// lines are the metrics of mini-hpa/sources; nil without one that could be read.
	lines []Metric
	// wakes is what mini-hpa/wake says, and requests its metric; nil without one that could be read.
	wakes    Wake
	requests *Metric
	// measured says that a metric was asked for, readable or not.
	measured bool
	// key is the annotation that is being read, for warnings.
	key      string
	errs     field.ErrorList
	warnings []Warning
	// documents are the Defaults'.
	documents *documents
}

// backing is the memory that the finished policy's pointers refer to, so that a parse costs few allocations. It is all that stays of a draft.
type backing struct {
	cpu, memory target
	up, down    rules
}

func (p *draft) policy() Policy {
	return Policy{
		Min:          p.min,
		Max:          p.max,
		Schedule:     p.schedule,
		Metrics:      p.metrics(),
		Up:           p.up.scaling(defaultScaleUp),
		Down:         p.down.scaling(defaultScaleDown),
		Mode:         p.mode,
		WarmUp:       p.warmUp,
		SleepAfter:   p.sleepAfter,
		WakeReplicas: p.wake,
		Wake:         p.wakes,
		Fallback:     p.fallback,
		SyncPeriod:   p.syncPeriod,
	}
}

func (p *draft) metrics() []Metric {
	all := make([]Metric, 0, 3+len(p.specs)+len(p.lines))
	for _, t := range []*target{&p.cpu, &p.memory} {
		if t.kind != "" {
			all = append(all, Metric{Spec: t.spec(p.container)})
		}
	}
	for i := range p.specs {
		all = append(all, Metric{Spec: p.specs[i]})
	}
	all = append(all, p.lines...)
	if p.requests != nil {
		all = append(all, *p.requests)
	}
	identify(all)
	return all
}

// target is what one of the target annotations asks for. Its kind is empty if the annotation is not set.
type target struct {
	kind     autoscalingv2.MetricTargetType
	resource corev1.ResourceName
	percent  int32
	amount   resource.Quantity
}

// spec renders the target in autoscaling/v2; its pointers refer into t.
func (t *target) spec(container string) autoscalingv2.MetricSpec {
	want := autoscalingv2.MetricTarget{Type: t.kind}
	if t.kind == autoscalingv2.UtilizationMetricType {
		want.AverageUtilization = &t.percent
	} else {
		want.AverageValue = &t.amount
	}
	if container == "" {
		return autoscalingv2.MetricSpec{
			Type:     autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: t.resource, Target: want},
		}
	}
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ContainerResourceMetricSourceType,
		ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
			Name: t.resource, Container: container, Target: want,
		},
	}
}

// rules is the memory behind one direction's HPAScalingRules.
type rules struct {
	window    int32
	choice    autoscalingv2.ScalingPolicySelect
	tolerance resource.Quantity
	policies  []autoscalingv2.HPAScalingPolicy
}

func newRules(tolerance resource.Quantity, window time.Duration) rules {
	return rules{
		window:    int32(min(window/time.Second, math.MaxInt32)),
		choice:    autoscalingv2.MaxChangePolicySelect,
		tolerance: tolerance.DeepCopy(),
	}
}

// scaling renders the rules in autoscaling/v2; its pointers refer into r.
func (r *rules) scaling(standard func() []autoscalingv2.HPAScalingPolicy) autoscalingv2.HPAScalingRules {
	if r.policies == nil {
		r.policies = standard()
	}
	return autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: &r.window,
		SelectPolicy:               &r.choice,
		Policies:                   r.policies,
		Tolerance:                  &r.tolerance,
	}
}

// defaultScaleUp is what the HPA fills in: GenerateHPAScaleUpRules of autoscaling/v2.
func defaultScaleUp() []autoscalingv2.HPAScalingPolicy {
	return []autoscalingv2.HPAScalingPolicy{
		{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
		{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
	}
}

// defaultScaleDown is what the HPA fills in: GenerateHPAScaleDownRules of autoscaling/v2.
func defaultScaleDown() []autoscalingv2.HPAScalingPolicy {
	return []autoscalingv2.HPAScalingPolicy{
		{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
	}
}

// wrong is about an annotation or a part of the document in it; value is text of the user or a number.
func (p *draft) wrong(at *field.Path, value any, allowed string) {
	if text, ok := value.(string); ok {
		value = clean(text, shown)
	}
	p.errs = append(p.errs, field.Invalid(at, value, allowed))
}

func (p *draft) absent(at *field.Path, allowed string) {
	p.errs = append(p.errs, field.Required(at, allowed))
}

func (p *draft) forbid(at *field.Path, why string) {
	p.errs = append(p.errs, field.Forbidden(at, why))
}

// cut counts the problems of an annotation, from the given one on, instead of telling thousands.
func (p *draft) cut(key string, from int) {
	if more := len(p.errs) - from - maxProblems; more > 0 {
		p.errs = p.errs[:from+maxProblems]
		p.forbid(Path(key), fmt.Sprintf("has %d more problems", more))
	}
}

// warnAt is about a part of the document that is being read.
func (p *draft) warnAt(at *field.Path, message string) {
	p.warn(strings.TrimPrefix(at.String(), Path(p.key).String()) + " " + message)
}

// warn is about the annotation that is being read.
func (p *draft) warn(message string) {
	p.warnings = append(p.warnings, Warning{Key: p.key, Rule: FoundDoubtful, Message: message})
}

// sort puts problems in an order that does not depend on a map: by key, then as they were found in the value.
func (p *draft) sort() {
	slices.SortStableFunc(p.errs, func(a, b *field.Error) int { return cmp.Compare(annotation(a), annotation(b)) })
	slices.SortStableFunc(p.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	})
}
