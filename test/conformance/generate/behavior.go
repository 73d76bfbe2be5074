package generate

import (
	"encoding/json"
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// behave chooses the behavior, and whether the behavior annotation, the shorthands or nothing says so.
func (w *Workload) behave() {
	d := w.dice
	w.HPA.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	switch {
	case w.zero.on:
		w.awaken()
	case d.chance(0.12):
	case d.chance(0.06):
		w.annotate["mini-hpa/behavior"] = "{}"
	case d.chance(0.2):
		w.shorthands()
	default:
		b := w.HPA.Spec.Behavior
		if d.chance(0.75) {
			b.ScaleUp = w.rules(0.6)
		}
		if d.chance(0.8) {
			b.ScaleDown = w.rules(0.75)
		}
		w.annotate["mini-hpa/behavior"] = encode(b)
	}
}

func (w *Workload) rules(stabilized float64) *autoscalingv2.HPAScalingRules {
	d, r := w.dice, &autoscalingv2.HPAScalingRules{}
	if d.chance(stabilized) {
		r.StabilizationWindowSeconds = new(pick(d, int32(0), 0, 1, 14, 15, 16, 30, 45, 60, 120, 300, 600))
		if d.chance(0.12) {
			r.StabilizationWindowSeconds = new(pick(d, int32(900), 1800, 3600))
		}
	}
	if d.chance(0.5) {
		r.SelectPolicy = new(pick(d, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect,
			autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect))
	}
	if d.chance(0.65) {
		for range d.between(1, 3) {
			r.Policies = append(r.Policies, w.policy())
		}
	}
	if d.chance(0.5) {
		q := resource.MustParse(tolerance(d))
		r.Tolerance = &q
	}
	return r
}

func tolerance(d dice) string {
	return pick(d, "0", "10m", "50m", "100m", "0.1", "0.2", "0.5", "1", "1m", "0.333", "0.15", "2")
}

func (w *Workload) policy() autoscalingv2.HPAScalingPolicy {
	d := w.dice
	p := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: int32(pick(d, 1, 1, 2, 3, 4, 5, 8, 20)),
		PeriodSeconds: int32(pick(d, 1, 5, 10, 14, 15, 16, 30, 45, 60, 120, 300, 600))}
	if d.chance(0.5) {
		p.Type = autoscalingv2.PercentScalingPolicy
		p.Value = int32(pick(d, 1, 5, 10, 20, 25, 33, 50, 67, 99, 100, 150, 300, 900))
	}
	if d.chance(0.06) {
		p.PeriodSeconds = 1800
	}
	return p
}

// shorthands says it in the short annotations. Their tolerance holds in both directions, and the most permissive
// policy wins.
func (w *Workload) shorthands() {
	d, b := w.dice, w.HPA.Spec.Behavior
	b.ScaleUp, b.ScaleDown = &autoscalingv2.HPAScalingRules{}, &autoscalingv2.HPAScalingRules{}
	if d.chance(0.5) {
		q := resource.MustParse(pick(d, "0", "0.05", "0.1", "0.2", "0.5", "0.01"))
		b.ScaleUp.Tolerance, b.ScaleDown.Tolerance = &q, &q
		w.annotate["mini-hpa/tolerance"] = q.AsDec().String()
	}
	for key, r := range map[string]*autoscalingv2.HPAScalingRules{"up": b.ScaleUp, "down": b.ScaleDown} {
		w.shorthand(key, r, w.dice.seeded(key))
	}
}

func (w *Workload) shorthand(key string, r *autoscalingv2.HPAScalingRules, d dice) {
	if d.chance(0.6) {
		r.StabilizationWindowSeconds = new(pick(d, int32(0), 15, 30, 60, 90, 300, 1800))
		w.annotate["mini-hpa/scale-"+key+"-stabilization"] = fmt.Sprintf("%ds", *r.StabilizationWindowSeconds)
	}
	if d.chance(0.4) {
		return
	}
	if d.chance(0.12) {
		r.SelectPolicy = new(autoscalingv2.DisabledPolicySelect)
		w.annotate["mini-hpa/scale-"+key+"-policies"] = "disabled"
		return
	}
	var texts []string
	for range d.between(1, 2) {
		p := (&Workload{dice: d}).policy()
		r.Policies = append(r.Policies, p)
		text := fmt.Sprintf("%d pods/%ds", p.Value, p.PeriodSeconds)
		if p.Type == autoscalingv2.PercentScalingPolicy {
			text = fmt.Sprintf("%d%%/%ds", p.Value, p.PeriodSeconds)
		}
		texts = append(texts, text)
	}
	w.annotate["mini-hpa/scale-"+key+"-policies"] = strings.Join(texts, ", ")
}

func encode(value any) string {
	text, err := json.Marshal(value)
	must(err)
	return string(text)
}

// must is for errors that cannot be, as what they are about is generated.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
