package scaler

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// woke remembers and counts a write that has ended a sleep.
func (s *Scaler) woke(mem *remembered, key annotations.Key, decision recommend.Decision) {
	if mem.woken = (time.Time{}); decision.Asleep && decision.Desired > 0 {
		mem.woken = s.now()
		s.telemetry.woke(key)
		if slices.ContainsFunc(decision.Metrics, isRequests) {
			s.telemetry.requested.Inc()
			s.reacted(mem, key)
		}
	}
}

// isRequests says whether a metric is that of requests, and there are some.
func isRequests(m recommend.MetricResult) bool {
	return m.Active && strings.HasPrefix(m.Metric, annotations.SourceActivator+"@")
}

// awaken measures how long the first pod has taken after a sleep. It goes by the own clock: what the node's says of the pod may be
// off, and is in whole seconds.
func (s *Scaler) awaken(mem *remembered, seen recommend.Snapshot) {
	switch {
	case mem.woken.IsZero():
	case seen.Replicas == 0:
		mem.woken = time.Time{}
	case slices.ContainsFunc(seen.Pods, serves):
		took := s.now().Sub(mem.woken)
		s.telemetry.waking.Observe(took.Seconds())
		mem.glance.woken(func(w *wakings) { w.starts.Observe(took) })
		mem.woken = time.Time{}
	}
}

// serves says whether a pod is ready, and is to stay.
func serves(pod *podspec.Pod) bool {
	return pod.Ready.Status == corev1.ConditionTrue && pod.Deleted.IsZero()
}
