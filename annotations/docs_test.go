package annotations

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/docs"
)

var update = flag.Bool("update", false, "write the generated blocks of docs/ instead of comparing them")

// TestAnnotationsPage renders what docs/annotations.md shows of the table.
func TestAnnotationsPage(t *testing.T) {
	docs.Keep(t, "../docs/annotations.md", *update, map[string]string{
		"annotations": tableBlock(),
		"documents": "```yaml\nmetadata:\n  annotations:\n    mini-hpa/target-cpu: \"50\"\n    mini-hpa/max: \"10\"\n" +
			"    mini-hpa/metrics: |\n      " + indented(exampleMetrics) + "\n    mini-hpa/behavior: |\n      " + indented(exampleBehavior) + "\n```",
		"sources":  "```yaml\nmini-hpa/sources: |\n  " + strings.ReplaceAll(strings.TrimSpace(exampleSources), "\n", "\n  ") + "\n```",
		"wake":     wakeBlock(),
		"accepted": acceptedBlock(),
		"messages": "```text\n" + messages() + "\n```",
	})
}

// tableBlock is the table of all annotations.
func tableBlock() string {
	var b strings.Builder
	b.WriteString("| annotation | examples | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, key := range Rows() {
		value := "-"
		if key.Default != "" {
			value = "`" + key.Default + "`"
		} else if key.Required {
			value = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key.Name, quoted(&key), value, key.Doc)
	}
	return b.String()
}

// wakeBlock is the table of the keys of mini-hpa/wake.
func wakeBlock() string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n| --- | --- | --- |\n")
	for _, k := range wakeKeys {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.name, k.standard, k.doc)
	}
	return b.String()
}

// acceptedBlock is the rule of each annotation.
func acceptedBlock() string {
	var lines []string
	for _, key := range Rows() {
		lines = append(lines, fmt.Sprintf("**`%s`**: %s.\n", key.Name, allowed(key)))
	}
	return strings.Join(lines, "\n")
}

// TestTable keeps the rows of the table complete and true.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range Rows() {
		if seen[key.Name] || !strings.HasPrefix(key.Name, Prefix) {
			t.Errorf("%q is there twice or has no prefix", key.Name)
		}
		seen[key.Name] = true
		if key.Doc == "" || strings.ContainsAny(key.Doc, "|\n") || key.MaxLength <= 0 {
			t.Errorf("%s: the documentation is missing or breaks the table, or the length has no cap", key.Name)
		}
		for _, example := range key.Examples {
			all := basic(map[string]string{key.Name: example})
			if key.Name == SleepAfter || key.Name == WakeReplicas || key.Name == WakeKey { // they are for workloads that may sleep
				all[Min] = "0"
			}
			if _, warnings, errs := parse(all); len(errs)+len(warnings) > 0 {
				t.Errorf("example %s=%q: %v %v", key.Name, example, errs, warnings)
			}
		}
	}
}

// TestPatterns: what Parse accepts matches, and what is not of the form does not.
func TestPatterns(t *testing.T) {
	values := []string{"50", "050", "50%", "250m", " 7 ", "512Mi", "0.5Gi", "1.5k", "70%", "app", "my-app-2", "a", "0", "10", "90s", "1h30m", "1.5h", "0s", "500ms", ".5m", "3 after 2m", "3  after  90s",
		"10%", "0.05", "4 pods/15s", "1 pod / 60s , 100%/15s", "disabled", "auto", "observe", "paused", "", "-1", "+5", "1e3", "half", "5O", "50 %", "App", "a_b", "after 2m", "3 after", "5", "4 pod s/15s", "4pods/15s",
		"on", "Auto", "15", "1d", "512mi", "10 %", "0,05", "5 pods", "100%/15", "1m1"}
	for _, row := range Rows() {
		if row.document {
			if row.Pattern != "" {
				t.Errorf("%s: a document has no pattern", row.Name)
			}
			continue
		}
		pattern, accepted, refused := regexp.MustCompile(row.Pattern), 0, 0
		if row.Pattern == "" {
			t.Errorf("%s: no pattern", row.Name)
		}
		for _, value := range append(slices.Clone(values), row.Examples...) {
			_, _, errs := parse(basic(map[string]string{row.Name: value}))
			isWrong := slices.ContainsFunc(errs, func(e *field.Error) bool {
				return e.Field == Path(row.Name).String() && e.Type != field.ErrorTypeForbidden
			})
			switch matches := pattern.MatchString(value); {
			case !isWrong && !matches:
				t.Errorf("%s=%q is accepted and does not match %s", row.Name, value, row.Pattern)
			case matches:
				accepted++
			default:
				refused++
			}
		}
		if accepted == 0 || refused < len(values)/2 {
			t.Errorf("%s: %d values match and %d do not", row.Name, accepted, refused)
		}
	}
}

