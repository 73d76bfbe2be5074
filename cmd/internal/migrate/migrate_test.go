package migrate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGolden shows what is written of twenty HPAs and ten ScaledObjects.
func TestGolden(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"hpas-patch":            {[]string{"-f", "testdata/hpas.yaml"}, cli.ExitOK},
		"hpas-command":          {[]string{"-f", "testdata/hpas.yaml", "-o", "command", "-n", "shop"}, cli.ExitOK},
		"scaledobjects-patch":   {[]string{"-f", "testdata/scaledobjects.yaml"}, cli.ExitFailure},
		"scaledobjects-sources": {[]string{"-f", "testdata/scaledobjects.yaml", "-o", "sources"}, cli.ExitFailure},
		"values-patch":          {[]string{"-f", "testdata/values.yaml"}, cli.ExitFailure},
		"release-manifest":      {[]string{"-f", "testdata/release.yaml", "-o", "manifest"}, cli.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, Command(), test.args...)
			made(t, test.args[:2]...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			clitest.Golden(t, filepath.Join("testdata", name+".golden"), stdout+"--- standard error ---\n"+stderr)
		})
	}
}

// made runs migrate with -o json. Admission takes what is made.
func made(t *testing.T, args ...string) (results []result, sourcesFile string) {
	t.Helper()
	_, stdout, stderr := clitest.Call(t, Command(), append([]string{"-o", "json"}, args...)...)
	var read struct{ Workloads []result }
	if err := json.Unmarshal([]byte(stdout), &read); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	admitted(t, read.Workloads)
	_, sourcesFile, _ = clitest.Call(t, Command(), append([]string{"-o", "sources"}, args...)...)
	return read.Workloads, sourcesFile
}

// TestNothingIsLost of twenty HPAs, and nothing of ten ScaledObjects that has not been told.
func TestNothingIsLost(t *testing.T) {
	hpas, _ := made(t, "-f", "testdata/hpas.yaml")
	objects, _ := made(t, "-f", "testdata/scaledobjects.yaml")
	if len(hpas) != 20 || len(objects) != 10 {
		t.Errorf("%d HPAs and %d ScaledObjects, want 20 and 10", len(hpas), len(objects))
	}
	var lost []string
	for _, r := range append(hpas, objects...) {
		if _, _, problems := annotations.DefaultDefaults().Parse(r.Annotations); len(problems) > 0 {
			t.Errorf("%s: %v", r.From.title(), problems)
		}
		for _, m := range r.Remarks {
			if m.Lost {
				lost = append(lost, r.From.Name+" "+m.Path)
			}
		}
	}
	want := []string{"s02 spec.cooldownPeriod", "s10 spec.triggers[1].type", "s10 spec.advanced.scalingModifiers.formula", "s10 spec.advanced.scalingModifiers.target"}
	if diff := cmp.Diff(want, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}

// TestEntriesAnswerTheLines: the file is refused as long as something in it is to be filled in; then it is taken, and it has what each line asks for.
func TestEntriesAnswerTheLines(t *testing.T) {
	objects, file := made(t, "-f", "testdata/scaledobjects.yaml")
	if _, err := catalog.Parse([]byte(file), sources.Types()); err == nil {
		t.Error("a file with gaps is taken")
	}
	for gap, value := range map[string]string{`<URL[^>]*>`: "https://mq.shop.svc:15671", `<servers[^>]*>`: "nats:4222", `<address[^>]*>`: "db:3306", `<name of[^>]*>`: "shop"} {
		file = regexp.MustCompile(gap).ReplaceAllString(file, value)
	}
	known, err := catalog.Parse([]byte(file), sources.Types())
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	asked := 0
	for _, r := range objects {
		policy, _, _ := annotations.DefaultDefaults().Parse(r.Annotations)
		for i := range policy.Metrics {
			m := &policy.Metrics[i]
			if m.Line == nil {
				continue
			}
			asked++
			if _, problems := known.Resolve(catalog.Workload{Namespace: r.From.Namespace, Kind: "Deployment", Name: r.From.Name}, m.Asked()); len(problems) > 0 {
				t.Errorf("%s: %v", r.From.title(), problems)
			}
			if _, problems := known.Resolve(catalog.Workload{Namespace: "others", Kind: "Deployment", Name: "x"}, m.Asked()); len(problems) == 0 && m.Source != "workload" {
				t.Errorf("%s: another namespace may ask %s, too", r.From.title(), m.ID)
			}
		}
	}
	if asked != 12 {
		t.Errorf("%d lines are asked, want 12", asked)
	}
}

// fileOf writes a file.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	web   = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
	webBy = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: %s}\nspec: {maxReplicas: %s, scaleTargetRef: {apiVersion: %s, kind: %s, name: web}}\n"
)

