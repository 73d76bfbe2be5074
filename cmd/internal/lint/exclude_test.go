package lint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// layOut writes files below the working directory.
func layOut(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGlobs(t *testing.T) {
	tests := map[string]struct {
		glob          string
		match, others []string
	}{
		"a name":               {"testdata", []string{"testdata", "a/testdata", "a/testdata/b/c.yaml"}, []string{"testdata2", "a/mytestdata"}},
		"a kind":               {"*.json", []string{"a.json", "a/b.json"}, []string{"a.yaml", "a.json5"}},
		"a path":               {"a/b", []string{"a/b", "a/b/c"}, []string{"x/a/b", "a", "a/bc", "b"}},
		"from here on":         {"/a", []string{"a", "a/b"}, []string{"x/a"}},
		"of a directory":       {"a/", []string{"a", "x/a", "x/a/b"}, []string{"ab"}},
		"as tools write it":    {"./a", []string{"a", "a/b"}, []string{"x/a"}},
		"one level":            {"charts/*/templates", []string{"charts/web/templates/a.yaml"}, []string{"charts/templates", "charts/a/b/templates", "charts/web"}},
		"any level":            {"charts/**/templates", []string{"charts/templates", "charts/a/b/templates/x"}, []string{"charts", "a/charts/templates"}},
		"all below":            {"a/**", []string{"a/b", "a/b/c"}, []string{"b"}},
		"any of several":       {"**/[ab]?/*.yaml", []string{"a1/x.yaml", "x/y/b2/z.yaml"}, []string{"a/x.yaml", "c1/x.yaml"}},
		"a glob with two ways": {"**/a/**/b/c", []string{"a/b/b/c", "a/b/a/b/c", "x/a/y/b/c/z"}, []string{"a/c/b", "b/c/a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var x exclusions
			if err := x.add(".", []string{tt.glob}); err != nil {
				t.Fatal(err)
			}
			for _, path := range tt.match {
				if !x.excluded(path) {
					t.Errorf("%s does not match %s", tt.glob, path)
				}
			}
			for _, path := range append(tt.others, "..", "../x") {
				if x.excluded(path) {
					t.Errorf("%s matches %s", tt.glob, path)
				}
			}
		})
	}
}

// TestGlobsElsewhere are relative to a directory above, or to the root, as a shell completes them.
func TestGlobsElsewhere(t *testing.T) {
	layOut(t, map[string]string{"here/a.yaml": "", "there/vendor/b.yaml": workload(`min: "x"`), "there/c.yaml": workload()})
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("here")
	for _, glob := range []string{"../there/vendor", "./../there/vendor/", "../*/vendor", "../**/b.yaml", root + "/there/vendor", root + "/**/vendor", "../there/x/../vendor"} {
		if code, stdout, stderr := call(t, "../there", "--exclude", glob); code != cli.ExitOK {
			t.Errorf("%s: exit code %d\n%s%s", glob, code, stdout, stderr)
		}
	}
	for _, glob := range []string{"there/vendor", "/there/vendor", "../vendor", "../../there/vendor"} {
		if code, _, _ := call(t, "../there", "--exclude", glob); code != cli.ExitFailure {
			t.Errorf("%s: exit code %d", glob, code)
		}
	}
}

// TestLintConfigFile: what is wrong with it has its line and is said in words of the file.
func TestLintConfigFile(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":                {"", ""},
		"only a comment":       {"# exclude: x\n", ""},
		"no globs":             {"exclude:\n", ""},
		"a mark and CRLF":      {"\ufeffexclude:\r\n- old\r\n", ""},
		"an anchor":            {"exclude: &x\n- &o old\n- *o\n", ""},
		"another field":        {"exclude: [old]\nrules:\n  a: b\n", `line 2: "rules" is not a field here; the only one is "exclude"`},
		"one glob":             {"\nexclude: old\n", `line 2: exclude must be a list; begin each glob with "- "`},
		"a mapping":            {"exclude:\n- old: true\n", `line 2: an item of exclude is no glob but a list or a mapping`},
		"a list":               {"- old\n", `line 1: want "exclude:" and a list of globs`},
		"no YAML":              {"exclude:\n- [\n", `line 2: cannot be parsed: did not find expected node content`},
		"a glob unquoted":      {"exclude:\n- *.json\n", `line 2: cannot be parsed: did not find expected alphabetic or numeric character; put a glob that begins with * in quotes`},
		"another unquoted":     {"exclude: [**/old]\n", `line 1: cannot be parsed: did not find expected alphabetic or numeric character; put a glob that begins with * in quotes`},
		"nothing":              {"exclude: ['']\n", `line 1: the glob "" names nothing`},
		"the directory":        {"exclude:\n- a\n- ./\n", `line 3: the glob "./" names nothing`},
		"negated":              {"exclude: ['!a']\n", `line 1: the glob "!a" begins with !, but nothing that is left out can be taken in again`},
		"braces":               {"exclude: ['*.{yml,json}']\n", `line 1: the glob "*.{yml,json}" has braces, which are not known; write a glob for each of what is in them`},
		"two documents":        {"exclude: []\n---\nexclude: [old]\n", `line 2: another document begins here`},
		"UTF-16":               {"\xff\xfee\x00", `is text in UTF-16; save it as UTF-8`},
		"a line of a terminal": {"\"\\e[2J\": 1\n", `line 1: "\x1b[2J" is not a field here`},
	} {
		t.Run(name, func(t *testing.T) {
			layOut(t, map[string]string{"d/.mini-hpa-lint.yaml": tt.text, "d/web.yaml": workload()})
			code, _, stderr := call(t, "d")
			want := `mini-hpa lint: cannot read "d/.mini-hpa-lint.yaml": ` + tt.want
			if tt.want == "" {
				if code != cli.ExitOK {
					t.Errorf("exit code %d: %s", code, stderr)
				}
			} else if code != cli.ExitUsage || !strings.HasPrefix(stderr, want) {
				t.Errorf("exit code %d, %q lacks %q", code, stderr, want)
			}
		})
	}
}

