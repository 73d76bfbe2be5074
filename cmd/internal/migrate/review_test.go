package migrate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// admitted fails for what admission and lint would refuse of what was made.
func admitted(t *testing.T, results []result) {
	t.Helper()
	for _, r := range results {
		if r.Annotations == nil {
			continue
		}
		for _, p := range annotations.DefaultDefaults().Review(&annotations.Workload{Annotations: r.Annotations}, annotations.Surroundings{}).Problems {
			t.Errorf("%s is refused: %v\n%v", r.From.title(), p, r.Annotations)
		}
	}
}

// isTold says whether there is a remark on one of the paths.
func isTold(r *result, paths ...string) bool {
	return slices.ContainsFunc(r.Remarks, func(m hpa.Remark) bool { return slices.Contains(paths, m.Path) })
}

// TestAdmissionTakesWhatIsMade of HPAs and ScaledObjects that go to 0 or not, on whatever they are scaled and whether anything may be added: each is converted, each
// result is admitted, and where it does not go to 0 any more that is told.
func TestAdmissionTakesWhatIsMade(t *testing.T) {
	t.Run("HPAs", func(t *testing.T) {
		const object = "--- {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h%d}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: h%[1]d}, maxReplicas: 9%s%s%s}}\n"
		var text strings.Builder
		n := 0
		for _, least := range []string{"", ", minReplicas: 0", ", minReplicas: 1", ", minReplicas: 3", ", minReplicas: 9"} {
			for _, metrics := range []string{"", ", metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]",
				", metrics: [{type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: 3}}}]",
				", metrics: [{type: Object, object: {describedObject: {apiVersion: v1, kind: Service, name: s}, metric: {name: q}, target: {type: Value, value: 3}}}]",
				", metrics: [{type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: 3}}}]"} {
				for _, behavior := range []string{"", ", behavior: {scaleUp: {selectPolicy: Disabled}}", ", behavior: {scaleDown: {selectPolicy: Disabled}}",
					", behavior: {scaleUp: {selectPolicy: Disabled, policies: [{type: Pods, value: 1, periodSeconds: 60}]}}"} {
					fmt.Fprintf(&text, object, n, least, metrics, behavior)
					n++
				}
			}
		}
		results, _ := made(t, "-f", fileOf(t, text.String()))
		asked := 0
		for _, r := range results {
			if r.Annotations == nil {
				t.Errorf("%s is not converted: %v", r.From.title(), r.Remarks)
			}
			if r.Annotations[annotations.Min] == "0" {
				asked++
			}
		}
		if len(results) != n || asked != 4 {
			t.Errorf("%d results, of which %d may sleep; want %d, and 4: of two metrics that can wake a workload, with a behavior that lets them", len(results), asked, n)
		}
	})
	t.Run("ScaledObjects", func(t *testing.T) {
		const object = "--- {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: s%[1]d, namespace: shop%[2]s}, spec: {scaleTargetRef: {name: s%[1]d}, maxReplicaCount: 9%[3]s%[4]s, triggers: [%[5]s]}}\n"
		triggers := []string{"{type: cpu, metricType: Utilization, metadata: {value: '50'}}", "{type: kafka, metadata: {bootstrapServers: 'k:1', consumerGroup: g, topic: t}}",
			"{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '5'}}", "{type: cron, metadata: {timezone: UTC, start: 0 22 * * *, end: 0 2 * * *, desiredReplicas: '0'}}",
			"{type: aws-cloudwatch, metadata: {}}"}
		var text strings.Builder
		var mayBeZero []bool
		for _, fewest := range []string{"", ", minReplicaCount: 3", ", minReplicaCount: 3, idleReplicaCount: 0"} {
			for _, up := range [][2]string{{}, {", annotations: {autoscaling.keda.sh/paused-scale-out: 'true'}"}, {"", ", advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {selectPolicy: Disabled}}}}"}} {
				for set := 1; set < 1<<len(triggers); set++ {
					var chosen []string
					for i, trigger := range triggers {
						if set&(1<<i) != 0 {
							chosen = append(chosen, trigger)
						}
					}
					if set == 1<<(len(triggers)-1) {
						continue // nothing is made of the last one alone
					}
					fmt.Fprintf(&text, object, len(mayBeZero), up[0], fewest, up[1], strings.Join(chosen, ", "))
					mayBeZero = append(mayBeZero, fewest != ", minReplicaCount: 3")
				}
			}
		}
		results, _ := made(t, "-f", fileOf(t, text.String()))
		for i := range results {
			switch r, least := &results[i], results[i].Annotations[annotations.Min]; {
			case r.Annotations == nil:
				t.Errorf("%s is not converted: %v", r.From.title(), r.Remarks)
			case !mayBeZero[i] && least != "3", mayBeZero[i] && least != "0" && !isTold(r, "spec.minReplicaCount", "spec.idleReplicaCount"):
				t.Errorf("%s has a min of %q, and remarks: %+v", r.From.title(), least, r.Remarks)
			}
		}
		if len(results) != len(mayBeZero) {
			t.Errorf("%d results, want %d", len(results), len(mayBeZero))
		}
	})
}