func hpaOf(name, most, version, kind string) string {
	return fmt.Sprintf(webBy, name, most, version, kind)
}

// TestTold: what becomes of an object is never silent.
func TestTold(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		code int
		// want are parts of standard error; made is how many workloads are annotated.
		want []string
		made int
	}{
		"a field of another version": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "spec: {", "spec: {targetCPUUtilizationPercentage: 50, ", 1), cli.ExitOK,
			[]string{`:4: note: HorizontalPodAutoscaler "a": spec.targetCPUUtilizationPercentage is not read`}, 1},
		"an old version of its target": {hpaOf("a", "3", "extensions/v1beta1", "Deployment"), cli.ExitOK, []string{`spec.scaleTargetRef.apiVersion "extensions/v1beta1" has no Deployment any more`}, 1},
		"no version of its target":     {strings.Replace(hpaOf("a", "3", "x", "Deployment"), "apiVersion: x, ", "", 1), cli.ExitOK, []string{"taken for apps/v1"}, 1},
		"a kind that is not scaled":    {hpaOf("a", "3", "v1", "ReplicationController"), cli.ExitFailure, []string{"is of a kind that mini-hpa does not scale"}, 0},
		"a ScaledJob": {"apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nmetadata: {name: a}\nspec: {}\n---\n" + hpaOf("b", "3", "apps/v1", "Deployment"), cli.ExitFailure,
			[]string{`m.yaml:2: lost: ScaledJob "a": kind "ScaledJob" makes Jobs, which mini-hpa does not: nothing is made of it`}, 1},
		"a ScaledJob alone":        {"apiVersion: keda.k8s.io/v1alpha1\nkind: ScaledJob\nmetadata: {name: a}\n", cli.ExitFailure, []string{"makes Jobs"}, 0},
		"a ScaledObject of KEDA 1": {"apiVersion: keda.k8s.io/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\n", cli.ExitFailure, []string{`m.yaml:1: lost: ScaledObject "a": apiVersion "keda.k8s.io/v1alpha1" is that of KEDA 1`}, 0},
		"what else KEDA has":       {"apiVersion: keda.sh/v1alpha1\nkind: TriggerAuthentication\nmetadata: {name: a}\n", cli.ExitUsage, []string{"found no HorizontalPodAutoscaler"}, 0},
		"a DaemonSet":              {hpaOf("a", "3", "apps/v1", "DaemonSet"), cli.ExitFailure, []string{`spec.scaleTargetRef "DaemonSet" is of a kind that mini-hpa does not scale`}, 0},
		"a Job":                    {hpaOf("a", "3", "batch/v1", "Job"), cli.ExitFailure, []string{`spec.scaleTargetRef "Job" is of a kind that mini-hpa does not scale`}, 0},
		"a kind in small letters":  {hpaOf("a", "3", "apps/v1", "deployment"), cli.ExitFailure, []string{`"deployment" is of a kind that mini-hpa does not scale`, "; write Deployment, as nothing scales what is written so"}, 0},
		"a DaemonSet of a ScaledObject": {"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {kind: DaemonSet, name: web}, triggers: [{type: cpu, metricType: Utilization, metadata: {value: \"50\"}}]}}",
			cli.ExitFailure, []string{`ScaledObject "a": spec.scaleTargetRef "DaemonSet" is of a kind that mini-hpa does not scale`}, 0},
		"a custom resource":           {hpaOf("a", "3", "argoproj.io/v1alpha1", "Rollout"), cli.ExitOK, []string{"--kinds"}, 1},
		"two for one workload":        {hpaOf("a", "3", "apps/v1", "Deployment") + "---\n" + hpaOf("b", "3", "apps/v1", "Deployment"), cli.ExitFailure, []string{`is what HorizontalPodAutoscaler "a" scales, too`}, 1},
		"what the API server refuses": {hpaOf("a", "0", "apps/v1", "Deployment"), cli.ExitFailure, []string{"mini-hpa would refuse metadata.annotations[mini-hpa/max]"}, 0},
		"annotated already": {hpaOf("a", "3", "apps/v1", "Deployment") + "---\n" + strings.Replace(web, "{name: web}", `{name: web, annotations: {mini-hpa/max: "3"}}`, 1), cli.ExitFailure,
			[]string{"has annotations of mini-hpa already (mini-hpa/max)"}, 0},
		"made by KEDA": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "{name: a}", "{name: a, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: so, uid: u, controller: true}]}", 1), cli.ExitOK,
			[]string{`"ScaledObject so" has made it`}, 0},
		"made by another": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "{name: a}", "{name: a, ownerReferences: [{apiVersion: serving.knative.dev/v1, kind: Revision, name: r, uid: u, controller: true}]}", 1), cli.ExitFailure,
			[]string{`"Revision r" has made it`}, 0},
		"not to be read": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "maxReplicas: 3", "maxReplicas: three", 1), cli.ExitFailure, []string{"cannot be read, so that nothing is made of it"}, 0},
		"a quantity that takes hours": {strings.Replace(hpaOf("a", "3", "apps/v1", "Deployment"), "spec: {", "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue,\n  averageValue: 1e999999999}}}], ", 1), cli.ExitFailure,
			[]string{`m.yaml:5: lost: HorizontalPodAutoscaler "a": spec.metrics[0].resource.target.averageValue "1e999999999" cannot be read, so that nothing is made of it: it must be at most 500 bytes long`}, 0},
		"a template": {hpaOf("a", "3", "apps/v1", "Deployment") + "---\n{{ if .x }}\na: b\n", cli.ExitUsage, []string{"cannot read all of it"}, 1},
		"a parameter of Argo CD": {"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      parameters:\n      - {name: image.tag, value: \"1\"}\n      - {name: autoscaling.maxReplicas, value: \"9\"}\n      valuesObject: {autoscaling: {maxReplicas: 4}}\n",
			cli.ExitFailure, []string{`:8: lost: values "spec.source.helm.parameters[1]": spec.source.helm.parameters[1] "autoscaling.maxReplicas=9" is not read, and takes the place of that value`}, 1},
		"a text of values that is none": {"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      values: |\n        autoscaling: {{ .max }}\n        x: [\n", cli.ExitUsage, []string{"cannot read all of it", "m.yaml:"}, 0},
		"nothing to convert":            {web, cli.ExitUsage, []string{"found no HorizontalPodAutoscaler and no ScaledObject"}, 0},
		"a chart's values":              {"replicaCount: 1\nautoscaling:\n  enabled: true\n", cli.ExitUsage, []string{"found no HorizontalPodAutoscaler and no ScaledObject, and no values of a Helm chart that say how it is autoscaled"}, 0},
		"unusable everywhere":           {"a: [", cli.ExitUsage, []string{"cannot read all of it"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileOf(t, test.text)
			code, stdout, stderr := clitest.Call(t, Command(), "-f", path)
			if test.made > 0 {
				made(t, "-f", path)
			}
			if n := strings.Count(stdout, "mini-hpa/max"); code != test.code || n != test.made {
				t.Errorf("exit code %d, want %d; %d workloads are annotated, want %d", code, test.code, n, test.made)
			}
			for _, part := range test.want {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in:\n%s", part, stderr)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":            {nil, "nothing to read; want --filename, a KIND/NAME such as hpa/web, or --all-namespaces"},
		"both":               {[]string{"-f", "x", "hpa/web"}, "but not both"},
		"another kind":       {[]string{"deploy/web"}, `cannot read "deploy/web"; want hpa/NAME or so/NAME`},
		"no name":            {[]string{"hpa/"}, "want a name in one namespace"},
		"a name in all":      {[]string{"hpa/web", "-A"}, "want a name in one namespace"},
		"two namespaces":     {[]string{"-A", "-n", "shop"}, "either --namespace or --all-namespaces"},
		"a manifest of none": {[]string{"hpa/web", "-o", "manifest"}, "want --filename"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, Command(), test.args...)
			if code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q, no %q in %q", code, stdout, test.want, stderr)
			}
		})
	}
	if code, _, stderr := clitest.Call(t, Command(), "-f", "testdata/none.yaml"); code != cli.ExitUsage || !strings.Contains(stderr, "testdata/none.yaml: no such file") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestValues: what sections of a chart's values say, by the names that charts have for it.
