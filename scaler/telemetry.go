package scaler

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// Telemetry is the Prometheus metrics of the reconciler. Names and labels are those of the HPA controller
// (podautoscaler/monitor/metrics.go) with mini_hpa for its subsystem, so that dashboards need only the prefix changed;
// the label hpa_name holds the workload's name, and kind its kind.
type Telemetry struct {
	reconciliations, computations *prometheus.CounterVec
	reconciling, computing        *prometheus.HistogramVec
	conflicts, namesakes          prometheus.Counter
	waking, reacting              prometheus.Histogram
	requested                     prometheus.Counter
	board                         *board
	clocks                        *nodeClocks
}

// outcome is what one reconciliation came to.
type outcome struct {
	key annotations.Key
	// policy is what the annotations ask for, with the bounds of the moment; it means nothing where they are invalid.
	policy annotations.Policy
	// decision is nil where nothing was decided: annotations that are invalid or say paused.
	decision *recommend.Decision
	invalid  bool
	// sleeper says that there may be 0 replicas at times, from which something wakes the workload.
	sleeper bool
	// pause is how long writes wait because a rival overwrites them.
	pause figure
	// ready are the pods that are ready and stay, scaled is when this process has last written the replicas; zero if it has not.
	ready  int32
	scaled time.Time
	err    error
	// passing says that the error is of a kind that passes by itself, and not old enough to be told.
	passing bool
	took    time.Duration
}

// NewTelemetry makes the metrics and registers them; it panics if they are registered already.
func NewTelemetry(r prometheus.Registerer) *Telemetry {
	t := &Telemetry{
		reconciliations: counter("reconciliations_total", "Number of reconciliations.", "action", "error"),
		reconciling: histogram("reconciliation_duration_seconds",
			"Time that one reconciliation took, the write of the scale included.", "action", "error"),
		computations: counter("metric_computation_total", "Number of metric computations.", "action", "error", "metric_type"),
		computing: histogram("metric_computation_duration_seconds",
			"Time of the reconciliation in which a metric was computed. The samples are in memory already.", "action", "error", "metric_type"),
		namesakes: prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: "second_installation_writes_total",
			Help: "Changes of replicas under the field manager mini-hpa that this process has not written."}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: "scale_conflicts_total",
			Help: "Writes of replicas that were refused because somebody else had changed the object meanwhile. They are decided on again."}),
		waking: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: metricsNamespace, Name: "wake_duration_seconds",
			Help:    "Time from the write that woke a workload to its first ready pod, as this process saw both. A workload that goes back to 0 replicas before, or is paused, does not count.",
			Buckets: prometheus.ExponentialBuckets(0.5, 2, 12)}), // to 17 minutes: a node may have to come first
		reacting: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: metricsNamespace, Name: "request_wake_reaction_seconds",
			Help:    "Time from the arrival of a request at an activator, of those that wait the one that has waited for longest, to the answer of the write that woke its workload.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}), // to 20 seconds
		requested: prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: "request_wakes_total",
			Help: "Writes from 0 replicas to more that requests at an activator have asked for."}),
		board: newBoard(),
		clocks: newNodeClocks(prometheus.NewDesc(metricsNamespace+"_node_clock_offset_seconds",
			"How far the clock of a node is ahead of the controller's, negative if it is behind; of nodes that run pods of autoscaled workloads and are more than a minute off, absent for others.",
			[]string{"node"}, nil)),
	}
	r.MustRegister(t.reconciliations, t.reconciling, t.computations, t.computing, t.conflicts, t.namesakes, t.waking, t.reacting, t.requested, t.board, t.clocks)
	return t
}

const metricsNamespace = "mini_hpa"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help + labelHelp}, labels)
}

// histogram has the HPA controller's buckets: 1 ms to 16 s.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: metricsNamespace, Name: name, Help: help + labelHelp,
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}, labels)
}

