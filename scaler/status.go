package scaler

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// State says in a word how a workload stands. Each but the first and the last has an Event or a condition of its own, which says more.
type State string

// States, the worst first.
const (
	// StateDown: no controller leads, so nothing is scaled.
	StateDown State = "DOWN"
	// StateBlind: a metric cannot be evaluated (Events FailedGet...), and not only because no pod has come, which is StateStarved.
	StateBlind State = "BLIND"
	// StateInvalid: the annotations or the pod template have errors (Events InvalidAnnotations, MissingRequest, SourceForbidden).
	StateInvalid State = "INVALID"
	// StateConflict: another autoscaler scales it, too (Event ConflictingAutoscaler).
	StateConflict State = "CONFLICT"
	// StateDenied: the API server refuses the write (Event FailedRescale).
	StateDenied State = "DENIED"
	// StateStarved: replicas are asked for and do not come (Event ReplicasNotComing).
	StateStarved State = "STARVED"
	// StateOverwritten: somebody else has set the replicas in the last five minutes, or does so again and again (Event ReplicasOverwritten).
	StateOverwritten State = "OVERWRITTEN"
	// StateLimited: the load asks for more than mini-hpa/max (Event ScalingLimited).
	StateLimited State = "LIMITED"
	// StateHolding: a stabilization window holds a change back (condition AbleToScale).
	StateHolding State = "HOLDING"
	// StateRamping: the scaling policies let the replicas change no faster (condition ScalingLimited).
	StateRamping State = "RAMPING"
	// StateWaiting: nothing is decided, because the pods have no samples yet (condition ScalingActive).
	StateWaiting State = "WAITING"
	// StateObserve: mini-hpa/mode is observe (Event RescaleObserved).
	StateObserve State = "OBSERVE"
	// StatePaused: mini-hpa/mode is paused.
	StatePaused State = "PAUSED"
	// StateOff: somebody has set 0 replicas, or mini-hpa/max is 0 (Event ScalingDisabled).
	StateOff State = "OFF"
	// StateAsleep: there are 0 replicas because there is nothing to do.
	StateAsleep State = "ASLEEP"
	// StateOK: none of the others.
	StateOK State = "OK"
	// StateUnknown: whoever asks may not know it. It is none of States.
	StateUnknown State = "?"
)

// States are all of them, the worst first.
func States() []State {
	all := []State{StateDown}
	for _, s := range stateChecks() {
		all = append(all, s.state)
	}
	return append(all, StateOK)
}

// Rank is the place among States, of which 0 is the worst. StateUnknown comes after StateRamping, as it may be any.
func (s State) Rank() int {
	all := slices.Insert(States(), slices.Index(States(), StateWaiting), StateUnknown)
	return slices.Index(all, s)
}

// IsProblem says whether somebody should do something about it: it is worse than StateHolding.
func (s State) IsProblem() bool { return s.Rank() < StateHolding.Rank() }

