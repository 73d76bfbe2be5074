package lint

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestLintCases are manifests as users have written them: what each line of the answer has to hold, in order.
func TestLintCases(t *testing.T) {
	tests := map[string]struct {
		code int
		want []string
	}{
		"replicas-in-manifest.yaml":            {cli.ExitOK, []string{":9: warning: Deployment web: spec.replicas: each apply sets the replicas to 3, whatever mini-hpa has made of them; leave spec.replicas out"}},
		"limitrange-of-other-environment":      {cli.ExitFailure, []string{"prod/deploy.yaml:10: error: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]: Required"}},
		"limitrange-of-other-environment/prod": {cli.ExitFailure, []string{"prod/deploy.yaml:10: error: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]: Required"}},
		"labels.yaml":                          {cli.ExitOK, []string{":7: warning: Deployment web: metadata.labels[mini-hpa/max]: mini-hpa/ keys have no effect among the labels"}},
		"rollout.yaml":                         {cli.ExitOK, []string{`:7: warning: Rollout web: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on "Rollout" of "argoproj.io/v1alpha1"`}},
		"annotation-singular.yaml":             {cli.ExitOK, []string{`:7: warning: Deployment web: metadata.annotation[mini-hpa/max]: "annotation" is no field of metadata`}},
		"kustomize-commonannotations.yaml":     {cli.ExitFailure, []string{":5: warning: Kustomization (unnamed): commonAnnotations[mini-hpa/max]: kustomize writes these to every object", `:5: error: Kustomization (unnamed): commonAnnotations[mini-hpa/max]: Invalid value: "ten"`}},
		"line-inside-metrics.yaml":             {cli.ExitFailure, []string{`:20: error: Deployment web: metadata.annotations[mini-hpa/metrics][1].pods.target: Invalid value: "averageValu"`}},
		"nan-line.yaml":                        {cli.ExitUsage, []string{`:6: error: Deployment web: metadata.annotations[mini-hpa/target-cpu]: Invalid value: ".nan"`}},
		"other-field-wrong.yaml":               {cli.ExitFailure, []string{`:5: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: "ten"`, ":12: error: Deployment web: spec.template.spec.containers[0].resources.requests[cpu]: Required", `:14: error: Deployment web: spec.template.spec.containers[0].env[0].value: Invalid value: true: must be a string; put it in quotes: "true"`}},
		"target-above-limit-percent.yaml":      {cli.ExitOK, []string{":6: warning: Deployment web: metadata.annotations[mini-hpa/target-cpu]: 500% of the 100m that the pod requests is 500m, above its limit of 200m"}},
		"target-above-limit-amount.yaml":       {cli.ExitOK, []string{":6: warning: Deployment web: metadata.annotations[mini-hpa/target-cpu]: the target is 500m, above its limit of 200m"}},
		"memory-512-without-unit.yaml":         {cli.ExitOK, []string{`:6: warning: Deployment web: metadata.annotations[mini-hpa/target-memory]: is read as 512% of the request; an amount needs a unit, such as "512Mi"`}},
		"metric-of-injected-container.yaml":    {cli.ExitOK, []string{`:9: warning: Deployment web: metadata.annotations[mini-hpa/metrics][0].containerResource.container: container "istio-proxy" is not in the pod template, which has "app"; it may be injected (Istio injects one of that name)`}},
		"v2beta1-metric.yaml":                  {cli.ExitFailure, []string{`:9: error: Deployment web: metadata.annotations[mini-hpa/metrics][0].resource: Invalid value: "targetAverageUtilization": is a field of autoscaling/v2beta1; in v2 write target: {type: Utilization, averageUtilization: 80}`}},
		"vpa.yaml":                             {cli.ExitOK, []string{`:6: warning: Deployment web: metadata.annotations[mini-hpa/target-cpu]: VerticalPodAutoscaler "web" (testdata/cases/vpa.yaml:18) changes the CPU requests that mini-hpa/target-cpu is a percentage of`}},
		"line-without-quotes.yaml":             {cli.ExitFailure, []string{`:8: error: Deployment web: metadata.annotations[mini-hpa/wake][0]: Invalid value: "requests services=web": line 1: key "services" is not one of this line (did you mean "service"?)`}},
		"wake.yaml": {cli.ExitFailure, []string{
			`:10: error: Deployment web: metadata.annotations[mini-hpa/wake]: Invalid value: "requests": Service "pods" (testdata/cases/wake.yaml:23) is headless`,
			`:10: error: Deployment web: metadata.annotations[mini-hpa/wake]: Invalid value: "requests": Service "web" (testdata/cases/wake.yaml:33) also selects the pods of Deployment "canary" (testdata/cases/wake.yaml:63)`,
			`:10: warning: Deployment web: metadata.annotations[mini-hpa/wake]: container "app" has no lifecycle.preStop`,
			`:85: error: Deployment database: metadata.annotations[mini-hpa/wake]: Invalid value: "requests service=db path=always": Service "db" (testdata/cases/wake.yaml:45) says mini-hpa/activator: "api", and this workload is "database"`,
		}},
		"hang-sizelimit.yaml": {cli.ExitOK, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, filepath.Join("testdata", "cases", name))
			expect(t, stdout, tt.want)
			if code != tt.code {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, stderr)
			}
		})
	}
}