const labelHelp = " 'action' is scale_up, scale_down or none; 'error' is spec (the annotations, the pod template or another autoscaler), internal or none."

// observe counts one reconciliation and shows how it left the workload.
func (t *Telemetry) observe(o outcome) {
	action, failed := o.labels()
	t.reconciliations.WithLabelValues(action, failed).Inc()
	t.reconciling.WithLabelValues(action, failed).Observe(o.took.Seconds())
	t.board.show(o)
	if o.decision == nil {
		return
	}
	for _, m := range o.decision.Metrics {
		t.observeMetric(m, o.decision.Current, o.took)
	}
}

func (t *Telemetry) observeMetric(m recommend.MetricResult, current int32, took time.Duration) {
	action, failed := actionOf(current, m.Replicas), "none"
	if m.Failed {
		action, failed = "none", "internal"
	}
	t.computations.WithLabelValues(action, failed, string(m.Type)).Inc()
	t.computing.WithLabelValues(action, failed, string(m.Type)).Observe(took.Seconds())
}

// woke counts a write from 0 to more that has ended a sleep.
func (t *Telemetry) woke(key annotations.Key) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	s := t.board.standing(key)
	s.wakes.value++
	t.board.place(key, s)
}

// overwritten counts a change of the replicas by somebody else.
func (t *Telemetry) overwritten(key annotations.Key, by class) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	s := t.board.standing(key)
	s.overwrites = s.overwrites.and(by)
	t.board.place(key, s)
}

func (t *Telemetry) forget(key annotations.Key) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	delete(t.board.standings, key)
}

// clear drops what is shown of every workload. Counters stay.
func (t *Telemetry) clear() {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	clear(t.board.standings)
	t.clocks.clear()
}

// labels are the HPA controller's values of 'action' and 'error'.
func (o outcome) labels() (action, failed string) {
	switch {
	case o.invalid:
		return "none", "spec"
	case o.decision == nil:
		return "none", "none"
	case o.err != nil || o.decision.Failure != nil:
		return "none", "internal"
	}
	return actionOf(o.decision.Current, o.decision.Desired), "none"
}

func actionOf(current, desired int32) string {
	switch {
	case desired > current:
		return "scale_up"
	case desired < current:
		return "scale_down"
	}
	return "none"
}

// board shows how each workload stands. It is asked at a scrape, so that a look at a workload costs no more than to note
// the outcome, and all series of a workload come and go together.
type board struct {
	mu sync.Mutex
	// standings are replaced and never written to: who has read the map knows them without the lock.
	standings map[annotations.Key]*standing

	number                                  *prometheus.Desc
	min, max, current, desired, recommended *prometheus.Desc
	condition, mode, missing, pause         *prometheus.Desc
	asleep, wakes, failed                   *prometheus.Desc
	ready, scaled, limits, overwrites       *prometheus.Desc
	value, target                           *prometheus.Desc
}

