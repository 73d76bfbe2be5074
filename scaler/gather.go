package scaler

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// gather collects all that the decision may see, once.
func (s *Scaler) gather(w *annotations.Workload, p annotations.Policy, h recommend.History) (_ recommend.Snapshot, complete bool) {
	snapshot := recommend.Snapshot{
		Time:           s.Now(),
		Replicas:       w.Replicas,
		StatusReplicas: w.StatusReplicas,
		Refused:        w.Refused,
		Pods:           s.Workloads.Pods(w),
	}
	if snapshot.Replicas > 0 { // nobody scales it from 0: nothing is asked for it
		s.ask(&snapshot, w, p, lastChange(h))
	}
	if err := s.Samples.Err(); err != nil {
		snapshot.MetricsError = err.Error()
		return snapshot, true
	}
	snapshot.PodMetrics, snapshot.Taken.PodMetrics, complete = s.samplesOf(snapshot.Pods)
	return snapshot, complete
}

// lastChange is when the replicas were last changed; zero if that is not remembered.
func lastChange(h recommend.History) time.Time {
	if len(h.Changes) == 0 {
		return time.Time{}
	}
	return h.Changes[len(h.Changes)-1].Time
}

// samplesOf are the newest samples of the pods that have one, and when they were taken; not complete if one is still to be fetched.
func (s *Scaler) samplesOf(pods []*corev1.Pod) (_ []*sample.Pod, _ []time.Time, complete bool) {
	samples, taken := make([]*sample.Pod, 0, len(pods)), make([]time.Time, 0, len(pods))
	complete = true
	for _, pod := range pods {
		switch newest, stamp := s.Samples.Sample(pod.Namespace, pod.Name); {
		case newest != nil:
			samples, taken = append(samples, newest), append(taken, stamp.Taken)
		case stamp != nil:
			complete = false
		}
	}
	return samples, taken, complete
}

// Explanation is one look at a workload that changes nothing.
type Explanation struct {
	// Key is the workload's.
	Key annotations.Key `json:"key"`
	// Policy is what its annotations ask for, Warnings what the user should know of them.
	Policy   annotations.Policy    `json:"policy"`
	Warnings []annotations.Warning `json:"warnings,omitempty"`
	// Snapshot is what was seen, Decision what would be done about it now.
	Snapshot recommend.Snapshot `json:"snapshot"`
	Decision recommend.Decision `json:"decision"`
}

// Explain gathers and decides as Reconcile does, but writes and tells nothing. What windows and policies hold back is the
// running controller's own memory; the decision here is the one without it. The error says why there is nothing to
// decide.
func (s *Scaler) Explain(key annotations.Key) (Explanation, error) {
	d := s.Workloads.Workload(key)
	if d == nil {
		return Explanation{}, fmt.Errorf("deployment %s does not exist", key.NamespacedName())
	}
	if !annotations.Selected(d.Annotations) {
		return Explanation{}, fmt.Errorf("deployment %s has no %s annotation: it is not autoscaled", key.NamespacedName(), annotations.Prefix)
	}
	v := s.opinion(d, s.Surroundings.Surroundings(key))
	policy := v.Policy
	e := Explanation{Key: key, Policy: policy, Warnings: v.Warnings}
	if len(v.Problems) > 0 {
		return e, fmt.Errorf("deployment %s cannot be autoscaled: %w", key.NamespacedName(), v.Problems.ToAggregate())
	}
	e.Snapshot, _ = s.gather(d, policy, recommend.History{})
	e.Decision, _ = s.Rules.Recommend(policy, e.Snapshot, recommend.Unremembered(policy, e.Snapshot))
	return e, nil
}
