package explain

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/sample"
)

func TestExplain(t *testing.T) {
	good := map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"}
	tests := map[string]struct {
		annotations map[string]string
		prepare     func(s *clitest.APIServer)
		args        []string
		code        int
		stdout      []string // parts
		stderr      string   // the whole
	}{
		"a scale-out": {
			annotations: good, args: []string{"deploy/web"},
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n", "cpu utilization 220% above target 50% (2 of 2 pods",
				"Policy\n", "Pods (2 owned, 2 with a sample; spec.replicas 2, status.replicas 2)\n", "web-1-a  Running  true   220m      100m ",
				"usage 440m / requests 200m = 220%; 220% / target 50% = ratio 4.4", "ceil(4.4 * 2 pods) = 9", "only the running controller"},
		},
		"by kind, group and namespace": {
			annotations: good, args: []string{"deployments.apps/web", "-n", "default"},
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n"},
		},
		"kind and name apart": {
			annotations: good, args: []string{"deployment", "web"},
			stdout: []string{"source: computed here; it is not known whether a controller leads: there is no Lease ", "deployment default/web: scale from 2 to 6 replicas\n"},
		},
		"in YAML": {
			annotations: good, args: []string{"web", "-o", "yaml"},
			stdout: []string{"decision:\n  able: ", "\n  desired: 6\n", "\nsource: 'source: computed here; "},
		},
		"the decision's flags count": {
			annotations: good, args: []string{"web", "--tolerance=1"}, prepare: func(s *clitest.APIServer) { s.Use("100m") },
			stdout: []string{"deployment default/web: stay at 2 replicas\n", "ratio 2 is within 0..2"},
		},
		"samples that this user may not read are no condition of the workload": {
			annotations: good, args: []string{"web"}, code: cli.ExitFailure, prepare: func(s *clitest.APIServer) { s.Forbidden = "metrics.k8s.io" },
			stderr: "mini-hpa explain: what the pods of deployment default/web use is not known to you: cannot list pod metrics: grant verb \"list\"",
		},
		"no such Deployment": {
			annotations: good, args: []string{"deploy/wob"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: cannot read deployment default/wob: deployments.apps \"wob\" not found\n",
		},
		"another namespace": {
			annotations: good, args: []string{"web", "-n", "elsewhere"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: cannot read deployment elsewhere/web: nothing here\n",
		},
		"not annotated": {
			annotations: map[string]string{"other/target-cpu": "50"}, args: []string{"web"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: deployment default/web has no mini-hpa/ annotation, so mini-hpa does not scale it; set at least mini-hpa/max and mini-hpa/target-cpu\n",
		},
		"invalid annotations, all of them": {
			annotations: map[string]string{"mini-hpa/target-cpu": "fifty", "mini-hpa/max": "\x1b[31m"}, args: []string{"web"}, code: cli.ExitFailure,
			stderr: "mini-hpa explain: deployment default/web cannot be autoscaled (InvalidAnnotations), so mini-hpa leaves it alone:\n" +
				"  metadata.annotations[mini-hpa/max]: ",
		},
		"another autoscaler": {
			annotations: good, args: []string{"web"}, code: cli.ExitFailure, prepare: func(s *clitest.APIServer) { s.HPAs = append(s.HPAs, *clitest.HPAOf("web")) },
			stderr: "mini-hpa explain: deployment default/web cannot be autoscaled (ConflictingAutoscaler), so mini-hpa leaves it alone:\n" +
				"  metadata.annotations: Forbidden: HorizontalPodAutoscaler \"web\" already scales this Deployment, ",
		},
		"other autoscalers are forbidden": {
			annotations: good, args: []string{"web"}, prepare: func(s *clitest.APIServer) { s.Forbidden = "horizontalpodautoscalers" },
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n", "warning: metadata.annotations: it is not known what else scales the Deployment or changes its requests: " +
				`cannot list the HorizontalPodAutoscalers of namespace "default": `},
		},
		"LimitRanges are forbidden": {
			annotations: good, args: []string{"web"}, prepare: func(s *clitest.APIServer) { s.Forbidden = "limitranges" },
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n"},
		},
		"Deployments are forbidden": {
			annotations: good, args: []string{"web"}, code: cli.ExitFailure, prepare: func(s *clitest.APIServer) { s.Forbidden = "deployments" },
			stderr: "mini-hpa explain: cannot read deployment default/web: deployments is forbidden: User \"test\" cannot list\\x1b[31m it\n",
		},
		"the rights to list and watch are enough, as the controller has them": {
			annotations: good, args: []string{"web"}, prepare: func(s *clitest.APIServer) { s.Forbidden = "deployments/web" },
			stdout: []string{"deployment default/web: scale from 2 to 6 replicas\n"},
		},
		"pods are forbidden": {
			annotations: good, args: []string{"web"}, code: cli.ExitFailure, prepare: func(s *clitest.APIServer) { s.Forbidden = "v1/namespaces/default/pods" },
			stderr: "mini-hpa explain: cannot see the pods of deployment default/web: v1/namespaces/default/pods is forbidden: User \"test\" cannot list\\x1b[31m it\n",
		},
		"ReplicaSets are forbidden": {
			annotations: good, args: []string{"web"}, code: cli.ExitFailure, prepare: func(s *clitest.APIServer) { s.Forbidden = "replicasets" },
			stderr: "mini-hpa explain: cannot see the pods of deployment default/web: replicasets is forbidden: User \"test\" cannot list\\x1b[31m it\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := clitest.NewAPIServer(t, test.annotations)
			if test.prepare != nil {
				test.prepare(server)
			}
			code, stdout, stderr := call(t, append([]string{"explain", "--kubeconfig", server.Kubeconfig()}, test.args...)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, part := range test.stdout {
				if !strings.Contains(stdout, part) {
					t.Errorf("standard output lacks %q:\n%s", part, stdout)
				}
			}
			if len(test.stdout) == 0 && stdout != "" || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("standard output %q", stdout)
			}
			if !strings.HasPrefix(stderr, test.stderr) || test.stderr == "" && stderr != "" {
				t.Errorf("standard error (-want +got):\n%s", cmp.Diff(test.stderr, stderr))
			}
			if len(server.Scaled)+len(server.Told) > 0 || server.Lease != nil {
				t.Error("explaining wrote something")
			}
		})
	}
}

// TestSinceWhenItSleeps: the last Event that says how many replicas were set says it, unless Events may not be listed.
func TestSinceWhenItSleeps(t *testing.T) {
	event := func(ago time.Duration, message string) corev1.Event {
		return corev1.Event{LastTimestamp: metav1.NewTime(time.Now().Add(-ago)), Message: message}
	}
	slept := event(20*time.Minute, "New size: 0; reason: no external or object metric is above 0: there is nothing to do")
	for name, test := range map[string]struct {
		events    []corev1.Event
		forbidden string
		want      string
	}{
		"the newest Event says so":  {[]corev1.Event{slept, event(time.Hour, "New size: 3; reason: backlog"), event(time.Minute, "somebody else's words")}, "", "web: asleep since "},
		"the Events are gone":       {nil, "", "web: asleep: stay at 0 replicas"},
		"it has been awake since":   {[]corev1.Event{event(time.Minute, "New size: 3; reason: backlog"), slept}, "", "web: asleep: stay at 0 replicas"},
		"Events may not be listed":  {[]corev1.Event{slept}, "events", "web: asleep: stay at 0 replicas"},
		"an Event without a number": {[]corev1.Event{event(time.Minute, "New size: none")}, "", "web: asleep: stay at 0 replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/schedule": "daily 00:00-24:00 replicas=0", "mini-hpa/max": "3"})
			server.Deployment.Spec.Replicas, server.Pods, server.Events, server.Forbidden = new(int32(0)), nil, test.events, test.forbidden
			server.Deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "mini-hpa", Subresource: "scale"}}
			code, stdout, stderr := call(t, "explain", "web", "--kubeconfig", server.Kubeconfig())
			if code != cli.ExitOK || stderr != "" || !strings.Contains(stdout, test.want) {
				t.Errorf("exit code %d, standard error %q, want %q in:\n%s", code, stderr, test.want, stdout)
			}
		})
	}
}

