package scaler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// cause is why metrics of a workload fail, and which ones do: one Event tells it.
type cause struct {
	event, detail string
	metrics       []string
}

// failure is a metric of a workload and the reason of the Event that tells its failure.
type failure struct{ metric, event string }

// ofTotal says whether the metric is one that has a value while there are no pods.
func (f failure) ofTotal() bool {
	return f.event == EventFailedGetObjectMetric || f.event == EventFailedGetExternalMetric || f.event == EventFailedGetSource
}

// failures are the metrics of a workload that fail or did so shortly before; nil if there are none.
type failures map[failure]Spell

// failing says whether a metric fails, or did until now, as far as was told.
func (f failures) failing() bool {
	for _, spell := range f {
		if spell.on || spell.told {
			return true
		}
	}
	return false
}

// ofLine says the same of a line of mini-hpa/sources alone, by its ID.
func (f failures) ofLine(id string) bool {
	for which, spell := range f {
		if _, known, _ := strings.Cut(which.metric, " "); known == id && (spell.on || spell.told) {
			return true
		}
	}
	return false
}

// due is the time until a failure, or its end, has to be told; 0 if there is none.
func (f failures) due() time.Duration {
	next := time.Duration(0)
	for _, spell := range f {
		if due := spell.Due(); due > 0 && (next == 0 || due < next) {
			next = due
		}
	}
	return next
}

// after are the failures after one more decision, and causes why those fail that have to be told now. A failure that passes by itself, such as that
// of pods that have just started and have no samples yet, is not told, and does not end one that was told. If nothing was measured, it
// is not known of any metric whether it works.
func (f failures) after(now time.Time, p annotations.Policy, decision recommend.Decision) (after failures, causes []cause) {
	looked := decision.Measured(p.Metrics)
	awaited := map[string]bool{} // by metric; one that is not in it is gone, or was not looked at
	for i, m := range decision.Metrics {
		key, event := fmt.Sprintf("%s %s", m.Type, cmp.Or(looked[i].ID, m.Metric)), eventOf(m, looked[i].Line != nil)
		awaited[key] = m.Failed && event == ""
		if event == "" {
			continue
		}
		spell, news := f[failure{key, event}].Look(true, now)
		if after = after.with(failure{key, event}, spell); news {
			causes = with(causes, cause{event: event, detail: m.Failure.Detail, metrics: []string{m.Failure.Metric}})
		}
	}
	for known, spell := range f {
		awaits, there := awaited[known.metric]
		unknown := len(looked) < len(p.Metrics) && (len(looked) == 0 || !known.ofTotal())
		if _, fails := after[known]; fails || !unknown && !there {
			continue
		}
		if awaits || unknown {
			after = after.with(known, spell.unknown(now))
		} else if spell, _ = spell.Look(false, now); spell != (Spell{}) {
			after = after.with(known, spell)
		}
	}
	return after, causes
}

// with adds a failure, as append does.
func (f failures) with(one failure, spell Spell) failures {
	if f == nil {
		f = failures{}
	}
	f[one] = spell
	return f
}

// with adds a cause, to one of the same text if there is one: when the resource metrics API is down, all that is read from it is.
func with(causes []cause, c cause) []cause {
	for i := range causes {
		if causes[i].detail != c.detail {
			continue
		}
		if !slices.Contains(causes[i].metrics, c.metrics[0]) {
			causes[i].metrics = append(causes[i].metrics, c.metrics[0])
		}
		return causes
	}
	return append(causes, c)
}

// eventOf is the Event for a failed metric, which may be a line of mini-hpa/sources; "" for one that works and for failures that pass by themselves.
func eventOf(m recommend.MetricResult, line bool) string {
	if !m.Failed {
		return ""
	}
	switch m.Failure.Reason {
	case recommend.ReasonAwaitingSample, recommend.ReasonNoPods:
		return ""
	case recommend.ReasonMissingRequest:
		return EventMissingRequest
	}
	if line {
		return EventFailedGetSource
	}
	return cmp.Or(failedEvents()[m.Type], EventFailedGetResourceMetric)
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

// failureText says what failed and what that means.
func failureText(causes []cause, working bool, p annotations.Policy, decision recommend.Decision) string {
	if !working && !decision.Asleep {
		return join(causes, func(c cause) string { return c.detail })
	}
	metrics := 0
	text := join(causes, func(c cause) string {
		metrics += len(c.metrics)
		names := strings.Join(c.metrics, ", ")
		switch {
		case len(c.metrics) > 1:
			return "metrics " + names + ": " + c.detail
		case strings.Contains(c.detail, names):
			return c.detail
		}
		return "metric " + names + ": " + c.detail
	})
	until := "it is"
	if metrics > 1 {
		until = "they are"
	}
	meaning := "; until " + until + " back, " + consequence(working, p, decision)
	return cut(text, maxMessage-len(meaning)) + meaning
}

// consequence is what a failure of metrics means, where others work or the workload sleeps.
func consequence(working bool, p annotations.Policy, decision recommend.Decision) string {
	text := "replicas may go up for the other metrics but not down"
	switch {
	case decision.Asleep && working:
		text = "the workload stays asleep unless another metric wakes it"
	case decision.Asleep:
		text = "the workload stays asleep"
	}
	if f := p.Fallback; decision.Asleep && f.Replicas > 0 {
		text += fmt.Sprintf(", or until a metric has failed for %s (%s)", f.After, annotations.FallbackKey)
	}
	return text
}
