package scaler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// outage is the metrics that fail for one reason, which one Event tells.
type outage struct {
	event, detail string
	metrics       []string
}

// steady is how long a failure, or its end, lasts before it is told, so that a metric that flaps is told once.
const steady = 30 * time.Second

// Spell follows a state that comes and goes, to tell it once. It is worth telling when it has lasted for 30 s in all, and over when it has
// been absent for 30 s in a row. Between two looks the state counts as it was at the first of them. The zero value is a spell that has
// not begun; a Spell is a value.
//
//	the case   #   # # # ## # ### #### ## ############ #
//	told                               |--------------------------|
type Spell struct {
	on, told   bool
	at         time.Time     // of the last look
	held, rest time.Duration // how long it was the case since it began, and how long it has not been since it last was
}

// Look is the spell after a look at it. It is news if it is now to be told that it is the case, or, after that, that it is over.
func (s Spell) Look(on bool, now time.Time) (_ Spell, news bool) {
	s = s.passed(now)
	if s.on = on; on {
		s.rest = 0
	}
	switch {
	case on && !s.told && s.held >= steady:
		s.told = true
		return s, true
	case !on && s.rest >= steady:
		return Spell{}, s.told
	}
	return s, false
}

// unknown is the spell after a look at which the state was not known.
func (s Spell) unknown(now time.Time) Spell {
	s = s.passed(now)
	s.on, s.rest = false, 0
	return s
}

// passed is the spell up to now.
func (s Spell) passed(now time.Time) Spell {
	switch {
	case s.at.IsZero():
	case s.on:
		s.held += now.Sub(s.at)
	default:
		s.rest += now.Sub(s.at)
	}
	s.at = now
	return s
}

// Due is how long it takes until there may be news even if nothing changes; 0 if there will not be.
func (s Spell) Due() time.Duration {
	switch {
	case s.on && !s.told:
		return steady - s.held
	case !s.on && s.told:
		return steady - s.rest
	}
	return 0
}

// failure is a metric of a workload and the reason of the Event that tells its failure.
type failure struct{ metric, event string }

// tellMetrics tells of each metric when it fails, and once when all that were told to fail work again.
func (s *Scaler) tellMetrics(st *state, w *annotations.Workload, p annotations.Policy, decision recommend.Decision) {
	working := slices.ContainsFunc(decision.Metrics, func(m recommend.MetricResult) bool { return !m.Failed })
	outages := st.newOutages(s.now(), p, decision)
	for len(outages) > 0 {
		event := outages[0].event
		var one []outage // Event
		outages = slices.DeleteFunc(outages, func(o outage) bool {
			if o.event == event {
				one = append(one, o)
			}
			return o.event == event
		})
		s.event(w, corev1.EventTypeWarning, event, failureText(one, working))
		st.told[topicMetrics] = event
	}
	if st.told[topicMetrics] != "" && decision.Active == recommend.ActiveValidMetric && !st.failing() {
		st.told[topicMetrics] = ""
		s.event(w, corev1.EventTypeNormal, EventValidMetricFound, "metrics are usable again: "+decision.Reason.String())
	}
}

// failing says whether a metric fails, or did until now, as far as was told.
func (st *state) failing() bool {
	for _, spell := range st.failures {
		if spell.on || spell.told {
			return true
		}
	}
	return false
}

// dueToTell is the time until a failure, or its end, has to be told; 0 if there is none.
func (st *state) dueToTell() time.Duration {
	next := time.Duration(0)
	for _, spell := range st.failures {
		if due := spell.Due(); due > 0 && (next == 0 || due < next) {
			next = due
		}
	}
	return next
}

