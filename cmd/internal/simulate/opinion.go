package simulate

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// maxRefused is how many problems are told.
const maxRefused = 100

// policy is what the annotations of a variant ask for. What lint and admission would refuse is not simulated, and what they would warn of is told.
func (t *task) policy(v *variant, d *appsv1.Deployment, s cli.Streams) (annotations.Policy, error) {
	verdict := t.deployment.Verdict(t.decision.Defaults, d, v.set.Sets)
	for _, w := range verdict.Warnings {
		fmt.Fprintf(s.Err, "mini-hpa simulate: %s: warning: %s\n", v.name, cli.Clean(w.String()))
	}
	var refused []string
	for i, problem := range verdict.Problems {
		if i == maxRefused {
			refused = append(refused, fmt.Sprintf("(and %d more)", len(verdict.Problems)-maxRefused))
			break
		}
		if t.file == "" || v.set.Sets(problem.Field) {
			refused = append(refused, problem.Error())
		} else {
			refused = append(refused, t.deployment.Line(problem))
		}
	}
	if len(refused) == 0 {
		return verdict.Policy, nil
	}
	return annotations.Policy{}, cli.Unreadable(fmt.Errorf("cannot simulate deployment %s/%s %s: it would not be scaled:\n%s",
		d.Namespace, d.Name, v.name, strings.Join(refused, "\n")))
}
