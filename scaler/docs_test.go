package scaler

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/docs"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

var update = flag.Bool("update", false, "write the generated blocks of docs/ instead of comparing them")

// TestEventsPage renders the reasons in events.go and their comments.
func TestEventsPage(t *testing.T) {
	docs.Keep(t, "../docs/events.md", *update, map[string]string{"events": "| reason | meaning |\n| --- | --- |\n" + strings.Join(eventRows(t), "\n")})
}

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
		"ActiveFailedExternal": recommend.ActiveFailedExternal, "ActiveFailedSource": recommend.ActiveFailedSource,
		"ReasonMissingRequest": recommend.ReasonMissingRequest, "ActiveValidMetric": recommend.ActiveValidMetric,
		"ActiveDisabled": recommend.ActiveDisabled, "FoundInvalid": annotations.FoundInvalid, "FoundConflict": annotations.FoundConflict,
		"FoundSourceForbidden": annotations.FoundSourceForbidden,
	}
	selector := spec.Values[0].(*ast.SelectorExpr).Sel.Name
	if values[selector] == "" {
		t.Fatalf("no value known for %s", selector)
	}
	return values[selector]
}