func TestValues(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		args []string
		code int
		want map[string]string // of the first result; nil if nothing is made of it
		told []string
	}{
		"helm create": {text: "autoscaling:\n  enabled: true\n  minReplicas: 1\n  maxReplicas: 100\n  targetCPUUtilizationPercentage: 80\n  # targetMemoryUtilizationPercentage: 80\n",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "100"}, told: []string{":2: note: values \"autoscaling\": autoscaling.enabled makes the HPA"}},
		"no target":       {text: "autoscaling: {enabled: true, maxReplicas: 9}", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}},
		"no word whether": {text: "autoscaling: {maxReplicas: 9, targetMemoryUtilizationPercentage: 70}", want: map[string]string{annotations.TargetMemory: "70", annotations.Max: "9"}},
		"off":             {text: "autoscaling: {enabled: false, maxReplicas: 9}", told: []string{`note: values "autoscaling": autoscaling.enabled "false" switches it off, so that nothing is made of it`}},
		"in quotes":       {text: `autoscaling: {minReplicas: "2", maxReplicas: "9", targetCPU: "50", targetMemory: ""}`, want: map[string]string{annotations.TargetCPU: "50", annotations.Min: "2", annotations.Max: "9"}},
		"another name":    {text: "web: {hpa: {enabled: true, maxReplicas: 9, targetCPUUtilization: 60}}", want: map[string]string{annotations.TargetCPU: "60", annotations.Max: "9"}, told: []string{`values "web.hpa"`}},
		"two levels":      {text: "autoscaling: {vpa: {enabled: false}, hpa: {enabled: true, maxReplicas: 9}}", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`values "autoscaling.hpa"`}},
		"in a list":       {text: "apps:\n- name: a\n- autoscaling: {maxReplicas: 9}\n", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`:3: note: values "apps[1].autoscaling"`}},
		"an anchor":       {text: "base: &base {maxReplicas: 9, minReplicas: 3}\nautoscaling: {<<: *base, maxReplicas: 8}", want: map[string]string{annotations.TargetCPU: "80", annotations.Min: "3", annotations.Max: "8"}},
		"kind among them": {text: "kind: Deployment\nautoscaling: {maxReplicas: 9}", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}},
		"of Flux":         {text: "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\nspec:\n  values:\n    autoscaling: {maxReplicas: 9}\n", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`:6: note: values "spec.values.autoscaling"`}},
		"of Argo CD":      {text: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {helm: {valuesObject: {autoscaling: {maxReplicas: 9}}}}}", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}},
		"of Argo CD, as a text": {text: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      values: |\n        replicaCount: 1\n        autoscaling:\n          enabled: true\n          maxReplicas: 9\n",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`:9: note: values "spec.source.helm.values.autoscaling": spec.source.helm.values.autoscaling.enabled makes the HPA`}},
		"of Argo CD, of several sources": {text: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n  - {repoURL: a, ref: values}\n  - helm:\n      values: |\n        web: {autoscaling: {maxReplicas: 9}}\n",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`values "spec.sources[1].helm.values.web.autoscaling"`}},
		"of Argo CD, of several sources with an object": {text: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n  - helm: {valuesObject: {autoscaling: {maxReplicas: 9}}}\n",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`values "spec.sources[0].helm.valuesObject.autoscaling"`}},
		"of Argo CD, an object and a text": {text: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {helm: {valuesObject: {autoscaling: {maxReplicas: 9}}, values: \"autoscaling: {maxReplicas: 8}\"}}}",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}},
		"of a set of Argo CD": {text: "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {template: {spec: {source: {helm: {valuesObject: {autoscaling: {maxReplicas: 9}}}}}}}",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`values "spec.template.spec.source.helm.valuesObject.autoscaling"`}},
		"of Argo CD, in a list": {text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: argoproj.io/v1alpha1\n  kind: Application\n  spec: {source: {helm: {values: \"autoscaling: {maxReplicas: 9}\"}}}\n",
			want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{`:6: note: values "spec.source.helm.values.autoscaling"`}},
		"a place for them": {text: "deploymentAnnotations: {}\nautoscaling: {maxReplicas: 9}", want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{"the value deploymentAnnotations may be what its template has there"}},
		"metrics and behavior": {text: "autoscaling:\n  maxReplicas: 9\n  targetCPU: 50\n  metrics:\n  - type: Resource\n    resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}\n  behavior: {scaleDown: {stabilizationWindowSeconds: 60}}\n",
			want: map[string]string{annotations.TargetCPU: "50", annotations.TargetMemory: "60", annotations.Max: "9", annotations.ScaleDownStabilization: "1m"}},
		"what only templates know": {text: "autoscaling:\n  maxReplicas: 9\n  customMetrics: [rps]\n  annotations: {}\n", code: cli.ExitFailure, want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"},
			told: []string{`:3: lost: values "autoscaling": autoscaling.customMetrics "[rps]" is not read: what it means is known to the chart's templates alone`}},
		"a template":      {text: "autoscaling: {maxReplicas: '{{ .Values.max }}', minReplicas: 2}", code: cli.ExitFailure, told: []string{`autoscaling.maxReplicas "{{ .Values.max }}" is not read: it is no whole number`, "autoscaling.maxReplicas is not here, so that nothing is made of it"}},
		"a half":          {text: "autoscaling: {maxReplicas: 9.5, minReplicas: 2}", code: cli.ExitFailure, told: []string{"it is no whole number"}},
		"twice the same":  {text: "autoscaling: {maxReplicas: 9, targetCPU: 50, targetCPUUtilizationPercentage: 60}", code: cli.ExitFailure, want: map[string]string{annotations.TargetCPU: "50", annotations.Max: "9"}, told: []string{"is not read: another value says the same"}},
		"no most":         {text: "autoscaling: {enabled: true, minReplicas: 2}", code: cli.ExitFailure, told: []string{"autoscaling.maxReplicas is not here, so that nothing is made of it; add it, or convert what the chart renders"}},
		"what is refused": {text: "image: web\n\nautoscaling: {minReplicas: 9, maxReplicas: 2}", code: cli.ExitFailure, told: []string{`:3: lost: values "autoscaling": autoscaling is not converted, because mini-hpa would refuse metadata.annotations[mini-hpa/max]`}},
		"no behavior":     {text: "autoscaling: {maxReplicas: 9, behavior: fast}", code: cli.ExitFailure, told: []string{"cannot be read, so that nothing is made of it: "}},
		"a quantity that takes hours": {text: "autoscaling:\n  maxReplicas: 9\n  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: '1e-999999999'}}}]\n", code: cli.ExitFailure,
			told: []string{`:3: lost: values "autoscaling": autoscaling.metrics[0].resource.target.averageValue "1e-999999999" cannot be read, so that nothing is made of it: it must be at most 500 bytes long`}},
		"metrics of none": {text: "autoscaling: {maxReplicas: 9, metrics: {cpu: 50}}", code: cli.ExitFailure, want: map[string]string{annotations.TargetCPU: "80", annotations.Max: "9"}, told: []string{"autoscaling.metrics", "it is no list of autoscaling/v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileOf(t, test.text)
			code, stdout, stderr := clitest.Call(t, Command(), "-f", path)
			made, _ := made(t, "-f", path)
			if len(made) != 1 || code != test.code {
				t.Fatalf("%d results, exit code %d, want one and %d:\n%s%s", len(made), code, test.code, stdout, stderr)
			}
			if diff := cmp.Diff(test.want, made[0].Annotations); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, part := range test.told {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in:\n%s", part, stderr)
				}
			}
			for _, output := range []string{"command", "manifest"} {
				code, stdout, stderr := clitest.Call(t, Command(), "-f", path, "-o", output)
				if told := strings.Contains(stderr, "so that nothing can be annotated; use -o patch"); told != (test.want != nil) || strings.Contains(stdout, "mini-hpa/") || told && code != cli.ExitFailure {
					t.Errorf("-o %s: exit code %d\n%s%s", output, code, stdout, stderr)
				}
			}
		})
	}
}

// TestManifest: only what has to is changed in a text, whatever way it is written in.
func TestManifest(t *testing.T) {
	autoscaler := hpaOf("a", "3", "apps/v1", "Deployment")
	const pairs = `"mini-hpa/target-cpu": "80", "mini-hpa/max": "3"`
	for name, test := range map[string]struct{ text, want string }{
		"a block": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: # why\n    # its name\n    name: web\n---\n" + autoscaler,
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: # why\n    annotations:\n      mini-hpa/target-cpu: \"80\"\n      mini-hpa/max: \"3\"\n    # its name\n    name: web\n"},
		"annotations": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    a: b # c\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    mini-hpa/target-cpu: \"80\"\n    mini-hpa/max: \"3\"\n    a: b # c\n"},
		"annotations in braces": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {a: b}\n  name: web",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {" + pairs + ", a: b}\n  name: web"},
		"braces": {"a: 1\n---\n" + autoscaler + "---\n" + web, "a: 1\n---\n" + strings.Replace(web, "{name", `{"annotations": {`+pairs+"}, name", 1)},
		"JSON": {`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": {}}}` + "\n---\n" + autoscaler,
			`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": {` + pairs + `}}}` + "\n"},
		"null": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: null # why\n  name: web\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {" + pairs + "} # why\n  name: web\n"},
		"null in braces": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {annotations: ~, name: web}\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {annotations: {" + pairs + "}, name: web}\n"},
		"null in JSON": {`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"annotations": null, "name": "web"}}` + "\n---\n" + autoscaler,
			`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"annotations": {` + pairs + `}, "name": "web"}}` + "\n"},
		"empty braces": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {}\n  name: web\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: {" + pairs + "}\n  name: web\n"},
		"an alias": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nspec: {template: {metadata: {annotations: &common {a: b}}}}\nmetadata:\n  annotations: *common # the same\n  name: web\n",
			"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {metadata: {annotations: &common {a: b}}}}\nmetadata:\n  annotations: {<<: *common, " + pairs + "} # the same\n  name: web\n"},
		"an anchor of its own": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: &own\n    a: b\n  name: web\n",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations: &own\n    mini-hpa/target-cpu: \"80\"\n    mini-hpa/max: \"3\"\n    a: b\n  name: web\n"},
		"before what is removed": {"apiVersion: apps/v1\r\nkind: Deployment\r\nmetadata:\r\n  name: web\r\n  annotations:\r\n---\r\n" + strings.ReplaceAll(autoscaler, "\n", "\r\n"),
			"apiVersion: apps/v1\r\nkind: Deployment\r\nmetadata:\r\n  name: web\r\n  annotations:\r\n    mini-hpa/target-cpu: \"80\"\n    mini-hpa/max: \"3\"\n"},
		"empty annotations at the end": {autoscaler + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:",
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    mini-hpa/target-cpu: \"80\"\n    mini-hpa/max: \"3\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := fileOf(t, test.text)
			made(t, "-f", path)
			code, stdout, stderr := clitest.Call(t, Command(), "-f", path, "-o", "manifest")
			if diff := cmp.Diff(test.want, stdout); code != cli.ExitOK || diff != "" {
				t.Errorf("exit code %d, %s (-want +got):\n%s", code, stderr, diff)
			}
			if code, _, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, stdout)); code != cli.ExitOK || stderr != "" {
				t.Errorf("what was written cannot be exported: %d, %s", code, stderr)
			}
		})
	}
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(autoscaler), "\n", "\n  ") + "\n- " + strings.ReplaceAll(strings.TrimSpace(web), "\n", "\n  ") + "\n"
	code, stdout, stderr := clitest.Call(t, Command(), "-f", fileOf(t, list), "-o", "manifest")
	if code != cli.ExitFailure || !strings.Contains(stdout, pairs) || !strings.Contains(stderr, "is still there, because it does not stand in a document of its own") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = clitest.Call(t, Command(), "-f", fileOf(t, autoscaler), "-o", "manifest")
	if code != cli.ExitFailure || stdout != autoscaler || !strings.Contains(stderr, "is in none of the files") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestManifestChangesNothingElse: where annotations cannot be added without changing something else, the workload and its HPA stay, others are converted, and that is told.