// expect wants lines that hold something each.
func expect(t *testing.T, text string, want []string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, line)
	}
	if len(lines) != len(want) {
		t.Fatalf("%d findings, want %d:\n%s", len(lines), len(want), text)
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			t.Errorf("%q lacks %q", lines[i], part)
		}
	}
}

// TestLintTellsEveryWrongField in the words of whoever wrote it, and reads the rest.
func TestLintTellsEveryWrongField(t *testing.T) {
	const before, after = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}\n", ""
	container := func(field string) string {
		resources := "resources: {requests: {cpu: 1}}"
		if strings.HasPrefix(field, "resources") {
			resources = "tty: true"
		}
		return before + "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        " + resources + "\n        " + field + "\n"
	}
	tests := map[string]struct{ text, line, want string }{
		"a number for a string":     {container("image: 1"), "12", "containers[0].image: Invalid value: 1: must be a string; put it in quotes: \"1\""},
		"a list for a string":       {container("image: [a]"), "12", "containers[0].image: Invalid value: must be a string"},
		"a string for a number":     {container(`ports: [{containerPort: "80"}]`), "12", `ports[0].containerPort: Invalid value: "80": must be a whole number, without quotes`},
		"a fraction":                {container(`ports: [{containerPort: 8.5}]`), "12", `ports[0].containerPort: Invalid value: 8.5: must be a whole number, without quotes`},
		"too large":                 {container(`ports: [{containerPort: 80000000000}]`), "12", `ports[0].containerPort: Invalid value: 80000000000: must be a whole number`},
		"a string for a truth":      {container(`tty: "yes"`), "12", `tty: Invalid value: "yes": must be true or false, without quotes`},
		"a mapping for a list":      {container("env: {A: b}"), "12", "env: Invalid value: must be a list; begin each of its items with \"- \""},
		"a string for a mapping":    {container("resources: none"), "12", `resources: Invalid value: "none": must be a mapping of names to values`},
		"no quantity":               {container("resources: {requests: {cpu: 1x}}"), "12", `resources.requests[cpu]: Invalid value: "1x": must be a quantity such as "500m", "2" or "1Gi"`},
		"a quantity of another one": {container("resources: {requests: {cpu: 1, memory: true}}"), "12", `resources.requests[memory]: Invalid value: true: must be a quantity`},
		"a port that is a truth":    {container("readinessProbe: {httpGet: {port: true}}"), "12", `httpGet.port: Invalid value: true: must be a whole number or a string such as "25%"`},
		"a time":                    {strings.Replace(container(""), "  name: web\n", "  name: web\n  creationTimestamp: now\n", 1), "5", `metadata.creationTimestamp: Invalid value: "now": must be a time such as`},
		"another annotation":        {strings.Replace(container(""), "annotations: {", "annotations: {team: 7, ", 1), "5", `metadata.annotations[team]: Invalid value: 7: must be a string; put it in quotes: "7"`},
		"in an inlined struct":      {container("x: 1\n      volumes: [{name: v, secret: {optional: 1}}]"), "13", `volumes[0].secret.optional: Invalid value: 1: must be true or false`},
		"one that nobody knows":     {container("whatever: {a: [1]}"), "", ""},
		"nothing":                   {container("image:\n        env: [null]"), "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text+after)
			if tt.want == "" {
				expect(t, stdout, nil)
				return
			}
			expect(t, stdout, []string{"standard input:" + tt.line + ": error: Deployment web: "})
			if !strings.Contains(stdout, tt.want) || !strings.Contains(stdout, "[InvalidField]") {
				t.Errorf("%q lacks %q", stdout, tt.want)
			}
		})
	}
}

