package trace

import (
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/clock"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// stamps are those of what was seen last: of the pods, and of each series.
type stamps struct {
	pods             clock.Log
	custom, external map[string]clock.Log
}

func newStamps() stamps {
	return stamps{custom: map[string]clock.Log{}, external: map[string]clock.Log{}}
}

// stamp says when all that was seen was taken, unless the observation does. What fails leaves the stamps of before.
func (all *stamps) stamp(s *recommend.Snapshot) {
	if s.Taken.PodMetrics == nil && s.MetricsError == "" {
		all.pods, s.Taken.PodMetrics = all.pods.Pods(s.PodMetrics, s.Time)
	}
	if s.Taken.CustomMetrics == nil {
		s.Taken.CustomMetrics = make(map[string][]time.Time, len(s.CustomMetrics))
		for name, values := range s.CustomMetrics {
			all.custom[name], s.Taken.CustomMetrics[name] = all.custom[name].Custom(values, s.Time)
		}
	}
	if s.Taken.ExternalMetrics == nil {
		s.Taken.ExternalMetrics = make(map[string][]time.Time, len(s.ExternalMetrics))
		for name, values := range s.ExternalMetrics {
			all.external[name], s.Taken.ExternalMetrics[name] = all.external[name].External(values, s.Time)
		}
	}
}