// TestGlobsTakeNoTime: each ** could be anything.
func TestGlobsTakeNoTime(t *testing.T) {
	glob := strings.Split(strings.Repeat("**/a/", 50)+"b", "/")
	if matchesPart(glob, strings.Split(strings.Repeat("a/", 2000)+"c", "/")) {
		t.Error("it matches")
	}
}

func TestLintLeavesOut(t *testing.T) {
	layOut(t, map[string]string{
		"deploy/web.yaml": workload(), "deploy/old/web.yaml": workload(`min: "x"`), "deploy/notes.json": "{ // no JSON\n}",
		"vendor/x/bad.yaml": "apiVersion: v1\nkind: [\n", "configured/.mini-hpa-lint.yaml": "exclude: [old]\n", "configured/old/web.yaml": workload(`min: "x"`),
		"wrong/.mini-hpa-lint.yaml": "exlude: [old]\n", "wrong/web.yaml": workload(), "odd/.mini-hpa-lint.yaml": "exclude: ['[']\n", "odd/web.yaml": workload(),
	})
	const one = "1 workload autoscaled, 0 errors, 0 warnings in 1 file (0 other objects)\n"
	const none = "0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects)\n"
	for name, tt := range map[string]struct {
		args string
		code int
		want string
	}{
		"nothing":              {"deploy", cli.ExitFailure, "2 workloads autoscaled, 1 error, 0 warnings in 3 files (0 other objects, 1 other document)\n"},
		"by flag":              {"deploy --exclude deploy/old --exclude=*.json", cli.ExitOK, one},
		"by a name":            {"--exclude old --exclude notes.json deploy", cli.ExitOK, one},
		"a file that is named": {"--exclude old deploy/web.yaml deploy/old/web.yaml", cli.ExitOK, one},
		"all":                  {"--exclude deploy deploy", cli.ExitOK, none},
		"all that is in it":    {"--exclude vendor/** vendor", cli.ExitOK, none},
		"by file":              {"configured", cli.ExitOK, none},
		"by a file elsewhere":  {"configured/old", cli.ExitFailure, "1 workload autoscaled, 1 error, 0 warnings in 1 file (0 other objects)\n"},
		"not parsed":           {"vendor", cli.ExitUsage, "mini-hpa lint: vendor/x/bad.yaml:2: cannot be parsed: did not find expected node content\n0 workloads autoscaled, 0 errors, 0 warnings in 1 file (0 other objects, 1 unreadable)\n"},
		"a field that is not":  {"wrong", cli.ExitUsage, "mini-hpa lint: cannot read \"wrong/.mini-hpa-lint.yaml\": line 1: \"exlude\" is not a field here; the only one is \"exclude\"\nRun \"mini-hpa lint --help\" for what it takes.\n"},
		"a bad glob in a file": {"odd", cli.ExitUsage, "mini-hpa lint: cannot read \"odd/.mini-hpa-lint.yaml\": line 1: the glob \"[\" has a syntax error in \"[\"\nRun \"mini-hpa lint --help\" for what it takes.\n"},
		"a bad glob":           {"--exclude [ deploy", cli.ExitUsage, "mini-hpa lint: invalid value \"[\" for --exclude: want a glob such as \"charts/*/templates\", \"**/testdata\" or \"*.json\", without braces or a leading !\nRun \"mini-hpa lint --help\" for what it takes.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := call(t, strings.Fields(tt.args)...)
			if diff := cmp.Diff(tt.want, stderr); code != tt.code || diff != "" {
				t.Errorf("exit code %d, want %d; standard error (-want +got):\n%s", code, tt.code, diff)
			}
		})
	}
}

