package annotations

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/annotations.md instead of comparing it")

const docsFile = "../docs/annotations.md"

// TestDocs renders the users' page from the table. `go test ./annotations -run TestDocs -update` writes it.
func TestDocs(t *testing.T) {
	var page bytes.Buffer
	if err := docs.Execute(&page, Keys()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(docsFile, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	stored, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), page.String()); diff != "" {
		t.Errorf("docs/annotations.md is stale; run go test ./annotations -run TestDocs -update (-stored +rendered):\n%s", diff)
	}
}

// TestTable keeps the rows of the table complete and true.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range Keys() {
		if seen[key.Name] || !strings.HasPrefix(key.Name, Prefix) {
			t.Errorf("%q is there twice or has no prefix", key.Name)
		}
		seen[key.Name] = true
		if key.Doc == "" || strings.ContainsAny(key.Doc, "|\n") || key.MaxLength <= 0 {
			t.Errorf("%s: the documentation is missing or breaks the table, or the length has no cap", key.Name)
		}
		for _, example := range key.Examples {
			if _, warnings, errs := Parse(basic(map[string]string{key.Name: example})); len(errs)+len(warnings) > 0 {
				t.Errorf("example %s=%q: %v %v", key.Name, example, errs, warnings)
			}
		}
	}
}

// TestKeysIsACopy keeps the table out of the reach of its readers.
func TestKeysIsACopy(t *testing.T) {
	Keys()[0].Examples[0], Keys()[0].Doc = "broken", "broken"
	if got := Keys()[0]; got.Examples[0] == "broken" || got.Doc == "broken" {
		t.Error("writing to what Keys returned changed the table")
	}
}

// allowed is the rule as Parse tells it for a value that nothing accepts.
func allowed(key Key) string {
	nothing := "?"
	if key.document {
		nothing = "x"
	}
	_, _, errs := Parse(basic(map[string]string{key.Name: nothing}))
	detail := strings.TrimPrefix(errs[0].Detail, "must be ")
	return strings.TrimPrefix(detail, `policy "?" must be `)
}

// messages are what Parse says about a set of mistakes.
func messages() string {
	_, warnings, errs := Parse(map[string]string{
		TargetCPU: "half", Min: "3", Max: "2", ScaleDownStabilization: "5", Prefix + "toleranc": "5%",
		Metrics: "- type: Resource\n  resource:\n    name: memory\n    target:\n      type: Utilization\n      averageUtilisation: 80\n",
	})
	lines := texts(errs)
	for _, warning := range warnings {
		lines = append(lines, "warning: "+warning.String())
	}
	return strings.Join(lines, "\n")
}

// quoted are the examples of a cell; those of several lines have a section of their own.
func quoted(values []string) string {
	var cells []string
	for _, value := range values {
		if strings.Contains(value, "\n") {
			return "[below](#metrics-and-behavior)"
		}
		cells = append(cells, fmt.Sprintf("`%q`", value))
	}
	return strings.Join(cells, ", ")
}

// block puts an example into the manifest that the page shows.
func block(example string) string {
	return strings.TrimSpace(strings.ReplaceAll("\n"+strings.TrimSpace(example), "\n", "\n      "))
}

// together is the manifest with both documents, as in the page.
func together() map[string]string {
	return map[string]string{Max: "10", TargetCPU: "50", Metrics: exampleMetrics, Behavior: exampleBehavior}
}

// TestDocumentsOfThePage keeps the manifest of the page valid.
func TestDocumentsOfThePage(t *testing.T) {
	if _, warnings, errs := Parse(together()); len(warnings)+len(errs) > 0 {
		t.Errorf("warnings %v, errors %v", warnings, errs)
	}
}

