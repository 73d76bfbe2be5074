package recommend

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/decisions.md instead of comparing it")

const decisionsPage = "../../docs/decisions.md"

// TestDecisionsPage keeps the page equal to the code: the stories are decided anew each time.
func TestDecisionsPage(t *testing.T) {
	page := decisions(t)
	if *update {
		if err := os.WriteFile(decisionsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(decisionsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), page); diff != "" {
		t.Errorf("docs/decisions.md is not what the code does; run `make update-docs` (-page +code):\n%s", diff)
	}
}

func decisions(t *testing.T) string {
	var b strings.Builder
	b.WriteString(decisionsIntroduction)
	b.WriteString("\n| repair | mini-hpa | the HPA controller |\n| --- | --- | --- |\n")
	for _, r := range RepairTable() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", r.Name, r.Name, r.Rule, r.Instead)
	}
	for i, story := range repairStories(t) {
		r := RepairTable()[i]
		rules, compat := DefaultRules(), DefaultRules()
		compat.Compat = true
		ours, hpa := story.decide(rules), story.decide(compat)
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", r.Name, r.Rule)
		fmt.Fprintf(&b, "The HPA controller: %s Source: %s.\n\n", r.Instead, r.Source)
		fmt.Fprintf(&b, "%s\n\n", story.told)
		fmt.Fprintf(&b, "| | the HPA controller | mini-hpa |\n| --- | --- | --- |\n| replicas | %s | %s |\n| ScalingActive | `%s` | `%s` |\n\n",
			change(hpa), change(ours), hpa.Active, ours.Active)
		fmt.Fprintf(&b, "```\nthe HPA controller\n%s\nmini-hpa\n%s```\n", reasoning(hpa), reasoning(ours))
	}
	b.WriteString(decisionsElsewhere)
	return b.String()
}

func change(d Decision) string {
	if d.Desired == d.Current {
		return fmt.Sprintf("stay at %d", d.Current)
	}
	return fmt.Sprintf("%d -> %d", d.Current, d.Desired)
}

// reasoning is what the metric made of it; where there is nothing to make, the reason.
func reasoning(d Decision) string {
	var b strings.Builder
	for _, s := range d.Steps {
		if s.Metric != "" && s.Stage != StageLargest || s.From != s.To && s.Stage == StageBounds || s.Stage == StageStabilize && s.Reason != AbleReady {
			fmt.Fprintf(&b, "  %-9s  %s\n", s.Stage, s.Detail)
		}
	}
	if len(d.Steps) == 0 {
		fmt.Fprintf(&b, "  failed     %s\n", d.Reason)
	}
	if d.Omitted != "" {
		fmt.Fprintf(&b, "  warning    %s\n", d.Omitted)
	}
	return b.String()
}

const decisionsIntroduction = `# How mini-hpa decides

<!-- Generated from scaler/recommend by ` + "`make update-docs`" + `; do not edit. -->

mini-hpa decides as the HorizontalPodAutoscaler controller of Kubernetes 1.36 does for an HPA with ` + "`behavior: {}`" + `, in these stages:

1. **pods**: which pods take part in a metric: ready, unready, without a current sample, ignored.
2. **ratio**: usage divided by the target.
3. **tolerance**: within ` + "`1 ± mini-hpa/tolerance`" + ` nothing changes; outside, the metric proposes ` + "`ceil(ratio * pods)`" + `, with careful
   assumptions for pods that could not be measured.
4. **largest**: the largest proposal of all metrics. If a metric fails, the others may scale out, but not in.
5. **stabilize**: not above the lowest recommendation of the scale-up window, not below the highest of the scale-down window.
6. **bounds**: within ` + "`mini-hpa/min`" + ` and ` + "`mini-hpa/max`" + `.
7. **policy**: not faster than the policies of the direction allow.

` + "`mini-hpa explain deployment NAME`" + ` shows the stages for a workload of yours, ` + "`mini-hpa replay`" + ` for a recorded one.

## Parity

With ` + "`--hpa-compat`" + ` every decision is the HPA controller's own: the number of replicas and the reasons of the conditions ScalingActive,
AbleToScale and ScalingLimited, given the same observations. ` + "`make conformance`" + ` proves it: it runs the controller of Kubernetes 1.36 itself on
generated workloads, records what it saw and did, and replays that.

## Repairs

Without ` + "`--hpa-compat`" + ` the following rules replace the HPA controller's, where that is known to decide wrongly. Each decision names the repairs
that had a say in it (` + "`repairs`" + ` in JSON). A decision without any is the HPA controller's.
`

const decisionsElsewhere = `
## Repairs outside the decision

- *Only owned pods count.* A pod belongs to a workload if its ReplicaSet belongs to the Deployment. The HPA controller takes every pod that the
  selector matches, also one of a job or of another Deployment with the same labels (kubernetes/kubernetes#79365, #124307). Ownership is settled
  before the decision; the pods of a trace are taken as given.
- *A conflict decides again.* The write carries the resourceVersion that was decided on. If somebody else has written since, the workload
  is looked at again, with what is now true. The HPA controller writes the same number once more, over somebody else's scale.
- *No change is forgotten too early.* A change counts for as long as any policy looks at it. The HPA controller overwrites it once the policies of its own
  direction do not, though those of the other direction may have a longer period (horizontal.go: storeScaleEvent).
- *A restart keeps the policies.* A controller that has just started counts the pods that were created within a policy's period as added, so that
  a workload is not granted its budget twice. The HPA controller starts with empty budgets.
- *A lost answer is settled.* A write whose answer did not arrive counts as soon as the next version of the Deployment shows that it was carried out.
`
