package sources

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
)

// TestAnswersOfPrometheus are one number.
func TestAnswersOfPrometheus(t *testing.T) {
	var body string
	code := http.StatusOK
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/query" || r.URL.RawQuery != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	_, c := sourceOf(t, `
version: v1
sources:
- name: prom
  type: prometheus
  url: `+server.URL+`
  timeout: 3s
  namespaces: ["*"]
  queries:
  - name: strict
    query: sum(rate(hits{namespace="$namespace",service=~"$service"}[$window])) > $least
    parameters: {service: {type: name, default: $workload}, window: {type: duration, default: 2m}, least: {type: integer, default: "3"}}
  - {name: lenient, query: "sum(hits)", empty: "0"}
`)
	vector := func(elements string) string {
		return `{"status": "success", "data": {"resultType": "vector", "result": [` + elements + `]}}`
	}
	one := func(value string) string {
		return vector(`{"metric": {"a": "b"}, "value": [1700000000.5, "` + value + `"]}`)
	}
	const strange = "prom did not answer as Prometheus does"
	for name, d := range map[string]struct {
		query string
		code  int
		body  string
		want  string
	}{
		"a number":          {"strict", 200, one("1.25"), "1250m"},
		"in notation":       {"strict", 200, one("1.5e+06"), "1500k"},
		"a scalar":          {"strict", 200, `{"status": "success", "data": {"resultType": "scalar", "result": [1700000000, "4"]}}`, "4"},
		"empty":             {"strict", 200, vector(""), "prom has no value for it"},
		"empty, which is 0": {"lenient", 200, vector(""), "0"},
		"two series": {"lenient", 200, vector(`{"metric": {"a": "hunter2"}, "value": [1, "1"]}, {"metric": {}, "value": [1, "2"]}`),
			"prom has more than one series for it: the query has to aggregate them, such as by sum()"},
		"NaN":                  {"lenient", 200, one("NaN"), "prom has no number for it (NaN)"},
		"infinity":             {"strict", 200, one("+Inf"), "prom has no finite number for it"},
		"minus infinity":       {"strict", 200, one("-Inf"), "prom has no finite number for it"},
		"below 0":              {"strict", 200, one("-3"), "prom has a negative number for it"},
		"no number":            {"strict", 200, one("hunter2"), strange},
		"a number as such":     {"strict", 200, vector(`{"metric": {}, "value": [1, 2]}`), strange},
		"a histogram":          {"strict", 200, vector(`{"metric": {}, "histogram": [1, {"count": "2"}]}`), "prom has a histogram for it, and no number"},
		"a matrix":             {"strict", 200, `{"status": "success", "data": {"resultType": "matrix", "result": []}}`, "prom has no number for it: the query has to be an instant vector or a scalar"},
		"text":                 {"strict", 200, `{"status": "success", "data": {"resultType": "string", "result": [1, "2"]}}`, "prom has no number for it: the query has to be an instant vector or a scalar"},
		"an error with 200":    {"strict", 200, `{"status": "error", "errorType": "x", "error": "hunter2"}`, strange},
		"a query that is none": {"strict", 400, `{"status": "error", "errorType": "bad_data", "error": "hunter2"}`, "prom answered 400"},
		"too much to compute":  {"strict", 422, `{"status": "error", "errorType": "execution", "error": "hunter2"}`, "prom answered 422"},
		"a proxy's login":      {"strict", 200, `<html>`, strange},
		"null":                 {"strict", 200, `null`, strange},
		"a list":               {"strict", 200, `[]`, strange},
	} {
		code, body = d.code, d.body
		s, err := Open(c.Entries()[0], environment(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := answered(t, s, c, d.query, nil); got != d.want {
			t.Errorf("%s: %q, want %q", name, got, d.want)
		}
		s.Close()
	}
	code, body = 200, one("1")
	s, _ := Open(c.Entries()[0], environment(), nil)
	defer s.Close()
	answered(t, s, c, "strict", map[string]string{"service": "a.b", "window": "90s", "least": "-7"})
	want := url.Values{"query": {`sum(rate(hits{namespace="shop",service=~"a\\.b"}[90s])) > -7`}, "timeout": {"3s"}, "partial_response": {"false"}}
	if diff := gocmp.Diff(want, form); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestWarningsOfPrometheusAreLogged once, and the value counts.
func TestWarningsOfPrometheusAreLogged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, "4"]}, "warnings": ["metric might not be a counter"]}`)
	}))
	defer server.Close()
	_, c := sourceOf(t, "version: v1\nsources:\n- name: prom\n  type: prometheus\n  url: "+server.URL+"\n  namespaces: [\"*\"]\n  queries: [{name: hits, query: \"rate(hits[2m])\"}]\n")
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log = zap.New(core)
	s, err := Open(c.Entries()[0], env, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		if got := answered(t, s, c, "hits", nil); got != "4" {
			t.Errorf("%q, want 4", got)
		}
	}
	if logged.Len() != 1 || logged.All()[0].Message != "a query has warnings" {
		t.Errorf("the log: %v", logged.All())
	}
}

