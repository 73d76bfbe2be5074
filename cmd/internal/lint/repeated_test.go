package lint

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

const (
	webNamed     = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"
	webAnnotated = "  annotations:\n    mini-hpa/target-cpu: 250m\n    mini-hpa/max: '9'\n"
	webTemplate  = "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n"
)

// expectLint wants an exit code of lint, and findings. It returns what was printed.
func expectLint(t *testing.T, text string, code int, want []string) string {
	t.Helper()
	got, stdout, stderr := lint(t, text)
	expect(t, stdout, want)
	if got != code {
		t.Errorf("exit code %d, want %d: %s", got, code, stderr)
	}
	return stdout
}

// TestLintTellsWhatIsThereTwice, where one of the two is lost, of what asks for mini-hpa in any reading.
func TestLintTellsWhatIsThereTwice(t *testing.T) {
	const (
		again     = "; of the two, kubectl takes the last one without a word, and kustomize refuses the file; keep one"
		separator = "separate them with ---"
		old       = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
	)
	tests := map[string]struct {
		text string
		code int
		want []string
	}{
		"an annotation":               {webNamed + webAnnotated + "    mini-hpa/max: '10'\n" + webTemplate, cli.ExitFailure, []string{"standard input:8: error: Deployment web: metadata.annotations[mini-hpa/max]: is here again, after line 7" + again}},
		"in other quotes":             {webNamed + webAnnotated + "    \"mini-hpa/max\": '10'\n" + webTemplate, cli.ExitFailure, []string{":8: error: Deployment web: metadata.annotations[mini-hpa/max]: is here again, after line 7"}},
		"three times":                 {webNamed + webAnnotated + "    mini-hpa/max: '9'\n    mini-hpa/max: '9'\n" + webTemplate, cli.ExitFailure, []string{":8: error", ":9: error: Deployment web: metadata.annotations[mini-hpa/max]: is here again, after line 8"}},
		"another annotation":          {webNamed + "  annotations: {a: b,\n    a: c, mini-hpa/target-cpu: 250m, mini-hpa/max: '9'}\n" + webTemplate, cli.ExitFailure, []string{":6: error: Deployment web: metadata.annotations.a: is here again"}},
		"annotations":                 {webNamed + webAnnotated + "  annotations: {a: b}\n" + webTemplate, cli.ExitFailure, []string{":8: error: Deployment web: metadata.annotations: is here again, after line 5"}},
		"metadata":                    {webNamed + webAnnotated + "metadata: {name: api}\n" + webTemplate, cli.ExitFailure, []string{":8: error: Deployment api: metadata: is here again, after line 3"}},
		"in a container":              {webNamed + webAnnotated + webTemplate + "        image: a\n        image: b\n", cli.ExitFailure, []string{":14: error: Deployment web: spec.template.spec.containers[0].image: is here again, after line 13"}},
		"no ---":                      {webNamed + webAnnotated + webTemplate + webNamed + webAnnotated + webTemplate, cli.ExitFailure, []string{":13: error: Deployment web: apiVersion: is here again, after line 1; as where --- is missing"}},
		"no ---, annotations lost":    {webNamed + webAnnotated + webTemplate + strings.Replace(webNamed, "web", "api", 1) + webTemplate, cli.ExitFailure, []string{":13: error: Deployment api: apiVersion: is here again, after line 1; as where --- is missing"}},
		"no ---, kind first":          {webNamed + webAnnotated + webTemplate + "kind: Service\napiVersion: v1\nmetadata: {name: s}\n", cli.ExitFailure, []string{":13: error: Service s: kind: is here again, after line 2; as where --- is missing"}},
		"no ---, none is a workload":  {old + old, cli.ExitOK, nil},
		"nothing of mini-hpa":         {webNamed + webTemplate + webTemplate, cli.ExitOK, nil},
		"a neighbor with nothing":     {webNamed + webAnnotated + webTemplate + "---\n" + old + "metadata: {name: d}\n", cli.ExitOK, nil},
		"a list, twice the items":     {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(webNamed+webAnnotated+webTemplate), "\n", "\n  ") + "\nitems: []\n", cli.ExitFailure, []string{":16: error: List (unnamed): items: is here again, after line 3"}},
		"an item of a list":           {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(webNamed+webAnnotated+"    mini-hpa/max: '9'\n"+webTemplate), "\n", "\n  ") + "\n- {apiVersion: v1, kind: Service, metadata: {}, metadata: {}}\n", cli.ExitFailure, []string{":11: error: Deployment web: metadata.annotations[mini-hpa/max]: is here again, after line 10"}},
		"JSON":                        {"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\n\"metadata\":{\"annotations\":{\"mini-hpa/max\":\"1\"}},\n\"metadata\":{\"name\":\"web\"}}", cli.ExitFailure, []string{":3: error: Deployment web: metadata: is here again, after line 2"}},
		"JSON with escapes":           {"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\n\"metadata\":{\"annotations\":{\"mini\\u002dhpa/max\":\"1\"}},\n\"metadata\":{\"name\":\"web\"}}", cli.ExitFailure, []string{":3: error: Deployment web: metadata: is here again"}},
		"a patch in a Kustomization":  {"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      name: web\n      annotations: {mini-hpa/max: '9'}\n      annotations: {mini-hpa/min: '2'}\n", cli.ExitFailure, []string{":10: error: Deployment web: metadata.annotations: is here again, after line 9"}},
		"what is merged":              {webNamed + "x-a: &a {mini-hpa/target-cpu: 250m}\nx-b: &b {mini-hpa/max: '9'}\n" + strings.Replace(webTemplate, "spec:\n  template:\n", "spec:\n  template:\n    metadata: {labels: {<<: *a, <<: *b}}\n", 1), cli.ExitOK, []string{"warning", "warning", "warning"}},
		"its own instead of a merged": {strings.Replace(webNamed, "metadata:\n", "metadata:\n  <<: &m {namespace: shop}\n  namespace: bank\n", 1) + webAnnotated + webTemplate, cli.ExitOK, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			stdout := expectLint(t, tt.text, tt.code, tt.want)
			if strings.Contains(stdout, "as where ---") != strings.Contains(stdout, separator) {
				t.Errorf("no advice in %q", stdout)
			}
		})
	}
}