func newBoard() *board {
	return &board{
		standings:   map[annotations.Key]*standing{},
		number:      prometheus.NewDesc(metricsNamespace+"_num_horizontal_pod_autoscalers", "Number of autoscaled workloads; 0 in a standby.", nil, nil),
		min:         shown("min_replicas", "Lower bound of the replicas, by the annotations, and at the moment by the line of the schedule that counts; absent while they are invalid."),
		max:         shown("max_replicas", "Upper bound of the replicas, by the annotations, and at the moment by the line of the schedule that counts; absent while they are invalid."),
		current:     shown("current_replicas", "Replicas in the workload's spec as the last decision saw them."),
		desired:     shown("desired_replicas", "Replicas that the last decision asked for."),
		recommended: shown("recommended_replicas", "Replicas that the metrics and the stabilization windows ask for, before bounds and policies; absent while no metric is valid."),
		condition:   shown("condition", "Condition as an HPA has it: 1 is true, 0 is false; absent while it is unknown. 'condition' is ScalingActive, AbleToScale or ScalingLimited.", "condition"),
		mode: shown("workload_mode", "A constant 1, labeled with how the workload is treated: 'mode' is auto, observe or paused as in its annotations, "+
			"asleep where its mode is auto and it has 0 replicas from which something wakes it, disabled where somebody has set them to 0, or invalid where the annotations, the pod template or another autoscaler stand in the way.", "mode"),
		missing: shown("missing_replicas", "Replicas that are asked for and do not come, because their pods cannot be created or no node takes them; absent while there are none."),
		pause:   shown("overwritten_pause_seconds", "How long mini-hpa waits before it takes the replicas back from somebody else who sets them again and again; absent while nobody does."),
		asleep:  shown("asleep", "Whether the workload sleeps: 1 is asleep, 0 is awake; absent for workloads that never sleep, and while that is not known."),
		wakes:   shown("wakes_total", "Writes from 0 replicas to more with which this process has ended a sleep; absent for workloads that never sleep."),
		failed:  shown("failed_metrics", "Metrics of the workload that cannot be evaluated; absent while all can. Those of pods that have just started do not count."),
		ready:   shown("ready_replicas", "Pods of the workload that are ready, and not being deleted."),
		scaled:  shown("last_scale_timestamp_seconds", "When this process has last written the replicas of the workload, in seconds since 1970; absent before it has."),
		limits: shown("limited", "A constant 1, labeled with what keeps the replicas from what the metrics ask for; absent while nothing does. 'reason' is max, min, policy (the scaling policies), "+
			"stabilization (a window holds the change back), quota or refused (pods cannot be created, because of a quota or of something else), or unschedulable (no node takes them).", "reason"),
		overwrites: shown("external_writes_total", "Changes of the replicas by somebody else that this process has seen; absent while there were none. 'manager_class' is kubectl, helm, argocd, "+
			"flux, hpa, keda, other, or unknown where managedFields do not say who it was.", "manager_class"),
		value: shown("metric_value", "What a metric of the workload was measured at for the last decision, in the unit of its target; absent while it cannot be evaluated. "+measuredHelp(), measuredLabels()...),
		target: shown("metric_target", "What a metric of the workload is held at: a percentage of what its pods request (utilization), a number for each pod (average) or one for all (value); "+
			"absent while the annotations are invalid. "+measuredHelp(), measuredLabels()...),
	}
}

func measuredHelp() string {
	return fmt.Sprintf("CPU is in cores and memory in bytes. 'metric_name' and 'metric_target_type' are those of kube-state-metrics, and 'metric_container' is its container, which is empty where all of them count. "+
		"Of each workload %d metrics are shown.", metricsShown)
}

// measuredLabels are those of a metric. Of kube-state-metrics they are, but for container: a ServiceMonitor gives each series without that label the
// container of the process that was scraped.
func measuredLabels() []string {
	return []string{"metric_type", "metric_name", "metric_container", "metric_target_type"}
}

