package migrate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestTargetsOfValues: a target that no value says is told, and what is not read is shown as YAML has it.
func TestTargetsOfValues(t *testing.T) {
	const assumed = `m.yaml:1: %s: values "autoscaling": autoscaling says nothing of a target that is read: that is 80 %% of the CPU request, which an API server fills in`
	for name, test := range map[string]struct {
		text string
		code int
		told []string
	}{
		"nothing is said": {"autoscaling: {enabled: true, maxReplicas: 9}\n", cli.ExitOK, []string{fmt.Sprintf(assumed, "note")}},
		"what is said is not read": {"autoscaling:\n  maxReplicas: 9\n  cpu: {enabled: true, targetAverageUtilization: 70, of: [a, {b: c}]}\n", cli.ExitFailure, []string{fmt.Sprintf(assumed, "lost"), "set mini-hpa/target-cpu to what is meant",
			`m.yaml:3: lost: values "autoscaling": autoscaling.cpu "{enabled: true, of: [a, {b: c}], targetAverageUtilization: 70}" is not read`}},
		"no whole percent": {"autoscaling: {maxReplicas: 9, targetCPU: 80.5}\n", cli.ExitFailure, []string{fmt.Sprintf(assumed, "lost"), `autoscaling.targetCPU "80.5" is not read: it is no whole number`}},
		"a target":         {"autoscaling: {maxReplicas: 9, targetCPU: 80}\n", cli.ExitOK, nil},
		"metrics":          {"autoscaling: {maxReplicas: 9, metrics: [{type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: 3}}}]}\n", cli.ExitOK, nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := clitest.Call(t, Command(), "-f", fileOf(t, test.text))
			for _, part := range test.told {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in:\n%s", part, stderr)
				}
			}
			if diff := cmp.Diff(test.told == nil, !strings.Contains(stderr, "says nothing of a target")); code != test.code || diff != "" || strings.Contains(stderr, "map[") {
				t.Errorf("exit code %d, %s", code, stderr)
			}
		})
	}
}
