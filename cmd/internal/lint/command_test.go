package lint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// lint runs the command on standard input.
func lint(t *testing.T, text string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, messages strings.Builder
	code = clitest.Run(t.Context(), Command(), append([]string{"-"}, args...), cli.Streams{In: strings.NewReader(text), Out: &out, Err: &messages})
	return code, out.String(), messages.String()
}

// call runs the command.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return clitest.Call(t, Command(), args...)
}

// workload is a sound Deployment web whose annotations are followed by others.
func workload(annotations ...string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    mini-hpa/target-cpu: 250m\n    mini-hpa/" +
		strings.Join(append([]string{`max: "10"`}, annotations...), "\n    mini-hpa/") +
		"\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n"
}

func TestLintGolden(t *testing.T) {
	for output, file := range map[string]string{"text": "text.txt", "json": "findings.json", "sarif": "findings.sarif", "github": "github.txt"} {
		t.Run(output, func(t *testing.T) {
			code, stdout, stderr := call(t, "testdata/manifests", "-o", output)
			if code != cli.ExitFailure {
				t.Errorf("exit code %d", code)
			}
			stdout = strings.ReplaceAll(stdout, fmt.Sprintf("%q", cli.NewBuild("", "").Version), `"v0.0.0"`)
			clitest.Golden(t, "testdata/"+file, stdout+stderr)
		})
	}
}

func TestLintExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"sound.yaml": workload(), "warned.yaml": workload(`min: "10"`), "faulty.yaml": workload(`min: "11"`),
		"broken.yaml": "a: [\n", "typed.yaml": workload() + "  replicas: many\n", "many.yaml": "kind: List\napiVersion: v1\nitems: []\n",
		"empty/notes.txt": "", "nul.yaml": "a: \x00", "utf16.yaml": "\xff\xfea\x00:\x00", "bom.yaml": "\ufeff" + workload(`min: "11"`),
		"large.yaml": strings.Repeat("# 3456789\n", maxManifest/10+1), "chart.yaml": "a: 1\n{{- if .Values.on }}\nb: 2\n{{- end }}\n",
		"value.yaml": strings.Replace(workload(), `"10"`, "{{ .Values.max }}", 1), "later.yaml": "# x\n---\na:\n  b: 1\n  c: \"x\" y\n  d: 1\n---\n" + workload(),
		"quantity.yaml":  workload() + "        resources:\n          requests:\n            cpu: 1x\n",
		"stateful.yaml":  "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: []}\n",
		"list/both.yaml": workload() + "---\n" + workload(), "list/.hidden/no.yaml": "a: [", "list/sub/other.json": "{}", "list/sub/x.yml": "",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const ok = "1 workload autoscaled, 0 errors, 0 warnings in 1 file (0 other objects)\n"
	none := func(more string) string {
		return "0 workloads autoscaled, 0 errors, 0 warnings in 1 file (0 other objects" + more + ")\n"
	}
	tests := map[string]struct {
		args string
		code int
		want string // standard error
	}{
		"sound":               {"sound.yaml", cli.ExitOK, ok},
		"twice the same":      {"sound.yaml ./sound.yaml", cli.ExitOK, ok},
		"warnings only":       {"warned.yaml", cli.ExitOK, "1 workload autoscaled, 0 errors, 1 warning in 1 file (0 other objects)\n"},
		"errors":              {"faulty.yaml", cli.ExitFailure, "1 workload autoscaled, 1 error, 0 warnings in 1 file (0 other objects)\n"},
		"a byte order mark":   {"bom.yaml", cli.ExitFailure, "1 workload autoscaled, 1 error, 0 warnings in 1 file (0 other objects)\n"},
		"an empty list":       {"many.yaml", cli.ExitOK, none("")},
		"a directory":         {"list", cli.ExitOK, "2 workloads autoscaled, 0 errors, 0 warnings in 3 files (0 other objects, 1 other document)\n"},
		"not parsed":          {"broken.yaml", cli.ExitUsage, "mini-hpa lint: broken.yaml:1: cannot be parsed: did not find expected node content\n" + none(", 1 unreadable")},
		"the others are read": {"broken.yaml faulty.yaml", cli.ExitUsage, "mini-hpa lint: broken.yaml:1: cannot be parsed: did not find expected node content\n1 workload autoscaled, 1 error, 0 warnings in 2 files (0 other objects, 1 unreadable)\n"},
		"of a wrong type":     {"typed.yaml", cli.ExitFailure, "1 workload autoscaled, 1 error, 0 warnings in 1 file (0 other objects)\n"},
		"no quantity":         {"quantity.yaml", cli.ExitFailure, "1 workload autoscaled, 1 error, 0 warnings in 1 file (0 other objects)\n"},
		"a neighbor's type":   {"stateful.yaml", cli.ExitOK, "0 workloads autoscaled, 0 errors, 1 warning in 1 file (1 other object)\n"},
		"a template":          {"chart.yaml", cli.ExitOK, none(", 1 template")},
		"a templated value":   {"value.yaml", cli.ExitOK, none(", 1 template")},
		"not parsed later":    {"later.yaml", cli.ExitUsage, "mini-hpa lint: later.yaml:5: cannot be parsed: did not find expected key\n1 workload autoscaled, 0 errors, 0 warnings in 1 file (0 other objects, 1 unreadable)\n"},
		"missing":             {"no.yaml", cli.ExitUsage, "mini-hpa lint: no.yaml: no such file or directory\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n"},
		"nothing there":       {"empty", cli.ExitUsage, "mini-hpa lint: empty: holds no *.yaml, *.yml, *.json or Kustomization\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n"},
		"zeros":               {"nul.yaml", cli.ExitUsage, "mini-hpa lint: nul.yaml: holds NUL bytes, so it is no text in UTF-8\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n"},
		"UTF-16":              {"utf16.yaml", cli.ExitUsage, "mini-hpa lint: utf16.yaml: is text in UTF-16; save it as UTF-8\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n"},
		"large":               {"large.yaml", cli.ExitUsage, "mini-hpa lint: large.yaml: is larger than 10 MiB; split it\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n"},
		"no argument":         {"", cli.ExitUsage, "mini-hpa lint: nothing to lint; want at least one FILE or DIR, or - for standard input\nRun \"mini-hpa lint --help\" for what it takes.\n"},
		"an idle flag":        {"--context=x sound.yaml", cli.ExitUsage, "mini-hpa lint: --context is for --server-side; without that no cluster is asked\nRun \"mini-hpa lint --help\" for what it takes.\n"},
		"an unknown output":   {"-o yaml sound.yaml", cli.ExitUsage, "mini-hpa lint: invalid value \"yaml\" for --output: want text or json or sarif or github\nRun \"mini-hpa lint --help\" for what it takes.\n"},
		"a long period":       {"--min-sync-period=1m sound.yaml", cli.ExitOK, ok},
		"a period above all":  {"--min-sync-period=2h sound.yaml", cli.ExitUsage, "mini-hpa lint: invalid value \"2h\" for --min-sync-period: want a duration from 100ms to 1h, such as 1s\nRun \"mini-hpa lint --help\" for what it takes.\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := call(t, strings.Fields(tt.args)...)
			if diff := cmp.Diff(tt.want, stderr); code != tt.code || diff != "" {
				t.Errorf("exit code %d, want %d; standard error (-want +got):\n%s", code, tt.code, diff)
			}
		})
	}
}