// TestLintReadsTheWorkingDirectorysFile, whatever is named.
func TestLintReadsTheWorkingDirectorysFile(t *testing.T) {
	layOut(t, map[string]string{".mini-hpa-lint.yaml": "exclude:\n- deploy/old\n", "deploy/web.yaml": workload(), "deploy/old/web.yaml": workload(`min: "x"`)})
	if code, stdout, stderr := call(t, "deploy"); code != cli.ExitOK {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestLintTellsWhichFileOfGlobsIsNotRead, once, however many there are.
func TestLintTellsWhichFileOfGlobsIsNotRead(t *testing.T) {
	layOut(t, map[string]string{"d/.mini-hpa-lint.yaml": "exclude: [x]\n", "d/web.yaml": workload(), "d/a/.mini-hpa-lint.yaml": "exclude: [x]\n", "d/a/x/web.yaml": workload(), "d/b/.mini-hpa-lint.yaml": "exclude: [", "d/x/.mini-hpa-lint.yaml": "", "e/a/.mini-hpa-lint.yaml": ""})
	const end = ": only the ones in the working directory and in a DIR are; write its globs there, or name its directory, too\n"
	const one = "1 workload autoscaled, 0 errors, 0 warnings in 1 file (0 other objects)\n"
	for args, want := range map[string]string{
		"d":             "mini-hpa lint: warning: d/a/.mini-hpa-lint.yaml is not read (and 1 more)" + end + one,
		"d/a d":         "mini-hpa lint: warning: d/b/.mini-hpa-lint.yaml is not read" + end + one,
		"d --exclude=b": "mini-hpa lint: warning: d/a/.mini-hpa-lint.yaml is not read" + end + one,
		"e":             "mini-hpa lint: warning: e/a/.mini-hpa-lint.yaml is not read" + end + "mini-hpa lint: e: holds no *.yaml, *.yml, *.json or Kustomization\n0 workloads autoscaled, 0 errors, 0 warnings in 0 files (0 other objects, 1 unreadable)\n",
	} {
		if _, _, stderr := call(t, strings.Fields(args)...); stderr != want {
			t.Errorf("%s: %s", args, cmp.Diff(want, stderr))
		}
	}
}

// TestLintTemplates: what is to be filled in first is counted, and hides nothing of what is wrong beside it.
func TestLintTemplates(t *testing.T) {
	const template, unreadable, looked = "template", "unreadable", "looked at"
	helm := strings.Replace(workload(), `"10"`, "{{ .Values.max }}", 1)
	for name, tt := range map[string]struct{ file, text, want string }{
		"a value":                            {"web.yaml", helm, template},
		"a value in quotes":                  {"web.yaml", strings.Replace(workload(), `"10"`, `"{{ .Values.max }}"`, 1), template},
		"a name":                             {"web.yaml", strings.Replace(workload(), "name: web", `name: "{{ .Release.Name }}-web"`, 1), template},
		"blocks":                             {"web.yaml", "{{- if .Values.on }}\n" + workload() + "{{- end }}\n", template},
		"more lines":                         {"web.yaml", "{{- /*\n a comment: [\n*/}}\n" + workload(), template},
		"a part of many lines":               {"web.yaml", workload() + "        resources: {{- toYaml .Values.resources | nindent 10 }}\n", template},
		"Ansible":                            {"web.yaml", "{% if on %}\n" + workload() + "{% endif %}\n", template},
		"Flux":                               {"web.yaml", strings.Replace(workload(), `"10"`, `${max}`, 1), template},
		"envsubst":                           {"web.yaml", strings.Replace(workload(), "name: web", "name: ${NAME}", 1), template},
		"an item of a list":                  {"web.json", `{"kind":"List","apiVersion":"v1","items":[{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"annotations":{"mini-hpa/max":"${MAX}"}}}]}`, template},
		"two of the same name":               {"chart/templates/web.yaml", "a: {{ x }}\na: {{ y }}\n{{- fail }}: b: c\n", template},
		"anywhere in a chart":                {"chart/templates/web.yaml", workload() + `        image: "{{ .Values.image }}"` + "\n", template},
		"ERB":                                {"web.yaml", "<% if on %>\n" + strings.Replace(workload(), `"10"`, `<%= max %>`, 1) + "<% end %>\n", template},
		"a value of ERB":                     {"web.yaml", strings.Replace(workload(), `"10"`, `<%= max %>`, 1), template},
		"ytt":                                {"web.yaml", "#@ load(\"@ytt:data\", \"data\")\n---\n" + strings.Replace(workload(), `"10"`, `#@ str(data.values.max)`, 1), template},
		"ytt, a condition":                   {"web.yaml", "#@ if data.values.on:\n" + workload() + "#@ end\n", template},
		"ytt, an overlay":                    {"web.yaml", "#@overlay/match by=overlay.subset({})\n" + workload(), template},
		"ytt, a text":                        {"web.yaml", strings.Replace(workload(), `"10"`, `"9" #@ TODO lower`, 1), looked},
		"a remark like ytt's":                {"web.yaml", "#@ TODO: something\n#@todo if\n" + workload(), looked},
		"autoconf":                           {"web.yaml", strings.Replace(workload(), `"10"`, `@MAX@`, 1), template},
		"autoconf in quotes":                 {"web.yaml", strings.Replace(workload(), `"10"`, `"@max.replicas@"`, 1), template},
		"Concourse":                          {"web.yaml", strings.Replace(workload(), `"10"`, `((max))`, 1), template},
		"a shell's":                          {"web.yaml", strings.Replace(workload(), `"10"`, `$MAX`, 1), template},
		"a shell's with a default":           {"web.yaml", strings.Replace(workload(), `"10"`, `${MAX:-10}`, 1), template},
		"kustomize":                          {"web.yaml", strings.Replace(workload(), `"10"`, `$(MAX)`, 1), template},
		"Octopus":                            {"web.yaml", strings.Replace(workload(), `"10"`, `"#{Max}#"`, 1), template},
		"brackets":                           {"web.yaml", strings.Replace(workload(), `"10"`, `[[ .max ]]`, 1), template},
		"brackets around lines":              {"web.yaml", "[[ if .on ]]\n" + workload() + "[[ end ]]\n", template},
		"a name in brackets":                 {"web.yaml", strings.Replace(workload(), "name: web", "name: web-[[ env ]]", 1), template},
		"Jinja's comments":                   {"web.yaml", "{# a comment: [\n more #}\n" + workload(), template},
		"a request":                          {"web.yaml", workload() + "        resources: {requests: {cpu: ((cpu))}}\n", template},
		"a number":                           {"web.yaml", workload() + "  replicas: ${REPLICAS}\n", template},
		"a number in brackets":               {"web.yaml", workload() + "  replicas: [[ replicas ]]\n", template},
		"a shell's command":                  {"web.yaml", workload() + "        args: ['echo $HOME $(date) ((1)) [[ -f x ]] @a@b']\n", looked},
		"a mistake beside a shell's command": {"web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  text: echo $HOME ((x)) [[ -f x ]] @a@\n  a: [\n", unreadable},
		"a list of lists":                    {"web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: [[1, 2], [3]\n", unreadable},
		"a name that begins with @":          {"web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {a: @b}\n", unreadable},
		"outside of a chart":                 {"web.yaml", workload() + `        args: ["--format={{.Name}}"]` + "\n", looked},
		"a plain one in a chart":             {"chart/templates/web.yaml", workload(), looked},
		"a mistake beside an alert's text":   {"web.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  text: \"{{ $labels.pod }} is down\"\n  a: [\n", unreadable},
		"a mistake":                          {"web.yaml", "apiVersion: v1\nkind: [\n", unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			layOut(t, map[string]string{tt.file: tt.text, "chart/Chart.yaml": "name: web\n"})
			_, stdout, stderr := call(t, tt.file, "-o", "json")
			var r report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatalf("%v, %s", err, stderr)
			}
			got := map[bool]string{r.Summary.Templates == 1: template, r.Summary.Unreadable == 1: unreadable, r.Summary.Autoscaled == 1: looked}[true]
			if got != tt.want || r.Summary.Templates+r.Summary.Unreadable+r.Summary.Autoscaled != 1 {
				t.Errorf("%s, want that it is %s: %+v\n%s", got, tt.want, r.Summary, stderr)
			}
		})
	}
}

