package recommend

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Decision is what to do now, and why.
type Decision struct {
	// Time is the moment that was decided on: the Snapshot's.
	Time time.Time `json:"time"`
	// Current is spec.replicas as seen, Desired the replicas that should be written; equal means no write.
	Current int32 `json:"current"`
	Desired int32 `json:"desired"`
	// Active, Able and Limited are the reasons of the HPA conditions ScalingActive, AbleToScale and ScalingLimited.
	// Empty means that this look did not touch the condition.
	Active  string `json:"active"`
	Able    string `json:"able"`
	Limited string `json:"limited"`
	// Asleep says that there are 0 replicas because there was nothing to do, so that metrics or the schedule wake the workload.
	Asleep bool `json:"asleep,omitempty"`
	// Steps is the reasoning in order.
	Steps []Step `json:"steps"`
	// Reason is the one line that an Event carries: what drove the decision, with its numbers.
	Reason Text `json:"reason,omitzero"`
	// Metrics is what each metric proposed, in the order of the policy; see Measured.
	Metrics []MetricResult `json:"metrics,omitempty"`
	// Failure is the first metric that could not be evaluated; nil if all could.
	Failure *Failure `json:"failure,omitempty"`
	// Missing are replicas that are asked for and do not come; nil if there are none.
	Missing *Missing `json:"missing,omitempty"`
	// Omitted names a container that was left out because it has no request to be a percent of; empty if there is none.
	Omitted string `json:"omitted,omitempty"`
	// Repairs are those that changed which pods or values count, what a metric proposes, or what a window holds. A decision
	// without any is the HPA controller's, given the same history; with Rules.Compat there are none.
	Repairs Repairs `json:"repairs,omitzero"`
	// Next is the moment at which the same observations would be decided differently, because a stabilization
	// window or a policy's period ends or a sample grows stale; zero if time alone changes nothing.
	Next time.Time `json:"next,omitzero"`
}

// Decided says whether the condition ScalingActive is true: the decision rests on a metric, or on the schedule alone.
func (d *Decision) Decided() bool {
	return d.Active == ActiveValidMetric || d.Active == ActiveScheduled
}

// Measured are the policy's metrics that Metrics are the results of, in their order: all, none, or while the workload sleeps those that have a
// value without pods.
func (d *Decision) Measured(all []annotations.Metric) []annotations.Metric {
	switch len(d.Metrics) {
	case len(all):
		return all
	case 0:
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(m annotations.Metric) bool { return !m.IsTotal() })
}

// ResultOf is what was made of the metric at a place among the policy's; nil if nothing was, see Measured.
func (d *Decision) ResultOf(all []annotations.Metric, place int) *MetricResult {
	at := place
	if len(d.Metrics) < len(all) {
		at = 0
		for i := range place {
			if all[i].IsTotal() {
				at++
			}
		}
		if !all[place].IsTotal() {
			return nil
		}
	}
	if at >= len(d.Metrics) {
		return nil
	}
	return &d.Metrics[at]
}

// Step is one stage of the reasoning: what it was given, what it made of it, and why.
type Step struct {
	// Stage is one of the Stage constants.
	Stage string `json:"stage"`
	// Metric names the metric that the stage looked at; empty for stages that look at the whole workload.
	Metric string `json:"metric,omitempty"`
	// From and To are the replicas before and after the stage.
	From int32 `json:"from"`
	To   int32 `json:"to"`
	// Reason is one of the Reason constants.
	Reason string `json:"reason"`
	// Detail is the arithmetic, in words and numbers, for people.
	Detail Text `json:"detail,omitzero"`
}

// MetricResult is what one metric made of the workload.
type MetricResult struct {
	// Metric is the metric's name as in Step, Type its type in autoscaling/v2.
	Metric string                         `json:"metric"`
	Type   autoscalingv2.MetricSourceType `json:"type"`
	// Replicas is its proposal; meaningless where it Failed.
	Replicas int32 `json:"replicas"`
	// Ratio is usage divided by target, before any assumption about pods that could not be measured; 0 where it Failed.
	Ratio  float64 `json:"ratio"`
	Failed bool    `json:"failed,omitempty"`
	// Total is the value, in thousandths, of a metric that has one without pods; 0 where it Failed.
	Total int64 `json:"total,omitempty"`
	// Active says, of a metric that has a value without pods, that there is something to do.
	Active bool `json:"active,omitempty"`
	// Failure says why it Failed; nil if it did not.
	Failure *Failure `json:"failure,omitempty"`
}

