package explain

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

// noHistory is what every explanation has to add: the controller decides with more than can be seen from outside.
const noHistory = "Seen from outside: only the running controller remembers the recommendations of its stabilization windows\n" +
	"and how much its policies have used up, so it may hold back longer than this. Its Events on the workload tell\n" +
	"what it did."

// render writes the explanation for people, to be read from the top: the answer, what was asked for, what was seen, and
// how one led to the other.
func (a *Answer) render(w io.Writer, now time.Time) error {
	p := page{cli.NewPage(w)}
	p.show(a, now)
	if err := p.Flush(); err != nil {
		return fmt.Errorf("cannot write the explanation: %w", err)
	}
	return nil
}

// Sections is the same for those who show it otherwise.
func (a *Answer) Sections(now time.Time) []cli.Section {
	return cli.Sections(func(p *cli.Page) { page{p}.show(a, now) })
}

func (p page) show(a *Answer, now time.Time) {
	e := a.Explanation
	if a.Source != "" {
		p.Line("%s", a.Source)
	}
	p.verdict(e)
	p.state(a.Status)
	p.policy(e.Policy, e.Snapshot.Time)
	p.answers(e, a.Told)
	p.activation(e)
	p.leads(e)
	p.requests(a.Requests)
	p.pods(e)
	p.steps(e.Decision)
	p.outlook(e, now, a.Status == nil)
	p.chronicle(a.Chronicle, e.Snapshot.Time)
}

func (p page) verdict(e scaler.Explanation) {
	d := e.Decision
	p.Line("%s: %s%s", e.Key.Title(), asleep(e), verdict(e.Policy.Mode, d))
	if !d.Reason.IsZero() {
		p.Line("  %s", d.Reason)
	}
}

func verdict(mode annotations.Mode, d recommend.Decision) string {
	stay := "stay at " + cli.Plural(int(d.Current), "replica")
	change := stay
	if d.Desired != d.Current {
		change = fmt.Sprintf("scale from %d to %s", d.Current, cli.Plural(int(d.Desired), "replica"))
	}
	if mode == annotations.ModeAuto || mode == annotations.ModeObserve && change == stay {
		return change
	}
	return fmt.Sprintf("%s, because %s is %s; otherwise: %s", stay, annotations.ModeKey, mode, change)
}

// policy is what the annotations ask for, and which bounds count at the moment.
func (p page) policy(a annotations.Policy, now time.Time) {
	p.Title("Policy")
	p.Row("replicas", fmt.Sprintf("%d to %d", a.Min, a.Max))
	p.schedule(a, now)
	for _, m := range a.Metrics {
		p.Row("target", targetOf(&m))
	}
	p.Row("scale up", direction(a.Up))
	p.Row("scale down", direction(a.Down))
	if fewest, most := a.Widest(); fewest == 0 && most > 0 {
		p.sleep(a)
	}
	if a.Fallback.Replicas > 0 {
		p.Row("fallback", fmt.Sprintf("at least %s while a metric has failed for %s", cli.Plural(int(a.Fallback.Replicas), "replica"), cli.Short(a.Fallback.After)))
	}
	if a.WarmUp > 0 {
		p.Row("warm-up", fmt.Sprintf("pods ready for less than %s count at most as the others when scaling up", cli.Short(a.WarmUp)))
	}
	p.Row("sync period", cli.Short(a.SyncPeriod))
	p.Row("mode", string(a.Mode))
}

// measure is what one metric looks at.
type measure struct {
	resource  corev1.ResourceName
	container string // all of them if empty
}

// targetOf is one metric's target in words, and what else its line says.
func targetOf(m *annotations.Metric) string {
	if m.Line == nil {
		return targetText(m.Spec)
	}
	text := m.ID + ", without a target: 1 while it is active"
	switch target := m.Spec.External.Target; {
	case target.AverageValue != nil:
		text = fmt.Sprintf("%s at %s per pod", m.ID, target.AverageValue)
	case target.Value != nil:
		text = fmt.Sprintf("%s at %s", m.ID, target.Value)
	}
	if m.Line.Limit > 0 {
		text += fmt.Sprintf(", for at most %s", cli.Plural(int(m.Line.Limit), "replica"))
	}
	return fmt.Sprintf("%s (line %d of %s)", text, m.Line.Number, m.Key())
}

// targetText is one metric's target in words.
func targetText(spec autoscalingv2.MetricSpec) string {
	resource, container, target := annotations.Usage(&spec)
	if target == nil {
		return askedTarget(spec)
	}
	what := string(resource)
	if container != "" {
		what += " of container " + container
	}
	if target.AverageUtilization != nil {
		return fmt.Sprintf("%s at %d%% of its request, averaged over the pods", what, *target.AverageUtilization)
	}
	return fmt.Sprintf("%s at %s per pod, averaged over the pods", what, target.AverageValue)
}

