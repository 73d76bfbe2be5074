package replay

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Coverage counts what occurred in a suite: a suite proves nothing about what never did.
type Coverage struct {
	// Workloads were recorded, with so many decisions, of which so many were writes.
	Workloads, Decisions, Writes int
	// Zeros are the decisions of which 0 replicas are a part, as what there is or as the least that is allowed.
	Zeros int
	// Stale are recordings that end early, Woken those of them in which a paused workload was woken, LeftOut the decisions after that: see
	// Recording.LeaveOutStale.
	Stale, Woken, LeftOut int
	seen                  map[string]int
}

const (
	longWindow = 15 * time.Minute
	syncPeriod = 15 * time.Second
)

// Add counts one recording.
func (c *Coverage) Add(r *Recording, p annotations.Policy) {
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.Workloads++
	c.Decisions += len(r.Outcomes)
	c.seen["kind "+r.Workload.Kind.Kind] += len(r.Outcomes)
	for _, what := range slices.Concat(metricsOf(p), rulesOf("up", p.Up), rulesOf("down", p.Down)) {
		c.seen[what] += len(r.Outcomes)
	}
	c.addStale(r.Stale)
	for i, o := range r.Outcomes {
		if o.Desired != o.Current {
			c.Writes++
		}
		if o.Min == 0 || o.Current == 0 {
			c.Zeros++
		}
		p.Min = o.Min
		c.seen["Active "+o.Active]++
		c.seen["Able "+o.Able]++
		c.seen["Limited "+o.Limited]++
		for _, what := range slices.Concat(observed(p, r.Snapshots[i]), zeros(p, r.Snapshots[i], o)) {
			c.seen[what]++
		}
	}
}

func (c *Coverage) addStale(s Stale) {
	if s.Decisions == 0 {
		return
	}
	c.Stale++
	c.LeftOut += s.Decisions
	if s.Woken {
		c.Woken++
	}
}