// TestPatternsKnowRanges: at the ends of what is allowed, what matches is what Parse accepts.
func TestPatternsKnowRanges(t *testing.T) {
	label := strings.Repeat("a-", 31)
	numbers := []string{"0", "00", "1", "01", "0000000000002147483647", "9", "10", "100", "999999999", "1000000000", "1000000001", "1999999999", "2147483646", "2147483647", "2147483648", "2147483650",
		"2147483700", "2147484000", "2147490000", "2147500000", "2148000000", "2150000000", "2200000000", "3000000000", "9999999999", "4294967297", "18446744073709551617"}
	with := func(suffixes ...string) (all []string) {
		for _, suffix := range suffixes {
			for _, n := range numbers {
				all = append(all, n+suffix)
			}
		}
		return all
	}
	for key, values := range map[string][]string{
		TargetCPU: with("", "%", "m"),
		TargetMemory: append(with("", "%", "Pi", "P"), "0Mi", "0.0Mi", "0.5Mi", "0.0001k", "00.10Gi", "1.0Pi", "1.00Pi", "1.1Pi", "1.1P", "1.125P", "1.2P", "1024Ti", "10240Ti", "1125T", "11250T",
			"1048576Gi", "10485760Gi", "1125899G", "11258990G", "1073741824Mi", "10737418240Mi", "1125899906M", "1099511627776Ki", "10995116277760Ki", "1125899906842k", "11258999068420k"),
		Container: {label + "a", label + "aa", label, "a", "-a", "1"}, ClassKey: {label + "a", label + "aa", label, "a", "-a", "1"},
		Min: numbers, Max: numbers, WakeReplicas: numbers, FallbackKey: with(" after 2m"),
		ScaleUpPolicies: with(" pods/15s", "%/15s"), ScaleDownPolicies: with(" pod/15s", "%/15s", "%/15s, 1 pod/1s"),
		Tolerance: {"0", "00", "0%", "00%", "999999%", "1000000%", "01000000%", "1000001%", "2000000%", "10000000%", "0.0", "9999.9", "10000.0", "10000.9", "10001.0", "20000.0", "100000.0", "0.123456789", "0.1234567891"},
	} {
		row := Rows()[slices.IndexFunc(Rows(), func(r Row) bool { return r.Name == key })]
		pattern, accepted := regexp.MustCompile(row.Pattern), 0
		for _, value := range values {
			all := basic(map[string]string{Min: "0", Max: "2147483647"})
			all[key] = value
			_, _, errs := parse(all)
			isRight := !slices.ContainsFunc(errs, func(e *field.Error) bool { return e.Field == Path(key).String() && e.Type != field.ErrorTypeForbidden })
			if matches := pattern.MatchString(value); matches != isRight {
				t.Errorf("%s=%q: matches: %t, accepted: %t", key, value, matches, isRight)
			}
			if isRight {
				accepted++
			}
		}
		if accepted == 0 || accepted == len(values) {
			t.Errorf("%s: %d of %d values are accepted", key, accepted, len(values))
		}
	}
}

// TestKeysIsACopy keeps the table out of the reach of its readers.
func TestKeysIsACopy(t *testing.T) {
	Rows()[0].Examples[0], Rows()[0].Doc = "broken", "broken"
	if got := Rows()[0]; got.Examples[0] == "broken" || got.Doc == "broken" {
		t.Error("writing to what Keys returned changed the table")
	}
}

// allowed is the rule as Parse tells it for a value that nothing accepts.
func allowed(key Row) string {
	nothing := "?"
	if key.document && key.Name != SourcesKey && key.Name != WakeKey {
		nothing = "x"
	}
	_, _, errs := parse(basic(map[string]string{key.Name: nothing}))
	detail := strings.TrimPrefix(errs[0].Detail, "must be ")
	return strings.TrimPrefix(detail, `policy "?" must be `)
}

// messages are what Parse says about a set of mistakes.
func messages() string {
	_, warnings, errs := parse(map[string]string{
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
func quoted(key *Row) string {
	var cells []string
	for _, value := range key.Examples {
		switch {
		case key.Name == ScheduleKey:
			return "[below](#schedules)"
		case strings.Contains(value, "\n"):
			return "[below](#metrics-and-behavior)"
		}
		cells = append(cells, fmt.Sprintf("`%q`", value))
	}
	return strings.Join(cells, ", ")
}

// indented is an example as it stands in the manifest that the page shows.
func indented(example string) string {
	return strings.TrimSpace(strings.ReplaceAll("\n"+strings.TrimSpace(example), "\n", "\n      "))
}

// together is the manifest with both documents, as in the page.
func together() map[string]string {
	return map[string]string{Max: "10", TargetCPU: "50", Metrics: exampleMetrics, Behavior: exampleBehavior}
}

// exampleSources are the lines that the page shows.
const exampleSources = `# messages for each pod, and no more pods than are of use
orders-kafka group=shop.orders topic=shop.orders target=100 limit=24
# a query that the administrator has named
prom requests-per-second service=web target=40
# no target: awake while anybody is there
prom ingress-requests service=web active=5
# nothing needs to be listed for pods of the same namespace: one proxy for ten of them
workload selector=app=web target=10
`

// TestSourcesOfThePage keeps the lines of the page valid.
func TestSourcesOfThePage(t *testing.T) {
	if _, warnings, errs := parse(map[string]string{Max: "40", SourcesKey: exampleSources}); len(warnings)+len(errs) > 0 {
		t.Errorf("warnings %v, errors %v", warnings, errs)
	}
}

// TestDocumentsOfThePage keeps the manifest of the page valid.
func TestDocumentsOfThePage(t *testing.T) {
	if _, warnings, errs := parse(together()); len(warnings)+len(errs) > 0 {
		t.Errorf("warnings %v, errors %v", warnings, errs)
	}
}
