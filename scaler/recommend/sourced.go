package recommend

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// sourced evaluates a line of mini-hpa/sources: an External metric that also says from where on it is active, and how many replicas are of use.
//
//	value -> active? -> total (without a target: 1 while it is active) -> limit
func (v *view) sourced(n *numbers, m *annotations.Metric, series string) proposal {
	l, hint, source := m.Line, v.Hints[series], m.Spec.External
	total, p := v.summed(n, source, m.ID, series)
	if p.failure != nil {
		return p
	}
	target := source.Target
	if l.Signal && hint.Target != nil && hint.Target.Sign() > 0 {
		target = autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: hint.Target}
	}
	a := activeFrom{value: total.value, above: n.milli(&l.Active)}
	if !v.Compat {
		a.said = hint.Active
		a.settling, a.recent = v.settling(n, hint)
	} else {
		a.above = 0
	}
	if target.AverageValue == nil && target.Value == nil {
		p = v.signal(p, total, a)
	} else {
		p = v.total(n, total, p, &target)
	}
	if p.active, p.from = a.is(), a; p.failure != nil {
		return p
	}
	return p.limited(limitOf(l, hint))
}

// settling is for how long a line must not be active until that counts. What sleeps is not woken by what was of late.
func (v *view) settling(n *numbers, hint Hint) (lasting time.Duration, recent *int64) {
	if v.asleep || hint.Settling.Duration <= 0 {
		return 0, nil
	}
	if hint.Recent != nil {
		recent = new(n.milli(hint.Recent))
	}
	return hint.Settling.Duration, recent
}

// signal proposes 1 while the metric is active. Its value says nothing about how many replicas are needed.
func (v *view) signal(p proposal, m totalMetric, a activeFrom) proposal {
	if m.value < 0 && v.repairs(RepairNegative) {
		return p.negative(m)
	}
	s := &signalState{metric: m, from: a}
	if p.result = ReasonInactive; a.is() {
		p.result, p.replicas = ReasonActive, 1
	}
	p.stage, p.arithmetic, p.state = StageActivation, (*signalFacts)(s), s
	p.alone, p.measured = p.replicas, everywhere
	return p
}

// signalState is what an Event says of a signal, and signalFacts what its step says.
type (
	signalState struct {
		metric totalMetric
		from   activeFrom
	}
	signalFacts signalState
)

// String is the signal in one line: "prom@ingress-requests 7".
func (s *signalState) String() string {
	return s.metric.name + " " + decimal(s.metric.value)
}

// String says what the signal asks for.
func (s *signalFacts) String() string {
	if s.from.is() {
		return fmt.Sprintf("%s is %s: a line without a target asks for 1", decimal(s.metric.value), s.from)
	}
	return fmt.Sprintf("%s is %s: a line without a target asks for nothing", decimal(s.metric.value), s.from)
}

// limit is the most that a metric asks for, and why; 0 is no limit.
type limit struct {
	replicas int32
	because  string
}

// limitOf is the lower one of the line's limit and its source's.
func limitOf(l *annotations.SourceLine, hint Hint) limit {
	switch {
	case hint.Limit > 0 && (l.Limit == 0 || hint.Limit < l.Limit):
		return limit{hint.Limit, hint.Because}
	case l.Limit > 0:
		return limit{l.Limit, fmt.Sprintf("%d by its line", l.Limit)}
	}
	return limit{}
}

// String is the limit as it follows arithmetic: ", limited to 12 partitions of topic \"orders\"".
func (l limit) String() string {
	if l.because == "" {
		return fmt.Sprintf(", limited to %d", l.replicas)
	}
	return ", limited to " + l.because
}

// limited cuts a proposal, and no other one: more replicas would have no part of the value.
func (p proposal) limited(l limit) proposal {
	if l.replicas <= 0 || p.replicas <= l.replicas {
		return p
	}
	p.replicas, p.alone, p.result = l.replicas, min(p.alone, l.replicas), ReasonLimited
	p.arithmetic, p.state = &withLimit{p.arithmetic, l}, &withLimit{p.state, l}
	return p
}

// withLimit is what was made of a metric, and what limits it.
type withLimit struct {
	of fmt.Stringer
	limit
}

// String is both.
func (w *withLimit) String() string { return w.of.String() + w.limit.String() }