func metricsOf(p annotations.Policy) []string {
	var all []string
	for _, m := range p.Metrics {
		all = append(all, fmt.Sprintf("metric %s %s", m.Spec.Type, targetOf(m.Spec)))
	}
	if len(all) > 1 {
		all = append(all, "several metrics")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// targetOf is the type of a metric's target by the field that is set.
func targetOf(m autoscalingv2.MetricSpec) autoscalingv2.MetricTargetType {
	target := autoscalingv2.MetricTarget{}
	switch {
	case m.Resource != nil:
		target = m.Resource.Target
	case m.ContainerResource != nil:
		target = m.ContainerResource.Target
	case m.Pods != nil:
		target = m.Pods.Target
	case m.Object != nil:
		target = m.Object.Target
	case m.External != nil:
		target = m.External.Target
	}
	switch {
	case target.AverageUtilization != nil:
		return autoscalingv2.UtilizationMetricType
	case target.AverageValue != nil:
		return autoscalingv2.AverageValueMetricType
	}
	return autoscalingv2.ValueMetricType
}

func rulesOf(direction string, rules autoscalingv2.HPAScalingRules) []string {
	found := map[string]bool{"select " + string(*rules.SelectPolicy): true}
	window := time.Duration(*rules.StabilizationWindowSeconds) * time.Second
	found["window"] = window > 0
	found["window of 15 min or more"] = window >= longWindow
	found["tolerance"] = rules.Tolerance.AsApproximateFloat64() != 0.1
	for _, policy := range rules.Policies {
		found["policy "+string(policy.Type)] = true
		if time.Duration(policy.PeriodSeconds)*time.Second < syncPeriod {
			found["policy shorter than the sync period"] = true
		}
	}
	return trueOnes("behavior "+direction+" ", found)
}

// trueOnes are the names of what is so, each with a prefix.
func trueOnes(prefix string, found map[string]bool) []string {
	var all []string
	for what, is := range found {
		if is {
			all = append(all, prefix+what)
		}
	}
	return all
}

// observed says what is particular about an observation.
func observed(p annotations.Policy, s recommend.Snapshot) []string {
	found := map[string]bool{
		"replicas 0":                       s.Replicas == 0,
		"replicas out of bounds":           s.Replicas > p.Max || s.Replicas > 0 && s.Replicas < p.Min,
		"status differs from spec":         s.StatusReplicas != s.Replicas,
		"resource metrics API fails":       s.MetricsError != "",
		"custom or external metric fails":  len(s.Errors) > 0,
		"fewer samples than pods":          s.MetricsError == "" && len(s.PodMetrics) < len(s.Pods),
		"half of the samples missing":      s.MetricsError == "" && len(s.PodMetrics) > 0 && 2*len(s.PodMetrics) <= len(s.Pods),
		"more samples than pods":           len(s.PodMetrics) > len(s.Pods),
		"a pod that is not ready":          slices.ContainsFunc(s.Pods, notReady),
		"a pod that is being deleted":      slices.ContainsFunc(s.Pods, deleted),
		"a pod with requests as a whole":   slices.ContainsFunc(s.Pods, whole),
		"a pod with an own init container": slices.ContainsFunc(s.Pods, initial),
	}
	return trueOnes("observation ", found)
}

func notReady(pod *podspec.Pod) bool { return !pod.Ready.Is(corev1.ConditionTrue) }

func deleted(pod *podspec.Pod) bool { return !pod.Deleted.IsZero() }

func whole(pod *podspec.Pod) bool { return pod.Spec.Resources != nil }

func initial(pod *podspec.Pod) bool { return len(pod.Spec.InitContainers) > 0 }

// required is what has to occur at least once in a suite of any size.
func required() []string {
	all := []string{
		"kind Deployment", "kind StatefulSet", "kind ReplicaSet", "kind Rollout", "kind Fleet",
		"Active ValidMetricFound", "Active ScalingDisabled", "Active FailedGetResourceMetric", "Active FailedGetContainerResourceMetric",
		"Active FailedGetPodsMetric", "Active FailedGetObjectMetric", "Active FailedGetExternalMetric",
		"Able ReadyForNewScale", "Able ScaleUpStabilized", "Able ScaleDownStabilized", "Able SucceededGetScale", "Able SucceededRescale",
		"Limited DesiredWithinRange", "Limited TooFewReplicas", "Limited TooManyReplicas", "Limited ScaleUpLimit", "Limited ScaleDownLimit",
		"metric Resource Utilization", "metric Resource AverageValue", "metric ContainerResource Utilization", "metric ContainerResource AverageValue",
		"metric Pods AverageValue", "metric Object Value", "metric Object AverageValue", "metric External Value", "metric External AverageValue",
		"several metrics",
		"observation replicas 0", "observation replicas out of bounds", "observation status differs from spec",
		"observation resource metrics API fails", "observation custom or external metric fails", "observation fewer samples than pods",
		"observation half of the samples missing", "observation a pod that is not ready", "observation a pod that is being deleted",
		"observation a pod with requests as a whole", "observation a pod with an own init container",
	}
	for _, direction := range []string{"up", "down"} {
		for _, what := range []string{
			"select Max", "select Min", "select Disabled", "policy Pods", "policy Percent",
			"policy shorter than the sync period", "window", "window of 15 min or more", "tolerance",
		} {
			all = append(all, "behavior "+direction+" "+what)
		}
	}
	return all
}

// Missing lists what never occurred and should have.
func (c *Coverage) Missing() []string {
	return slices.DeleteFunc(slices.Concat(required(), requiredZeros()), func(what string) bool { return c.seen[what] > 0 })
}

// Print writes the counts as a table, in alphabetical order.
func (c *Coverage) Print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "workloads\t%d\ndecisions\t%d\nof them with 0 replicas or a min of 0\t%d\nwrites\t%d\n", c.Workloads, c.Decisions, c.Zeros, c.Writes)
	fmt.Fprintf(w, "workloads paused under a stale condition\t%d\nwoken by the HPA controller\t%d\ndecisions left out for that\t%d\n", c.Stale, c.Woken, c.LeftOut)
	for _, what := range slices.Sorted(maps.Keys(c.seen)) {
		fmt.Fprintf(w, "%s\t%d\n", what, c.seen[what])
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing the coverage: %w", err)
	}
	return nil
}
