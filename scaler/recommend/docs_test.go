package recommend

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/docs"
)

var update = flag.Bool("update", false, "write the generated blocks of docs/ instead of comparing them")

// TestDecisionsPage keeps docs/decisions.md equal to the code: the stories are decided anew each time.
func TestDecisionsPage(t *testing.T) {
	docs.Keep(t, "../../docs/decisions.md", *update, map[string]string{"repairs": repairsBlock(t)})
}

// repairsBlock is the table of the repairs, and the story of each, decided both ways.
func repairsBlock(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| repair | mini-hpa | the HPA controller |\n| --- | --- | --- |\n")
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