func TestLintValuesThatAreNoStrings(t *testing.T) {
	tests := map[string]struct {
		annotation string
		want       []string // messages
	}{
		"a string":           {`min: "1"`, nil},
		"a plain string":     {`scale-up-stabilization: 30s`, nil},
		"a number":           {`min: 1`, []string{`Invalid value: 1: must be a string; put it in quotes: "1"`}},
		"a number in octal":  {`min: 007`, []string{`Invalid value: 7: must be a string; put it in quotes: "007"`}},
		"a number and worse": {`min: 11`, []string{`Invalid value: "10": must be at least mini-hpa/min (11)`, `Invalid value: 11: must be a string; put it in quotes: "11"`}},
		"a fraction":         {`tolerance: 0.05`, []string{`Invalid value: 0.05: must be a string; put it in quotes: "0.05"`}},
		"YAML 1.1's false":   {`mode: off`, []string{`Invalid value: false: must be a string; put it in quotes: "off"; it is refused in quotes, too: must be "auto", "observe" or "paused"`}},
		"a mapping": {"behavior:\n      scaleDown: {stabilizationWindowSeconds: 60}",
			[]string{`Invalid value: must be a string; write "|" behind its name, which makes text of what follows`}},
		"a bad mapping": {"behavior:\n      scaleDwn: {}",
			[]string{`Invalid value: must be a string; write "|" behind its name, which makes text of what follows; as text it is refused, too: Invalid value: "scaleDwn": is not a field here`}},
		"a bad list": {"metrics: [a, b]", []string{`Invalid value: must be a string; write "|" behind its name, which makes text of what follows; as text it is refused, too: [0]: Invalid value: "a": must be a mapping of "type", "object", "pods", "resource", "containerResource", "external" (and 1 more)`}},
		"a truth":    {"mode: yes", []string{`Invalid value: true: must be a string; put it in quotes: "yes"; it is refused in quotes, too: must be "auto", "observe" or "paused"`}},
		"of nobody":  {"mins: 1", []string{`Invalid value: 1: must be a string; put it in quotes: "1"; unknown annotation, it has no effect; did you mean "mini-hpa/min"?`}},
		"an odd key": {`x]y: 1`, []string{`Invalid value: 1: must be a string; put it in quotes: "1"; unknown annotation, it has no effect`}},
		"nothing":    {`min:`, []string{`Invalid value: "": must not be empty; remove the annotation if it is not needed`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := lint(t, workload(tt.annotation), "-o", "json")
			var r report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatalf("%v, %s", err, stderr)
			}
			if len(r.Findings) != len(tt.want) {
				t.Fatalf("%d findings, want %d:\n%s", len(r.Findings), len(tt.want), stdout)
			}
			for i, want := range tt.want {
				if got := r.Findings[i]; !strings.HasPrefix(got.Message, want) || got.Severity != severityError || got.Rule != "InvalidAnnotations" {
					t.Errorf("%+v, want %q", got, want)
				}
			}
		})
	}
}

// TestLintMilliBytes: the API server takes 128m of memory, an eighth of a byte, where 128M was meant.
func TestLintMilliBytes(t *testing.T) {
	resources := func(list string) string { return workload() + "        resources: {" + list + "}\n" }
	for name, tt := range map[string]struct {
		text string
		want []string // places
	}{
		"a request":      {resources("requests: {memory: 128m, cpu: 128m}"), []string{"spec.template.spec.containers[0].resources.requests[memory]"}},
		"a limit":        {resources("limits: {memory: 1500m}"), []string{"spec.template.spec.containers[0].resources.limits[memory]"}},
		"whole bytes":    {resources("requests: {memory: 128000m}, limits: {memory: 1.5Gi}"), nil},
		"not autoscaled": {strings.ReplaceAll(resources("requests: {memory: 128m}"), "mini-hpa/", "x/"), nil},
		"an init container": {resources("requests: {cpu: 1}") + "      initContainers: [{name: a, resources: {requests: {memory: 1m}}}]\n",
			[]string{"spec.template.spec.initContainers[0].resources.requests[memory]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := lint(t, tt.text, "-o", "json")
			var r report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatalf("%v, %s", err, stderr)
			}
			var got []string
			for _, f := range r.Findings {
				if f.Rule == annotations.FoundDoubtful {
					got = append(got, f.Field)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("told of (-want +got):\n%s%s", diff, stdout)
			}
		})
	}
}