// TestLintTakesLinearTime: what took more than linear time would take minutes here.
func TestLintTakesLinearTime(t *testing.T) {
	many := func(n int, item func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(item(i))
		}
		return b.String()
	}
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    mini-hpa/target-cpu: 50%\n    mini-hpa/max: '9'\n"
	for name, text := range map[string]string{
		"unquoted values":        deployment + many(80_000, func(i int) string { return fmt.Sprintf("    mini-hpa/x%d: 1\n", i) }),
		"merged values":          deployment + "    <<: [" + many(30_000, func(i int) string { return fmt.Sprintf("{mini-hpa/x%d: 1},", i) }) + "]\n",
		"wrong fields":           deployment + "spec: {template: {spec: {containers: [{name: a, env: [" + many(30_000, func(int) string { return "{value: 1}," }) + "]}]}}}\n",
		"autoscalers":            many(8_000, func(i int) string { return needyWeb(i) + "---\n" + hpaFor(i) }),
		"autoscalers of one":     many(2_000, func(int) string { return needyWeb(0) + "---\n" + hpaFor(0) }),
		"LimitRanges":            many(6_000, func(i int) string { return limitRangeOf(i) + "---\n" + needyWeb(i) }),
		"keys at every level":    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":" + strings.Repeat(`{"mini-hpa/a":`, 9_900) + "1" + strings.Repeat("}", 9_901),
		"no numbers":             deployment + "data: [" + strings.Repeat(".nan,", 60_000) + "]\n",
		"LimitRange of all":      "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [" + many(100_000, func(i int) string { return fmt.Sprintf("{type: Container, max: {r%d: 1}},", i) }) + "]}\n" + needyWeb(0),
		"quantities of any kind": deployment + "spec: {template: {spec: {volumes: [" + many(20_000, func(int) string { return "{name: v, emptyDir: {sizeLimit: 1e-999999999}}," }) + "]}}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			code := clitest.Run(ctx, Command(), []string{"-", "-o", "json"}, cli.Streams{In: strings.NewReader(text), Out: io.Discard, Err: io.Discard})
			if ctx.Err() != nil {
				t.Errorf("exit code %d, and not in time", code)
			}
		})
	}
}

func needyWeb(i int) string {
	return fmt.Sprintf("---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%d, annotations: {mini-hpa/target-cpu: 50%%}}\nspec: {template: {spec: {containers: [{name: a}]}}}\n", i)
}

func hpaFor(i int) string {
	return fmt.Sprintf("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h%d}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: w%d}}\n", i, i)
}

func limitRangeOf(i int) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l%d}\nspec: {limits: [{type: Container, max: {r%d: 1}}]}\n", i, i)
}

// TestLintFollowsAliases, however much is wrong with what they stand for.
func TestLintFollowsAliases(t *testing.T) {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    annotations: &a\n      mini-hpa/metrics: |\n")
	for i := range 100 {
		fmt.Fprintf(&text, "        - {type: Pods, pods: {metric: {name: m%d}, target: {type: AverageValue}}}\n", i)
	}
	text.WriteString(strings.Repeat("- {apiVersion: apps/v1, kind: Deployment, metadata: {annotations: *a}}\n", 12))
	m := newManifests("")
	m.read(source{name: "-"}, strings.NewReader(text.String()))
	found := m.report(annotations.DefaultDefaults()).Findings
	if len(m.workloads) != 13 || len(found) < 130 {
		t.Fatalf("%d Deployments, %d findings", len(m.workloads), len(found))
	}
}