// askedTarget is the target of a metric that is asked for by name.
func askedTarget(spec autoscalingv2.MetricSpec) string {
	what, target := namedTarget(spec)
	switch {
	case target.AverageValue != nil:
		return fmt.Sprintf("%s at %s per pod", what, target.AverageValue)
	case target.Value != nil:
		return fmt.Sprintf("%s at %s", what, target.Value)
	}
	return what
}

// namedTarget is what a custom or external metric is called, and its target.
func namedTarget(spec autoscalingv2.MetricSpec) (string, autoscalingv2.MetricTarget) {
	switch {
	case spec.Pods != nil:
		return called(spec.Pods.Metric) + " of the pods", spec.Pods.Target
	case spec.Object != nil:
		about := spec.Object.DescribedObject
		return fmt.Sprintf("%s of %s %s", called(spec.Object.Metric), about.Kind, about.Name), spec.Object.Target
	case spec.External != nil:
		return "external " + called(spec.External.Metric), spec.External.Target
	}
	return string(spec.Type) + " metric", autoscalingv2.MetricTarget{}
}

func called(id autoscalingv2.MetricIdentifier) string {
	if id.Selector == nil {
		return id.Name
	}
	return id.Name + "{" + metav1.FormatLabelSelector(id.Selector) + "}"
}

// direction is one direction's rules in a line.
func direction(r autoscalingv2.HPAScalingRules) string {
	window := time.Duration(*r.StabilizationWindowSeconds) * time.Second
	return fmt.Sprintf("beyond a tolerance of %.4g%%, stabilized over %s, %s", r.Tolerance.AsApproximateFloat64()*100, cli.Short(window), rates(r))
}

// rates is how fast the replicas may change.
func rates(r autoscalingv2.HPAScalingRules) string {
	if *r.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		return "disabled"
	}
	var each []string
	for _, policy := range r.Policies {
		unit := " pods"
		if policy.Type == autoscalingv2.PercentScalingPolicy {
			unit = "%"
		}
		each = append(each, fmt.Sprintf("%d%s per %s", policy.Value, unit, cli.Short(time.Duration(policy.PeriodSeconds)*time.Second)))
	}
	which := "at most "
	if len(each) > 1 && *r.SelectPolicy == autoscalingv2.MinChangePolicySelect {
		which = "at most the smallest of "
	} else if len(each) > 1 {
		which = "at most the largest of "
	}
	return which + strings.Join(each, ", ")
}

// maxShown is how many values of one metric are shown.
const maxShown = 10

// answers is what the custom and external metrics APIs and the administrator's sources said: a line for each value. The controller, if it tells, does so at a
// moment at which it may know newer answers than its decision.
func (p page) answers(e scaler.Explanation, told time.Time) {
	titled := false
	for i := range e.Policy.Metrics {
		m := &e.Policy.Metrics[i]
		if m.Source == "" {
			continue
		}
		if !titled {
			p.Title("%s", answersTitle(e.Policy.Metrics))
			p.Row("METRIC", "OF", "VALUE", "ANSWERED", "MEASURED")
			titled = true
		}
		p.answer(e, m.ID, m.Spec.External != nil, told)
	}
}

func answersTitle(all []annotations.Metric) string {
	isLine := func(m annotations.Metric) bool { return m.Line != nil }
	switch {
	case !slices.ContainsFunc(all, isLine):
		return "Custom and external metrics"
	case !slices.ContainsFunc(all, func(m annotations.Metric) bool { return m.Source != "" && !isLine(m) }):
		return "Sources"
	}
	return "Custom and external metrics, and sources"
}

// answer is what was said of one metric. A value that does not say when it was measured is as old as the question.
func (p page) answer(e scaler.Explanation, name string, external bool, told time.Time) {
	s, answered := e.Snapshot, "-"
	reply, asked := e.Replies[name]
	if asked {
		answered = repliedText(reply, told)
	}
	shown, taken := 0, s.Taken.CustomMetrics[name]
	if external {
		taken = s.Taken.ExternalMetrics[name]
	}
	show := func(of string, value resource.Quantity, at metav1.Time) {
		switch {
		case !at.IsZero():
		case shown < len(taken) && !taken[shown].IsZero():
			at = metav1.NewTime(taken[shown])
		default:
			at = metav1.NewTime(reply.Asked)
		}
		if shown++; shown <= maxShown {
			p.Row(name, cmp.Or(of, "-"), value.String(), answered, ago(s.Time, at))
		}
	}
	if reason := s.Errors[name]; reason != "" {
		p.Row(name, "-", "none", answered, reason)
		return
	}
	for _, v := range s.ExternalMetrics[name] {
		if external {
			show(labels.Set(v.MetricLabels).String(), v.Value, v.Timestamp)
		}
	}
	if hint, ok := s.Hints[name]; ok {
		p.hint(name, hint)
	}
	for _, v := range s.CustomMetrics[name] {
		if !external {
			show(v.DescribedObject.Kind+" "+v.DescribedObject.Name, v.Value, v.Timestamp)
		}
	}
	switch {
	case shown == 0:
		p.Row(name, "-", "none", answered, "-")
	case shown > maxShown:
		p.Row(name, "-", fmt.Sprintf("%d more", shown-maxShown), "-", "-")
	}
}

