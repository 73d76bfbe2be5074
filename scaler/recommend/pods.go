package recommend

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// sampleResolution is how often metrics-server publishes (its --metric-resolution), the slack of a sample's age.
const sampleResolution = 15 * time.Second

// sampleGrace is how long a pod may go without a usable sample before that is worth a warning: metrics-server needs
// two scrapes for the first sample, and the sample must begin after the pod became ready.
const sampleGrace = time.Minute

// reading is one pod as one metric sees it, in milli-units.
type reading struct {
	usage, request int64
	// before says that the sample's window began before the last change of the replicas.
	before bool
}

// cohort is the workload's pods as one metric sees them (HPA: groupPods).
//
//	being deleted, Failed                        -> ignored
//	Pending                                      -> unready
//	no sample, or one that is too old            -> missing
//	CPU only: not ready since the sample began   -> unready
//	everything else                              -> ready
type cohort struct {
	ready, unready, missing []reading
	ignored                 int
	// oldest is the timestamp of the oldest sample among the ready.
	oldest time.Time
	// changes is the earliest moment at which time alone regroups a pod; zero if none.
	changes time.Time
	// young says that no pod is old enough for a missing sample to be a problem.
	young bool
}

// group sorts the pods and reads usage and request of those that take part.
func (v view) group(m resourceMetric) (cohort, *Failure) {
	samples := make(map[string]*metricsv1beta1.PodMetrics, len(v.PodMetrics))
	for _, pm := range v.PodMetrics {
		samples[pm.Name] = pm
	}
	c := cohort{young: true, ready: make([]reading, 0, len(v.Pods))}
	for _, pod := range v.Pods {
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed {
			c.ignored++
			continue
		}
		request, failure := m.request(pod)
		if failure != nil {
			return c, failure
		}
		c.young = c.young && v.Time.Sub(pod.CreationTimestamp.Time) < sampleGrace
		c.place(v, pod, m.sample(samples[pod.Name]), request)
	}
	v.unseen(&c)
	return c, nil
}

// place puts one pod that takes part into its group.
func (c *cohort) place(v view, pod *corev1.Pod, u *usage, request int64) {
	if pod.Status.Phase == corev1.PodPending {
		c.unready = append(c.unready, reading{request: request})
		return
	}
	if u == nil || v.stale(u, v.Time, c) {
		c.missing = append(c.missing, reading{request: request})
		return
	}
	if u.cpu && v.unready(pod, u, v.Time) {
		c.unready = append(c.unready, reading{request: request})
		return
	}
	c.ready = append(c.ready, reading{usage: u.value, request: request, before: u.at.Add(-u.window).Before(v.changed)})
	if c.oldest.IsZero() || u.at.Before(c.oldest) {
		c.oldest = u.at
	}
}

// unready says whether a pod's CPU sample does not speak for the pod's normal work yet.
//
//	start ----- CPUInitializationPeriod -----|------------------------------>
//	  unready: Ready is False, or the         unready: Ready is False and was
//	  sample began before it became ready     never True for longer than
//	                                          InitialReadinessDelay after start
func (r Rules) unready(pod *corev1.Pod, u *usage, now time.Time) bool {
	condition := readyCondition(pod)
	if condition == nil || pod.Status.StartTime == nil {
		return true
	}
	start, since := pod.Status.StartTime.Time, condition.LastTransitionTime.Time
	notReady := condition.Status == corev1.ConditionFalse
	if start.Add(r.CPUInitializationPeriod).After(now) {
		return notReady || u.at.Before(since.Add(u.window))
	}
	return notReady && start.Add(r.InitialReadinessDelay).After(since)
}

// over says that a pod has ended or is about to: its ReplicaSet does not count it any more.
func over(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// failure says why no pod can be measured; nil if at least one can.
func (c *cohort) failure(m resourceMetric) *Failure {
	if len(c.ready) > 0 {
		return nil
	}
	f := &Failure{Metric: m.name, Reason: ReasonNoSamples}
	switch total := len(c.unready) + len(c.missing); {
	case total == 0:
		f.Reason, f.Detail = ReasonNoPods, fmt.Sprintf("no pods to measure (%d being deleted or failed)", c.ignored)
	case c.young:
		f.Reason, f.Detail = ReasonAwaitingSample, fmt.Sprintf("waiting for the first %s sample of %s", m.name, c)
	default:
		f.Detail = fmt.Sprintf("no usable %s sample of any pod: %s", m.name, c)
	}
	return f
}

// String counts the groups for people.
func (c *cohort) String() string {
	total := len(c.ready) + len(c.unready) + len(c.missing) + c.ignored
	return fmt.Sprintf("%d pods: %d ready, %d unready, %d without a current sample, %d ignored",
		total, len(c.ready), len(c.unready), len(c.missing), c.ignored)
}
