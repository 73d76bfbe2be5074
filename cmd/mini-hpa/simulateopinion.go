package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// policy is what the annotations of a variant ask for. What lint and admission would refuse is not simulated, and what they would warn of is told.
func (t *simulateTask) policy(v *variant, s cli.Streams) (annotations.Policy, error) {
	d := *t.deployment
	d.workload, d.problems = v.setup.Workload, nil
	for _, problem := range t.deployment.problems {
		if !v.set.Sets(problem.Field) {
			d.problems = append(d.problems, problem)
		}
	}
	verdict := t.decision.Defaults.Review(annotations.OfDeployment(d.workload), t.around).Replacing(func(other annotations.Autoscaler) bool {
		return t.around.Where(other.Kind, other.Name) != ""
	})
	if !annotations.Selected(d.workload.Annotations) {
		_, _, verdict.Problems = t.decision.Defaults.Parse(d.workload.Annotations)
	}
	verdict = d.withUnquoted(verdict)
	for _, w := range verdict.Warnings {
		if w.Field == onTemplate {
			continue // it is told for all variants
		}
		fmt.Fprintf(s.Err, "mini-hpa simulate: %s: warning: %s\n", v.name, cli.Clean(w.String()))
	}
	var refused []string
	for i, problem := range verdict.Problems {
		if i == maxErrors {
			refused = append(refused, fmt.Sprintf("(and %d more)", len(verdict.Problems)-maxErrors))
			break
		}
		if t.file == "" || v.set.Sets(problem.Field) {
			refused = append(refused, problem.Error())
		} else {
			refused = append(refused, d.errors(field.ErrorList{problem})[0].text())
		}
	}
	if len(refused) == 0 {
		return verdict.Policy, nil
	}
	return annotations.Policy{}, cli.Unreadable(fmt.Errorf("cannot simulate deployment %s/%s %s: it would not be scaled:\n%s",
		d.workload.Namespace, d.workload.Name, v.name, strings.Join(refused, "\n")))
}