// repliedText is when and how a source was asked: "4s ago, in 12ms, with 41 others". When, is told where the controller has asked.
func repliedText(r metrics.Reply, told time.Time) string {
	text := "in " + r.Took.Round(time.Millisecond).String()
	if r.Took == 0 && r.Together == 0 {
		text = "not asked in time"
	}
	if !told.IsZero() {
		text = fmt.Sprintf("%s, %s", ago(told, metav1.NewTime(r.Asked)), text)
	}
	switch {
	case r.Together == 2:
		text += ", with another one"
	case r.Together > 2:
		text += fmt.Sprintf(", with %d others", r.Together-1)
	}
	return text
}

// hint is what a source has said beside its value.
func (p page) hint(name string, h recommend.Hint) {
	if h.Limit > 0 {
		p.Row(name, "limit", cmp.Or(h.Because, fmt.Sprint(h.Limit)), "-", "-")
	}
	if h.Active != nil {
		p.Row(name, "active", fmt.Sprint(*h.Active), "-", "-")
	}
	if h.Target != nil {
		p.Row(name, "target", h.Target.String(), "-", "-")
	}
	if h.Settling.Duration > 0 {
		p.Row(name, "settling", "not active counts after "+h.Settling.Duration.String(), "-", "-")
	}
}

// ago is how long before now something was measured, where that is told.
func ago(now time.Time, at metav1.Time) string {
	if at.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s ago", max(now.Sub(at.Time), 0).Truncate(time.Second))
}

// pods is what was seen: a line for each pod with the usage and the request of each metric.
func (p page) pods(e scaler.Explanation) {
	s := e.Snapshot
	p.Title("Pods (%d owned, %d with a sample; spec.replicas %d, status.replicas %d)", len(s.Pods), len(s.PodMetrics), s.Replicas, s.StatusReplicas)
	measures := measuresOf(e.Policy.Metrics)
	if s.MetricsError != "" && len(measures) > 0 {
		p.Row("no metrics: " + s.MetricsError)
	}
	if len(s.Pods) == 0 {
		return
	}
	head := []string{"POD", "PHASE", "READY"}
	for _, m := range measures {
		name := strings.TrimSpace(strings.ToUpper(string(m.resource)) + " " + m.container)
		head = append(head, name+" USED", name+" REQUESTED")
	}
	p.Row(append(head, "SAMPLE")...)
	for _, pod := range s.Pods {
		seen, taken := sampleOf(s, pod)
		p.pod(pod, seen, measures, sampleText(seen, taken, s.Time))
	}
}

func (p page) pod(pod *podspec.Pod, used *sample.Pod, measures []measure, age string) {
	cells := []string{pod.Name, phase(pod), ready(pod)}
	for _, m := range measures {
		cells = append(cells, m.used(used), m.requested(pod))
	}
	p.Row(append(cells, age)...)
}

func measuresOf(metrics []annotations.Metric) []measure {
	var measures []measure
	for i := range metrics {
		if resource, container, target := annotations.Usage(&metrics[i].Spec); target != nil {
			measures = append(measures, measure{resource, container})
		}
	}
	return measures
}

// sampleOf is a pod's sample, and when it was taken.
func sampleOf(s recommend.Snapshot, pod *podspec.Pod) (*sample.Pod, time.Time) {
	for i, of := range s.PodMetrics {
		if of.Name == pod.Name && of.Namespace == pod.Namespace {
			return of, s.SampleTaken(i)
		}
	}
	return nil, time.Time{}
}

// sampleText is how old a sample is, and how far its timestamp is off where that cannot be believed.
func sampleText(used *sample.Pod, taken, now time.Time) string {
	if used == nil {
		return "none"
	}
	text := fmt.Sprintf("%s old, over %s", max(now.Sub(taken), 0).Truncate(time.Second), used.Window)
	switch ahead := used.Time.Sub(taken).Round(time.Second); {
	case ahead > 0:
		text += fmt.Sprintf("; its node's clock is %s ahead", ahead)
	case ahead < 0:
		text += fmt.Sprintf("; its node's clock is %s behind, if this is not an old one", -ahead)
	}
	return text
}

