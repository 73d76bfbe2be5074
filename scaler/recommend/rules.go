package recommend

import (
	"encoding/json"
	"slices"
	"time"
)

// Rules are the administrator's settings of the decision, the same for every workload.
type Rules struct {
	// CPUInitializationPeriod is the time after a pod's start in which its CPU usage counts only from the first sample
	// that lies entirely after its readiness (kube-controller-manager --horizontal-pod-autoscaler-cpu-initialization-period).
	CPUInitializationPeriod time.Duration
	// InitialReadinessDelay is the time after a pod's start in which turning unready counts as never having been ready
	// (kube-controller-manager --horizontal-pod-autoscaler-initial-readiness-delay).
	InitialReadinessDelay time.Duration
	// Compat decides as the HPA controller does, without any repair.
	Compat bool
	// Without switches single repairs off.
	Without Repairs
}

// DefaultRules are the HPA controller's defaults: 5 min and 30 s.
func DefaultRules() Rules {
	return Rules{CPUInitializationPeriod: 5 * time.Minute, InitialReadinessDelay: 30 * time.Second}
}

// repairs says whether a repair is on.
func (r Rules) repairs(bit Repairs) bool { return !r.Compat && r.Without&bit == 0 }

// Repairs is a set of repairs: rules by which mini-hpa decides otherwise than the HPA controller, where that is known
// to decide wrongly.
type Repairs uint32

// The repairs of the decision; RepairTable says what each of them does.
const (
	// RepairAgainst is "never against the ratio".
	RepairAgainst Repairs = 1 << iota
	// RepairUnready is "monotone in load".
	RepairUnready
	// RepairSpec is "spec, not status".
	RepairSpec
	// RepairAllUnready is "all pods unready holds".
	RepairAllUnready
	// RepairParticipants is "only the pods that take part need requests".
	RepairParticipants
	// RepairSidecar is "an injected sidecar without a request degrades".
	RepairSidecar
	// RepairSaturation is "saturation".
	RepairSaturation
	// RepairStale is "a stale sample is a missing sample".
	RepairStale
	// RepairSettled is "a sample from before a change does not drive a further scale-in".
	RepairSettled
	// RepairUnseen is "a pod that is not seen is missing".
	RepairUnseen
	// RepairBlind is "after a gap the present size is a recommendation".
	RepairBlind
	// RepairOutside is "somebody else's scale-in does not hide the load".
	RepairOutside
	// RepairRefused is "what is refused is not asked for again".
	RepairRefused
	// RepairWarmUp is "what a pod uses while it warms up is not what its load asks for".
	RepairWarmUp
	// RepairClock is "a node's clock is not ours".
	RepairClock
	// RepairAssumed is "what was assumed is no recommendation".
	RepairAssumed
	// RepairNever is "what has never been ready holds nothing".
	RepairNever
	// RepairUnknown is "what is not known to serve is no capacity".
	RepairUnknown
	// RepairNegative is "what is below zero was not measured".
	RepairNegative
	// RepairFromZero is "policies do not keep it asleep".
	RepairFromZero
	// RepairIdle is "what the pods use does not keep an idle workload awake".
	RepairIdle
	// RepairLastStep is "what may not be scaled in may sleep".
	RepairLastStep
)

// when is the repairs if they had a say, else none.
func (r Repairs) when(had bool) Repairs {
	if had {
		return r
	}
	return 0
}

// Repair is one row of the table of repairs.
type Repair struct {
	// Bit is the repair as a set of one.
	Bit Repairs
	// Name is what decisions and documentation call it.
	Name string
	// Rule is what mini-hpa does, and Instead what the HPA controller does; both for users, in Markdown.
	Rule, Instead string
	// Source is where that is known from.
	Source string
}