// TestLintATemplateInAList hides nothing of what else is in the list, whose places stay as they are.
func TestLintATemplateInAList(t *testing.T) {
	item := func(name, limit string) string {
		return "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: " + name + ", annotations: {mini-hpa/target-cpu: 250m, mini-hpa/max: '" + limit + "'}}\n  spec: {template: {spec: {containers: [{name: a, image: '${IMAGE}'}]}}}\n"
	}
	_, stdout, _ := lint(t, "apiVersion: v1\nkind: List\nitems:\n"+item("a", "x")+item("b", "${MAX}")+item("c", "y"))
	expect(t, stdout, []string{"standard input:6: error: Deployment a: metadata.annotations[mini-hpa/max]", "standard input:14: error: Deployment c: metadata.annotations[mini-hpa/max]"})
	layOut(t, map[string]string{"chart/Chart.yaml": "name: web\n", "chart/templates/web.yaml": "apiVersion: v1\nkind: List\nitems:\n" + strings.ReplaceAll(item("a", "x"), "${IMAGE}", "app") + item("b", "y")})
	_, stdout, stderr := call(t, ".")
	expect(t, stdout, []string{"chart/templates/web.yaml:6: error: Deployment a: metadata.annotations[mini-hpa/max]"})
	if want := "1 template"; !strings.Contains(stderr, want) {
		t.Errorf("%q lacks %q", stderr, want)
	}
}