// newOutages follows which metrics fail and returns the failures that have to be told now. A failure that passes by itself, such as that
// of pods that have just started and have no samples yet, is not told, and does not end one that was told. If nothing was measured, no
// metric's state is known.
func (st *state) newOutages(now time.Time, p annotations.Policy, decision recommend.Decision) (outages []outage) {
	measured := len(decision.Metrics) == len(p.Metrics)
	before, after := st.failures, map[failure]Spell{}
	awaited := map[string]bool{} // by metric; one that is not in it is gone
	for i, m := range decision.Metrics {
		key, event := fmt.Sprintf("%s %s", m.Type, cmp.Or(p.Metrics[i].ID, m.Metric)), eventOf(m)
		awaited[key] = m.Failed && event == ""
		if event == "" {
			continue
		}
		spell, news := before[failure{key, event}].Look(true, now)
		if after[failure{key, event}] = spell; news {
			outages = with(outages, outage{event: event, detail: m.Failure.Detail, metrics: []string{m.Failure.Metric}})
		}
	}
	for f, spell := range before {
		awaits, there := awaited[f.metric]
		if _, fails := after[f]; fails || measured && !there {
			continue
		}
		if awaits || !measured {
			after[f] = spell.unknown(now)
		} else if spell, _ = spell.Look(false, now); spell != (Spell{}) {
			after[f] = spell
		}
	}
	st.failures = after
	return outages
}

// with adds an outage, to one of the same text if there is one: when the resource metrics API is down, all that is read from it is.
func with(outages []outage, o outage) []outage {
	for i := range outages {
		if outages[i].detail != o.detail {
			continue
		}
		if !slices.Contains(outages[i].metrics, o.metrics[0]) {
			outages[i].metrics = append(outages[i].metrics, o.metrics[0])
		}
		return outages
	}
	return append(outages, o)
}

// eventOf is the Event for a failed metric; "" for one that works and for failures that pass by themselves.
func eventOf(m recommend.MetricResult) string {
	if !m.Failed {
		return ""
	}
	switch m.Failure.Reason {
	case recommend.ReasonAwaitingSample, recommend.ReasonNoPods:
		return ""
	case recommend.ReasonMissingRequest:
		return EventMissingRequest
	}
	return cmp.Or(failedEvents()[m.Type], EventFailedGetResourceMetric)
}

// tellOmitted tells which container is left out of the decision because it has no request.
func (s *Scaler) tellOmitted(st *state, w *annotations.Workload, decision recommend.Decision) {
	if decision.Active == recommend.ActiveValidMetric && st.news(topicOmitted, decision.Omitted) {
		s.event(w, corev1.EventTypeWarning, EventMissingRequest, decision.Omitted+"; set the request, or name the container to measure with "+annotations.Container)
	}
}

// failedEvents are the Events for a failed metric of each type.
func failedEvents() map[autoscalingv2.MetricSourceType]string {
	return map[autoscalingv2.MetricSourceType]string{
		autoscalingv2.ResourceMetricSourceType:          EventFailedGetResourceMetric,
		autoscalingv2.ContainerResourceMetricSourceType: EventFailedGetContainerResourceMetric,
		autoscalingv2.PodsMetricSourceType:              EventFailedGetPodsMetric,
		autoscalingv2.ObjectMetricSourceType:            EventFailedGetObjectMetric,
		autoscalingv2.ExternalMetricSourceType:          EventFailedGetExternalMetric,
	}
}

// failureText says what failed and, where other metrics work, what that means.
func failureText(outages []outage, working bool) string {
	if !working {
		return join(outages, func(o outage) string { return o.detail })
	}
	metrics := 0
	text := join(outages, func(o outage) string {
		metrics += len(o.metrics)
		names := strings.Join(o.metrics, ", ")
		switch {
		case len(o.metrics) > 1:
			return "metrics " + names + ": " + o.detail
		case strings.Contains(o.detail, names):
			return o.detail
		}
		return "metric " + names + ": " + o.detail
	})
	until := "it is"
	if metrics > 1 {
		until = "they are"
	}
	meaning := "; until " + until + " back, replicas may go up for the other metrics but not down"
	return cut(text, maxMessage-len(meaning)) + meaning
}