// shown describes a metric of one workload.
func shown(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricsNamespace+"_"+name, help, append([]string{"namespace", "kind", "hpa_name"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (b *board) Describe(c chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{b.number, b.min, b.max, b.current, b.desired, b.recommended, b.condition, b.mode, b.missing, b.pause, b.asleep, b.wakes, b.failed,
		b.ready, b.scaled, b.limits, b.overwrites, b.value, b.target} {
		c <- desc
	}
}

// Collect implements prometheus.Collector. A slow reader does not hold up the workers.
func (b *board) Collect(c chan<- prometheus.Metric) {
	b.mu.Lock()
	standings := maps.Clone(b.standings)
	b.mu.Unlock()
	c <- prometheus.MustNewConstMetric(b.number, prometheus.GaugeValue, float64(len(standings)))
	active, able, limited := label("condition", "ScalingActive"), label("condition", "AbleToScale"), label("condition", "ScalingLimited")
	shared := labels{}
	for key, s := range standings {
		name, kind, namespace := label("hpa_name", key.Name), label("kind", kindLabel(key.Kind)), label("namespace", key.Namespace)
		own := []*dto.LabelPair{name, kind, namespace}
		show := func(desc *prometheus.Desc, f figure, labels ...*dto.LabelPair) {
			if f.known {
				c <- &series{desc: desc, labels: labels, value: float64(f.value)}
			}
		}
		show(b.min, s.min, own...)
		show(b.max, s.max, own...)
		show(b.current, s.current, own...)
		show(b.desired, s.desired, own...)
		show(b.recommended, s.recommended, own...)
		show(b.condition, s.active, active, name, kind, namespace)
		show(b.condition, s.able, able, name, kind, namespace)
		show(b.condition, s.limited, limited, name, kind, namespace)
		show(b.mode, figure{1, s.mode != ""}, name, kind, label("mode", string(s.mode)), namespace)
		show(b.missing, s.missing, own...)
		show(b.pause, s.pause, own...)
		show(b.asleep, s.asleep, own...)
		show(b.failed, s.failed, own...)
		if s.wakes.known {
			c <- &series{desc: b.wakes, labels: own, value: float64(s.wakes.value), counts: true}
		}
		show(b.ready, s.ready, own...)
		for reason := range s.limits.all() {
			show(b.limits, figure{1, true}, name, kind, namespace, shared.one("reason", reason.String()))
		}
		if s.scaled != 0 {
			c <- &series{desc: b.scaled, labels: own, value: float64(s.scaled) / 1000}
		}
		for by, n := range s.overwrites.all() {
			c <- &series{desc: b.overwrites, labels: []*dto.LabelPair{name, kind, shared.one("manager_class", by.String()), namespace}, value: float64(n), counts: true}
		}
		b.collectMeasured(c, s.measured, shared, own)
	}
}

// collectMeasured shows what the metrics of a workload were measured at, and what they are held at. Its own labels are its name, its kind and its namespace.
func (b *board) collectMeasured(c chan<- prometheus.Metric, m *measured, shared labels, own []*dto.LabelPair) {
	m.each(func(one identity, value, target reading) {
		all := []*dto.LabelPair{own[0], own[1], shared.one("metric_container", one.container), shared.one("metric_name", one.name),
			shared.one("metric_target_type", one.target), shared.one("metric_type", one.kind), own[2]}
		if value.known {
			c <- &series{desc: b.value, labels: all, value: value.number}
		}
		if target.known {
			c <- &series{desc: b.target, labels: all, value: target.number}
		}
	})
}

// kindLabel is the kind alone for those of Kubernetes, and with its group for others: two groups may have a kind of the same name, and two
// equal series would fail the whole scrape.
func kindLabel(kind schema.GroupKind) string {
	if kind.Group == appsv1.GroupName {
		return kind.Kind
	}
	return kind.String()
}

// series is a gauge, or a counter where it counts. Those of a workload share its labels: with copies for each, as prometheus.NewConstMetric makes them, a scrape
// takes twice the memory, all of it at once.
type series struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair // sorted by name
	value  float64
	counts bool
}

// labels are those that several workloads have in common, made once for a scrape.
type labels map[[2]string]*dto.LabelPair

func (l labels) one(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if l[key] == nil {
		l[key] = label(name, value)
	}
	return l[key]
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Desc implements prometheus.Metric.
func (s *series) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *series) Write(out *dto.Metric) error {
	if out.Label = s.labels; s.counts {
		out.Counter = &dto.Counter{Value: &s.value}
		return nil
	}
	out.Gauge = &dto.Gauge{Value: &s.value}
	return nil
}

func (b *board) show(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.place(o.key, b.standing(o.key).after(o))
}

// standing is the last one of a workload; the zero value if there is none.
func (b *board) standing(key annotations.Key) standing {
	if s := b.standings[key]; s != nil {
		return *s
	}
	return standing{}
}

// place takes note of a standing. Of most workloads it is the same as before.
func (b *board) place(key annotations.Key, s standing) {
	if old := b.standings[key]; old == nil || *old != s {
		b.standings[key] = new(s)
	}
}

// figure is a number that may be unknown.
type figure struct {
	value int32
	known bool
}

// truth is the figure of a condition.
func truth(holds bool) figure {
	if holds {
		return figure{1, true}
	}
	return figure{0, true}
}

// standing is how a workload stands after a look at it.
type standing struct {
	mode                                                           annotations.Mode
	min, max, current, desired, recommended, active, able, limited figure
	missing, pause, asleep, wakes, failed, ready                   figure
	// scaled is when the replicas were last written, in milliseconds since 1970; 0 if they were not.
	scaled int64
	limits limits
	// overwrites and measured are replaced and never written to; nil is none.
	overwrites *overwrites
	measured   *measured
}

// after is the standing after another look. Where nothing was decided the workload is not scaled, whatever the reason;
// current and desired stay as the last decision has left them.
func (s standing) after(o outcome) standing {
	s.mode, s.min, s.max = o.mode(), figure{o.policy.Min, !o.invalid}, figure{o.policy.Max, !o.invalid}
	s.missing, s.pause, s.failed = figure{}, o.pause, figure{}
	s.asleep, s.wakes.known = figure{}, o.sleeper || s.wakes.value > 0
	s.ready, s.limits, s.measured = figure{o.ready, true}, limitsOf(o.decision, &o.policy), s.measured.after(o.metrics(), o.decision)
	if !o.scaled.IsZero() {
		s.scaled = o.scaled.UnixMilli()
	}
	d := o.decision
	if d == nil {
		s.recommended, s.active, s.able, s.limited = figure{}, truth(false), figure{}, figure{}
		return s
	}
	if d.Missing != nil {
		s.missing = figure{d.Missing.Refused + d.Missing.Unscheduled, true}
	}
	if n := failing(d); n > 0 {
		s.failed = figure{n, true}
	}
	if o.sleeper || d.Asleep {
		s.asleep = truth(d.Asleep)
	}
	s.current, s.desired, s.recommended = figure{d.Current, true}, figure{d.Desired, true}, recommended(d)
	if d.Active != "" {
		s.active = truth(d.Decided())
	}
	if d.Limited != "" {
		s.limited = truth(d.Limited != recommend.LimitedNot)
	}
	if !o.passing {
		s.able = truth(o.err == nil)
	}
	return s
}

// mode is the policy's, unless something stands in its way.
func (o *outcome) mode() annotations.Mode {
	switch {
	case o.invalid:
		return "invalid"
	case o.decision != nil && o.decision.Active == recommend.ActiveDisabled:
		return "disabled"
	case o.decision != nil && o.decision.Asleep && o.policy.Mode == annotations.ModeAuto:
		return "asleep"
	}
	return o.policy.Mode
}

// metrics are what the annotations ask for; none while they are invalid.
func (o *outcome) metrics() []annotations.Metric {
	if o.invalid {
		return nil
	}
	return o.policy.Metrics
}

// failing is how many metrics fail in a way that does not pass by itself.
func failing(d *recommend.Decision) int32 {
	n := int32(0)
	for i := range d.Metrics {
		if eventOf(d.Metrics[i], false) != "" {
			n++
		}
	}
	return n
}

// recommended is the number to which the bounds were applied; without a valid metric there is none.
func recommended(d *recommend.Decision) figure {
	at := slices.IndexFunc(d.Steps, func(step recommend.Step) bool { return step.Stage == recommend.StageBounds })
	if at < 0 || d.Active != recommend.ActiveValidMetric {
		return figure{}
	}
	return figure{d.Steps[at].From, true}
}