// TestWhereParametersMayStandInPromQL: text within double quotes alone, numbers and durations anywhere but in comments and other quotes.
func TestWhereParametersMayStandInPromQL(t *testing.T) {
	const inQuotes = `where it is not within double quotes; only integers and durations may be elsewhere, and nothing in a comment or other quotes`
	for query, want := range map[string]string{
		`up{a="$name"}`:                 `up{a="n.1"}`,
		`up{a="x$name-y", b = "$word"}`: `up{a="xn.1-y", b = "w\"\\\n"}`,
		`up{a=~"$name"}`:                `up{a=~"n\\.1"}`,
		`up{a !~ "x|$name"}`:            `up{a !~ "x|n\\.1"}`,
		`up{a=~"$word"}`:                `up{a=~"w\"\\\\\n"}`,
		`up{a=~"x",b="$name"}`:          `up{a=~"x",b="n.1"}`,
		`up{a="=~",b="$name"}`:          `up{a="=~",b="n.1"}`,
		`label_replace(up, "a", "$name", "b", "(.*)$name")`:                                                         `label_replace(up, "a", "n.1", "b", "(.*)n\\.1")`,
		"label_replace # it's\n (sum by (a, b) (up{c=~\"x\",d=\"$name\"}), \"a\", \"1\", \"b\", \"$name\")":         "label_replace # it's\n (sum by (a, b) (up{c=~\"x\",d=\"n.1\"}), \"a\", \"1\", \"b\", \"n\\\\.1\")",
		`Label_Replace(up, "a", ",(", 'b', "$name")`:                                                                `Label_Replace(up, "a", ",(", 'b', "n\\.1")`,
		`label_join(up, "a", "-", "b", "$name")`:                                                                    `label_join(up, "a", "-", "b", "n.1")`,
		`label_replace(label_replace(up, "a", "1", "b", "$name"), "$name", "2", "c", "d") + f(1, 2, 3, 4, "$name")`: `label_replace(label_replace(up, "a", "1", "b", "n\\.1"), "n.1", "2", "c", "d") + f(1, 2, 3, 4, "n.1")`,
		`label_match(up, "$name", "x$name") or label_mismatch(up,"a",("$name")) + f("$name")`:                       `label_match(up, "n.1", "xn\\.1") or label_mismatch(up,"a",("n\\.1")) + f("n.1")`,
		`label_transform(up, "$name", "$name", "$name")`:                                                            `label_transform(up, "n.1", "n\\.1", "n.1")`,
		`label_replace(up, "a", ("$name"), "b", ( ("$name")))`:                                                      `label_replace(up, "a", ("n.1"), "b", ( ("n\\.1")))`,
		`up{a=~"x" + "$name", b="x" + "$name"}`:                                                                     `up{a=~"x" + "n\\.1", b="x" + "n.1"}`,
		`WITH (x = "$name") label_match(up, "a", x)`:                                                                `has $name behind WITH, whose names may stand in a pattern: want the query without WITH`,
		`with (f(x) = up{a=~x}) f("$name")`:                                                                         `has $name behind WITH, whose names may stand in a pattern: want the query without WITH`,
		`WITH (x = $n) x`:                                                                                           `WITH (x = 5) x`,
		`up{a="\"$name"}`:                                                                                           `up{a="\"n.1"}`,
		`up{a="'$name'"}`:                                                                                           `up{a="'n.1'"}`,
		`up{a='"',b="$name"}`:                                                                                       `up{a='"',b="n.1"}`,
		"up{a=`\\`,b=\"$name\"}":                                                                                    "up{a=`\\`,b=\"n.1\"}",
		"up # it's\n + up{a=\"$name\"}":                                                                             "up # it's\n + up{a=\"n.1\"}",
		`rate(up{a="$enum"}[$time]) > $n`:                                                                           `rate(up{a="e"}[120s]) > 5`,
		`up{a="$n"}`:                                                                                                `up{a="5"}`,
		`up{a="$namespace$workload$kind"}`:                                                                          `up{a="shopwebDeployment"}`,
		`up{a="$$"}`:                                                                                                `up{a="$"}`,
		`$name`:                                                                                                     `has $name ` + inQuotes,
		`up{$name="x"}`:                                                                                             `has $name ` + inQuotes,
		`up{a="x"} + $word`:                                                                                         `has $word ` + inQuotes,
		`up + $enum`:                                                                                                `has $enum ` + inQuotes,
		`up{namespace=$namespace}`:                                                                                  `has $namespace ` + inQuotes,
		`up{a='$name'}`:                                                                                             `has $name ` + inQuotes,
		"up{a=`$name`}":                                                                                             `has $name ` + inQuotes,
		"up # $name":                                                                                                `has $name ` + inQuotes,
		"up # \"$name\"":                                                                                            `has $name ` + inQuotes,
		"up # $n":                                                                                                   `has $n ` + inQuotes,
		`up{a='$n'}`:                                                                                                `has $n ` + inQuotes,
		`up{a='"$name"'}`:                                                                                           `has $name ` + inQuotes,
		`up{a="x\\"} + $name + ""`:                                                                                  `has $name ` + inQuotes,
		`up{a="\$name"}`:                                                                                            `has $name behind a backslash`,
		`up{a="$name`:                                                                                               `has a string without its closing quote`,
		`up{a='x`:                                                                                                   `has a string without its closing quote`,
	} {
		q := &catalog.Query{Query: query, Parameters: map[string]catalog.Parameter{
			"name": {Kind: catalog.KindName}, "word": {Kind: catalog.KindWord}, "enum": {Kind: catalog.KindEnum}, "time": {Kind: catalog.KindDuration}, "n": {Kind: catalog.KindInteger},
		}}
		values := catalog.ParametersOf(map[string]string{"name": "n.1", "word": "w\"\\\n", "enum": "e", "time": "120s", "n": "5", "$namespace": "shop", "$workload": "web", "$kind": "Deployment"})
		got, err := promQL(q, func(variable string) (string, error) { return valueIn(values, variable) })
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", query, got, want)
		}
	}
}