func phase(pod *podspec.Pod) string {
	if !pod.Deleted.IsZero() {
		return "Terminating" // as kubectl shows it
	}
	return string(pod.Phase)
}

func ready(pod *podspec.Pod) string {
	return strings.ToLower(string(cmp.Or(pod.Ready.Status, corev1.ConditionUnknown)))
}

// used is the sum over the containers that count; "-" where nothing was measured.
func (m measure) used(used *sample.Pod) string {
	if used == nil {
		return "-"
	}
	var total *resource.Quantity
	for _, c := range used.Containers {
		if q := c.Usage.Of(m.resource); q != nil && m.counts(c.Name) {
			total = plus(total, *q)
		}
	}
	return m.text(total)
}

// requested is what the decision divides by, as far as it is there; "-" where nothing is requested.
func (m measure) requested(pod *podspec.Pod) string {
	var total *resource.Quantity
	for part := range pod.Spec.Request(m.resource, m.container) {
		if part.Origin != podspec.None {
			total = plus(total, part.Quantity)
		}
	}
	return m.text(total)
}

func (m measure) counts(container string) bool { return m.container == "" || m.container == container }

func plus(total *resource.Quantity, q resource.Quantity) *resource.Quantity {
	if total != nil {
		q = q.DeepCopy()
		q.Add(*total)
	}
	return &q
}

// text rounds to millicores and MiB as kubectl top does: that is what people compare.
func (m measure) text(q *resource.Quantity) string {
	const most = 1 << 40 // beyond it, thousandths would overflow
	switch {
	case q == nil:
		return "-"
	case m.resource == corev1.ResourceMemory:
		return fmt.Sprintf("%dMi", q.Value()>>20)
	case q.CmpInt64(most) < 0:
		return fmt.Sprintf("%dm", q.MilliValue())
	}
	return q.String()
}

// steps is the arithmetic.
func (p page) steps(d recommend.Decision) {
	p.Title("Reasoning")
	if len(d.Steps) == 0 {
		p.Row("none: " + cmp.Or(d.Reason.String(), "nothing was decided"))
		return
	}
	p.Row("STAGE", "METRIC", "REPLICAS", "RESULT", "BECAUSE")
	for _, s := range d.Steps {
		p.Row(s.Stage, cmp.Or(s.Metric, "-"), cli.Change(s.From, s.To), s.Reason, s.Detail.String())
	}
}

// outlook is what else there is to know.
func (p page) outlook(e scaler.Explanation, now time.Time, outside bool) {
	d := e.Decision
	p.Title("Conditions")
	p.Row("ScalingActive", cmp.Or(d.Active, "-"))
	p.Row("AbleToScale", cmp.Or(d.Able, "-"))
	p.Row("ScalingLimited", cmp.Or(d.Limited, "-"))
	p.Title("Notes")
	if f := d.Failure; f != nil {
		p.Row(fmt.Sprintf("%s cannot be evaluated (%s): %s", f.Metric, f.Reason, f.Detail))
	}
	if f := e.Policy.Fallback; d.Failure != nil && f.Replicas > 0 {
		p.Row(fmt.Sprintf("Since when it fails, only the running controller remembers: after %s of that, there are at least %s (%s).",
			cli.Short(f.After), cli.Plural(int(f.Replicas), "replica"), annotations.FallbackKey))
	}
	if d.Missing != nil {
		p.Row(d.Missing.Text(d.Current))
	}
	for _, w := range e.Warnings {
		p.Row("warning: " + w.String())
	}
	if !d.Next.IsZero() {
		p.Row(fmt.Sprintf("Time alone changes this decision in %s.", max(d.Next.Sub(now), 0).Round(time.Second)))
	}
	if !outside {
		return
	}
	for _, line := range strings.Split(noHistory, "\n") {
		p.Row(line)
	}
}

// state is how the workload stands; nil if only the controller knows.
func (p page) state(s *scaler.Status) {
	switch {
	case s == nil:
	case s.Why == "":
		p.Line("  state %s", s.State)
	default:
		p.Line("  state %s: %s", s.State, s.Why)
	}
}

// chronicle is what has happened to the workload, as far as the controller remembers.
func (p page) chronicle(entries []scaler.Entry, now time.Time) {
	if len(entries) == 0 {
		return
	}
	p.Title("History (since this controller leads, the last %d)", len(entries))
	p.Row("AGO", "WHAT", "REPLICAS", "MESSAGE")
	for _, e := range slices.Backward(entries) {
		replicas := "-"
		if e.From != e.To {
			replicas = cli.Change(e.From, e.To)
		}
		p.Row(max(now.Sub(e.Time), 0).Truncate(time.Second).String(), e.Reason, replicas, e.Message)
	}
}