// TestLintAreas: of objects without a namespace, only those in the same directory or above it are neighbors, the nearest first.
func TestLintAreas(t *testing.T) {
	const web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {mini-hpa/target-cpu: 50%, mini-hpa/max: '9'}}\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
	in := func(namespace, text string) string {
		return strings.Replace(text, "metadata: {", "metadata: {namespace: "+namespace+", ", 1)
	}
	limits := func(cpu string) string {
		return "apiVersion: v1\nkind: LimitRange\nmetadata: {name: defaults}\nspec: {limits: [{type: Container, defaultRequest: {cpu: " + cpu + "}}]}\n"
	}
	both := strings.Replace(web, "mini-hpa/max", "mini-hpa/target-memory: 50%, mini-hpa/max", 1)
	memory := strings.Replace(limits("1Gi"), "cpu:", "memory:", 1)
	const hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	tests := map[string]struct {
		files map[string]string
		args  []string
		want  []string
	}{
		"of another environment": {map[string]string{"prod/web.yaml": web, "staging/l.yaml": limits("1")}, nil, []string{"MissingRequest"}},
		"beside it":              {map[string]string{"prod/web.yaml": web, "prod/l.yaml": limits("1")}, nil, []string{`get 1 from LimitRange "defaults" (prod/l.yaml:1)`}},
		"above it":               {map[string]string{"prod/web/d.yaml": web, "prod/l.yaml": limits("1")}, nil, []string{`get 1 from LimitRange "defaults" (prod/l.yaml:1)`}},
		"below it":               {map[string]string{"prod/d.yaml": web, "prod/x/l.yaml": limits("1")}, nil, []string{"MissingRequest"}},
		"the nearest":            {map[string]string{"prod/web/d.yaml": web, "prod/l.yaml": limits("2"), "l.yaml": limits("1")}, nil, []string{`get 2 from LimitRange "defaults" (prod/l.yaml:1)`}},
		"one namespace":          {map[string]string{"a/d.yaml": in("shop", web), "b/l.yaml": in("shop", limits("1"))}, nil, []string{`get 1 from LimitRange "defaults" (b/l.yaml:1)`}},
		"two namespaces":         {map[string]string{"a/d.yaml": in("shop", web), "a/l.yaml": in("x", limits("1"))}, nil, []string{"MissingRequest"}},
		"all in one":             {map[string]string{"prod/web.yaml": web, "staging/l.yaml": limits("1")}, []string{"-n", "shop"}, []string{`get 1 from LimitRange "defaults" (staging/l.yaml:1)`}},
		"for each resource":      {map[string]string{"prod/web/d.yaml": both, "prod/l.yaml": limits("2"), "l.yaml": memory}, nil, []string{`get 2 from LimitRange "defaults" (prod/l.yaml:1)`, `get 1Gi from LimitRange "defaults" (l.yaml:1)`}},
		"the nearest of both":    {map[string]string{"prod/web/d.yaml": both, "prod/l.yaml": memory + "---\n" + strings.Replace(limits("2"), "name: defaults", "name: cpu", 1), "l.yaml": limits("1")}, nil, []string{`get 2 from LimitRange "cpu" (prod/l.yaml:6)`, `get 1Gi from LimitRange "defaults" (prod/l.yaml:1)`}},
		"an HPA of another":      {map[string]string{"prod/web.yaml": web + "---\n" + limits("1"), "staging/h.yaml": hpa}, nil, []string{"RequestFromLimitRange"}},
		"an HPA beside it":       {map[string]string{"prod/web.yaml": web + "---\n" + limits("1"), "prod/h.yaml": hpa}, nil, []string{`HorizontalPodAutoscaler "web" (prod/h.yaml:1) already scales`, "RequestFromLimitRange"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for file, text := range tt.files {
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, stdout, _ := call(t, append([]string{"."}, tt.args...)...)
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintAPausedScaledObject is judged alike in whatever order it and what KEDA has made for it are read.
func TestLintAPausedScaledObject(t *testing.T) {
	const scaled = "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue, annotations: {autoscaling.keda.sh/paused: 'true'}}\nspec: {scaleTargetRef: {name: web}}\n"
	const made = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: keda-hpa-queue, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: queue, uid: u, controller: true}]}\n" +
		"spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"alone":             {scaled, `warning: Deployment web: metadata.annotations: ScaledObject "queue" (standard input:14) is paused`},
		"what is made last": {scaled + made, `error: Deployment web: metadata.annotations: Forbidden: ScaledObject "queue" (standard input:14) already scales`},
		"no quotes":         {strings.Replace(scaled, "'true'", "true", 1), `warning: Deployment web: metadata.annotations: ScaledObject "queue" (standard input:14) is paused`},
		"and first":         {made + scaled, `error: Deployment web: metadata.annotations: Forbidden: ScaledObject "queue" (standard input:19) already scales`},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, workload()+tt.text)
			if name == "no quotes" {
				expect(t, stdout, []string{tt.want, `standard input:16: warning: ScaledObject queue: metadata.annotations[autoscaling.keda.sh/paused]: Invalid value: true: must be a string; put it in quotes: "true"`})
				return
			}
			expect(t, stdout, []string{tt.want})
		})
	}
}