// Failure says why a metric could not be evaluated.
type Failure struct {
	// Metric is the metric's name as in Step.
	Metric string `json:"metric"`
	// Reason is one of ReasonMetricsUnavailable, ReasonNoPods, ReasonNoSamples, ReasonAwaitingSample,
	// ReasonMissingRequest, ReasonContainerNotFound and ReasonUnsupported.
	Reason string `json:"reason"`
	// Detail says what was seen and, where the user can do something about it, what to do.
	Detail string `json:"detail"`
}

// Missing are replicas that are asked for and do not come.
type Missing struct {
	// Refused is how many replicas have no pod, because the API server refuses to create it: a quota, most often.
	Refused int32 `json:"refused,omitempty"`
	// Unscheduled is how many have a pod that no node takes.
	Unscheduled int32 `json:"unscheduled,omitempty"`
	// Words are why: those of the API server where any pod is refused, else the scheduler's. They come from outside, and may hold
	// anything.
	Words string `json:"words,omitempty"`
	// Since is when the replicas were changed, the first time of those since which some have been refused; or when the last pod was created, if that was
	// later and there are more pods than before the change. Where none is refused, it is when the pod that has waited longest began to wait.
	Since time.Time `json:"since"`
}

// Text says it for people, of how many replicas that are asked for.
func (m *Missing) Text(asked int32) string {
	const quoted = 300 // bytes of what comes from outside
	words := strings.ToValidUTF8(m.Words[:min(len(m.Words), quoted)], "")
	if m.Refused > 0 {
		return fmt.Sprintf("%d of %d replicas do not come, because their pods cannot be created: %q", m.Refused, asked, words)
	}
	return fmt.Sprintf("%d of %d replicas do not come, because no node takes their pods: %q", m.Unscheduled, asked, words)
}

// Stages, in the order in which they run.
const (
	// StagePods counts which pods take part in a metric.
	StagePods = "pods"
	// StageRatio divides usage by the target.
	StageRatio = "ratio"
	// StageTolerance holds where the ratio is close to 1, and proposes a number of replicas where it is not.
	StageTolerance = "tolerance"
	// StageOutside proposes at least what was needed before somebody else's scale-in (see outside.go).
	StageOutside = "outside"
	// StageActivation says whether anything is active, where that decides between 0 and more.
	StageActivation = "activation"
	// StageFallback proposes mini-hpa/fallback while a metric fails.
	StageFallback = "fallback"
	// StageSchedule says what the schedule alone asks for.
	StageSchedule = "schedule"
	// StageLargest takes the largest proposal of all metrics.
	StageLargest = "largest"
	// StageStabilize holds the recommendation within those of the stabilization windows.
	StageStabilize = "stabilize"
	// StageBounds keeps within mini-hpa/min and mini-hpa/max.
	StageBounds = "bounds"
	// StagePolicy keeps within the scaling policies' rates.
	StagePolicy = "policy"
)

// Reasons of the HPA's conditions, named as the HPA controller names them (podautoscaler/horizontal.go).
const (
	// ActiveValidMetric: at least one metric was evaluated, and the decision rests on it.
	ActiveValidMetric = "ValidMetricFound"
	// ActiveDisabled: replicas is 0.
	ActiveDisabled = "ScalingDisabled"
	// ActiveScheduled: there is no metric, and the schedule alone decides. The HPA has no such reason.
	ActiveScheduled = "Scheduled"
	// ActiveFailedResource: the first metric that failed is a Resource metric, and nothing was decided.
	ActiveFailedResource = "FailedGetResourceMetric"
	// ActiveFailedContainer: the same for a ContainerResource metric.
	ActiveFailedContainer = "FailedGetContainerResourceMetric"
	// ActiveFailedPods: the same for a Pods metric.
	ActiveFailedPods = "FailedGetPodsMetric"
	// ActiveFailedObject: the same for an Object metric.
	ActiveFailedObject = "FailedGetObjectMetric"
	// ActiveFailedExternal: the same for an External metric.
	ActiveFailedExternal = "FailedGetExternalMetric"
	// ActiveFailedSource: the same for a line of mini-hpa/sources. The HPA has no such reason.
	ActiveFailedSource = "FailedGetSource"
	// ActiveInvalidMetric: the first metric that failed is of a type that is not known.
	ActiveInvalidMetric = "InvalidMetricSourceType"

	// AbleSucceededGetScale: the replicas are known; nothing further was asked.
	AbleSucceededGetScale = "SucceededGetScale"
	// AbleReady: no window holds the recommendation back.
	AbleReady = "ReadyForNewScale"
	// AbleUpStabilized: the scale-up window holds it back.
	AbleUpStabilized = "ScaleUpStabilized"
	// AbleDownStabilized: the scale-down window holds it back.
	AbleDownStabilized = "ScaleDownStabilized"
	// AbleSucceededRescale: the decision was written. It belongs to the moment after the write, so Recommend never says it.
	AbleSucceededRescale = "SucceededRescale"

	// LimitedNot: neither bounds nor policies changed the recommendation.
	LimitedNot = "DesiredWithinRange"
	// LimitedTooFew: it was raised to mini-hpa/min.
	LimitedTooFew = "TooFewReplicas"
	// LimitedTooMany: it was lowered to mini-hpa/max.
	LimitedTooMany = "TooManyReplicas"
	// LimitedUp: the policies of scale-up do not let it rise that fast.
	LimitedUp = "ScaleUpLimit"
	// LimitedDown: the policies of scale-down do not let it fall that fast.
	LimitedDown = "ScaleDownLimit"
)