// RepairTable returns the repairs in the order of their documentation.
func RepairTable() []Repair {
	return []Repair{
		{RepairAgainst, "against-ratio",
			"Usage below the target never scales out, usage above it never scales in.",
			"The ratio is multiplied by the pods that are ready, whatever spec.replicas is, so that the surge pods of a rollout scale a workload out below its target.",
			"kubernetes/kubernetes#72775, #84142, #98914"},
		{RepairUnready, "unready-at-target",
			"On the way in, pods that were ready and are not count as being at their target, or with what they use if that is more, up to the replicas that are asked for.",
			"Young ones are left out, and old ones count with the little that they use: half of the pods turning unready halves the workload.",
			"replica_calculator.go, the path without missing pods"},
		{RepairSpec, "spec-not-status",
			"A target for each pod of an Object or External metric is compared with spec.replicas: what a total asks for does not depend on the pods there are.",
			"It is compared with status.replicas, and within the tolerance that is what it returns, so that the surge of a rollout becomes permanent.",
			"kubernetes/kubernetes#138505, #123296, #79274"},
		{RepairAllUnready, "all-unready-holds",
			"While no pod is ready, a target for the total of an Object or External metric changes nothing.",
			"The ratio is multiplied by 0, and the workload falls to its minimum.",
			"kubernetes/kubernetes#130130"},
		{RepairParticipants, "only-participants",
			"Only the pods that take part need requests, are counted and are multiplied; a pod that is being deleted, has failed, has ended or does not exist does not.",
			"One pod on its way out that lacks a request fails the metric, pods that a scale-in has just removed still count as ready for an Object or External metric, samples of pods that are gone still count, and pods that have succeeded count as missing.",
			"calculateRequests and getReadyPodsCount of replica_calculator.go; kubernetes/kubernetes#141298"},
		{RepairSidecar, "unrequested-sidecar",
			"A container without a request (or with one of 0), such as one that was injected, is left out of usage and requests as long as another container of its pod has one; a Warning names it.",
			"The whole metric fails, and nothing scales any more.",
			"calculatePodRequestsFromContainers of replica_calculator.go"},
		{RepairSaturation, "saturation",
			"Every sum and conversion stops at the largest number.",
			"They wrap around, and extreme load scales in.",
			"kubernetes/kubernetes#126892"},
		{RepairStale, "stale-is-missing",
			"A pod's sample older than two of its windows and the 15 s between two publications is a missing sample, wherever its node's clock stands; a value of an Object or External metric older than two windows, of at least 5 minutes, is a failure.",
			"It is taken at face value, however old.",
			"groupPods of replica_calculator.go looks at the timestamp of young pods only"},
		{RepairSettled, "settled-samples",
			"On the way in, a sample whose window began while there were more replicas counts with what all of those carried, divided over the present ones, and a scale-in goes no further than what the samples before it asked for: a sample drives one scale-in, not several.",
			"It looks every 15 s, by which time there mostly is a newer sample; mini-hpa looks again whenever a pod goes.",
			"reconcileAutoscaler of horizontal.go knows no sample's age"},
		{RepairUnseen, "unseen-is-missing",
			"Replicas that the Deployment's status counts and whose pods are not seen are missing pods; those that it does not count yet are unready ones.",
			"Pods that its cache does not hold yet do not exist.",
			"Watches of different kinds are not ordered among each other"},
		{RepairBlind, "blind-gap",
			"After a gap longer than the window, such as an outage of the metrics, the present number of replicas holds scale-in for a window; after a time in which pods could not be measured, what was assumed of them does.",
			"It scales in at the first sample after the outage: the recommendations of the time before have left the window.",
			"stabilizeRecommendationWithBehaviors of horizontal.go"},
		{RepairOutside, "outside-scale-in",
			"After somebody else has lowered the replicas, what the pods that still run carry is proposed, or what was needed before if they have gone; neither policies nor windows of scale-up stand in the way back.",
			"The pods that still run are within the tolerance of any number. When they have gone, those that are left are overloaded, and each step back waits for the policies.",
			"reconcileAutoscaler of horizontal.go does not compare the replicas with those that it left"},
		{RepairRefused, "refused-pods",
			"While the API server refuses to create pods that are asked for already, and the last raise has brought none, no more replicas are asked for.",
			"It raises the replicas at each sync, up to the maximum, though a quota lets none of them come.",
			"horizontal.go does not look at the Deployment's condition ReplicaFailure"},
		{RepairWarmUp, "warm-up",
			"On the way out, the CPU of a pod that became ready less than `mini-hpa/warm-up` before its sample counts at most as the average of the pods that are past it and known to serve; if there is none, as the target. Of a pod that became ready more than 5 minutes after its start, that holds if one that is past its warm-up took at least half as long; else it was ready before, and counts in full. A container that restarts begins no other warm-up.",
			"Pods that compile and fill their caches after they are ready, such as JVMs, scale the workload out; the new pods do the same, up to the maximum.",
			"kubernetes/kubernetes#29989, #71255; groupPods of replica_calculator.go looks no further than a pod's readiness"},
		{RepairClock, "node-clocks",
			"When a pod started is judged by the clock of its node. What a node's clock shows is known from its samples: one is never newer than the LIST that first brought it, and less than 20 s older.",
			"The node's time is compared with its own: pods of a node whose clock is minutes behind count with the CPU that their start takes, those of one that is ahead are left out for longer.",
			"groupPods of replica_calculator.go compares status.startTime with its own clock"},
		{RepairAssumed, "assumed-is-not-recommended",
			"A number that only assumptions about pods which could not be measured have held is not remembered as a recommendation: once they can be measured, it does not hold scale-in for another window. What somebody else has raised the replicas to does.",
			"Whatever was proposed is remembered, and holds scale-in for a window.",
			"normalizeDesiredReplicasWithBehaviors of horizontal.go"},
		{RepairNever, "never-ready-holds-nothing",
			"A pod that has never been ready counts alike for every metric, whatever it uses: on the way in not at all, on the way out as one that has nothing to do yet. If there is no pod that has been ready, memory and Pods metrics are those of the pods that there are.",
			"One that runs and has no sample counts as using its whole request, so that pods which never start hold the others up; so do those that use much memory to start, which for CPU only would not count.",
			"groupPods of replica_calculator.go looks for a sample first, and at readiness for CPU only"},
		{RepairUnknown, "unknown-is-no-capacity",
			"On the way out, a pod whose readiness is unknown, because its node is not heard of, keeps its place beside the pods that are known to be ready, and those have to carry the load. On the way in it counts with at least its target.",
			"It is a ready pod with its last sample, or an idle one without: when half of the nodes are lost, the load of the others is halved on paper.",
			"groupPods of replica_calculator.go asks whether the condition is False"},
		{RepairNegative, "negative-is-missing",
			"A pod's usage below zero is a missing sample, and a total of an Object or External metric below zero is a failure.",
			"It is subtracted from what the other pods use: one broken sample scales the workload in. A total below zero is a load of nothing, or of all that there can be.",
			"GetResourceUtilizationRatio adds up whatever the metrics API says; GetExternalMetricReplicas"},
		{RepairFromZero, "from-zero",
			"Policies of scale-up never keep a workload asleep: `mini-hpa/wake-replicas` (1 if it is not set) may always be added to 0.",
			"Policies of percent alone, or the smallest of several with one of percent among them, allow 0: the workload never wakes, unless it fell asleep within their period.",
			"calculateScaleUpLimitWithScalingRules of horizontal.go (1.37.2)"},
		{RepairIdle, "idle-cpu",
			"With `mini-hpa/min: \"0\"`, the replicas go to 0 if each Object and External metric was evaluated and is 0, whatever the pods still use; and in no other case.",
			"CPU, memory or a metric of the pods keeps the workload awake as long as it is above 0. A target for the total of a metric that is above 0 puts it to sleep while no pod is ready: 0, 3, 0, 3, and so on.",
			"computeReplicasForMetrics and getUsageRatioReplicaCount (1.37.2)"},
		{RepairLastStep, "last-step",
			"Where scale-down is disabled, a workload that may sleep goes from any number to 0 once nothing is active and nothing is left, that is each value is 0: workers that must not be ended while they work may be ended when there is no work.",
			"It never sleeps.",
			"calculateScaleDownLimitWithBehaviors of horizontal.go (1.37.2)"},
	}
}

// Names lists the set in the order of RepairTable.
func (r Repairs) Names() []string {
	var names []string
	for _, repair := range RepairTable() {
		if r&repair.Bit != 0 {
			names = append(names, repair.Name)
		}
	}
	return names
}

// UnmarshalJSON reads what MarshalJSON writes; names that are not known are left out.
func (r *Repairs) UnmarshalJSON(raw []byte) error {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return err
	}
	*r = 0
	for _, repair := range RepairTable() {
		if slices.Contains(names, repair.Name) {
			*r |= repair.Bit
		}
	}
	return nil
}

// MarshalJSON renders the set as a list of names.
func (r Repairs) MarshalJSON() ([]byte, error) { return json.Marshal(r.Names()) }
