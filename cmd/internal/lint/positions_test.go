package lint

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kubectl "sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// misdone is a Deployment with something to find in each part of it; @ marks the place.
const misdone = `# A comment with {braces}, - dashes and: colons.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # not here: mini-hpa/max
  # mini-hpa/max: "1"
  @annotations:
    other: |
      mini-hpa/max: "7"

      ---x
    "mini-hpa/target-cpu": 50%
    @mini-hpa/max: "2"
    @mini-hpa/min: 3
    ? @mini-hpa/tolerance
    : 5
    mini-hpa/metrics: |
      - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: @1}}}
    mini-hpa/schedule: |
      zone Europe/Berlin

      @daily 1:00-2:00 min=2
    @mini-hpa/stabilisation: 5m
spec:
  template:
    metadata:
      @annotations: {mini-hpa/mode: auto}
    spec:
      initContainers:
      - @name: sidecar
        restartPolicy: Always
      containers:
      - name: first
        image: é̀🚀
        @resources:
          limits: {memory: 1Gi}
      - name: second
        resources: {limits: {@cpu: 1}}
      -
        name: third
        resources:
          requests:
            @cpu: "0"
`

// placesIn are the fields that the findings in misdone are about, and what stands in their places.
func placesIn() map[string]string {
	const containers = "spec.template.spec.containers"
	return map[string]string{
		"metadata.annotations":                                              "annotations",
		"metadata.annotations[mini-hpa/target-cpu]":                         "mini-hpa/target-cpu",
		"metadata.annotations[mini-hpa/max]":                                "mini-hpa/max",
		"metadata.annotations[mini-hpa/min]":                                "mini-hpa/min",
		"metadata.annotations[mini-hpa/tolerance]":                          "mini-hpa/tolerance",
		"metadata.annotations[mini-hpa/metrics][0].type":                    "type: Resource, resource",
		"metadata.annotations[mini-hpa/schedule][2]":                        "daily 1:00",
		"metadata.annotations[mini-hpa/stabilisation]":                      "mini-hpa/stabilisation",
		"metadata.annotations[mini-hpa/unknown]":                            "annotations",
		"metadata.labels[x].y":                                              "metadata",
		"spec.template.metadata.annotations":                                "annotations",
		"spec.template.spec.initContainers[0].resources.requests[cpu]":      "name",
		containers + "[0].resources.requests[cpu]":                          "resources",
		containers + "[1].resources.limits[cpu]":                            "cpu",
		containers + "[2].resources.requests[cpu]":                          "cpu",
		containers + "[3].resources":                                        "containers",
		"metadata.annotations[mini-hpa/tolerance][0].x[y].containers[name]": "mini-hpa/tolerance",
	}
}

func TestLintPositions(t *testing.T) {
	text := strings.ReplaceAll(misdone, "@", "")
	indented := strings.ReplaceAll(text, "\n", "\n  ")
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	asJSON, err := kubectl.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(asJSON, &value); err != nil {
		t.Fatal(err)
	}
	spaced, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"alone":                    text,
		"without its last break":   strings.TrimSuffix(text, "\n"),
		"with CRLF":                strings.ReplaceAll(text, "\n", "\r\n"),
		"after a comment":          "--- # first\n" + text,
		"after a directive":        "%YAML 1.1\n---\n" + text,
		"the second":               service + "---\n" + text,
		"the second, with CRLF":    strings.ReplaceAll(service+"--- # second\n"+text, "\n", "\r\n"),
		"after empty ones":         "---\n\n---\n# nothing\n---   \n\n" + text + "---\n",
		"after a broken one":       "a: [\n---\n" + text,
		"after odd line breaks":    "a: \"\u2028\u2029\u0085\"\n# \u2028\n---\n# \u2028\u0085\u2029 \r # b\n" + text,
		"in a list":                "kind: List\napiVersion: v1\nitems:\n- " + indented + "\n",
		"the second in a list":     "kind: List\napiVersion: v1\nitems:\n- {kind: Service, apiVersion: v1}\n- " + indented + "\n",
		"of aliases":               "x: &x {a: 1}\ny: [*x, *x]\n" + text,
		"as JSON":                  string(spaced),
		"as JSON in lines":         `{"kind":"A","apiVersion":"v1"}` + "\n" + string(asJSON) + "\n" + string(spaced),
		"as JSON on one line":      string(asJSON),
		"as JSON, in a list":       `{"kind":"List","apiVersion":"v1","items":[` + "\n" + string(spaced) + "]}",
		"as JSON between YAML":     service + "---\n" + string(spaced) + "\n---\n" + service,
		"as JSON after characters": "\ufeff\n\n  {\"kind\":\"é\U0001F680\",\"apiVersion\":\"\\ud83d\\ude80\"} " + string(asJSON),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
			m := newManifests("")
			m.read(source{name: "-"}, strings.NewReader(text))
			if len(m.workloads) == 0 {
				t.Fatalf("no Deployment: %v", m.unreadable)
			}
			for _, d := range m.workloads {
				for field, want := range placesIn() {
					f := d.finding(severityError, "", field, "")
					if got := behind(lines, f); !strings.HasPrefix(got, want) {
						t.Errorf("%s is at %d:%d, where there is %.30q", field, f.Line, f.Column, got)
					}
				}
			}
		})
	}
}

