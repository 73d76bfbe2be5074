package annotations

import (
	"slices"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Row is one row of the table that describes the annotations.
type Row struct {
	// Name is the annotation in full.
	Name string
	// Default is the value an absent annotation stands for, while the administrator's defaults are DefaultDefaults. It is
	// empty if absence is not the same as any value.
	Default string
	// Examples are values that can be written as they are.
	Examples []string
	// Doc is the meaning, for users, in Markdown on one line.
	Doc string
	// MaxLength is the longest value in bytes.
	MaxLength int
	// Pattern is a regular expression, in what RE2 and ECMA-262 have in common, that each accepted value matches, and few others do: durations out of
	// range, and amounts of memory just above the most. It is empty for documents.
	Pattern string
	// Required says that the annotations of a workload are invalid without it.
	Required bool

	// document says that the value is YAML or JSON, which may have line breaks.
	document bool
	// metric says that it gives the workload a metric to scale on; at least one of those is needed: see IsMetric.
	metric bool
	// aliases are short names that people try instead. They are not accepted, but lead to the right suggestion.
	aliases []string
	// set reads the value, trimmed and not empty, into a draft. Its error says what is allowed, without the value.
	// A document is not trimmed, and problems inside of it go into the draft.
	set func(p *draft, value string) error
}

// IsMetric says that the annotation gives the workload a metric to scale on, or a schedule; at least one of those is needed.
func (r *Row) IsMetric() bool { return r.metric }

// Rows returns the table that Parse and the documentation share: one row for each annotation, in the order in which
// they are documented.
func Rows() []Row {
	rows := slices.Clone(table[:])
	for i := range rows {
		rows[i].Examples = slices.Clone(rows[i].Examples)
	}
	return rows
}

// table is the only description of the annotations. It is never changed.
var table = [...]Row{
	{
		Name: TargetCPU, MaxLength: maxScalarLength, metric: true, set: setTargetCPU,
		Pattern:  patternCPU,
		Examples: []string{"50", "50%", "250m"},
		Doc: "Hold the pods' average CPU usage at this: a percent of their CPU request, " +
			"or an amount for each pod in millicores (with the `m` suffix).",
		aliases: []string{"cpu", "cpu-target", "target-cpu-utilization", "cpu-utilization", "target"},
	},
	{
		Name: TargetMemory, MaxLength: maxScalarLength, metric: true, set: setTargetMemory,
		Pattern:  patternMemory,
		Examples: []string{"70%", "512Mi"},
		Doc: "Hold the pods' average memory usage at this: a percent of their memory request, " +
			"or an amount for each pod with a unit. A plain number is a percent, not bytes.",
		aliases: []string{"memory", "memory-target", "target-memory-utilization", "memory-utilization", "target-mem"},
	},
	{
		Name: Container, MaxLength: maxScalarLength, set: setContainer,
		Pattern:  patternLabel,
		Examples: []string{"app"},
		Doc: "Measure the `target-*` annotations on this container only, for instance to leave a sidecar out. " +
			"Without it, all containers count.",
		aliases: []string{"container-name", "target-container"},
	},
	{
		Name: Min, Default: "1", MaxLength: maxScalarLength, set: setMin,
		Pattern:  patternNumber,
		Examples: []string{"1", "0"},
		Doc: "The fewest replicas. With `0` the workload sleeps while it has nothing to do: when each Object and External metric and each line of `sources` is 0, or no line of `schedule` asks for more. " +
			"It wakes when one of them is above 0, or on a request (`wake`).",
		aliases: []string{"min-replicas", "minimum", "replicas-min"},
	},
	{
		Name: Max, MaxLength: maxScalarLength, Required: true, set: setMax,
		Pattern:  patternNumber,
		Examples: []string{"10"},
		Doc:      "The most replicas, not less than `min`. `0`, together with a `min` of `0`, switches the workload off.",
		aliases:  []string{"max-replicas", "maximum", "replicas-max"},
	},
	{
		Name: ScheduleKey, MaxLength: lines.MaxLength, document: true, metric: true, set: setSchedule,
		Examples: []string{exampleSchedule},
		Doc: "Other bounds at certain times, one line for each: days, hours, and `min`, `max` or `replicas` (both of them). The first line that fits counts, top to bottom, " +
			"and where none does, `min` and `max`. No metric is needed beside it. See [below](#schedules).",
		aliases: []string{"cron", "timetable", "schedules", "uptime", "downtime"},
	},
	{
		Name: SourcesKey, MaxLength: lines.MaxLength, document: true, metric: true, set: setSources,
		Examples: []string{"orders-kafka group=shop.orders topic=shop.orders target=100"},
		Doc: "How much work waits in the systems that the administrator has listed, one line for each: the source, the name of a query where the source has some, and what is asked, then `target` (for each pod) or `total`. " +
			"A line with neither only wakes and keeps awake. See [below](#sources).",
		aliases: []string{"source", "triggers", "trigger", "scaler", "scalers", "queue", "query"},
	},
	{
		Name: SleepAfter, MaxLength: maxScalarLength, set: setSleepAfter,
		Pattern:  patternDuration,
		Examples: []string{"10m"},
		Doc: "With a `min` of `0`: how long each Object and External metric and each line of `sources` must have been 0 before the workload sleeps. " +
			"The window of scale-down counts as well; without this annotation it alone does.",
		aliases: []string{"cooldown-period", "cooldown", "idle-after", "scale-to-zero-grace-period"},
	},
	{
		Name: WakeReplicas, Default: "1", MaxLength: maxScalarLength, set: setWakeReplicas,
		Pattern:  patternCount,
		Examples: []string{"2"},
		Doc:      "How many replicas there are at least when the workload wakes, whatever the policies of scale-up allow.",
		aliases:  []string{"activation-scale", "wake-up-replicas", "initial-scale"},
	},
	{
		Name: WakeKey, MaxLength: lines.MaxLength, document: true, set: setWake,
		Examples: []string{"requests service=web hold=60s"},
		Doc: "With a `min` of `0`: wake on the first request, which waits at the activator until a pod is ready. " +
			"Something else must say when nobody uses the workload, such as a line of `sources`. See [below](#requests).",
		aliases: []string{"wake-on", "wake-up", "activator"},
	},
	{
		Name: FallbackKey, MaxLength: maxScalarLength, set: setFallback,
		Pattern:  patternFallback,
		Examples: []string{"3 after 2m"},
		Doc: "How many replicas there are at least while a metric has failed for so long. It never lowers them, and nothing is scaled in while a metric fails. " +
			"It also wakes a workload that sleeps.",
		aliases: []string{"fallback-replicas"},
	},
	{
		Name: Metrics, MaxLength: maxDocumentLength, metric: true, document: true, set: setMetrics,
		Examples: []string{exampleMetrics},
		Doc: "A list of autoscaling/v2 `MetricSpec` in YAML or JSON: everything that the `spec.metrics` of an HPA can say. " +
			"It is joined with `target-*`, and the metric that asks for the most replicas wins.",
		aliases: []string{"metric"},
	},
	{
		Name: Behavior, MaxLength: maxDocumentLength, document: true, set: setBehavior,
		Examples: []string{exampleBehavior},
		Doc: "An autoscaling/v2 `HorizontalPodAutoscalerBehavior` in YAML or JSON: everything that the `spec.behavior` of an " +
			"HPA can say, with the HPA's defaults for what it leaves out.",
		aliases: []string{"behaviour"},
	},
	{
		Name: Tolerance, Default: "10%", MaxLength: maxScalarLength, set: setTolerance,
		Pattern:  patternTolerance,
		Examples: []string{"10%", "0.05"},
		Doc:      "Nothing changes while usage divided by target is within 1 ± tolerance.",
	},
	{
		Name: ScaleUpStabilization, Default: "0s", MaxLength: maxScalarLength, set: stabilization(up),
		Pattern:  patternDuration,
		Examples: []string{"0s"},
		Doc:      "Scaling up goes no higher than the lowest recommendation of this window.",
		aliases:  []string{"scale-up-stabilization-window", "scale-up-window", "upscale-stabilization"},
	},
	{
		Name: ScaleDownStabilization, Default: "5m", MaxLength: maxScalarLength, set: stabilization(down),
		Pattern:  patternDuration,
		Examples: []string{"5m"},
		Doc:      "Scaling down goes no lower than the highest recommendation of this window.",
		aliases:  []string{"scale-down-stabilization-window", "scale-down-window", "downscale-stabilization"},
	},
	{
		Name: ScaleUpPolicies, Default: "4 pods/15s, 100%/15s", MaxLength: maxScalarLength, set: policies(up),
		Pattern:  patternPolicies,
		Examples: []string{"4 pods/15s, 100%/15s", "disabled"},
		Doc: "How many pods, or what percent of the replicas, may be added within a period. " +
			"The most permissive policy wins; `disabled` never scales up.",
		aliases: []string{"scale-up-policy", "scale-up"},
	},
	{
		Name: ScaleDownPolicies, Default: "100%/15s", MaxLength: maxScalarLength, set: policies(down),
		Pattern:  patternPolicies,
		Examples: []string{"1 pod/60s", "disabled"},
		Doc: "How many pods, or what percent of the replicas, may be removed within a period. " +
			"The most permissive policy wins; `disabled` never scales down.",
		aliases: []string{"scale-down-policy", "scale-down"},
	},
	{
		Name: WarmUp, Default: "0s", MaxLength: maxScalarLength, set: setWarmUp,
		Pattern:  patternDuration,
		Examples: []string{"90s"},
		Doc: "How long a pod uses more CPU than its share of the load after it has become ready, such as a JVM that compiles. " +
			"When scaling up, such a pod's CPU counts at most as the average of the pods that are past it or, if there is none, as its target. " +
			"A start of more than 5 minutes is known by others that took about as long.",
		aliases: []string{"warmup", "warm-up-period", "warmup-period", "instance-warmup", "initialization-period", "cpu-initialization-period"},
	},
	{
		Name: SyncPeriod, Default: "15s", MaxLength: maxScalarLength, set: setSyncPeriod,
		Pattern:  patternDuration,
		Examples: []string{"5s"},
		Doc:      "The longest time between two looks at the workload, and up to a tenth of it more, so that not all workloads are looked at together. The administrator sets the shortest that is accepted.",
		aliases:  []string{"interval", "period", "polling-interval"},
	},
	{
		Name: ModeKey, Default: string(ModeAuto), MaxLength: maxScalarLength, set: setMode,
		Pattern:  patternMode,
		Examples: []string{string(ModeAuto), string(ModeObserve), string(ModePaused)},
		Doc: "`auto` decides and scales; `observe` decides and tells, but does not scale; " +
			"`paused` does not decide.",
		aliases: []string{"paused", "pause", "enabled", "disabled", "dry-run"},
	},
	{
		Name: ClassKey, MaxLength: maxScalarLength, set: setClass,
		Pattern:  patternLabel,
		Examples: []string{"batch"},
		Doc: "Where there are several installations of mini-hpa: the one that scales the workload, which is that with the same `controller.class` (`--class`). " +
			"Without this annotation it is the one that has no class. A class that no installation has means that nobody scales it.",
		aliases: []string{"class-name", "controller", "controller-class", "scaler-class", "autoscaler-class"},
	},
}

const (
	exampleMetrics = `- type: Pods
  pods:
    metric:
      name: requests_per_second
    target:
      type: AverageValue
      averageValue: "40"
- type: External
  external:
    metric:
      name: queue_length
      selector:
        matchLabels:
          queue: orders
    target:
      type: AverageValue
      averageValue: "30"
`
	exampleSchedule = `zone Europe/Berlin
Mon-Fri 07:30-20:00 min=5 max=40
2026-11-27..2026-11-30 00:00-24:00 min=20 max=40
daily 22:00-06:00 replicas=2
`
	exampleBehavior = `scaleUp:
  stabilizationWindowSeconds: 30
scaleDown:
  stabilizationWindowSeconds: 120
  selectPolicy: Min
  policies:
  - type: Pods
    value: 2
    periodSeconds: 60
  - type: Percent
    value: 10
    periodSeconds: 60
  tolerance: "0.05"
`
)