func TestExplainForPrograms(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10", "mini-hpa/mox": "1"})
	code, stdout, stderr := call(t, "explain", "web", "-o", "json", "--kubeconfig", server.Kubeconfig())
	var got struct {
		Namespace, Name, Note string
		Policy                struct {
			MinReplicas, MaxReplicas int32
			Mode, SyncPeriod         string
			Metrics                  []map[string]any
			Behavior                 map[string]any
		}
		Warnings []map[string]string
		Snapshot struct {
			Replicas         int32
			Pods, PodMetrics []map[string]any
		}
		Decision struct {
			Current, Desired int32
			Steps            []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != cli.ExitOK || stderr != "" {
		t.Fatalf("exit code %d, standard error %q, %v:\n%s", code, stderr, err, stdout)
	}
	if got.Namespace != "default" || got.Name != "web" || got.Policy.MinReplicas != 1 || got.Policy.MaxReplicas != 10 ||
		got.Policy.Mode != "auto" || got.Policy.SyncPeriod != "15s" || len(got.Policy.Metrics) != 1 || len(got.Policy.Behavior) != 2 {
		t.Errorf("who and what was asked for: %+v", got)
	}
	if got.Snapshot.Replicas != 2 || len(got.Snapshot.Pods) != 2 || len(got.Snapshot.PodMetrics) != 2 {
		t.Errorf("what was seen: %+v", got.Snapshot)
	}
	if got.Decision.Current != 2 || got.Decision.Desired != 6 || len(got.Decision.Steps) < 5 {
		t.Errorf("what was decided: %+v", got.Decision)
	}
	if len(got.Warnings) != 1 || got.Warnings[0]["key"] != "mini-hpa/mox" || !strings.HasPrefix(got.Note, "Seen from outside") {
		t.Errorf("what else there is: %q, %q", got.Warnings, got.Note)
	}
}

func TestWhatIsExplained(t *testing.T) {
	for want, forms := range map[string][]string{
		"deployments.apps/web":        {"web", "deploy/web", "deployment/web", "deployments/web", "Deployment/web", "deployments.apps/web", "deployment.v1.apps/web"},
		"statefulsets.apps/web":       {"sts/web", "statefulset/web", "StatefulSets/web", "statefulsets.apps/web", "statefulset.v1.apps/web"},
		"replicasets.apps/web":        {"rs/web", "replicaset/web", "replicasets.apps/web"},
		"rollouts.argoproj.io/web":    {"rollouts.argoproj.io/web", "Rollouts.argoproj.io/web"},
		"deployments.example.com/web": {"deployments.example.com/web"},
	} {
		for _, form := range forms {
			if o, err := objectOf([]string{form}); err != nil || o.resource.String()+"/"+o.name != want {
				t.Errorf("%s: %+v, %v; want %s", form, o, err, want)
			}
		}
	}
	for _, form := range []string{"", "/", "deploy/", "/web", "pod/web", "rollouts/web", "deploy/a/b", "deploy/-", "we b", "rollouts./web", ".argoproj.io/web", "roll outs.argoproj.io/web"} {
		if o, err := objectOf([]string{form}); err == nil {
			t.Errorf("%q is taken for %+v", form, o)
		}
	}
}

func FuzzWhatIsExplained(f *testing.F) {
	f.Add("deploy/web")
	f.Add("sts/\x1b[31m")
	f.Fuzz(func(t *testing.T, form string) {
		o, err := objectOf([]string{form})
		if err == nil && !strings.HasSuffix(form, o.name) {
			t.Errorf("%q became %+v", form, o)
		}
		if err != nil && cli.Clean(err.Error()) != err.Error() {
			t.Errorf("the error repeats what a terminal would obey: %q", err)
		}
	})
}

// TestRender shows what users see. The explanations are stored, so that a change of the rules of the decision does not
// look like one of its presentation; -update decides them anew.
func TestRender(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, decided := range explanations(now) {
		t.Run(name, func(t *testing.T) {
			path := "testdata/explain/" + name
			if *clitest.Update {
				clitest.Golden(t, path+".in.json", asJSON(t, decided))
			}
			stored, err := os.ReadFile(path + ".in.json")
			if err != nil {
				t.Fatal(err)
			}
			var e scaler.Explanation
			if err := json.Unmarshal(stored, &e); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := (&Answer{Explanation: e}).render(&text, now); err != nil {
				t.Fatal(err)
			}
			clitest.Golden(t, path+".txt", text.String())
			clitest.Golden(t, path+".json", asJSON(t, (&Answer{Explanation: e}).machineForm()))
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	var text strings.Builder
	if err := cli.WriteJSON(&text, v); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestRequestsOfAPod(t *testing.T) {
	request := func(cpu string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: quantity(cpu)}}
	}
	tests := map[string]struct {
		spec      corev1.PodSpec
		container string
		want      string
	}{
		"containers add up": {want: "300m",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Resources: request("100m")}, {Name: "b", Resources: request("200m")}}}},
		"one container": {container: "b", want: "200m",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Resources: request("100m")}, {Name: "b", Resources: request("200m")}}}},
		"sidecars count, other init containers do not": {want: "150m",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Resources: request("100m")}}, InitContainers: []corev1.Container{
				{Name: "once", Resources: request("1")}, {Name: "beside", Resources: request("50m"), RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}}}},
		"the pod's own request stands for all": {want: "1000m",
			spec: corev1.PodSpec{Resources: new(request("1")), Containers: []corev1.Container{{Name: "a", Resources: request("100m")}}}},
		"none": {want: "-", spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := measure{resource: corev1.ResourceCPU, container: test.container}
			if got := m.requested(new(podspec.ReadPod(&corev1.Pod{Spec: test.spec}))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestTheTableShowsWhatTheDecisionDividesBy: one page has one answer to what a pod requests.
func TestTheTableShowsWhatTheDecisionDividesBy(t *testing.T) {
	list := func(name corev1.ResourceName, amount string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{name: quantity(amount)}}
	}
	cpu := func(amount string) corev1.ResourceRequirements { return list(corev1.ResourceCPU, amount) }
	tests := map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"memory of the pod as a whole, and an init container that needs more": {want: "2000m", spec: corev1.PodSpec{
			Resources:      new(list(corev1.ResourceMemory, "1Gi")),
			InitContainers: []corev1.Container{{Name: "migrate", Resources: cpu("2")}},
			Containers:     []corev1.Container{{Name: "app", Resources: cpu("500m")}}}},
		"CPU of the pod as a whole, and the overhead of a RuntimeClass": {want: "1250m", spec: corev1.PodSpec{
			Resources: new(cpu("1")), Overhead: corev1.ResourceList{corev1.ResourceCPU: quantity("250m")},
			Containers: []corev1.Container{{Name: "app", Resources: cpu("500m")}}}},
		"no overhead where the containers have the requests": {want: "500m", spec: corev1.PodSpec{
			Overhead:   corev1.ResourceList{corev1.ResourceCPU: quantity("250m")},
			Containers: []corev1.Container{{Name: "app", Resources: cpu("500m")}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
			s := scene{now: now, replicas: 1, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
			s.add("web-1", "1250m", "64Mi")
			s.pods[0].Spec = podspec.Slim(&test.spec)
			var text strings.Builder
			if err := (&Answer{Explanation: s.explain()}).render(&text, now); err != nil {
				t.Fatal(err)
			}
			table := regexp.MustCompile(`web-1 +Running +true +1250m +(\S+)`).FindStringSubmatch(text.String())
			arithmetic := regexp.MustCompile(`requests (\S+)`).FindStringSubmatch(text.String())
			if len(table) < 2 || len(arithmetic) < 2 || table[1] != test.want || arithmetic[1] != test.want {
				t.Errorf("the table has %q and the arithmetic %q, want %s in both:\n%s", table, arithmetic, test.want, text.String())
			}
		})
	}
}

func TestUsageOfAPod(t *testing.T) {
	of := func(container, cpu, memory string) sample.Container {
		return sample.Container{Name: container, Usage: sample.UsageOf(corev1.ResourceList{corev1.ResourceCPU: quantity(cpu), corev1.ResourceMemory: quantity(memory)})}
	}
	used := &sample.Pod{Name: "a", Containers: []sample.Container{of("app", "1500m", "300Mi"), of("proxy", "20m", "1Gi")}}
	huge := &sample.Pod{Containers: []sample.Container{of("app", "9E", "0")}}
	got := []string{
		measure{resource: corev1.ResourceCPU}.used(used), measure{resource: corev1.ResourceMemory}.used(used),
		measure{resource: corev1.ResourceCPU, container: "proxy"}.used(used), measure{resource: corev1.ResourceCPU, container: "x"}.used(used),
		measure{resource: corev1.ResourceCPU}.used(nil), measure{resource: corev1.ResourceCPU}.used(huge),
	}
	if want := []string{"1520m", "1324Mi", "20m", "-", "-", "9E"}; !slices.Equal(want, got) {
		t.Errorf("got %q, want %q", got, want)
	}
}
