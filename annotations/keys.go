package annotations

// Prefix is what every annotation that mini-hpa reads starts with.
const Prefix = "mini-hpa/"

// The annotations, in full. The table behind Rows says what each of them means.
const (
	// TargetCPU is the average CPU usage to hold.
	TargetCPU = Prefix + "target-cpu"
	// TargetMemory is the average memory usage to hold.
	TargetMemory = Prefix + "target-memory"
	// Container limits the targets to one container.
	Container = Prefix + "container"
	// Min is the lower bound of the replicas.
	Min = Prefix + "min"
	// Max is the upper bound of the replicas.
	Max = Prefix + "max"
	// SleepAfter is how long nothing must have been active before the workload sleeps.
	SleepAfter = Prefix + "sleep-after"
	// WakeReplicas is how many replicas there are at least when it wakes.
	WakeReplicas = Prefix + "wake-replicas"
	// FallbackKey is how many replicas there are at least while a metric fails.
	FallbackKey = Prefix + "fallback"
	// ScheduleKey is which bounds count at which times.
	ScheduleKey = Prefix + "schedule"
	// SourcesKey is what of the administrator's sources is scaled on.
	SourcesKey = Prefix + "sources"
	// WakeKey is whether requests wake the workload, and how they are held until it is awake.
	WakeKey = Prefix + "wake"
	// Metrics is a list of autoscaling/v2 MetricSpec.
	Metrics = Prefix + "metrics"
	// Behavior is an autoscaling/v2 HorizontalPodAutoscalerBehavior.
	Behavior = Prefix + "behavior"
	// Tolerance is how far usage may be from its target before anything changes.
	Tolerance = Prefix + "tolerance"
	// ScaleUpStabilization is the window whose lowest recommendation holds back scale-up.
	ScaleUpStabilization = Prefix + "scale-up-stabilization"
	// ScaleDownStabilization is the window whose highest recommendation holds back scale-down.
	ScaleDownStabilization = Prefix + "scale-down-stabilization"
	// ScaleUpPolicies limits the rate of scale-up.
	ScaleUpPolicies = Prefix + "scale-up-policies"
	// ScaleDownPolicies limits the rate of scale-down.
	ScaleDownPolicies = Prefix + "scale-down-policies"
	// WarmUp is how long a pod may use more than its share of the load after it has become ready.
	WarmUp = Prefix + "warm-up"
	// SyncPeriod is the longest time between two looks.
	SyncPeriod = Prefix + "sync-period"
	// ModeKey says how far the controller goes; its values are the Mode constants.
	ModeKey = Prefix + "mode"
	// ClassKey says which of several installations scales the workload; see ClassOf.
	ClassKey = Prefix + "class"
)

// Longest values in bytes. They are capped before anything parses them, because reading a quantity takes more than
// linear time and a value of 256 KiB is a legal annotation.
const (
	maxScalarLength   = 64
	maxDocumentLength = 16 << 10
)