// Status is how one workload stands, as one row of a table of all.
type Status struct {
	Kind      string `json:"kind"`
	Group     string `json:"group,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// State is the worst that is true of it, and Why says why; Why is empty where all is well.
	State State  `json:"state"`
	Why   string `json:"why,omitempty"`
	// Mode is what the annotations ask for.
	Mode annotations.Mode `json:"mode,omitempty"`
	// Targets are its metrics, in the order of the annotations.
	Targets []Target `json:"targets,omitempty"`
	// Min and Max are the bounds of the moment; nil while nothing is decided because the annotations are invalid.
	Min *int32 `json:"min,omitempty"`
	Max *int32 `json:"max,omitempty"`
	// Replicas are those that are asked for, Ready the pods of them that are ready.
	Replicas int32 `json:"replicas"`
	Ready    int32 `json:"ready"`
	// Wants is how many the metrics ask for, before windows, bounds and policies; nil if that is not known.
	Wants *int32 `json:"wants,omitempty"`
	// LastScale is the last change that this leader has written; nil if there was none.
	LastScale *Rescale `json:"lastScale,omitempty"`
	// Reason is what drove the last decision.
	Reason string `json:"reason,omitempty"`
	// Decided is when the last decision was made; zero if there was none.
	Decided time.Time `json:"decided,omitzero"`
}

// Target is a metric and what it is held at.
type Target struct {
	// Metric is its name: "cpu", "cpu of app", or the ID of one that is asked for by name.
	Metric string `json:"metric"`
	// Value is what was measured, "?" if nothing was, and Target what it is held at; empty if the metric only wakes and keeps awake.
	Value  string `json:"value"`
	Target string `json:"target,omitempty"`
}

// String is the target as a cell of a table: "cpu: 96%/50%".
func (t Target) String() string {
	if t.Target == "" {
		return t.Metric + ": " + t.Value
	}
	return t.Metric + ": " + t.Value + "/" + t.Target
}

// standpoint is everything that the status of a workload is made of.
type standpoint struct {
	// remembered is what the decision is of; the workload may be forgotten meanwhile. It is nil for StatusOf.
	remembered *remembered
	workload   *annotations.Workload
	pods       []*podspec.Pod
	// policy has the bounds of the moment. It means nothing where there are problems and no decision: they keep the workload from being scaled. One that sleeps may be woken
	// because of them.
	policy   annotations.Policy
	problems field.ErrorList
	mode     annotations.Mode
	// whole is the policy with the bounds that it has without a schedule, warnings what there is to know of it.
	whole    annotations.Policy
	warnings []annotations.Warning
	// decision is the last one, made on snapshot; nil if none was made.
	decision *recommend.Decision
	snapshot recommend.Snapshot
	marks
	now time.Time
}

// StatusOf is how a workload stands as an explanation shows it, to somebody who does not know what the controller remembers. The workload and
// its pods are as they were explained. Problems are why there is no decision; they are empty if there is one.
func StatusOf(e Explanation, w *annotations.Workload, pods []*podspec.Pod, problems field.ErrorList, now time.Time) Status {
	p := standpoint{workload: w, pods: pods, policy: e.Policy.At(now), problems: problems, mode: e.Policy.Mode, now: now}
	if e.Decision.Time.IsZero() {
		return p.status()
	}
	p.decision = &e.Decision
	return p.status()
}

func (p *standpoint) status() Status {
	w := p.workload
	s := Status{Kind: w.Kind.Kind, Group: w.Kind.Group, Namespace: w.Namespace, Name: w.Name, State: StateOK, Mode: p.mode, Replicas: w.Replicas, Ready: readyOf(p.pods)}
	for _, one := range stateChecks() {
		if why, holds := one.holds(p); holds {
			s.State, s.Why = one.state, why
			break
		}
	}
	if p.scaled != (Rescale{}) {
		s.LastScale = new(p.scaled)
	}
	if len(p.problems) > 0 && p.decision == nil {
		return s
	}
	s.Min, s.Max, s.Targets = new(p.policy.Min), new(p.policy.Max), p.targets()
	if d := p.decision; d != nil {
		s.Reason, s.Decided = d.Reason.String(), d.Time
		if n, known := wanted(d); known {
			s.Wants = &n
		}
	}
	return s
}

// readyOf counts the pods that are ready and stay.
func readyOf(pods []*podspec.Pod) int32 {
	n := int32(0)
	for _, pod := range pods {
		if pod.Ready.Status == corev1.ConditionTrue && pod.Deleted.IsZero() {
			n++
		}
	}
	return n
}

// wanted is what the metrics asked for before anything held it back.
func wanted(d *recommend.Decision) (int32, bool) {
	if !d.Decided() {
		return 0, false
	}
	for i := range d.Steps {
		switch d.Steps[i].Stage {
		case recommend.StageStabilize, recommend.StageBounds, recommend.StagePolicy:
			return d.Steps[i].From, true
		}
	}
	return d.Desired, true
}

// stateCheck is one state, and when a workload is in it, unless it is in a worse one.
type stateCheck struct {
	state State
	// holds says why it is; why is empty where the state says it all.
	holds func(p *standpoint) (why string, holds bool)
}

// stateChecks are those of the states that can be told from a workload itself, the worst first.
func stateChecks() []stateCheck {
	return []stateCheck{
		{StateBlind, (*standpoint).blind},
		{StateInvalid, (*standpoint).invalid},
		{StateConflict, (*standpoint).conflict},
		{StateDenied, (*standpoint).refused},
		{StateStarved, (*standpoint).starved},
		{StateOverwritten, (*standpoint).overwritten},
		{StateLimited, (*standpoint).limited},
		{StateHolding, (*standpoint).holding},
		{StateRamping, (*standpoint).ramping},
		{StateWaiting, (*standpoint).waiting},
		{StateObserve, (*standpoint).observed},
		{StatePaused, (*standpoint).paused},
		{StateOff, (*standpoint).off},
		{StateAsleep, (*standpoint).asleep},
	}
}

func (p *standpoint) blind() (string, bool) {
	if p.decision == nil {
		return "", false
	}
	nobody := p.hasNobody()
	for i := range p.decision.Metrics {
		m := &p.decision.Metrics[i]
		if nobody && m.Failed && m.Failure.Reason == recommend.ReasonNoSamples && isUsage(m.Type) {
			continue // it is starved, and that is what comes of it
		}
		if eventOf(*m, false) != "" {
			return m.Failure.Detail, true
		}
	}
	return "", false
}

// hasNobody says whether it is starved so much that there is no pod that could be measured.
func (p *standpoint) hasNobody() bool {
	d := p.decision
	return isLate(d, &p.policy) && d.Missing.Refused+d.Missing.Unscheduled >= d.Current
}

// isUsage says whether a metric is what pods use, as the resource metrics API measures it.
func isUsage(t autoscalingv2.MetricSourceType) bool {
	return t == autoscalingv2.ResourceMetricSourceType || t == autoscalingv2.ContainerResourceMetricSourceType
}

func (p *standpoint) invalid() (string, bool) {
	if !p.isWrong() || p.problems[0].Origin == annotations.FoundConflict {
		return "", false
	}
	return problemsText(p.problems), true
}

func (p *standpoint) conflict() (string, bool) {
	if !p.isWrong() {
		return "", false
	}
	return problemsText(p.problems), true
}

// isWrong says whether there are problems, and nothing worse: a workload that is to be woken because of them, and cannot be.
func (p *standpoint) isWrong() bool {
	return len(p.problems) > 0 && (p.decision == nil || p.denied == "")
}

// problemsText is the first problem, and how many more there are.
func problemsText(all field.ErrorList) string {
	text := strings.TrimPrefix(strings.TrimPrefix(all[0].Error(), "metadata.annotations"), ": Forbidden: ")
	if len(all) > 1 {
		text += fmt.Sprintf("; and %d more", len(all)-1)
	}
	return text
}

func (p *standpoint) refused() (string, bool) { return p.denied, p.denied != "" }

func (p *standpoint) starved() (string, bool) {
	if p.decision == nil || !isLate(p.decision, &p.policy) {
		return "", false
	}
	return p.decision.Missing.Text(p.decision.Current), true
}

// recently is for how long somebody else's number is shown.
const recently = 5 * time.Minute

func (p *standpoint) overwritten() (string, bool) {
	o := p.overwrite
	if p.mode == annotations.ModeObserve || o.Time.IsZero() || p.now.Sub(o.Time) >= recently && p.pause == 0 {
		return "", false
	}
	text := fmt.Sprintf("replicas were set from %d to %d by %s %s ago", o.From, o.To, o.by, p.now.Sub(o.Time).Truncate(time.Second))
	if p.pause > 0 {
		text += fmt.Sprintf(", again and again; mini-hpa waits %s before it takes them back", p.pause)
	}
	return text, true
}

func (p *standpoint) limited() (string, bool) {
	step := p.step(recommend.StageBounds)
	if step == nil || step.Reason != recommend.LimitedTooMany || p.decision.Asleep {
		return "", false
	}
	bound := fmt.Sprintf("%s is %d", annotations.Max, p.policy.Max)
	if line, counts := p.policy.Schedule.At(p.decision.Time); counts && line.SetsMax() {
		bound = fmt.Sprintf("the max of %s of %s is %d", line, annotations.ScheduleKey, p.policy.Max)
	}
	return fmt.Sprintf("needs %d, %s", step.From, bound), true
}

func (p *standpoint) holding() (string, bool) {
	step := p.step(recommend.StageStabilize)
	if step == nil || step.From == step.To || p.mode == annotations.ModeObserve { // nothing is held back that is not written
		return "", false
	}
	return fmt.Sprintf("needs %d; %s", step.From, step.Detail), true
}

func (p *standpoint) ramping() (string, bool) {
	step := p.step(recommend.StagePolicy)
	if step == nil || step.From == step.To || p.mode == annotations.ModeObserve {
		return "", false
	}
	return fmt.Sprintf("needs %d; %s", step.From, step.Detail), true
}

// step is what a stage of the last decision did; nil if it did not run, or nothing rests on it.
func (p *standpoint) step(stage string) *recommend.Step {
	if p.decision == nil || !p.decision.Decided() {
		return nil
	}
	at := slices.IndexFunc(p.decision.Steps, func(s recommend.Step) bool { return s.Stage == stage })
	if at < 0 {
		return nil
	}
	return &p.decision.Steps[at]
}

func (p *standpoint) waiting() (string, bool) {
	switch {
	case p.mode == annotations.ModePaused, p.decision != nil && (p.decision.Decided() || p.decision.Active == recommend.ActiveDisabled):
		return "", false
	case p.decision == nil:
		return "has not been looked at yet", true
	}
	return p.decision.Reason.String(), true
}

func (p *standpoint) observed() (string, bool) {
	if p.mode != annotations.ModeObserve {
		return "", false
	}
	if d := p.decision; d.Desired != d.Current {
		return fmt.Sprintf("would set %d replicas", d.Desired), true
	}
	return "", true
}

func (p *standpoint) paused() (string, bool) { return "", p.mode == annotations.ModePaused }

func (p *standpoint) off() (string, bool) {
	if p.decision.Active != recommend.ActiveDisabled {
		return "", false
	}
	return p.decision.Reason.String(), true
}

func (p *standpoint) asleep() (string, bool) { return "", p.decision.Asleep }

// targets are the metrics of the policy with what the last decision has measured.
func (p *standpoint) targets() []Target {
	all := make([]Target, 0, len(p.policy.Metrics))
	for i := range p.policy.Metrics {
		var result *recommend.MetricResult
		if p.decision != nil {
			result = p.decision.ResultOf(p.policy.Metrics, i)
		}
		all = append(all, targetOf(&p.policy.Metrics[i], result))
	}
	return all
}

// targetOf is one metric with its result; nil if there is none.
func targetOf(m *annotations.Metric, r *recommend.MetricResult) Target {
	t := Target{Metric: m.ID, Value: "?"}
	name, container, target := annotations.Usage(&m.Spec)
	known := r != nil && !r.Failed
	if target == nil {
		return namedTarget(t, m, r, known)
	}
	t.Metric = string(name)
	if container != "" {
		t.Metric += " of " + container
	}
	if target.AverageUtilization != nil {
		t.Target = fmt.Sprintf("%d%%", *target.AverageUtilization)
		if known {
			t.Value = fmt.Sprintf("%.0f%%", r.Ratio*float64(*target.AverageUtilization))
		}
		return t
	}
	t.Target = target.AverageValue.String()
	if known {
		t.Value = perPod(name, target.AverageValue, r.Ratio)
	}
	return t
}

// namedTarget is that of a metric that is asked for by name.
func namedTarget(t Target, m *annotations.Metric, r *recommend.MetricResult, known bool) Target {
	var target autoscalingv2.MetricTarget
	switch spec := &m.Spec; {
	case spec.Pods != nil:
		target = spec.Pods.Target
	case spec.Object != nil:
		target = spec.Object.Target
	case spec.External != nil:
		target = spec.External.Target
	}
	switch {
	case target.AverageValue != nil:
		t.Target = target.AverageValue.String()
		if known {
			t.Value = perPod("", target.AverageValue, r.Ratio)
		}
		return t
	case target.Value != nil:
		t.Target = target.Value.String()
	}
	if known {
		t.Value = resource.NewMilliQuantity(r.Total, resource.DecimalSI).String()
	}
	return t
}

// perPod is what one pod has on average, of which the target is known and the ratio to it. Memory is in MiB, as kubectl top shows it.
func perPod(name corev1.ResourceName, target *resource.Quantity, ratio float64) string {
	value := target.AsApproximateFloat64() * ratio
	switch {
	case math.IsInf(value, 0) || math.IsNaN(value) || math.Abs(value) > math.MaxInt64/1000:
		return "?"
	case name == corev1.ResourceMemory:
		return fmt.Sprintf("%.0fMi", value/(1<<20))
	}
	return resource.NewMilliQuantity(int64(math.Round(value*1000)), resource.DecimalSI).String()
}