func TestManifestChangesNothingElse(t *testing.T) {
	for name, text := range map[string]string{
		"annotations that others share": "metadata:\n  name: web\n  annotations: &common\n    a: b\nspec: {template: {metadata: {annotations: *common}}}\n",
		"the same in braces":            "metadata: {name: web, annotations: &common {a: b}}\nspec: {template: {metadata: {annotations: *common}}}\n",
		"metadata that others share":    "x: &m {name: web}\nmetadata: *m\n",
		"annotations that are merged":   "x: &m {annotations: {a: b}}\nmetadata:\n  <<: *m\n  name: web\n",
		"nothing in braces":             "metadata: {name: web, annotations: }\n",
	} {
		t.Run(name, func(t *testing.T) {
			kept := hpaOf("a", "3", "apps/v1", "Deployment") + "---\napiVersion: apps/v1\nkind: Deployment\n" + text
			other := strings.ReplaceAll("---\n"+hpaOf("b", "3", "apps/v1", "Deployment")+"---\n"+web, "name: web", "name: other")
			code, stdout, stderr := clitest.Call(t, Command(), "-f", fileOf(t, kept+other), "-o", "manifest")
			want := kept + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {\"annotations\": {\"mini-hpa/target-cpu\": \"80\", \"mini-hpa/max\": \"3\"}, name: other}\n"
			if diff := cmp.Diff(want, stdout); code != cli.ExitFailure || diff != "" || !strings.Contains(stderr, `lost: HorizontalPodAutoscaler "a": spec.scaleTargetRef "web" is written in a way in which nothing can be added to it alone; use -o patch`) {
				t.Errorf("exit code %d, %s (-want +got):\n%s", code, stderr, diff)
			}
		})
	}
}

// TestManifestOfFiles: each file is documents of its own, whatever its last line ends with.
func TestManifestOfFiles(t *testing.T) {
	for name, test := range map[string]struct{ texts []string }{
		"lines that end":     {[]string{web, hpaOf("a", "3", "apps/v1", "Deployment"), "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"}},
		"lines that do not":  {[]string{strings.TrimSpace(web), strings.TrimSpace(hpaOf("a", "3", "apps/v1", "Deployment")), "apiVersion: v1\nkind: Service\nmetadata: {name: web}"}},
		"separators":         {[]string{"---\n" + strings.TrimSpace(web), "---\n" + strings.TrimSpace(hpaOf("a", "3", "apps/v1", "Deployment")), "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}"}},
		"a comment at first": {[]string{strings.TrimSpace(web) + " # here", "# there\n" + hpaOf("a", "3", "apps/v1", "Deployment"), "# and there\napiVersion: v1\nkind: Service\nmetadata: {name: web}"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-o", "manifest"}
			for _, text := range test.texts {
				args = append(args, "-f", fileOf(t, text))
			}
			code, stdout, stderr := clitest.Call(t, Command(), args...)
			read := objects{texts: map[string]string{}}
			read.readText("all", stdout)
			var got []string
			for _, o := range read.objects {
				got = append(got, o.title()+" "+o.annotations()[annotations.Max])
			}
			if diff := cmp.Diff([]string{`Deployment "web" 3`, `Service "web" `}, got); code != cli.ExitOK || diff != "" || len(read.unreadable) > 0 {
				t.Errorf("exit code %d, %s%v (-want +got):\n%s\n%s", code, stderr, read.unreadable, diff, stdout)
			}
		})
	}
}

// TestCommandIsForAShell: no value ends its word.
func TestCommandIsForAShell(t *testing.T) {
	r := &result{Workload: &reference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Annotations: map[string]string{annotations.SourcesKey: `a b="it's $HOME"`}}
	if got, want := command(r), `kubectl annotate deployment.apps/web 'mini-hpa/sources=a b="it'\''s $HOME"'`+"\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestExport(t *testing.T) {
	annotated := strings.Replace(web, "{name: web}", `{name: web, namespace: shop, annotations: {mini-hpa/target-cpu: "60", mini-hpa/max: "9", mini-hpa/schedule: "daily 08:00-20:00 min=3"}}`, 1)
	code, stdout, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, annotated+"---\n"+strings.ReplaceAll(annotated, "name: web", "name: api")))
	if code != cli.ExitFailure || strings.Count(stdout, "kind: HorizontalPodAutoscaler") != 2 || !strings.Contains(stderr, `lost: Deployment "shop/web": metadata.annotations[mini-hpa/schedule] "daily 08:00-20:00 min=3" is lost: an HPA has the same bounds at all times`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = clitest.Call(t, ExportCommand(), "-o", "json", "-f", fileOf(t, annotated))
	if want := `"name": "web"`; code != cli.ExitFailure || strings.Count(stdout, want) != 2 {
		t.Errorf("exit code %d, not twice %s in %s", code, want, stdout)
	}
	wrong := strings.Replace(annotated, `"9"`, `"nine"`, 1)
	if code, stdout, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, wrong)); code != cli.ExitFailure || stdout != "" || !strings.Contains(stderr, `:3: lost: Deployment "shop/web": metadata.annotations[mini-hpa/max] cannot be followed`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, web)); code != cli.ExitUsage || !strings.Contains(stderr, "found no workload") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestExportSaysWhereAFieldIsWrong, by its own line, also in what annotations have as a text; lint names the same lines.