// behind is the text from the place of a finding on, without what is before a name.
func behind(lines []string, f finding) string {
	first := string([]rune(lines[f.Line-1])[f.Column-1:])
	return strings.TrimLeft(strings.Join(append([]string{first}, lines[f.Line:]...), "\n"), "\"? {\n\t")
}

// TestLintPositionsOfMarks holds all findings to the marks in the text, and all marks to the findings.
func TestLintPositionsOfMarks(t *testing.T) {
	want := map[int]bool{}
	for i, line := range strings.Split(misdone, "\n") {
		if strings.Contains(line, "@") {
			want[i+1] = true
		}
	}
	hpa := "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	m := newManifests("")
	m.read(source{name: "-"}, strings.NewReader(strings.ReplaceAll(misdone, "@", "")+hpa))
	got := map[int]bool{}
	for _, f := range m.report(annotations.DefaultDefaults()).Findings {
		got[f.Line] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestLintLastOfTwoCounts(t *testing.T) {
	text := workload(`min: "1"`, `min: "11"`)
	_, stdout, _ := lint(t, strings.Replace(text, `max: "10"`, `min: "12"`+"\n    mini-hpa/max: \"10\"", 1), "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 3 || !strings.Contains(r.Findings[0].Message, "(11)") {
		t.Errorf("%+v", r.Findings)
	}
}

// FuzzLint reads anything. Nothing may panic, and what is reported has to be where there is a line.
func FuzzLint(f *testing.F) {
	f.Add(strings.ReplaceAll(misdone, "@", ""))
	f.Add(workload(`min: 11`) + "---\n" + workload(`mode: off`, "metrics: [1]"))
	f.Add(`{"kind":"List","apiVersion":"v1","items":[{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"annotations":{"mini-hpa/max":1}}}]}`)
	f.Add("kind: Deployment\napiVersion: apps/v1\nmetadata:\n  annotations: &a {mini-hpa/x: {a: *a}}\n")
	f.Add("a: \"\u2028\"\r\r\n---\r\nb: [\n--- {{ c }}\n")
	f.Add("&a [*a]\n---\n%x\n---\n? {a: b}\n: *c\n")
	f.Add("<<: *a\nkind: Deployment\napiVersion: apps/v1\nspec: {replicas: x}\n")
	f.Add("apiVersion: v1\nkind: LimitRange\nmetadata: {name: x}\nspec: {limits: [{default: {cpu: 1e999999999}}]}\n---\napiVersion: keda.sh/v1\nkind: ScaledObject\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		m := newManifests("")
		m.read(source{name: "-"}, strings.NewReader(text))
		for _, n := range m.unreadable {
			if n.Line < 0 || n.Line > lines || strings.ContainsAny(n.text()+n.workflowCommand(), "\n\r\x1b") {
				t.Errorf("of %d lines: %+v", lines, n)
			}
		}
		r := m.report(annotations.DefaultDefaults())
		for _, found := range r.Findings {
			if found.Line < 1 || found.Line > lines || found.Column < 1 {
				t.Errorf("line %d of %d: %+v", found.Line, lines, found)
			}
			if strings.ContainsAny(found.text()+found.workflowCommand(), "\n\r\x1b") {
				t.Errorf("%q", found.text())
			}
		}
	})
}