var docs = template.Must(template.New("docs").Funcs(template.FuncMap{
	"allowed": allowed, "messages": messages, "quoted": quoted,
	"metrics":  func() string { return block(exampleMetrics) },
	"behavior": func() string { return block(exampleBehavior) },
}).Parse(strings.ReplaceAll(`<!-- Generated from annotations/table.go by: go test ./annotations -run TestDocs -update -->

# Annotations

A Deployment that carries annotations with the prefix ~mini-hpa/~ is scaled by mini-hpa. They belong on the Deployment's own
metadata; on its pod template they have no effect.

~~~yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    mini-hpa/target-cpu: "50"   # percent of the pods' CPU request
    mini-hpa/min: "1"
    mini-hpa/max: "10"
~~~

Or on one that is running:

~~~sh
kubectl annotate deployment web mini-hpa/target-cpu=50 mini-hpa/max=10
kubectl annotate deployment web mini-hpa/target-cpu- mini-hpa/max-     # stop; the replicas stay as they are
~~~

## All annotations

| annotation | examples | default | meaning |
| --- | --- | --- | --- |
{{range .}}| ~{{.Name}}~ | {{quoted .Examples}} | {{if .Default}}~{{.Default}}~{{else if .Required}}required{{else}}-{{end}} | {{.Doc}} |
{{end}}
The defaults of ~tolerance~, ~scale-down-stabilization~, ~warm-up~ and ~sync-period~ are those of the controller's flags; the table shows what
they are if the operator has not changed them.

## Metrics and behavior

~mini-hpa/metrics~ and ~mini-hpa/behavior~ hold what the ~spec.metrics~ and ~spec.behavior~ of an autoscaling/v2
HorizontalPodAutoscaler hold, in YAML or JSON. What works there can be copied:

~~~yaml
metadata:
  annotations:
    mini-hpa/target-cpu: "50"
    mini-hpa/max: "10"
    mini-hpa/metrics: |
      {{metrics}}
    mini-hpa/behavior: |
      {{behavior}}
~~~

- Both are held to the rules of the API server, except for [what is listed below](#where-they-are-stricter-than-the-api-server), and
  what ~behavior~ leaves out has the same default as in an HPA: 4 pods or 100 %
  within 15 s up, 100 % within 15 s down, the most permissive policy, no stabilization up. The stabilization down and the tolerance
  are the controller's flags, as they are for the HPA.
- The metrics are those of ~target-cpu~, ~target-memory~ and the list together, and the one that asks for the most replicas wins.
- **Nothing may be set twice.** Usage of the same resource, over all containers or over the same one, both in ~metrics~ and by
  ~target-cpu~ or ~target-memory~ is an error; so is a field of ~behavior~ together with the short annotation for it:
  ~tolerance~ of either direction with ~mini-hpa/tolerance~, ~stabilizationWindowSeconds~ with ~scale-up-stabilization~ or
  ~scale-down-stabilization~, ~policies~ and ~selectPolicy~ with ~scale-up-policies~ or ~scale-down-policies~. Different fields go
  together. The same metric twice within the list is only a warning.
- An object that a metric describes is always in the namespace of the Deployment.
- YAML is read as kubectl reads it: ~no~, ~on~ and ~010~ without quotes are not strings. A number or a truth value where a string belongs
  is an error, as it is for the API server: write ~name: "1"~. A quantity may be a number: ~averageValue: 40~.

### Where they are stricter than the API server

Everything else that the API server accepts for an HPA is accepted.

- Unknown fields, fields and labels that are there twice, and names in another case are errors also where the API server only warns or
  drops them. A list of metrics holds at least one.
- A selector must be one that can select something. With any other the HPA fails at every evaluation.
- Names and other strings hold no characters that do not print, the documents no control characters but line breaks and tabs, no byte
  order mark, and no line breaks but LF and CR.
- Quantities are at most 64 bytes long and have an exponent of at most two digits, between ~1e-99~ and ~1e99~.
- A document is at most 16 KiB long and nested at most 16 levels deep.
- In YAML there are no anchors, aliases or merges, no tags but ~!!str~, and no second document, not even an empty one. A name in a
  mapping that YAML takes for something else than a string needs quotes: ~matchLabels: {"1": a, "yes": b}~.

## What each accepts
{{range .}}
**~{{.Name}}~**: {{allowed .}}.
{{end}}
## Rules

- Values are strings: in YAML, numbers need quotes.
- At least one of ~mini-hpa/target-cpu~, ~mini-hpa/target-memory~ and ~mini-hpa/metrics~ is needed, and always ~mini-hpa/max~. With
  several metrics, the one that asks for the most replicas wins.
- ~max~ is not less than ~min~, and ~min~ is at least 1. Zero is refused: a workload without pods has no usage that could scale it up
  again.
- A percent of CPU or memory is a percent of the pods' *request*, so every container that counts needs one.
- Whole numbers are plain decimal digits: no sign, fraction, exponent or blank. Durations have a unit (~90s~, ~5m~). Percents
  are whole numbers, with or without ~%~. For a tolerance, a plain number could mean a percent or a fraction, so only ~0~ is taken:
  write ~10%~ or ~0.1~.
- A policy is a number of pods or a percent of the replicas within a period: ~4 pods/15s~, ~1 pod/60s~, ~100%/15s~. Several are
  separated by commas, and the most permissive one wins.
- Blanks around a value are ignored, with a warning. Control characters, such as the line break at the end of a YAML block, are
  refused. Values are at most 64 bytes long. In ~metrics~ and ~behavior~ line breaks and tabs are welcome, within 16 KiB.
- Limits are those of the API server for a HorizontalPodAutoscaler: stabilization windows from 0 to 3600 seconds, policy periods
  from 1 to 1800 seconds, both in whole seconds.
- An annotation never names a URL, a host, a Secret or another namespace. Only a metric of type ~Object~ names another object.

## When something is wrong

Nothing falls back to a default because it could not be read: while any value is wrong, mini-hpa does not scale the workload. All
problems are reported together, each with the annotation, its value and what is allowed. An unknown key with the prefix is only a
warning, with the nearest key that exists:

~~~text
{{messages}}
~~~
`, "~", "`")))
