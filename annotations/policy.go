package annotations

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations/schedule"
)

// Mode says how far the controller goes with a workload.
type Mode string

const (
	// ModeAuto decides, writes and tells. It is the default.
	ModeAuto Mode = "auto"
	// ModeObserve decides and tells, but does not write.
	ModeObserve Mode = "observe"
	// ModePaused neither decides nor writes.
	ModePaused Mode = "paused"
)

// Policy is what the annotations of one workload ask for, with every default filled in. It is a value:
// it may be read from any goroutine, and what its pointers refer to must not be changed.
type Policy struct {
	// Min and Max bound the replicas that are written; 0 <= Min <= Max. With a Min of 0 the workload may sleep; with a Max of 0 it is off.
	Min, Max int32
	// Schedule is which other bounds count at which times: see At. The zero value is none.
	Schedule schedule.Schedule
	// Metrics are the targets: CPU, memory, then the list of the metrics annotation, then the lines of the sources annotation,
	// then the requests of the wake annotation, each as valid as the API server demands it of an HPA. After an error-free Parse they are empty only beside a Schedule.
	Metrics []Metric
	// Up and Down are the scaling rules of each direction. StabilizationWindowSeconds, SelectPolicy and Tolerance
	// are never nil; Policies is empty only where SelectPolicy is Disabled, and need not be empty there.
	Up, Down autoscalingv2.HPAScalingRules
	// Mode says whether to decide and whether to write.
	Mode Mode
	// WarmUp is how long after it has become ready a pod's CPU does not count for more than that of the others when scaling
	// up; 0 is not at all.
	WarmUp time.Duration
	// SleepAfter is how long no metric must have been active before the workload is put to sleep, where that is longer than the window of
	// scale-down: see IdleTime.
	SleepAfter time.Duration
	// WakeReplicas is how many replicas there are at least when it wakes; it is never below 1, and 0 counts as 1.
	WakeReplicas int32
	// Wake is how requests wake it; the zero value is not at all. What they count as is one of the Metrics.
	Wake Wake
	// Fallback is what there is at least while a metric fails; the zero value is nothing.
	Fallback Fallback
	// SyncPeriod is the longest time between two looks.
	SyncPeriod time.Duration
}

// Fallback is a number of replicas that there are at least while a metric fails.
type Fallback struct {
	// Replicas is that number; 0 is none.
	Replicas int32
	// After is how long a metric must have failed.
	After time.Duration
}

// Wake is how requests wake a workload that sleeps: what mini-hpa/wake says. The zero value is that they do not.
type Wake struct {
	// Requests says that they do. The other fields mean nothing without it.
	Requests bool
	// Services are the names of those whose requests wake it, sorted; without one they are all whose selector fits the pod template.
	Services []string
	// Hold is how long a request waits for a pod at most.
	Hold time.Duration
	// Always says that all requests go through the activator, also while there are pods, and Targeted that the replicas are held at a number of them for each pod.
	Always, Targeted bool
	// HoldUnready says that requests also wait while there are pods of which none is ready.
	HoldUnready bool
	// PerPod is how many requests an activator has under way with one pod at most; others wait.
	PerPod int32
	// Limit is how many requests of one Service an activator lets wait at most; it refuses others.
	Limit int32
	// Ignore are the paths whose requests wake nobody and are answered by the activator itself. One that ends with "*" is the beginning of a path.
	Ignore []string
	// IgnoreAgents are the beginnings of the User-Agent of those whose requests wake nobody.
	IgnoreAgents []string
}

// IdleTime is how long no metric must have been active before the workload is put to sleep.
func (p *Policy) IdleTime() time.Duration {
	return max(p.SleepAfter, time.Duration(*p.Down.StabilizationWindowSeconds)*time.Second)
}

// At is the policy at a moment: with the bounds of the line of the Schedule that counts then.
func (p Policy) At(t time.Time) Policy {
	if line, ok := p.Schedule.At(t); ok {
		p.Min, p.Max = line.Bounds(p.Min, p.Max)
	}
	return p
}

// Widest are the fewest and the most replicas that are allowed at any time.
func (p *Policy) Widest() (fewest, most int32) {
	fewest, most = p.Min, p.Max
	for line := range p.Schedule.Lines() {
		low, high := line.Bounds(p.Min, p.Max)
		fewest, most = min(fewest, low), max(most, high)
	}
	return fewest, most
}