// TestLintStrays are annotations where nothing reads them.
func TestLintStrays(t *testing.T) {
	common := func(name string) string {
		return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}}\n" +
			"spec: {template: {metadata: {annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}}, spec: {containers: [{name: a}]}}}\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}}\n"
	}
	object := func(version, kind, rest string) string {
		return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: x}\n%s\n", version, kind, rest)
	}
	const annotated = "metadata: {annotations: {mini-hpa/max: '9'}}"
	tests := map[string]struct {
		text string
		want []string
	}{
		"on an HPA":                      {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n" + annotated + "\nspec: {scaleTargetRef: {}}\n", []string{`no effect on "HorizontalPodAutoscaler" of "autoscaling/v2"`}},
		"on a ScaledObject":              {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n" + annotated + "\n", []string{`no effect on "ScaledObject" of "keda.sh/v1alpha1"`}},
		"on any kind":                    {"apiVersion: x.example.com/v1\nkind: Thing\n" + annotated + "\n", []string{`no effect on "Thing" of "x.example.com/v1"`}},
		"on the template of a Job":       {object("batch/v1", "CronJob", "spec: {jobTemplate: {spec: {template: {"+annotated+"}}}}"), []string{"spec.jobTemplate.spec.template.metadata.annotations[mini-hpa/max]: mini-hpa/ keys have no effect here"}},
		"on the template of a Rollout":   {object("argoproj.io/v1alpha1", "Rollout", "spec: {template: {"+annotated+"}}"), []string{"spec.template.metadata.annotations[mini-hpa/max]"}},
		"among the values of a chart":    {object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {values: {annotations: {mini-hpa/max: '9'}}}"), nil},
		"beside the metadata":            {object("apps/v1", "Deployment", "annotations: {mini-hpa/max: '9'}"), []string{"annotations[mini-hpa/max]: mini-hpa/ keys have no effect here"}},
		"in the spec":                    {object("apps/v1", "Deployment", "spec: {annotations: {mini-hpa/max: '9'}}"), []string{"spec.annotations[mini-hpa/max]: mini-hpa/ keys have no effect here; only those in the metadata.annotations of workloads have one: Deployments, StatefulSets and ReplicaSets of apps/v1, and custom kinds that have a scale subresource [MisplacedAnnotation]"}},
		"among the labels of a template": {object("apps/v1", "Deployment", "spec: {template: {metadata: {labels: {mini-hpa/max: '9'}}}}"), []string{"spec.template.metadata.labels[mini-hpa/max]: mini-hpa/ keys have no effect among the labels"}},
		"on the template alone":          {object("apps/v1", "Deployment", "spec: {template: {"+annotated+"}}"), []string{"spec.template.metadata.annotations: mini-hpa/ annotations have no effect on the pod template"}},
		"of kustomize, everywhere":       {common("a") + common("b") + common("c"), []string{"Deployment a: spec.template.metadata.annotations: the same mini-hpa/ annotations are on the Deployment and on its pod template, as kustomize's commonAnnotations writes them to everything (here to 6 objects, also on the template of b, c)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, tt.want)
		})
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("kustomization.yaml", []byte("resources: [a.yaml]\ncommonAnnotations:\n  mini-hpa/max: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stdout, _ := call(t, ".")
	expect(t, stdout, []string{"kustomization.yaml:3: warning: Kustomization (unnamed): commonAnnotations[mini-hpa/max]: kustomize writes these",
		`kustomization.yaml:3: error: Kustomization (unnamed): commonAnnotations[mini-hpa/max]: Invalid value: 9: must be a string; put it in quotes: "9"`})
}

// TestLintUnquotedOff: what YAML makes of Off without quotes is told, and what was meant counts.
func TestLintUnquotedOff(t *testing.T) {
	vpa := func(spec string) string {
		return "---\napiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {name: web}\nspec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  " + spec + "\n"
	}
	half := strings.Replace(workload("min: '2'"), "250m", "50%", 1) + "        resources: {requests: {cpu: 1}}\n"
	const resized = `VerticalPodAutoscaler "web" (standard input:16) changes the CPU requests`
	told := func(line, field, written string) string {
		return "standard input:" + line + ": warning: VerticalPodAutoscaler web: " + field + ": Invalid value: false: must be a string: without quotes " + written + " is a truth value in YAML; put it in quotes: "
	}
	for name, tt := range map[string]struct {
		spec string
		want []string
	}{
		"in quotes":      {`updatePolicy: {updateMode: "Off"}`, nil},
		"no quotes":      {"updatePolicy:\n    updateMode: Off", []string{told("22", "spec.updatePolicy.updateMode", `"Off"`) + `updateMode: "Off"; the API server refuses the whole object`}},
		"a wrong case":   {`updatePolicy: {updateMode: "off"}`, []string{`spec.updatePolicy.updateMode: Invalid value: "off": must be in the right case: updateMode: "Off"; the API server refuses the whole object`}},
		"another case":   {"updatePolicy: {updateMode: off}", []string{told("21", "spec.updatePolicy.updateMode", `"off"`) + `updateMode: "Off"`}},
		"of a container": {"resourcePolicy:\n    containerPolicies:\n    - containerName: app\n      mode: Off", []string{told("24", "spec.resourcePolicy.containerPolicies[0].mode", `"Off"`) + `mode: "Off"`}},
		"on":             {"updatePolicy: {updateMode: Auto}", []string{resized}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, _ := lint(t, half+vpa(tt.spec))
			expect(t, stdout, tt.want)
			if code != cli.ExitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestLintOthersFailNoCheck: a field that is wrong in an object that asks nothing of mini-hpa is at most a warning.
func TestLintOthersFailNoCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"a Deployment":   {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {team: 7}}\nspec: {replicas: many}\n", nil},
		"a LimitRange":   {"apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, default: {cpu: 1x}}]}\n", []string{`standard input:4: warning: LimitRange l: spec.limits[0].default[cpu]: Invalid value: "1x": must be a quantity such as "500m", "2" or "1Gi"; the API server refuses the whole object [InvalidField]`}},
		"an HPA":         {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {name: 7}}\n", []string{`warning: HorizontalPodAutoscaler h: spec.scaleTargetRef.name: Invalid value: 7: must be a string; put it in quotes: "7"`}},
		"a ScaledObject": {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: h}\nspec: {scaleTargetRef: {name: 010}}\n", []string{`warning: ScaledObject h: spec.scaleTargetRef.name: Invalid value: 8: must be a string; put it in quotes: "010"`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := lint(t, tt.text)
			expect(t, stdout, tt.want)
			if code != cli.ExitOK {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// TestLintInjection: the label of a namespace among the manifests announces what is injected there.
func TestLintInjection(t *testing.T) {
	text := strings.Replace(workload("container: proxy"), "  name: web\n", "  name: web\n  namespace: shop\n", 1)
	namespace := func(name string) string {
		return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: {istio-injection: enabled}}\n"
	}
	for name, tt := range map[string]struct{ text, want string }{
		"its namespace": {text + namespace("shop"), `warning: Deployment shop/web: metadata.annotations[mini-hpa/container]: container "proxy" is not in the pod template, which has "app"; it may be injected (namespace "shop" has "istio-injection: enabled")`},
		"of no name":    {strings.Replace(text, "namespace: shop", "labels: {}", 1) + namespace("null"), `error: Deployment web: metadata.annotations[mini-hpa/container]: Invalid value: "proxy"`},
		"another one":   {text + namespace("other"), `error: Deployment shop/web: metadata.annotations[mini-hpa/container]: Invalid value: "proxy"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, []string{tt.want})
		})
	}
}

// TestLintReplicas: only what an apply would set is told.
func TestLintReplicas(t *testing.T) {
	with := func(replicas, more string) string { return workload(more) + "  replicas: " + replicas + "\n" }
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"three":              {with("3", "tolerance: 5%"), []string{"each apply sets the replicas to 3"}},
		"zero":               {with("0", "tolerance: 5%"), []string{`0 replicas pause autoscaling, and each apply does so again; if that is meant, set mini-hpa/mode to "paused"`}},
		"none":               {with("null", "tolerance: 5%"), nil},
		"only observed":      {with("3", "mode: observe"), nil},
		"paused":             {with("3", "mode: paused"), nil},
		"not autoscaled":     {strings.ReplaceAll(with("3", "tolerance: 5%"), "mini-hpa/", "x/"), nil},
		"a dry run's output": {with("3", "tolerance: 5%") + "status: {}\n", []string{"each apply sets the replicas to 3"}},
		"out of a cluster":   {with("3", "tolerance: 5%") + "status: {replicas: 3}\n", nil},
		"as it was stored":   {strings.Replace(with("3", "tolerance: 5%"), "  name: web\n", "  name: web\n  resourceVersion: '7'\n", 1), nil},
		"of another version": {strings.Replace(with("3", "tolerance: 5%"), "  name: web\n", "  name: web\n  uid: a\n", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, tt.want)
		})
	}
}

// TestLintLinesInside are the places of what is wrong with a document in an annotation.
func TestLintLinesInside(t *testing.T) {
	for name, tt := range map[string]struct {
		document string
		line     string
	}{
		"a name":          {"behavior: |\n      scaleUp:\n        stabilisation: 3", "10"},
		"a value":         {"behavior: |\n      scaleUp:\n        stabilizationWindowSeconds: -1", "10"},
		"after a comment": {"behavior: | # what\n      # this\n\n      scaleUp:\n        stabilizationWindowSeconds: -1", "12"},
		"what is missing": {"metrics: |\n      - type: Pods\n        pods:\n          metric: {name: a}\n          target: {type: AverageValue}", "12"},
		"no YAML":         {"metrics: |\n      - a\n       b: c\n      - [", "10"},
		"no YAML, later":  {"metrics: |-\n      - a: b\n        c: [\n", "10"},
		"JSON in a block": {"behavior: |\n      {\"scaleUp\": {},\n       \"scaleDwn\": {}}", "10"},
		"in quotes":       {"behavior: '{scaleUp: {x: 1}}'", "8"},
		"the whole":       {"behavior: |\n      - a", "8"},

		"folded":                 {"behavior: >\n      {scaleUp:\n      {x: 1}}", "10"},
		"folded, no break":       {"behavior: >-\n      {scaleUp:\n\n\n      {x: 1}}", "12"},
		"folded, indented":       {"behavior: >2-\n        scaleDown: {}\n\n        scaleUp:\n\n          x: 1", "13"},
		"folded, more indented":  {"behavior: >\n\n      scaleDown: {}\n\n      scaleUp:\n\n        x: 1", "14"},
		"a block's header":       {"metrics: !!str |+1 # what\n     -\n      type: x\n\n", "10"},
		"single quotes":          {"behavior: '{scaleUp:\n      {stabilizationWindowSeconds: 1, selectPolicy: ''Max'',\n\n      x: 1}}'", "11"},
		"double quotes":          {"behavior: \"{scaleUp:   \n      {selectPolicy: \\\"Max\\\", \\\n      \\x20 x: 1}}\"", "10"},
		"double quotes, escapes": {"behavior: \"scaleUp:\\n  selectPolicy: \\u004dax\\n  \\\n      x: 1\"", "9"},
		"behind an anchor":       {"behavior: &b !!str '{scaleUp:\n      {x: 1}}'", "9"},
		"on the next line":       {"behavior:\n      '{scaleUp: {x: 1}}'", "9"},
		"no YAML, folded":        {"metrics: >\n      - a: [\n      b\n      c: d", "8"},
		"no YAML, in quotes":     {"metrics: '- a\n\n      b: c: d\n\n      e: f: g'", "10"},
		"with U+2028":            {"behavior: \"{\u2028scaleUp:\n      {x: 1}}\"", "8"},
		"with CRLF":              {"behavior: >\r\n      {scaleUp:\r\n      {x: 1}}\r", "10"},
		"with characters":        {"behavior: 'scaleDown: {} # éé🚀\n\n      🚀🚀🚀: 1'", "10"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, workload(tt.document))
			expect(t, stdout, []string{"standard input:" + tt.line + ": error: "})
		})
	}
}

// TestLintColumnsInside are the places in values that have no lines, but columns.
func TestLintColumnsInside(t *testing.T) {
	const inYAML = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '9', mini-hpa/behavior: @}\n"
	const inJSON = `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "é", "annotations": {"mini-hpa/target-cpu": "250m", "mini-hpa/max": "9", "mini-hpa/behavior": @}}}`
	for name, tt := range map[string]struct{ text, value string }{
		"single quotes":   {inYAML, `'{scaleUp: {selectPolicy: ''Max'', x@: 1}}'`},
		"double quotes":   {inYAML, `"{\"scaleUp\":\t{\x22selectPolicy\": \"Max\", \"éx@\": 1}}"`},
		"escaped in YAML": {inYAML, `"{scaleUp: {\U0001F680\_\ud7ffx@: 1}}"`},
		"JSON":            {inJSON, `"{\"scaleUp\":{\"selectPolicy\":\"Max\",\"\ud83d\ude80é\u0078@\":1}}"`},
		"odd JSON":        {inJSON, `"{\"scaleUp\": {\n\"\ud83d\u0078@\": 1}}"`},
	} {
		t.Run(name, func(t *testing.T) {
			before, after, _ := strings.Cut(tt.value, "@")
			text := strings.Replace(tt.text, "@", before+after, 1)
			_, stdout, _ := lint(t, text, "-o", "json")
			var r report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Findings) != 1 {
				t.Fatal(err, stdout)
			}
			lines := strings.Split(text, "\n")
			rest := string([]rune(lines[r.Findings[0].Line-1])[r.Findings[0].Column-1:])
			name, _, _ := strings.Cut(rest, after)
			if !strings.HasSuffix(before, name) || name == "" {
				t.Errorf("%d:%d is %q", r.Findings[0].Line, r.Findings[0].Column, rest)
			}
		})
	}
}

// TestLintLinesOfWhatCannotBeRead: the parser does not tell all of them.
func TestLintLinesOfWhatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a control character":    {workload() + "# \x0c\n", "13: cannot be parsed: control characters are not allowed"},
		"a control in a value":   {workload("mode: '\x7f'"), "8: cannot be parsed: control characters are not allowed"},
		"no UTF-8":               {workload() + "# caf\xe9\n", "13: cannot be parsed: incomplete UTF-8 octet sequence"},
		"no UTF-8, further on":   {"a: b\n---\n" + workload() + "# \xff\xfe\n", "15: cannot be parsed: invalid leading UTF-8 octet"},
		"an unknown anchor":      {workload("mode: *nope2", "x: *nope"), "8: cannot be parsed: unknown anchor 'nope2' referenced"},
		"another anchor":         {"a: &nope2 1\nb: *nope2\nc: [*nope]\n", "3: cannot be parsed: unknown anchor 'nope' referenced"},
		"a merge of a number":    {strings.Replace(workload(), "    mini-hpa/max", "    <<: 3\n    mini-hpa/max", 1), "7: cannot be parsed: what is merged with << must be a mapping, or a list of some"},
		"a merge of some":        {"kind: a\nx: {a: &a {b: 1}}\ny:\n  <<: [*a,\n   b]\n", "5: cannot be parsed: what is merged with <<"},
		"a list of objects":      {"- apiVersion: v1\n  kind: A\n", "1: is a list of objects, and only one of kind List can be applied; separate them with ---"},
		"the same as JSON":       {"[\n{\"apiVersion\": \"v1\", \"kind\": \"A\"}]", "1: is a list of objects"},
		"JSON with a comment":    {"{\n// a comment\n\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{\"mini-hpa/max\":\"9\"}}}", "2: cannot be parsed as JSON: invalid character '/'"},
		"a comment further on":   {`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web",` + "\n" + `/* c */ "annotations": {"mini-hpa/max": "9"}}}`, "2: cannot be parsed as JSON: invalid character '/'"},
		"flow style, of no kind": {"{metadata: {annotations: {mini-hpa/max: '9'}}}", ""},
		"a list of other things": {"- name: play\n  hosts: all\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, stderr := lint(t, tt.text)
			if want := "mini-hpa lint: standard input:" + tt.want; tt.want != "" && !strings.HasPrefix(stderr, want) || tt.want == "" && strings.Contains(stderr, "unreadable") {
				t.Errorf("%q lacks %q", stderr, want)
			}
		})
	}
	_, stdout, _ := lint(t, workload("metrics: |\n      - type: Pods\n       pods: x"))
	expect(t, stdout, []string{"standard input:10: error: "})
	if strings.Contains(stdout, "line ") {
		t.Errorf("a line that nobody can look up: %s", stdout)
	}
}

// TestLintTellsOfAFileNoMoreThanAnybodyReads, and how much more there is.
func TestLintTellsOfAFileNoMoreThanAnybodyReads(t *testing.T) {
	for name, text := range map[string]string{
		"documents":      strings.Repeat("---\n\"\n", 1000),
		"inline patches": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n" + strings.Repeat("- {patch: 'a: ['}\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := lint(t, text)
			lines := strings.Split(stderr, "\n")
			if code != cli.ExitUsage || len(lines) != maxErrors+2 || !strings.HasSuffix(lines[maxErrors-1], " (and 900 more of the same file)") ||
				!strings.HasSuffix(lines[maxErrors], ", 1000 unreadable)") {
				t.Errorf("exit code %d, %d lines: %s", code, len(lines), stderr[max(len(stderr)-300, 0):])
			}
			for _, output := range []string{"json", "sarif", "github"} {
				if _, stdout, _ := lint(t, text, "-o", output); strings.Count(stdout, "annot be parsed") != maxErrors || !strings.Contains(stdout, "(and 900 more of the same file)") {
					t.Errorf("%s tells of %d", output, strings.Count(stdout, "annot be parsed"))
				}
			}
		})
	}
}

// TestLintTellsOfAnObjectNoMoreThanAnybodyReads, and how much more there is.
func TestLintTellsOfAnObjectNoMoreThanAnybodyReads(t *testing.T) {
	_, stdout, _ := lint(t, workload()+"        env: ["+strings.Repeat("{value: 1},", 1000)+"]\n")
	if n := strings.Count(stdout, "\n"); n != maxErrors || !strings.HasSuffix(stdout, "(and 900 more of the same object) [InvalidField]\n") {
		t.Errorf("%d findings: %s", n, stdout[len(stdout)-200:])
	}
}

// TestLintListsEndWithWhatFits: of what the API server refuses, nothing is made that takes memory, but what is behind it keeps its place.
func TestLintListsEndWithWhatFits(t *testing.T) {
	m := newManifests("")
	m.read(source{name: "-"}, strings.NewReader(strings.Replace(workload(), "containers:\n", "containers:\n      - []\n      - []\n", 1)+
		"      - []\n      - text\n"))
	if len(m.workloads) != 1 {
		t.Fatalf("%d Deployments, %v", len(m.workloads), m.unreadable)
	}
	d := m.workloads[0]
	if all := d.workload.Template.Spec.Containers; len(all) != 3 || all[2].Name != "app" || len(d.problems) != 4 {
		t.Errorf("%d problems, containers %v", len(d.problems), all)
	}
}

// TestPoliciesAreHeldToTheActivator where it is said in which namespace that is.
func TestPoliciesAreHeldToTheActivator(t *testing.T) {
	const forbids = `NetworkPolicy "deny" (testdata/cases/wake-policy.yaml:36): no rule lets the activator (namespace "mini-hpa") in to port "http" of the pods`
	file := filepath.Join("testdata", "cases", "wake-policy.yaml")
	for _, tt := range []struct {
		args []string
		want []string
	}{{[]string{file}, nil}, {[]string{"--activator-namespace=mini-hpa", file}, []string{forbids}}} {
		_, stdout, _ := call(t, tt.args...)
		expect(t, stdout, tt.want)
	}
}