// TestLintPassesOverWhatIsNoManifest, where nobody has named it.
func TestLintPassesOverWhatIsNoManifest(t *testing.T) {
	large := strings.Repeat("# 3456789\n", maxManifest/10+1)
	for name, tt := range map[string]struct {
		text string
		code int
	}{
		"JSON with comments":        {"{\n  // a comment\n  \"a\": 1\n}", cli.ExitOK},
		"binary":                    {"PK\x03\x04\x00\x00", cli.ExitOK},
		"large":                     {large, cli.ExitOK},
		"a large manifest":          {large[:maxManifest-4] + workload(), cli.ExitUsage},
		"a manifest in UTF-16":      {"\xff\xfea\x00", cli.ExitUsage},
		"a manifest with a mistake": {workload() + "  a: b: c\n", cli.ExitUsage},
		"another one":               {"apiVersion: v1\nkind: [\n", cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			layOut(t, map[string]string{"file.YAML": tt.text})
			if code, _, stderr := call(t, "."); code != tt.code {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, stderr)
			}
			if code, _, stderr := call(t, "file.YAML"); code != cli.ExitUsage {
				t.Errorf("exit code %d of a file that is named, want %d: %s", code, cli.ExitUsage, stderr)
			}
		})
	}
}

// TestLintTellsWhatItCouldNotReadToPrograms as well as to people.
func TestLintTellsWhatItCouldNotReadToPrograms(t *testing.T) {
	layOut(t, map[string]string{"a,b.yaml": "apiVersion: v1\nkind: \"x\ny: [\n", "nul.yaml": "\x00"})
	for output, want := range map[string][]string{
		"text":   nil,
		"github": {`::error file=a%2Cb.yaml,line=`, `,title=Unreadable::cannot be parsed: `, "::error file=nul.yaml,line=1,title=Unreadable::holds NUL bytes, so it is no text in UTF-8\n"},
		"json":   {`"file": "a,b.yaml",`, `"message": "cannot be parsed: `, `"file": "nul.yaml",` + "\n" + `      "message": "holds NUL bytes`},
		"sarif": {`"executionSuccessful": false,`, `"toolExecutionNotifications": [`, `"text": "cannot be parsed: `,
			`"uri": "nul.yaml"`},
	} {
		t.Run(output, func(t *testing.T) {
			code, stdout, stderr := call(t, "a,b.yaml", "nul.yaml", "-o", output)
			if code != cli.ExitUsage || strings.Count(stderr, "mini-hpa lint: ") != 2 {
				t.Errorf("exit code %d, standard error %s", code, stderr)
			}
			for _, part := range want {
				if !strings.Contains(stdout, part) {
					t.Errorf("no %s in\n%s", part, stdout)
				}
			}
		})
	}
}

