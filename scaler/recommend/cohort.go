package recommend

import (
	"fmt"
	"slices"
	"time"

	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// cohort is the workload's pods as one metric sees them: what their facts come to together.
type cohort struct {
	readings []reading
	count    [groupCount]int
	marked   [markCount]int
	ignored  int
	// early is how many of the ready have a sample whose window began before the last change, warming how many are warming up.
	early, warming int
	// oldest is when the oldest sample among the ready was taken, newest the newest one among those that are too old.
	oldest, newest time.Time
	// changes is the earliest moment at which time alone regroups a pod; zero if none.
	changes time.Time
	// fresh is for how long all samples that are fresh stay so; 0 if none is, or none grows stale.
	fresh time.Duration
	// omitted is the first container that was left out because it has no request.
	omitted string
	repairs Repairs
}

// cohort reads what one metric sees of each pod. Where it fails, it holds what was read until then.
func (v *view) cohort(n *numbers, m *podMetric) (cohort, *Failure) {
	f := v.samples(n, m)
	c := cohort{readings: make([]reading, 0, len(v.Pods)+1)}
	for _, pod := range v.Pods {
		facts, failure := v.read(n, &f, pod)
		if failure != nil {
			c.repairs |= f.repairs
			return c, failure
		}
		c.join(&facts)
	}
	c.warm(max(firstReady, v.CPUInitializationPeriod))
	strays, repairs := v.strays(n, &f)
	for i := range strays {
		c.add(&strays[i])
	}
	awaited := v.unseen(n, c.readings)
	for i := range awaited {
		c.add(&awaited[i])
	}
	c.repairs |= f.repairs | repairs
	return c, nil
}

// samples are those of a metric.
func (v *view) samples(n *numbers, m *podMetric) samples {
	f := samples{metric: m, resources: v.PodMetrics, taken: v.Taken.PodMetrics, positive: v.repairs(RepairNegative)}
	if m.series != "" {
		f.resources = nil
		f.custom, f.taken = v.podValues(m)
	}
	if !v.repairs(RepairParticipants) {
		f.index(n)
	}
	return f
}

// podValues are the custom metric's values that describe pods, and when they were taken.
func (v *view) podValues(m *podMetric) (values []custommetricsv1beta2.MetricValue, times []time.Time) {
	all, allTimes := v.CustomMetrics[m.series], v.Taken.CustomMetrics[m.series]
	if !slices.ContainsFunc(all, describesAnother) {
		return all, allTimes
	}
	for i, value := range all {
		if !describesAnother(value) {
			values, times = append(values, value), append(times, taken(allTimes, i, value.Timestamp.Time))
		}
	}
	return values, times
}

// describesAnother says that a value is of something else than a pod.
func describesAnother(value custommetricsv1beta2.MetricValue) bool {
	return value.DescribedObject.Kind != "Pod" && value.DescribedObject.Kind != ""
}

// join adds the facts of a pod.
func (c *cohort) join(facts *podFacts) {
	c.repairs |= facts.repairs
	if facts.ignored {
		c.ignored++
		return
	}
	c.add(&facts.reading)
	switch {
	case facts.group == inReady && (c.oldest.IsZero() || facts.taken.Before(c.oldest)):
		c.oldest = facts.taken
	case facts.group == inMissing && facts.taken.After(c.newest):
		c.newest = facts.taken
	}
	if facts.fresh > 0 && (c.fresh == 0 || facts.fresh < c.fresh) {
		c.fresh = facts.fresh
	}
	if facts.early {
		c.early++
	}
	c.changes = earlier(c.changes, facts.changes)
	if c.omitted == "" {
		c.omitted = facts.omitted
	}
}

func (c *cohort) add(r *reading) {
	times := int(max(r.times, 1))
	c.readings = append(c.readings, *r)
	c.count[r.group] += times
	c.marked[r.mark] += times
}

// firstReady is how long after its start a pod becomes ready for the first time, at the latest, if no other pod of the workload is known to
// take longer. What turns ready later than that was ready before.
const firstReady = 5 * time.Minute

// warm marks the pods whose CPU sample is from their warm-up. What new pods use to warm up would ask for more pods, which would use it again.
// On the way out they count like the others; if all pods are new, nothing is known of the load. On the way in they count as they are.
//
// A pod warms up once, but its Ready condition tells of its last change only. Where an overload makes readiness flap, pods that warmed up
// each time anew would never scale out. So a pod that became ready late was ready before, unless one that is past its warm-up took about as
// long: pods of one workload start alike, and then there are some whose usage tells of the load.
func (c *cohort) warm(usual time.Duration) {
	quickest := time.Duration(0)
	for i := range c.readings {
		if w := &c.readings[i].warmUp; w.ready && !w.early && (quickest == 0 || w.after < quickest) {
			quickest = w.after
		}
	}
	const alike = 2
	for i := range c.readings {
		r := &c.readings[i]
		if w := &r.warmUp; w.early && (w.after <= usual || w.ready && w.after <= alike*quickest) {
			r.warming = true
			c.warming++
		}
	}
}

// strays are samples of pods that do not exist. The HPA controller counts them, a part of the repair "only the pods that
// take part".
func (v *view) strays(n *numbers, f *samples) ([]reading, Repairs) {
	if f.len() == f.matched {
		return nil, 0
	}
	known := make(map[string]bool, len(v.Pods))
	for _, pod := range v.Pods {
		known[pod.Name] = true
	}
	var all []reading
	var repairs Repairs
	for i := range f.len() {
		name := f.name(i)
		if last, ok := f.byName[name]; known[name] || ok && last != i {
			continue
		}
		u := f.usage(n, i, nil)
		switch repairs |= u.repairs; {
		case !u.found:
		case v.repairs(RepairParticipants):
			repairs |= RepairParticipants
		default:
			all = append(all, reading{usage: u.value, group: inStray})
		}
	}
	return all, repairs
}

// unseen repairs "a pod that is not seen does not exist": replicas that the Deployment's status counts and whose pods
// are not among those gathered are missing, and those that it does not count yet are unready. Watches are not ordered among each
// other, so that a pod can be known before the ReplicaSet that makes it one of this workload's, and the status lags behind both.
// Their request is the average of the others.
func (v *view) unseen(n *numbers, readings []reading) []reading {
	seen := len(readings)
	if seen == 0 || int(v.Replicas) <= seen || !v.repairs(RepairUnseen) {
		return nil
	}
	var total int64
	for i := range readings {
		total = n.add(total, readings[i].request)
	}
	counted := max(int(min(v.Replicas, v.StatusReplicas)), seen)
	all := []reading{{group: inMissing, mark: unseen, times: int32(counted - seen)}, {group: inUnready, mark: awaited, times: v.Replicas - int32(counted)}}
	for i := range all {
		all[i].request = total / int64(seen)
	}
	return slices.DeleteFunc(all, func(r reading) bool { return r.times <= 0 })
}

// failure says why no pod can be measured; nil if at least one can.
func (v *view) failure(c *cohort, m *podMetric) *Failure {
	known := c.count[inReady] + c.count[inUnready] + c.count[inMissing]
	if c.count[inReady] > 0 || c.count[inStray] > 0 && len(v.Pods) > 0 {
		return nil
	}
	f, counts := &Failure{Metric: m.name, Reason: ReasonNoSamples}, c.counts()
	switch {
	case known == 0:
		f.Reason, f.Detail = ReasonNoPods, fmt.Sprintf("no pods to measure (%d being deleted, failed or ended)", c.ignored)
	case v.young():
		f.Reason, f.Detail = ReasonAwaitingSample, fmt.Sprintf("waiting for the first %s sample of %s", m.name, &counts)
	default:
		f.Detail = fmt.Sprintf("no usable %s sample of any pod: %s", m.name, &counts)
		if !c.newest.IsZero() {
			f.Detail += fmt.Sprintf("; the newest is %s old", v.Time.Sub(c.newest).Truncate(time.Second))
		}
	}
	return f
}

// young says that no pod is old enough for a missing sample to be a problem.
func (v *view) young() bool {
	return !slices.ContainsFunc(v.Pods, func(pod *podspec.Pod) bool {
		return !over(pod) && v.Time.Sub(pod.Created) >= sampleGrace
	})
}

// measured says that all pods have a usable sample, so that nothing has to be assumed.
func (c *cohort) measured() bool { return c.count[inUnready]+c.count[inMissing] == 0 }

// known is how many of the HPA's ready pods are known to be, or to have been ready.
func (c *cohort) known() int {
	return c.count[inReady] - c.marked[unknownReady] - c.marked[neverServed]
}

// partlyKnown says that some pods are known to be ready, and others are not.
func (c *cohort) partlyKnown() bool {
	return c.known() > 0 && c.marked[unknownReady]+c.marked[lost]+c.marked[neverServed] > 0
}

// spoken is how many pods the measured usage is of.
func (c *cohort) spoken() int {
	if c.partlyKnown() {
		return c.known()
	}
	return c.count[inReady]
}

// some is the repairs if a pod has the mark, else none.
func (c *cohort) some(m mark, repairs Repairs) Repairs { return repairs.when(c.marked[m] > 0) }

// podCounts is how many pods there are of each group.
type podCounts struct {
	// others count as ready without being known to be; strays are samples of pods that do not exist.
	known, others, unready, missing, ignored, strays int
}

func (c *cohort) counts() podCounts {
	n := &c.count
	return podCounts{known: c.known(), others: n[inReady] - c.known(), unready: n[inUnready], missing: n[inMissing], ignored: c.ignored, strays: n[inStray]}
}

// all is how many take part.
func (c *podCounts) all() int { return c.known + c.others + c.unready + c.missing }

// String says how many pods there are of each group.
func (c *podCounts) String() string {
	others, strays := "", ""
	if c.others > 0 {
		others = fmt.Sprintf("%d not known to be, ", c.others)
	}
	if c.strays > 0 {
		strays = fmt.Sprintf(", and %d samples of pods that do not exist", c.strays)
	}
	return fmt.Sprintf("%d pods: %d ready, %s%d unready, %d without a current sample, %d ignored%s",
		c.all()+c.ignored, c.known, others, c.unready, c.missing, c.ignored, strays)
}