// TestNothingWouldWake: what may go to 0 and could not come back is kept at 1, which is told.
func TestNothingWouldWake(t *testing.T) {
	const kafka = "triggers: [{type: kafka, metadata: {bootstrapServers: 'k:1', consumerGroup: g, topic: t}}]"
	const external = "metrics: [{type: External, external: {metric: {name: q}, target: {type: AverageValue, averageValue: 3}}}]"
	for name, test := range map[string]struct{ text, least, told string }{
		"an HPA that adds nothing": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "spec: {", "spec: {minReplicas: 0, behavior: {scaleUp: {selectPolicy: Disabled}}, "+external+", ", 1), "",
			`m.yaml:4: lost: HorizontalPodAutoscaler "a": spec.minReplicas "0" is 1 here: while scaling up is disabled nothing could wake it; set mini-hpa/min to "0" when it is allowed again`},
		"an HPA on CPU": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "spec: {", "spec: {minReplicas: 0, ", 1), "",
			`spec.minReplicas "0" is 1 here: a workload without pods has no CPU, memory or metric of its pods, so that nothing could wake it`},
		"values": {"web:\n  autoscaling: {enabled: true,\n    minReplicas: 0, maxReplicas: 3, targetCPUUtilizationPercentage: 80}\n", "",
			`m.yaml:3: lost: values "web.autoscaling": web.autoscaling.minReplicas "0" is 1 here: a workload without pods has no CPU`},
		"a ScaledObject that is paused": {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a, annotations: {autoscaling.keda.sh/paused-scale-out: 'true'}}, spec: {scaleTargetRef: {name: a}, " + kafka + "}}", "",
			`spec.minReplicaCount "0" is 1 here: while scaling up is disabled nothing could wake it`},
		"a ScaledObject that adds nothing": {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, minReplicaCount: 2, idleReplicaCount: 0, advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {selectPolicy: Disabled}}}}, " + kafka + "}}", "2",
			`spec.idleReplicaCount "0" is 2 here: while scaling up is disabled nothing could wake it`},
		"a ScaledObject whose waker is lost": {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, triggers: [{type: aws-cloudwatch}, {type: memory, metricType: Utilization, metadata: {value: '50'}}]}}", "",
			`lost: ScaledObject "a": spec.minReplicaCount "0" is 1 here: nothing that is converted could wake it`},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileOf(t, test.text)
			results, _ := made(t, "-f", path)
			code, _, stderr := clitest.Call(t, Command(), "-f", path)
			if len(results) != 1 || results[0].Annotations[annotations.Max] == "" || results[0].Annotations[annotations.Min] != test.least || code != cli.ExitFailure || !strings.Contains(stderr, test.told) {
				t.Errorf("exit code %d, want %q: %+v\n%s", code, test.told, results, stderr)
			}
		})
	}
}

// TestReviewedWithTheWorkload: what is known of the workload counts. What the cluster may add to its pods does not keep anything from being written.
func TestReviewedWithTheWorkload(t *testing.T) {
	const workload = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [%s]}}}\n"
	const ofContainer = "spec: {metrics: [{type: ContainerResource, containerResource: {name: cpu, container: app, target: {type: Utilization, averageUtilization: 50}}}], "
	for name, test := range map[string]struct {
		spec, containers string
		isMade           bool
		told             string // nothing that is about the workload, if it is empty
	}{
		"requests":           {"spec: {", "{name: app, resources: {requests: {cpu: 100m}}}", true, ""},
		"no requests":        {"spec: {", "{name: app}", true, `note: HorizontalPodAutoscaler "a": is converted, with a warning: spec.template.spec.containers[0].resources.requests[cpu]: container "app" has no CPU request, and it is not known whether a LimitRange gives it one`},
		"a request of 0":     {"spec: {", "{name: app, resources: {requests: {cpu: '0'}}}", false, "lost: HorizontalPodAutoscaler \"a\": is not converted, because mini-hpa would refuse spec.template.spec.containers[0].resources.requests[cpu]"},
		"no such container":  {ofContainer, "{name: web, resources: {requests: {cpu: 100m}}}", true, `container "app" is not in the pod template, which has "web"; it may be injected`},
		"a patch of another": {ofContainer, "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileOf(t, strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "spec: {", test.spec, 1)+fmt.Sprintf(workload, test.containers))
			results, _ := made(t, "-f", path)
			_, _, stderr := clitest.Call(t, Command(), "-f", path)
			if isMade := results[0].Annotations != nil; isMade != test.isMade || !strings.Contains(stderr, test.told) || test.told == "" && stderr != "" {
				t.Errorf("made: %t, want %t, and %q in %q", isMade, test.isMade, test.told, stderr)
			}
		})
	}
}
