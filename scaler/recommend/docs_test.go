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
		if s.Metric != "" && s.Stage != StageLargest || s.From != s.To && (s.Stage == StageBounds || s.Stage == StagePolicy) || s.Stage == StageStabilize && s.Reason != AbleReady {
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
that had a say in it (` + "`repairs`" + ` in JSON). A decision without any is the HPA controller's, given the same history. What they come to
over hours of load, [closed-loops.md](closed-loops.md) measures.
`

const decisionsElsewhere = `
## Repairs outside the decision

These are made before and after the decision, so they are on with ` + "`--hpa-compat`" + ` too, and no decision names them.

### owned-pods

A pod belongs to a workload if its ReplicaSet belongs to the Deployment. The HPA controller takes every pod that the selector matches, also one
of a job or of another Deployment with the same labels. Source: kubernetes/kubernetes#79365, #124307. The pods of a trace are taken as given.

2 replicas use 20 % of a target of 50 %. The 2 pods of a batch job have the same labels and use 100 %.

| | the HPA controller | mini-hpa |
| --- | --- | --- |
| pods | 4, at 60 % | 2, at 20 % |
| replicas | 2 -> 5 | 2 -> 1 |

### conflict-decides-again

The write carries the resourceVersion that was decided on. If somebody else has written since, the workload is looked at again, with what is
now true. The HPA controller writes its number once more. Source: RetryOnConflict in horizontal.go.

While a decision from 4 to 6 is on its way, somebody scales to 12 because a campaign begins.

| | the HPA controller | mini-hpa |
| --- | --- | --- |
| replicas | 4 -> 6, over the 12 | stay at 12, and in after the stabilization window |

### rivals-are-not-fought

Somebody else's number is taken back at once. If it comes again soon, the next write waits for a sync period, then for two, four, eight, up to 20, and
for half as long each time that the replicas have stayed. The HPA controller writes at each sync. Source: reconcileAutoscaler in horizontal.go.

A GitOps tool puts its manifest's 1 back a second after each write of 12.

| | the HPA controller | mini-hpa |
| --- | --- | --- |
| writes in 12 minutes | up to 48 | 6 |

### namesakes-are-told-apart

A change under the name of mini-hpa that was not written here comes from a second installation in the cluster. It uses up the policies
as an own one does, no Event claims it, and one tells of it. The HPA controller takes every change for somebody else's, and grants its policies again.
Source: storeScaleEvent in horizontal.go.

4 pods in 60 s are allowed; a second installation has just added 4.

| | the HPA controller | mini-hpa |
| --- | --- | --- |
| replicas | 8 -> 12 | stay at 8 for 60 s |

### policies-are-remembered

A controller that has just started counts the pods that were created within a policy's period as added, so that a workload is not granted its
budget twice; and a change counts for as long as any policy looks at it. The HPA controller starts with empty budgets, and overwrites a change once
the policies of its own direction do not look at it, though those of the other direction may. Source: storeScaleEvent in horizontal.go.

4 of at most 4 pods in 60 s were added 10 s before the controller is restarted, and the load asks for 12.

| | the HPA controller | mini-hpa |
| --- | --- | --- |
| replicas | 8 -> 12 | stay at 8 for 50 s |

### lost-answers-are-settled

A write whose answer did not arrive counts as soon as the next version of the Deployment shows that it was carried out. The HPA controller takes it for
a failure and grants the policy's budget again. Source: storeScaleEvent in horizontal.go is reached after a success only.
`
