package scaler

import (
	"fmt"
	"strings"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// silence is for how long a source has given no value when that is told beside the failure itself.
const silence = 3 * time.Minute

// limitBelowMax warns if no line lets the replicas reach the max, by what the sources have said last; nil if one may. It is not known while a
// line has no value.
func limitBelowMax(p annotations.Policy, s recommend.Snapshot) (w *annotations.Warning, known bool) {
	_, most := p.Widest()
	var limits []string
	for _, m := range p.Metrics {
		hint, hinted := s.Hints[m.ID]
		_, answered := s.ExternalMetrics[m.ID]
		switch {
		case m.Line != nil && !answered:
			return nil, false
		case m.Line == nil || !hinted || hint.Limit == 0 || hint.Passing || hint.Limit >= most || m.Line.Limit > 0 && m.Line.Limit <= hint.Limit:
			return nil, true // the last of these is meant
		}
		limits = append(limits, fmt.Sprintf("line %d of %s is limited to %s", m.Line.Number, m.Key(), hint.Because))
	}
	if len(limits) == 0 {
		return nil, true
	}
	return &annotations.Warning{Key: annotations.Max, Rule: annotations.FoundLimitBelowMax,
		Message: fmt.Sprintf("%d are more than are ever asked for: %s", most, strings.Join(limits, ", "))}, true
}

// sourceSilent warns of a line without a value, for how long as long may say.
func sourceSilent(m *annotations.Metric, long, why string) annotations.Warning {
	return annotations.Warning{Key: m.Key(), Rule: annotations.FoundSourceSilent, Message: fmt.Sprintf("line %d: %s has no value%s: %s", m.Line.Number, m.ID, long, why)}
}

// silent are the lines without a value, apart from those that are being asked for the first time.
func silent(p annotations.Policy, s recommend.Snapshot) (lines []*annotations.Metric) {
	for i := range p.Metrics {
		if m := &p.Metrics[i]; m.Line != nil && s.Errors[m.ID] != "" && s.Errors[m.ID] != recommend.ErrorPending {
			lines = append(lines, m)
		}
	}
	return lines
}

// doubts are the warnings that only the last answers of sources show.
func doubts(p annotations.Policy, s recommend.Snapshot) (warnings []annotations.Warning) {
	if w, _ := limitBelowMax(p, s); w != nil {
		warnings = append(warnings, *w)
	}
	for _, m := range silent(p, s) {
		warnings = append(warnings, sourceSilent(m, "", s.Errors[m.ID]))
	}
	return warnings
}