func TestExportSaysWhereAFieldIsWrong(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    mini-hpa/max: \"10\"\n"
	for name, test := range map[string]struct {
		annotation string
		want       []string
	}{
		"a block":            {"    mini-hpa/metrics: |\n      - type: Resource\n        resource:\n          name: cpu\n          target:\n            type: Utilization\n            averageUtilizatio: 80\n", []string{":13: lost: "}},
		"folded":             {"    mini-hpa/metrics: >\n      [{\"type\":\"Resource\",\n\n      \"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\n        \"averageUtilizatio\":80}}}]\n", []string{":11: lost: "}},
		"two of one mapping": {"    mini-hpa/target-cpu: \"50\"\n    mini-hpa/behavior: |\n      scaleDown:\n        policy: []\n        windows: 3\n", []string{":10: lost: ", ":11: lost: "}},
		"a value":            {"    mini-hpa/target-cpu: half\n", []string{":7: lost: "}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, head+test.annotation))
			for _, place := range test.want {
				if code != cli.ExitFailure || !strings.Contains(stderr, "m.yaml"+place) || strings.Count(stderr, "cannot be followed") != len(test.want) {
					t.Errorf("exit code %d, not %d with %q: %s", code, len(test.want), place, stderr)
				}
			}
		})
	}
}