// TestLintSeesWorkloadsOfNoVersion: what else is wrong with them is told, too.
func TestLintSeesWorkloadsOfNoVersion(t *testing.T) {
	const none = "apiVersion: Required value: the API server refuses an object without it; write apiVersion: "
	of := func(version, kind, rest string) string {
		return strings.Replace(strings.Replace(webNamed, "apiVersion: apps/v1\n", version, 1), "Deployment", kind, 1) + rest + webTemplate
	}
	wrong := strings.Replace(webAnnotated, "'9'", "ten", 1)
	tests := map[string]struct {
		text string
		code int
		want []string
	}{
		"none":                     {of("", "Deployment", webAnnotated), cli.ExitFailure, []string{"standard input:1: error: Deployment web: " + none + "apps/v1 [InvalidField]"}},
		"none, and more":           {of("", "Deployment", wrong), cli.ExitFailure, []string{":1: error: Deployment web: " + none, ":6: error: Deployment web: metadata.annotations[mini-hpa/max]: Invalid value: \"ten\""}},
		"none, annotations a list": {of("", "Deployment", "  annotations: [mini-hpa/max: '9']\n"), cli.ExitFailure, []string{":1: error", ":4: error: Deployment web: metadata.annotations: Invalid value: must be a mapping"}},
		"nothing":                  {of("apiVersion:\n", "Deployment", webAnnotated), cli.ExitFailure, []string{":1: error: Deployment web: " + none}},
		"empty, behind":            {"# a comment\n---\n" + of("", "Deployment", webAnnotated) + "apiVersion: ''\n", cli.ExitFailure, []string{":14: error: Deployment web: " + none}},
		"a number":                 {of("apiVersion: 1\n", "Deployment", webAnnotated), cli.ExitFailure, []string{":1: error: Deployment web: apiVersion: Invalid value: 1: API servers have no Deployment of this version; write apiVersion: apps/v1"}},
		"extensions":               {of("apiVersion: extensions/v1beta1\n", "Deployment", wrong), cli.ExitFailure, []string{`:1: error: Deployment web: apiVersion: Invalid value: "extensions/v1beta1": API servers have no Deployment of this version; write apiVersion: apps/v1`, ":7: error"}},
		"beta":                     {of("apiVersion: apps/v1beta2\n", "Deployment", webAnnotated), cli.ExitFailure, []string{"write apiVersion: apps/v1"}},
		"another kind's":           {of("apiVersion: v1\n", "Deployment", webAnnotated), cli.ExitFailure, []string{"write apiVersion: apps/v1"}},
		"a StatefulSet":            {of("", "StatefulSet", wrong), cli.ExitFailure, []string{":1: error: StatefulSet web: " + none + "apps/v1", ":6: error: StatefulSet web: metadata.annotations[mini-hpa/max]"}},
		"a DaemonSet":              {of("", "DaemonSet", webAnnotated), cli.ExitFailure, []string{":1: error: DaemonSet web: " + none + "apps/v1", `warning: DaemonSet web: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on "DaemonSet" of "apps/v1"`}},
		"an old CronJob":           {of("apiVersion: batch/v1beta1\n", "CronJob", webAnnotated), cli.ExitFailure, []string{":1: error: CronJob web: apiVersion: Invalid value: \"batch/v1beta1\"", "warning"}},
		"of somebody else":         {of("apiVersion: apps.example.com/v1\n", "Deployment", webAnnotated), cli.ExitOK, []string{`:7: warning: Deployment web: metadata.annotations[mini-hpa/max]: mini-hpa/ annotations have no effect on "Deployment" of "apps.example.com/v1"`}},
		"without annotations":      {of("", "Deployment", ""), cli.ExitOK, nil},
		"an item of a list":        {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(of("", "Deployment", webAnnotated)), "\n", "\n  "), cli.ExitFailure, []string{":4: error: Deployment web: " + none}},
		"a template":               {of("", "Deployment", "  annotations: {mini-hpa/max: '{{ .Values.max }}'}\n"), cli.ExitOK, nil},
		"JSON":                     {"\n" + `{"kind":"Deployment","metadata":{"annotations":{"mini-hpa/max":"9","mini-hpa/target-cpu":"250m"}}}`, cli.ExitFailure, []string{":2: error: Deployment (unnamed): " + none}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expectLint(t, tt.text, tt.code, tt.want)
		})
	}
}

