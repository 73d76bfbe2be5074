package annotations

import "slices"

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
	// SyncPeriod is the longest time between two evaluations.
	SyncPeriod = Prefix + "sync-period"
	// ModeKey says how far the controller goes; its values are the Mode constants.
	ModeKey = Prefix + "mode"
)

// Longest values in bytes. They are capped before anything parses them, because reading a quantity takes more than
// linear time and a value of 256 KiB is a legal annotation.
const (
	maxScalarLength   = 64
	maxDocumentLength = 16 << 10
)

// Row is one row of the table that describes the annotations.
type Row struct {
	// Name is the annotation in full.
	Name string
	// Default is the value an absent annotation stands for, while the operator's defaults are DefaultDefaults. It is
	// empty if absence is not the same as any value.
	Default string
	// Examples are values that can be written as they are.
	Examples []string
	// Doc is the meaning, for users, in Markdown on one line.
	Doc string
	// MaxLength is the longest value in bytes.
	MaxLength int
	// Required says that the annotations of a workload are invalid without it.
	Required bool

	// document says that the value is YAML or JSON, which may have line breaks.
	document bool
	// metric says that it gives the workload a metric to scale on; at least one of those is needed.
	metric bool
	// aliases are short names that people try instead. They are not accepted, but lead to the right suggestion.
	aliases []string
	// set reads the value, trimmed and not empty, into a draft. Its error says what is allowed, without the value.
	// A document is not trimmed, and problems inside of it go into the draft.
	set func(p *draft, value string) error
}

// Rows returns the table that Parse and the documentation share: one row for each annotation, in the order in which
// they are documented.
func Rows() []Row {
	rows := slices.Clone(table[:])
	for i := range rows {
		rows[i].Examples = slices.Clone(rows[i].Examples)
	}
	return rows
}
