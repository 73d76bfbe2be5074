package explain

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// noHistory is what every explanation has to add: the controller decides with more than can be seen from outside.
const noHistory = "Seen from outside: only the running controller remembers the recommendations of its stabilization windows\n" +
	"and how much its policies have used up, so it may hold back longer than this. Its Events on the Deployment tell\n" +
	"what it did."

// page is the text of an explanation.
type page struct{ *cli.Page }

// render writes the explanation for people, to be read from the top: the answer, what was asked for, what was seen, and
// how one led to the other.
func render(w io.Writer, e scaler.Explanation, now time.Time) error {
	p := page{cli.NewPage(w)}
	p.verdict(e)
	p.policy(e.Policy)
	p.answers(e)
	p.pods(e)
	p.steps(e.Decision)
	p.outlook(e, now)
	if err := p.Flush(); err != nil {
		return fmt.Errorf("cannot write the explanation: %w", err)
	}
	return nil
}

func (p page) verdict(e scaler.Explanation) {
	d := e.Decision
	p.Line("deployment %s: %s", e.Key.NamespacedName(), verdict(e.Policy.Mode, d))
	if !d.Reason.IsZero() {
		p.Line("  %s", d.Reason)
	}
}

func verdict(mode annotations.Mode, d recommend.Decision) string {
	stay := "stay at " + replicas(d.Current)
	change := stay
	if d.Desired != d.Current {
		change = fmt.Sprintf("scale from %d to %s", d.Current, replicas(d.Desired))
	}
	if mode == annotations.ModeAuto || mode == annotations.ModeObserve && change == stay {
		return change
	}
	return fmt.Sprintf("%s, because %s is %s; otherwise: %s", stay, annotations.ModeKey, mode, change)
}

func replicas(n int32) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

func (p page) policy(a annotations.Policy) {
	p.Title("Policy")
	p.Row("replicas", fmt.Sprintf("%d to %d", a.Min, a.Max))
	for _, m := range a.Metrics {
		p.Row("target", targetText(m.Spec))
	}
	p.Row("scale up", direction(a.Up))
	p.Row("scale down", direction(a.Down))
	if a.WarmUp > 0 {
		p.Row("warm-up", fmt.Sprintf("pods ready for less than %s count at most as the others when scaling up", cli.Short(a.WarmUp)))
	}
	p.Row("sync period", cli.Short(a.SyncPeriod))
	p.Row("mode", string(a.Mode))
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

// steps is the arithmetic.
func (p page) steps(d recommend.Decision) {
	p.Title("Reasoning")
	if len(d.Steps) == 0 {
		p.Row("none: " + cmp.Or(d.Reason.String(), "nothing was decided"))
		return
	}
	p.Row("STAGE", "METRIC", "REPLICAS", "RESULT", "BECAUSE")
	for _, s := range d.Steps {
		move := fmt.Sprint(s.To)
		if s.From != s.To {
			move = fmt.Sprintf("%d -> %d", s.From, s.To)
		}
		p.Row(s.Stage, cmp.Or(s.Metric, "-"), move, s.Reason, s.Detail.String())
	}
}

// outlook is what else there is to know.
func (p page) outlook(e scaler.Explanation, now time.Time) {
	d := e.Decision
	p.Title("Conditions")
	p.Row("ScalingActive", cmp.Or(d.Active, "-"))
	p.Row("AbleToScale", cmp.Or(d.Able, "-"))
	p.Row("ScalingLimited", cmp.Or(d.Limited, "-"))
	p.Title("Notes")
	if f := d.Failure; f != nil {
		p.Row(fmt.Sprintf("%s cannot be evaluated (%s): %s", f.Metric, f.Reason, f.Detail))
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
	for _, line := range strings.Split(noHistory, "\n") {
		p.Row(line)
	}
}