// Reasons of steps and failures that have no counterpart among the HPA's conditions.
const (
	// ReasonCounted says how many pods are ready, unready, missing and ignored.
	ReasonCounted = "PodsCounted"
	// ReasonMeasured says what usage, divided by what, gave the ratio.
	ReasonMeasured = "UsageMeasured"
	// ReasonWithin holds: the ratio is within the tolerance.
	ReasonWithin = "WithinTolerance"
	// ReasonOutside proposes: the ratio is outside the tolerance.
	ReasonOutside = "OutsideTolerance"
	// ReasonUncertain holds: with careful assumptions for pods without a usable sample, the direction is not certain.
	ReasonUncertain = "DirectionUncertain"
	// ReasonAgainst holds: the proposal would go against the ratio (see RepairAgainst).
	ReasonAgainst = "AgainstRatio"
	// ReasonLimited proposes no more than a line of mini-hpa/sources, or its source, says is of use.
	ReasonLimited = "Limited"
	// ReasonAllUnready holds: no pod is ready (see RepairAllUnready).
	ReasonAllUnready = "AllPodsUnready"
	// ReasonCarried proposes what the pods carry that somebody else's scale-in has not ended yet (see outside.go).
	ReasonCarried = "StillCarried"
	// ReasonRestored proposes what was needed before somebody else's scale-in.
	ReasonRestored = "RestoredToNeed"
	// ReasonInactive proposes 0: no metric is active.
	ReasonInactive = "Inactive"
	// ReasonActive proposes at least 1, or when asleep at least mini-hpa/wake-replicas: a metric is active.
	ReasonActive = "Active"
	// ReasonScheduled proposes mini-hpa/min, or that of the line of mini-hpa/schedule that counts: there is no metric.
	ReasonScheduled = "Scheduled"
	// ReasonSleepAfter holds 1 replica: the last activity is not long enough ago.
	ReasonSleepAfter = "SleepAfter"
	// ReasonStranded proposes at least mini-hpa/wake-replicas: requests were to wake the workload, and cannot any more.
	ReasonStranded = "Stranded"
	// ReasonFallback proposes mini-hpa/fallback.
	ReasonFallback = "Fallback"
	// ReasonLargest says which metric's proposal won.
	ReasonLargest = "LargestProposal"
	// ReasonPartial holds: some metrics failed and the others would scale in.
	ReasonPartial = "PartialFailure"
	// ReasonMetricsUnavailable is a failure: the metrics API gave nothing.
	ReasonMetricsUnavailable = "MetricsUnavailable"
	// ReasonNoPods is a failure: the workload has no pods.
	ReasonNoPods = "NoPods"
	// ReasonNoSamples is a failure: no pod has a usable sample, though they are old enough to have one.
	ReasonNoSamples = "NoSamples"
	// ReasonAwaitingSample is a failure that is normal: the pods are too young to have a usable sample.
	ReasonAwaitingSample = "AwaitingSample"
	// ReasonMissingRequest is a failure: a utilization target, and a container without a request to divide by.
	ReasonMissingRequest = "MissingRequest"
	// ReasonContainerNotFound is a failure: a pod lacks the container that mini-hpa/container names.
	ReasonContainerNotFound = "ContainerNotFound"
	// ReasonUnsupported is a failure: a kind of metric that this version does not evaluate.
	ReasonUnsupported = "UnsupportedMetric"
)
