package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// asleep is the beginning of a verdict on a workload that sleeps.
func asleep(e scaler.Explanation) string {
	switch since := e.AsleepSince; {
	case !e.Decision.Asleep:
		return ""
	case since.IsZero():
		return "asleep: "
	default:
		return fmt.Sprintf("asleep since %s (%s ago): ", since.Format("15:04"), cli.Short(max(e.Snapshot.Time.Sub(since), 0).Truncate(time.Second)))
	}
}

// schedule is which bounds count now, which ones will, and all lines.
func (p page) schedule(a annotations.Policy, now time.Time) {
	if a.Schedule.IsZero() {
		return
	}
	p.Row("now", bounds(a, now))
	if next := a.Schedule.Next(now); !next.IsZero() {
		p.Row("next", fmt.Sprintf("%s; from %s on, in %s", bounds(a, next), next.Format("Mon 2006-01-02 15:04 MST"), cli.Short(next.Sub(now).Truncate(time.Second))))
	}
	for line := range a.Schedule.Lines() {
		p.Row("schedule", fmt.Sprintf("%s: %s", line, line.Says()))
	}
}

// bounds are those of a moment, and which line of the schedule they are from.
func bounds(a annotations.Policy, at time.Time) string {
	then, by := a.At(at), "no line counts"
	if line, ok := a.Schedule.At(at); ok {
		by = fmt.Sprintf("by line %d", line.Number)
	}
	return fmt.Sprintf("%d to %d (%s)", then.Min, then.Max, by)
}

// sleep is when the workload sleeps, and how it wakes.
func (p page) sleep(a annotations.Policy) {
	if a.Min == 0 && len(totals(a.Metrics)) > 0 {
		what := "no external or object metric has been above 0"
		if slices.ContainsFunc(a.Metrics, func(m annotations.Metric) bool { return m.Line != nil }) {
			what = "no source or other metric that can wake it has been active"
		}
		p.Row("sleep", fmt.Sprintf("when %s for %s", what, cli.Short(a.IdleTime())))
	}
	if a.WakeReplicas > 1 {
		p.Row("wake", fmt.Sprintf("to at least %d replicas", a.WakeReplicas))
	}
}

// totals are the metrics that have a value without pods.
func totals(all []annotations.Metric) []*annotations.Metric {
	var found []*annotations.Metric
	for i := range all {
		if all[i].IsTotal() {
			found = append(found, &all[i])
		}
	}
	return found
}

// activation is what keeps the workload awake or wakes it: a line for each metric that can.
func (p page) activation(e scaler.Explanation) {
	then := e.Policy.At(e.Snapshot.Time)
	measured := e.Decision.Measured(e.Policy.Metrics)
	if then.Min > 0 || then.Max == 0 && !e.Decision.Asleep || len(totals(measured)) == 0 {
		return
	}
	is := "above 0"
	if slices.ContainsFunc(measured, func(m annotations.Metric) bool { return m.Line != nil }) {
		is = "active"
	}
	p.Title("Activation (what is %s wakes the workload and keeps it awake)", is)
	p.Row("METRIC", "VALUE", "ACTIVE")
	for i := range measured {
		if m := &measured[i]; m.IsTotal() {
			p.active(m, e.Decision.Metrics[i], e.Snapshot)
		}
	}
}

func (p page) active(m *annotations.Metric, r recommend.MetricResult, s recommend.Snapshot) {
	name, above := cmp.Or(m.ID, r.Metric), ""
	if m.Line != nil && !m.Line.Active.IsZero() {
		above = ", above " + m.Line.Active.String()
	}
	if hint := s.Hints[m.ID]; hint.Active != nil {
		above = ", as its source says"
	}
	switch {
	case r.Failed:
		p.Row(name, "-", "not known: "+r.Failure.Detail)
	case r.Active:
		p.Row(name, total(m, s), "yes"+above)
	default:
		p.Row(name, total(m, s), "no"+strings.Replace(above, ", above", ", not above", 1))
	}
}

// total is the value of a metric: the sum of what an external one has, and the first of an object.
func total(m *annotations.Metric, s recommend.Snapshot) string {
	var sum resource.Quantity
	if m.Spec.External == nil {
		for _, v := range s.CustomMetrics[m.ID] {
			return v.Value.String()
		}
	}
	for _, v := range s.ExternalMetrics[m.ID] {
		sum.Add(v.Value)
	}
	return sum.String()
}