func TestLintSurroundings(t *testing.T) {
	hpa := func(target string) string {
		return "\n---\napiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: other}\nspec: {scaleTargetRef: {" + target + "}}\n"
	}
	keda := func(target string) string {
		return "\n---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue}\nspec: {scaleTargetRef: {" + target + "}}\n"
	}
	const (
		byHPA  = `HorizontalPodAutoscaler "other" (standard input:`
		byKEDA = `ScaledObject "queue" (standard input:`
		limits = "\n---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: small, namespace: NS}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 1}}]}\n"
	)
	needy := strings.Replace(workload(), "250m", "50%", 1)
	tests := map[string]struct {
		text string
		args []string
		want []string // parts of the findings, in order
	}{
		"an HPA":                         {workload() + hpa("apiVersion: apps/v1, kind: Deployment, name: web"), nil, []string{byHPA}},
		"of a Deployment without group":  {workload() + hpa("kind: Deployment, name: web"), nil, nil},
		"of another group":               {workload() + hpa("apiVersion: x.io/v1, kind: Deployment, name: web"), nil, nil},
		"of a StatefulSet":               {workload() + hpa("apiVersion: apps/v1, kind: StatefulSet, name: web"), nil, nil},
		"of another Deployment":          {workload() + hpa("apiVersion: apps/v1, kind: Deployment, name: api"), nil, nil},
		"before the Deployment":          {hpa("apiVersion: apps/v1, kind: Deployment, name: web") + "---\n" + workload(), nil, []string{byHPA}},
		"in another namespace":           {workload() + strings.Replace(hpa("apiVersion: apps/v1, kind: Deployment, name: web"), "other", "other, namespace: x", 1), nil, nil},
		"in the namespace asked for":     {workload() + strings.Replace(hpa("apiVersion: apps/v1, kind: Deployment, name: web"), "other", "other, namespace: x", 1), []string{"-n", "x"}, []string{byHPA}},
		"a ScaledObject, by its default": {workload() + keda("name: web"), nil, []string{byKEDA}},
		"a ScaledObject of another kind": {workload() + keda("name: web, kind: StatefulSet"), nil, nil},
		"a ScaledObject and its HPA": {workload() + keda("name: web") + strings.Replace(hpa("apiVersion: apps/v1, kind: Deployment, name: web"), "other",
			"other, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: queue, controller: true}]", 1), nil, []string{byKEDA}},
		"only compared":       {workload("mode: observe") + keda("name: web"), nil, []string{"ObservedAutoscaler"}},
		"no request":          {needy, nil, []string{"MissingRequest"}},
		"one by a LimitRange": {needy + strings.Replace(limits, ", namespace: NS", "", 1), nil, []string{`its pods get 1 from LimitRange "small" (standard input:15)`}},
		"one elsewhere":       {needy + limits, nil, []string{"MissingRequest"}},
		"below the floor":     {workload("sync-period: 5s"), []string{"--min-sync-period=10s"}, []string{"[mini-hpa/sync-period]"}},
		"a typed list": {"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: web, annotations: {mini-hpa/max: '1'}}\n", nil,
			[]string{"NoMetric", "FixedReplicas"}},
		"a DaemonSet":       {strings.Replace(workload(), "kind: Deployment", "kind: DaemonSet", 1), nil, []string{`no effect on "DaemonSet" of "apps/v1"`}},
		"an old Deployment": {strings.Replace(workload(), "apps/v1", "extensions/v1beta1", 1), nil, []string{`apiVersion: Invalid value: "extensions/v1beta1": API servers have no Deployment of this version; write apiVersion: apps/v1`}},
		"a Service":         {strings.Replace(workload(), "apps/v1\nkind: Deployment", "v1\nkind: Service", 1), nil, []string{`no effect on "Service" of "v1"`}},
		"names of any case": {strings.Replace(needy, "- name: app", "- name: app\n        Resources: {requests: {cpu: 1}}", 1), nil, []string{"MissingRequest"}},
		"JSON after JSON":   {`{"kind":"A","apiVersion":"v1"}` + "\n" + `{"kind":"B","apiVersion":"v1"}`, nil, nil},
		"a list of two minds": {"x: &x {items: [{kind: Deployment, apiVersion: apps/v1, metadata: {annotations: {mini-hpa/max: 1}}}]}\nkind: List\napiVersion: v1\nitems: []\n<<: *x\n", nil,
			[]string{`put it in quotes: "1"`, "NoMetric", "FixedReplicas"}},
		"a document too few": {"a: 1\n...\nb: 2\n", nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := lint(t, tt.text, tt.args...)
			lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			if stdout == "" {
				lines = nil
			}
			if len(lines) != len(tt.want) {
				t.Fatalf("%d findings, want %d:\n%s%s", len(lines), len(tt.want), stdout, stderr)
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q lacks %q", lines[i], want)
				}
			}
		})
	}
}