// FuzzPromQL: whatever a value is, it ends no string, begins none, and is a pattern that stands for itself alone.
func FuzzPromQL(f *testing.F) {
	for _, value := range []string{"a", `"`, `\`, "\n", `"}) or vector(1e9) #`, "\xff", "`", ".*", `a|b`, `\E`, "(?i)A"} {
		f.Add(value)
	}
	q := &catalog.Query{Query: `a{b="$x",c=~"$x"} + label_match(d, "$x", ("$x")) + label_replace(d, "$x", "$x", "$x", "$x")`, Parameters: map[string]catalog.Parameter{"x": {Kind: catalog.KindWord}}}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := promQL(q, func(string) (string, error) { return value, nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []struct {
			before    string
			isPattern bool
		}{{`a{b=`, false}, {`,c=~`, true}, {`} + label_match(d, `, false}, {`, (`, true}, {`)) + label_replace(d, `, false}, {`, `, false}, {`, `, false}, {`, `, true}} {
			rest, ok := strings.CutPrefix(text, part.before)
			quoted, err := strconv.QuotedPrefix(rest)
			if !ok || err != nil {
				t.Fatalf("%q does not begin with %q and a string", text, part.before)
			}
			got, _ := strconv.Unquote(quoted)
			text = rest[len(quoted):]
			if !part.isPattern && got != value {
				t.Errorf("behind %q: %q", part.before, got)
			}
			if part.isPattern && utf8.ValidString(value) {
				pattern, err := regexp.Compile(got)
				if err != nil {
					t.Fatal(err)
				}
				if literal, isAll := pattern.LiteralPrefix(); literal != value || !isAll {
					t.Errorf("behind %q: the pattern %s", part.before, pattern)
				}
			}
		}
		if text != ")" {
			t.Errorf("at the end: %q", text)
		}
	})
}
