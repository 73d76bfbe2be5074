package annotations

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Mode says how far the controller goes with a workload.
type Mode string

const (
	// ModeAuto decides, writes and tells. It is the default.
	ModeAuto Mode = "auto"
	// ModeObserve decides and tells, but does not write.
	ModeObserve Mode = "observe"
	// ModePaused does not decide: no evaluation, no write.
	ModePaused Mode = "paused"
)

// Policy is what the annotations of one workload ask for, with every default filled in. It is a value:
// it may be read from any goroutine, and what its pointers refer to must not be changed.
type Policy struct {
	// Min and Max bound the replicas that are ever written; 1 <= Min <= Max.
	Min, Max int32
	// Metrics are the targets: CPU, memory, then the list of the metrics annotation,
	// each as valid as the API server demands it of an HPA. Never empty after an error-free Parse.
	Metrics []Metric
	// Up and Down are the scaling rules of each direction. StabilizationWindowSeconds, SelectPolicy and Tolerance
	// are never nil; Policies is empty only where SelectPolicy is Disabled, and need not be empty there.
	Up, Down autoscalingv2.HPAScalingRules
	// Mode says whether to decide and whether to write.
	Mode Mode
	// WarmUp is how long after it has become ready a pod's CPU does not count for more than that of the others when scaling
	// up; 0 is not at all.
	WarmUp time.Duration
	// SyncPeriod is the longest time between two evaluations.
	SyncPeriod time.Duration
}

// Warning is something the user should know that does not make the annotations unusable.
type Warning struct {
	// Key is the annotation it is about, in full and as it stands there, control characters included; empty if it is about another field.
	Key string
	// Field is the path of that other field, as in field.Error.
	Field string
	// Rule is the name of a Finding.
	Rule string
	// Message says what was seen and what to do. It never holds unquoted user text.
	Message string
}

// String renders the warning as kubectl prints an admission warning.
func (w Warning) String() string {
	return w.Path() + ": " + w.Message
}

// Path is the path of the field that the warning is about, as it can be shown.
func (w Warning) Path() string {
	if w.Key != "" {
		return path(clean(w.Key, shownKey)).String()
	}
	return w.Field
}