// TestLintRefusesAnnotationsThatAreNone, as the API server does, if they name mini-hpa's.
func TestLintRefusesAnnotationsThatAreNone(t *testing.T) {
	const text = "apiVersion: apps/v1\nkind: Deployment\n"
	for name, tt := range map[string]struct {
		text string
		code int
		want []string
	}{
		"a list":               {webNamed + "  annotations:\n  - mini-hpa/max: '9'\n" + webTemplate, cli.ExitFailure, []string{":5: error: Deployment web: metadata.annotations: Invalid value: must be a mapping of names to values"}},
		"a list of texts":      {webNamed + "  annotations: [mini-hpa/max=9]\n" + webTemplate, cli.ExitFailure, []string{":5: error: Deployment web: metadata.annotations"}},
		"text":                 {webNamed + "  annotations: |\n    mini-hpa/max: '9'\n" + webTemplate, cli.ExitFailure, []string{":5: error: Deployment web: metadata.annotations"}},
		"a list of others":     {webNamed + "  annotations: [a]\n" + webTemplate, cli.ExitOK, nil},
		"all metadata a list":  {text + "metadata:\n- name: web\n- annotations: {mini-hpa/max: '9'}\n" + webTemplate, cli.ExitFailure, []string{":3: error: Deployment (unnamed): metadata: Invalid value: must be a mapping of names to values", ":5: warning"}},
		"all metadata text":    {text + "metadata: |\n  annotations: {mini-hpa/max: '9'}\n" + webTemplate, cli.ExitFailure, []string{":3: error: Deployment (unnamed): metadata: Invalid value"}},
		"all of others a list": {text + "metadata: [a]\n" + webTemplate, cli.ExitOK, nil},
		"in a list":            {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    annotations: [mini-hpa/max: '9']\n", cli.ExitFailure, []string{":7: error: Deployment (unnamed): metadata.annotations"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectLint(t, tt.text, tt.code, tt.want)
		})
	}
}