// A few lines of aliases can stand for more than there is memory. Harmless ones are followed.
func TestLintAliases(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 " + strings.Repeat("ha", 1000) + "\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	chain := strings.Builder{}
	chain.WriteString("a0: &a0 []\n")
	for i := 1; i < 100_000; i++ {
		fmt.Fprintf(&chain, "a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	tests := map[string]struct{ text, want string }{
		"too deep":       {"apiVersion: v1\nkind: A\na: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n", "standard input:3: is nested too deep; at most 1000 levels are allowed"},
		"a bomb":         {laughs.String(), "standard input:3: the aliases up to here stand for too much; those of a file may repeat 1 MiB and 2 times its size, and at most 8 MiB"},
		"long strings":   {"a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a,", 100) + "]\n", "standard input:2: the aliases up to here stand for too much"},
		"a long chain":   {chain.String(), "standard input:441: the aliases up to here stand for too much"},
		"a long list":    {"kind: DeploymentList\napiVersion: apps/v1\nitems:\n" + strings.Repeat("- {}\n", 2000), "standard input:1: the list has 2000 items, and there is room for 1100"},
		"a circle":       {"a: &a [*a]\n", "standard input:1: an alias stands for what it is a part of"},
		"deep in itself": {strings.Repeat("[", 100_000), "standard input:1: cannot be parsed: exceeded max depth"},
		"deep as JSON":   {strings.Repeat(`{"a":`, 100_000), "standard input:1: cannot be parsed: exceeded max depth"},
		"without anchor": {"a: *b\n", "standard input:1: cannot be parsed: unknown anchor 'b' referenced"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := lint(t, tt.text)
			if !strings.Contains(stderr, tt.want) || code != cli.ExitUsage {
				t.Errorf("exit code %d, %q lacks %q", code, stderr, tt.want)
			}
		})
	}
	followed := "x: &keys {mini-hpa/max: 5, mini-hpa/mode: &off paused}\n" + strings.Replace(workload(), "annotations:", "annotations:\n    <<: *keys\n    mini-hpa/mdoe: *off", 1)
	_, stdout, stderr := lint(t, followed)
	if !strings.Contains(stdout, "standard input:8: warning: Deployment web: metadata.annotations[mini-hpa/mdoe]") {
		t.Errorf("%s%s", stdout, stderr)
	}
}

func TestLintEscapes(t *testing.T) {
	t.Chdir(t.TempDir())
	const file = "a,b:\x1b[2J%.yaml"
	text := strings.Replace(workload(`min: "11"`), "name: web", `name: "we\x1bb\n"`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		"text":   `a,b:\x1b[2J%.yaml:7: error: Deployment we\x1bb\n: metadata.annotations[mini-hpa/max]`,
		"github": `::error file=a%2Cb%3A\x1b[2J%25.yaml,line=7,title=InvalidAnnotations::Deployment we\x1bb\n: `,
		"sarif":  `"uri": "./a,b:%1B%5B2J%25.yaml"`,
	} {
		if _, stdout, _ := call(t, file, "-o", output); !strings.Contains(stdout, want) {
			t.Errorf("%s lacks %q:\n%q", output, want, stdout)
		}
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{whole: "./a,b:%1B%5B2J%25.yaml", "/elsewhere/x.yaml": "file:///elsewhere/x.yaml", "./x/../y.yaml": "y.yaml"} {
		if got := fileURI(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// TestLintTakesNoTimeForLargeExponents: a quantity of 1e999999999 is valid, and computing with it takes hours.
func TestLintTakesNoTimeForLargeExponents(t *testing.T) {
	for request, want := range map[string]int{`"1e999999999"`: cli.ExitFailure, `"-1e99999999"`: cli.ExitFailure, `"1e-999999999"`: 0, `"\u00a01e-999999999"`: 0, `1e-999999999`: cli.ExitFailure, `1e300`: cli.ExitFailure} {
		path := filepath.Join(t.TempDir(), "web.yaml")
		manifest := fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {mini-hpa/target-cpu: "50", mini-hpa/max: "5"}}
spec: {template: {spec: {containers: [{name: app, resources: {requests: {cpu: %s}}}]}}}
`, request)
		if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := call(t, path); code != want {
			t.Errorf("%s: exit code %d, want %d\n%s%s", request, code, want, stdout, stderr)
		}
	}
}