// TestLimitsAreTold: an autoscaler without a behavior has other limits of scale-out, and says so by its name, also in JSON, if it can reach them.
func TestLimitsAreTold(t *testing.T) {
	const of = "--- {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: %s}, spec: {scaleTargetRef: {name: %[1]s}, maxReplicaCount: %d, advanced: %s, triggers: [{type: cpu, metricType: Utilization, metadata: {value: \"50\"}}]}}\n"
	text := strings.ReplaceAll(hpaOf("hpa", "9", "apps/v1", "Deployment"), "name: web", "name: hpa") +
		"---\n" + strings.ReplaceAll(hpaOf("few", "4", "apps/v1", "Deployment"), "name: web", "name: few") +
		"---\n" + strings.ReplaceAll(hpaOf("says", "9, behavior: {}", "apps/v1", "Deployment"), "name: web", "name: says") +
		fmt.Sprintf(of, "so", 9, "{}") + fmt.Sprintf(of, "so-few", 4, "{}") + fmt.Sprintf(of, "so-says", 9, "{horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}}")
	path := fileOf(t, text)
	results, _ := made(t, "-f", path)
	values, _ := made(t, "-f", fileOf(t, "autoscaling: {maxReplicas: 9}"))
	var told []string
	for _, r := range append(results, values...) {
		for _, m := range r.Remarks {
			if strings.Contains(m.Why, "at most doubles") && !m.Lost {
				told = append(told, r.From.Name+" "+m.Path)
			}
		}
	}
	want := []string{"hpa spec.behavior", "so spec.advanced.horizontalPodAutoscalerConfig.behavior", "autoscaling autoscaling.behavior"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, output := range []string{"patch", "command", "sources", "manifest"} {
		if _, _, stderr := clitest.Call(t, Command(), "-f", path, "-o", output); strings.Count(stderr, "at most doubles") != 2 || !strings.Contains(stderr, `m.yaml:4: note: HorizontalPodAutoscaler "hpa": spec.behavior is not set: `) {
			t.Errorf("-o %s: %s", output, stderr)
		}
	}
}

// TestExportLeavesAloneWhatTheControllerDoes: an object that is scaled as a part of another one has no HPA of its own.
func TestExportLeavesAloneWhatTheControllerDoes(t *testing.T) {
	const by = "ownerReferences: [{apiVersion: apps/v1, kind: %s, name: %s, uid: %s, controller: true}]"
	of := func(kind, name, metadata string) string {
		return fmt.Sprintf("---\napiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, uid: uid-%[2]s, annotations: {mini-hpa/target-cpu: \"60\", mini-hpa/max: \"9\"%s\n", kind, name, metadata)
	}
	controlledBy := func(kind, name string) string { return "}, " + fmt.Sprintf(by, kind, name, "uid-"+name) + "}" }
	outer, plain := of("Deployment", "web", "}}"), strings.Replace(web, "{name: web}", "{name: web, uid: uid-web}", 1)
	const meant = ", managedFields: [{manager: kubectl, operation: Update, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: {\"f:metadata\": {\"f:annotations\": {\"f:mini-hpa/max\": {}}}}}]}"
	for name, test := range map[string]struct {
		text string
		code int
		made []string
		told string
	}{
		"a kind that is not scaled":          {of("DaemonSet", "agent", "}}") + outer, cli.ExitFailure, []string{"web"}, `DaemonSet "agent": kind "DaemonSet" is none that an HPA scales`},
		"one whose owner is unknown":         {of("StatefulSet", "db", "}, ownerReferences: [{apiVersion: x.example/v1, kind: Train, name: t, uid: uid-t, controller: true}]}"), cli.ExitOK, []string{"db"}, `"Train t" controls it, and was not read`},
		"two ReplicaSets of a Deployment":    {outer + of("ReplicaSet", "web-1", controlledBy("Deployment", "web")) + of("ReplicaSet", "web-2", controlledBy("Deployment", "web")), cli.ExitOK, []string{"web"}, ""},
		"only the ReplicaSet is annotated":   {plain + of("ReplicaSet", "web-1", controlledBy("Deployment", "web")), cli.ExitUsage, nil, "that is scaled itself; 1 object is annotated and part of another workload"},
		"somebody has annotated it":          {outer + of("ReplicaSet", "web-1", strings.TrimSuffix(controlledBy("Deployment", "web"), "}")+meant), cli.ExitOK, []string{"web"}, `ReplicaSet "web-1": metadata.ownerReferences "Deployment web" controls it, so that mini-hpa never scales it`},
		"a ReplicaSet that was orphaned":     {outer + of("ReplicaSet", "web-1", ", deployment.kubernetes.io/revision: \"1\"}}"), cli.ExitOK, []string{"web"}, ""},
		"a ReplicaSet of nobody":             {outer + of("ReplicaSet", "own", "}}"), cli.ExitOK, []string{"web", "own"}, ""},
		"a StatefulSet of another workload":  {outer + of("StatefulSet", "db", controlledBy("Deployment", "web")), cli.ExitOK, []string{"web"}, ""},
		"one over two links":                 {outer + "---\napiVersion: x/v1\nkind: Middle\nmetadata: {name: m, uid: uid-m, " + fmt.Sprintf(by, "Deployment", "web", "uid-web") + "}\n" + of("StatefulSet", "db", controlledBy("Middle", "m")), cli.ExitOK, []string{"web"}, ""},
		"one whose outer is not annotated":   {plain + of("StatefulSet", "db", controlledBy("Deployment", "web")), cli.ExitOK, []string{"db"}, ""},
		"one of the same name and other UID": {outer + of("StatefulSet", "db", "}, "+fmt.Sprintf(by, "Deployment", "web", "uid-former")+"}"), cli.ExitOK, []string{"web", "db"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, ExportCommand(), "-f", fileOf(t, test.text))
			var made []string
			for _, found := range regexp.MustCompile(`(?m)^  name: (.*)$`).FindAllStringSubmatch(stdout, -1) {
				made = append(made, found[1])
			}
			if diff := cmp.Diff(test.made, made); code != test.code || diff != "" {
				t.Errorf("exit code %d, want %d; HPAs (-want +got):\n%s%s", code, test.code, diff, stderr)
			}
			if test.told == "" && stderr != "" || !strings.Contains(stderr, test.told) {
				t.Errorf("want %q in:\n%s", test.told, stderr)
			}
		})
	}
}