// TestLintFindsNamesOfAnyKind: control characters, brackets, dots, and words that are no text for kubectl's parser.
func TestLintFindsNamesOfAnyKind(t *testing.T) {
	keys := webNamed + webAnnotated + `    "mini-hpa/\e[31mx": a
    "mini-hpa/\a[31mx": a
    "mini-hpa/\u0085x": a
    mini-hpa/a]b: a
    mini-hpa/a].b: a
    mini-hpa/b.[c]: 1
    "mini-hpa/` + strings.Repeat("long", 50) + `": a
`
	_, stdout, _ := lint(t, keys+webTemplate)
	expect(t, stdout, []string{":8: warning", ":9: warning", ":10: warning", ":11: warning", ":12: warning", ":13: error: Deployment web: metadata.annotations[mini-hpa/b.[c]]", ":14: warning"})
	if strings.ContainsAny(stdout, "\x1b\a\u0085") {
		t.Errorf("%q obeys", stdout)
	}
	var text strings.Builder
	text.WriteString(webNamed + webAnnotated + webTemplate)
	words := []string{"y", "on", "no", "YES", "True", "Off", "0x10", "1_0", "1.0", "010", "5", "x.y"}
	for _, word := range words {
		text.WriteString(word + ": {mini-hpa/max: '9'}\n")
	}
	_, stdout, stderr := lint(t, text.String())
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != maxStrays {
		t.Fatalf("%d findings:\n%s%s", len(lines), stdout, stderr)
	}
	for i, word := range words {
		_, stdout, _ := lint(t, webNamed+webAnnotated+webTemplate+"# nothing\n"+strings.Split(text.String(), "\n")[12+i]+"\n")
		if want := "standard input:14: warning: Deployment web: " + word + "[mini-hpa/max]: "; !strings.HasPrefix(stdout, want) {
			t.Errorf("%q, want %q", stdout, want)
		}
	}
	for name, tt := range map[string]struct{ text, want string }{
		"in metadata":    {webNamed + "  y: {mini-hpa/max: '9'}\n" + webAnnotated + webTemplate, `:5: warning: Deployment web: metadata.y[mini-hpa/max]: "y" is no field of metadata`},
		"in one line":    {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: é, no: {mini-hpa/max: '9'}, on: {a: b}}}\n", ":1: warning: Deployment é: metadata.no[mini-hpa/max]"},
		"beside .nan":    {webNamed + webAnnotated + webTemplate + "y: .nan\non: {mini-hpa/max: '9'}\n", ":14: warning: Deployment web: on[mini-hpa/max]"},
		"with an anchor": {webNamed + webAnnotated + webTemplate + "&a on: {mini-hpa/max: '9'}\n", ": warning: Deployment web: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, _ := lint(t, tt.text)
			expect(t, stdout, []string{tt.want})
		})
	}
	_, _, stderr = lint(t, webNamed+webAnnotated+webTemplate+"      nodeSelector:\n        ~: a\n")
	if want := "mini-hpa lint: standard input:14: cannot be parsed: a name in a mapping is nothing at all; names must be text\n"; !strings.HasPrefix(stderr, want) {
		t.Errorf("%q, want %q", stderr, want)
	}
}

// TestLintOfListsInListsTakesLinearTime, also where each of them has something twice.
func TestLintOfListsInListsTakesLinearTime(t *testing.T) {
	const deep = 3000
	text := strings.Repeat(`{"apiVersion":"v1","kind":"List","kind":"List","items":[`, deep) + strings.Repeat(`{"apiVersion":"v1","kind":"A"},`, 50_000) +
		`{"apiVersion":"v1","kind":"A"}` + strings.Repeat("]}", deep)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	clitest.Run(ctx, Command(), []string{"-"}, cli.Streams{In: strings.NewReader(text), Out: io.Discard, Err: io.Discard})
	if ctx.Err() != nil {
		t.Error("not in time")
	}
}
