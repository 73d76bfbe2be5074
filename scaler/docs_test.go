package scaler

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

var update = flag.Bool("update", false, "write the generated pages under docs/")

const eventsPage = "../docs/events.md"

// TestEventsPageIsCurrent renders the reasons in events.go and their comments.
func TestEventsPageIsCurrent(t *testing.T) {
	page := eventsHeader + strings.Join(eventRows(t), "\n") + "\n"
	if *update {
		if err := os.WriteFile(eventsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(eventsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), page); diff != "" {
		t.Errorf("%s is stale; run make update-docs (-stored +code):\n%s", eventsPage, diff)
	}
}

const eventsHeader = `<!-- Generated from scaler/events.go by "make update-docs". -->
# Events

What mini-hpa does and why is told as Events on the Deployment; ` + "`kubectl describe deployment`" + ` shows them. An Event is
written when something happens or changes, never to repeat what was said before; a controller that has just started says once what
it finds. Reasons that the HPA controller has
for the same thing are the HPA's.

A metric that fails is told when it has failed for 30 s in all, and that it works again when it has worked for 30 s in a row. So one that
flaps is told once, and one that is away for some seconds not at all. What a failure holds back, it holds back at once, and the metric
` + "`mini_hpa_condition`" + ` shows it at once.

Namespaces take turns: one that has much to tell keeps no other one waiting. Of a namespace so much is told as is in it: in ten minutes 200
Events and 5 for each autoscaled Deployment. Of one Deployment and reason there are 30 at once, and then one a minute. What is more
is left out together with its log line; the log says once a minute how much that was, and the metric ` + "`mini_hpa_events_left_out_total`" + ` counts it.

| reason | meaning |
| --- | --- |
`

// eventRows reads the constants that begin with "Event".
func eventRows(t *testing.T) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Event") {
			return true
		}
		meaning := strings.Join(strings.Fields(strings.TrimPrefix(spec.Doc.Text(), spec.Names[0].Name+":")), " ")
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", eventValue(t, spec), meaning))
		return true
	})
	if len(rows) < 10 {
		t.Fatalf("%d reasons found in events.go, want all of them", len(rows))
	}
	return rows
}

// eventValue is the constant's value: a string, or a constant of package recommend or annotations.
func eventValue(t *testing.T, spec *ast.ValueSpec) string {
	if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
		return strings.Trim(literal.Value, `"`)
	}
	values := map[string]string{
		"ActiveFailedResource": recommend.ActiveFailedResource, "ActiveFailedContainer": recommend.ActiveFailedContainer,
		"ActiveFailedPods": recommend.ActiveFailedPods, "ActiveFailedObject": recommend.ActiveFailedObject,
		"ActiveFailedExternal": recommend.ActiveFailedExternal,
		"ReasonMissingRequest": recommend.ReasonMissingRequest, "ActiveValidMetric": recommend.ActiveValidMetric,
		"ActiveDisabled": recommend.ActiveDisabled, "FoundInvalid": annotations.FoundInvalid, "FoundConflict": annotations.FoundConflict,
	}
	selector := spec.Values[0].(*ast.SelectorExpr).Sel.Name
	if values[selector] == "" {
		t.Fatalf("no value known for %s", selector)
	}
	return values[selector]
}