// TestLintObeysNoFileName: whoever opens a pull request names the files, and a workflow's log is read for commands.
func TestLintObeysNoFileName(t *testing.T) {
	layOut(t, map[string]string{"::add-mask::x.yaml": workload(`min: "x"`), " ::error::y.yaml": "apiVersion: v1\nkind: [",
		"##[add-mask]z.yaml": workload(`min: "x"`), "a\x1b[2J\r::error::b.yaml": "apiVersion: v1\nkind: [", "##vso[task.x]w.yaml": "apiVersion: v1\nkind: ["})
	for _, output := range []string{"text", "github", "sarif", "json"} {
		_, stdout, stderr := call(t, ".", "::add-mask::x.yaml", "-o", output)
		for line := range strings.Lines(stdout + stderr) {
			own := output == "github" && (strings.HasPrefix(line, "::error file=") || strings.HasPrefix(line, "::warning file="))
			if strings.ContainsAny(line, "\x1b\r") || !own && (strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##")) {
				t.Errorf("%s: %q", output, line)
			}
		}
	}
}

// TestLintReadsEveryEncodingOfAFile that editors write, or says what is wrong with it.
func TestLintReadsEveryEncodingOfAFile(t *testing.T) {
	const mark = "\ufeff"
	wide := func(text string, first, second int) string {
		var b strings.Builder
		for _, r := range []byte(text) {
			pair := [2]byte{}
			pair[first], pair[second] = r, 0
			b.Write(pair[:])
		}
		return b.String()
	}
	bad := workload(`min: "x"`)
	for name, tt := range map[string]struct{ text, want string }{
		"a mark":                       {mark + bad, "web.yaml:8: error: "},
		"a mark before a separator":    {mark + "---\n" + bad, "web.yaml:9: error: "},
		"a mark behind a separator":    {"a: b\n---\n" + mark + bad, "web.yaml:10: error: "},
		"a mark on a separator's line": {"a: b\n--- " + mark + "# x\n" + bad, "web.yaml:10: error: "},
		"marks and CRLF":               {strings.ReplaceAll(mark+"a: b\n---\n"+mark+bad, "\n", "\r\n"), "web.yaml:10: error: "},
		"UTF-16":                       {"\xff\xfe" + wide(bad, 0, 1), "web.yaml: is text in UTF-16; save it as UTF-8"},
		"UTF-16, the other way round":  {"\xfe\xff" + wide(bad, 1, 0), "web.yaml: is text in UTF-16; save it as UTF-8"},
		"UTF-16 without a mark":        {wide(bad, 0, 1), "web.yaml: is text in UTF-16; save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			layOut(t, map[string]string{"web.yaml": tt.text})
			_, stdout, stderr := call(t, ".")
			if !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("%s%s lacks %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestLintReadsAKustomization by whatever name kustomize does.
func TestLintReadsAKustomization(t *testing.T) {
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		layOut(t, map[string]string{"base/" + name: "resources: [a.yaml]\npatches: [{path: p.yaml}]\ncommonAnnotations: {mini-hpa/max: '9'}\n",
			"base/p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {mini-hpa/max: x}}\n", "base/deployments": "["})
		_, stdout, stderr := call(t, ".")
		expect(t, stdout, []string{"base/" + name + ":3: warning: Kustomization", "base/p.yaml:3: error: Deployment web: metadata.annotations[mini-hpa/max]"})
		if !strings.Contains(stderr, "1 of patches") {
			t.Errorf("%s: %s", name, stderr)
		}
	}
}

// TestLintJudgesWhatIsBeforeBrokenJSON, which has its line.
func TestLintJudgesWhatIsBeforeBrokenJSON(t *testing.T) {
	const bad = `{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"annotations": {"mini-hpa/max": "x"}}}`
	for name, tt := range map[string]struct{ rest, want string }{
		"a comma":       {"\n{\n\"a\": 1,,\n\"b\": 2}", "standard input:3: cannot be parsed as JSON: invalid character ','"},
		"the end":       {"\n\n{\n\"a\": {\n", "standard input:4: cannot be parsed as JSON: it ends too early"},
		"no JSON":       {"\nkind: a\n", "standard input:2: cannot be parsed as JSON: invalid character 'k'"},
		"on the line":   {" {]", "standard input:1: cannot be parsed as JSON: invalid character ']'"},
		"too deep":      {"\n" + strings.Repeat("[", 20_000), "standard input:2: cannot be parsed as JSON: invalid character '[' exceeded max depth"},
		"of three":      {"\n" + strings.ReplaceAll(bad, "max", "min") + "\n}", "standard input:3: cannot be parsed as JSON: invalid character '}'"},
		"not a problem": {" # a comment of YAML\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := lint(t, bad+tt.rest)
			if !strings.Contains(stdout, "standard input:1: error: Deployment (unnamed): metadata.annotations[mini-hpa/max]") || strings.Contains(stderr, "cannot be parsed") != (tt.want != "") || !strings.Contains(stderr, tt.want) {
				t.Errorf("%s%s lacks %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestLintLooksForAChartOnce: there may be many files below many directories called templates.
func TestLintLooksForAChartOnce(t *testing.T) {
	deep := "chart/templates" + strings.Repeat("/templates", 100)
	repository(t, map[string]string{"chart/Chart.yaml": "name: x\n", deep + "/a.yaml": "a: 1\n", "other/templates/a.yaml": "a: 1\n"})
	of, known := pathsFromHere(), charts{}
	if !known.hold(of.of(deep + "/a.yaml").dir) {
		t.Fatal("it is not found")
	}
	if err := os.Remove("chart/Chart.yaml"); err != nil {
		t.Fatal(err)
	}
	t.Chdir("other") // the working directory, too, is asked for once
	if !known.hold(of.of(deep+"/a.yaml").dir) || !known.hold(of.of(deep+"/b/c.yaml").dir) {
		t.Error("it is looked for again")
	}
	if known.hold(of.of("other/templates/a.yaml").dir) || known.hold(of.of("chart/a.yaml").dir) {
		t.Error("it is found where none is")
	}
}
