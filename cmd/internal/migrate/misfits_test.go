package migrate

import (
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestUnreadable: a field that has a value of another type is named, with its line, what it must be, and all others like it.
func TestUnreadable(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		told []string
	}{
		"a number in quotes": {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  maxReplicas: \"3\"\n  minReplicas: many\n",
			[]string{`m.yaml:6: lost: HorizontalPodAutoscaler "web": spec.maxReplicas "3" cannot be read, so that nothing is made of it: it must be a whole number, without quotes`,
				`m.yaml:7: lost: HorizontalPodAutoscaler "web": spec.minReplicas "many" cannot be read, so that nothing is made of it: it must be a whole number, without quotes`}},
		"a word that YAML takes for true": {"apiVersion: autoscaling/v2beta1\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  maxReplicas: 3\n  metrics:\n  - type: Pods\n    pods: {metricName: p, targetAverageValue: 1, selector: {matchLabels: {a: b}}}\n  - type: Pods\n    pods:\n      metricName: p\n      targetAverageValue: much\n      selector:\n        matchLabels:\n          x: y\n",
			[]string{`m.yaml:16: lost: HorizontalPodAutoscaler "web": spec.metrics[1].pods.selector.matchLabels[x] "y" cannot be read, so that nothing is made of it: it must be a string; put it in quotes: "y"`,
				`m.yaml:13: lost: HorizontalPodAutoscaler "web": spec.metrics[1].pods.targetAverageValue "much" cannot be read, so that nothing is made of it: it must be a quantity such as`}},
		"autoscaling/v1": {"apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  scaleTargetRef: [web]\n  maxReplicas: 3\nstatus: {desiredReplicas: x}\n",
			[]string{`m.yaml:5: lost: HorizontalPodAutoscaler "web": spec.scaleTargetRef cannot be read, so that nothing is made of it: it must be a mapping of names to values`}},
		"a trigger": {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {name: web}\n  cooldownPeriod: 5m\n  triggers:\n  - type: redis\n    metadata:\n      address: r:1\n      password: 24680\n",
			[]string{`m.yaml:6: lost: ScaledObject "web": spec.cooldownPeriod "5m" cannot be read, so that nothing is made of it: it must be a whole number, without quotes`,
				"m.yaml:11: lost: ScaledObject \"web\": spec.triggers[0].metadata[password] cannot be read, so that nothing is made of it: it must be a string; put it in quotes\n"}},
		"values": {"autoscaling:\n  maxReplicas: 9\n  behavior:\n    scaleDown: {stabilizationWindowSeconds: 1m}\n",
			[]string{`m.yaml:4: lost: values "autoscaling": autoscaling.behavior.scaleDown.stabilizationWindowSeconds "1m" cannot be read, so that nothing is made of it: it must be a whole number, without quotes`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, Command(), "-f", fileOf(t, test.text))
			if code != cli.ExitFailure || stdout != "" || strings.Count(stderr, "\n") != len(test.told) || strings.Contains(stderr, "24680") || strings.Contains(stderr, "Go struct") {
				t.Errorf("exit code %d, %s", code, stdout)
			}
			for _, part := range test.told {
				if !strings.Contains(stderr+"\n", part) {
					t.Errorf("no %q in:\n%s", part, stderr)
				}
			}
		})
	}
}
