package sources

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// sourceOf is the source of a file with one entry, and the entry's own catalog.
func sourceOf(t *testing.T, file string) (metrics.Source, *catalog.Catalog) {
	t.Helper()
	c, err := catalog.Parse([]byte(file), Types())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(c.Entries()[0], environment(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, c
}

// answered is what a line of a workload gets: a number, or what its tenant reads.
func answered(t *testing.T, s metrics.Source, c *catalog.Catalog, query string, given map[string]string) string {
	t.Helper()
	name := c.Entries()[0].Name
	parameters, problems := c.Resolve(catalog.Workload{Namespace: "shop", Kind: "Deployment", Name: "web"}, catalog.Asked{Source: name, Query: query, Given: given})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, err := s.Ask(t.Context(), metrics.Question{Source: name, Namespace: "shop", Metric: query, Parameters: parameters})
	if err != nil {
		return withoutID(err)
	}
	return a.External[0].Value.String()
}

// TestANumberOfAnHTTPServer is at the JSON pointer of a query, below a path whose segments are escaped.
func TestANumberOfAnHTTPServer(t *testing.T) {
	var path, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	_, c := sourceOf(t, `
version: v1
sources:
- name: billing
  type: http
  url: `+server.URL+`/internal
  namespaces: ["*"]
  queries:
  - {name: open, path: "/tenants/$namespace/$queue", value: /a~1b/1/open, parameters: {queue: {type: word}}}
  - {name: lenient, path: "/tenants/$namespace", value: /open, empty: "0"}
  - {name: whole, path: /open}
`)
	for name, d := range map[string]struct{ query, queue, body, path, want string }{
		"a number":                  {"open", "orders", `{"a/b": [0, {"open": 12}]}`, "/internal/tenants/shop/orders", "12"},
		"a fraction":                {"open", "orders", `{"a/b": [0, {"open": 1.5}]}`, "/internal/tenants/shop/orders", "1500m"},
		"text that is a number":     {"open", "orders", `{"a/b": [0, {"open": "1e3"}]}`, "/internal/tenants/shop/orders", "1k"},
		"a segment with a slash":    {"open", "a/b?c#d", `{"a/b": [0, {"open": 1}]}`, "/internal/tenants/shop/a%2Fb%3Fc%23d", "1"},
		"a way out, escaped":        {"open", "%2e%2e", `{"a/b": [0, {"open": 1}]}`, "/internal/tenants/shop/%252e%252e", "1"},
		"text":                      {"open", "x", `{"a/b": [0, {"open": "hunter2"}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"hexadecimal":               {"open", "x", `{"a/b": [0, {"open": "0x10"}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"NaN":                       {"open", "x", `{"a/b": [0, {"open": "NaN"}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"a truth":                   {"open", "x", `{"a/b": [0, {"open": true}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"a list":                    {"open", "x", `{"a/b": [0, {"open": [1]}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"a number below 0":          {"open", "x", `{"a/b": [0, {"open": -1}]}`, "/internal/tenants/shop/x", "billing has a negative number for it"},
		"a number without an end":   {"open", "x", `{"a/b": [0, {"open": 1e999}]}`, "/internal/tenants/shop/x", "billing has no number at that place"},
		"nothing there":             {"open", "x", `{}`, "/internal/tenants/shop/x", "billing has no value for it"},
		"null":                      {"open", "x", `{"a/b": [0, {"open": null}]}`, "/internal/tenants/shop/x", "billing has no value for it"},
		"nothing there, which is 0": {"lenient", "", `{}`, "/internal/tenants/shop", "0"},
		"the whole":                 {"whole", "", `7`, "/internal/open", "7"},
		"no JSON":                   {"whole", "", `<html>hunter2`, "/internal/open", "billing did not answer with JSON"},
		"two values":                {"whole", "", `7 8`, "/internal/open", "billing did not answer with JSON"},
		"too deep":                  {"whole", "", strings.Repeat("[", 20000), "/internal/open", "billing did not answer with JSON"},
		"nothing at all":            {"whole", "", ``, "/internal/open", "billing did not answer with JSON"},
	} {
		given := map[string]string{}
		if d.queue != "" {
			given["queue"] = d.queue
		}
		path, body = "", d.body
		s, _ := Open(c.Entries()[0], environment(), nil)
		if got := answered(t, s, c, d.query, given); got != d.want || path != d.path {
			t.Errorf("%s: %q from path %q\nwant %q from path %q", name, got, path, d.want, d.path)
		}
		s.Close()
	}
}

// TestNoValueLeadsOutOfItsSegment, also one that the file's own checks would let through.
func TestNoValueLeadsOutOfItsSegment(t *testing.T) {
	query := &catalog.Query{Path: "/tenants/$namespace/$queue/x$queue", Parameters: map[string]catalog.Parameter{"queue": {Name: "queue", Kind: catalog.KindWord}}}
	for value, want := range map[string]string{
		"orders": "/tenants/shop/orders/xorders", "a b?c#d;e": "/tenants/shop/a%20b%3Fc%23d%3Be/xa%20b%3Fc%23d%3Be", "...": "/tenants/shop/.../x...",
		".": "", "..": "", "../..": "", "a/../../../admin": "", `a\..\b`: "", "/": "/tenants/shop/%2F/x%2F",
	} {
		got, err := pathOf(query, catalog.ParametersOf(map[string]string{"$namespace": "shop", "queue": value}))
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", value, got, err, want)
		}
	}
	if _, err := pathOf(query, ""); told(err) != "was asked without a value that it needs" {
		t.Errorf("without values: %v", err)
	}
}

// TestJSONPointers are those of RFC 6901, section 5.
func TestJSONPointers(t *testing.T) {
	document := `{"foo": [0, 1], "": 2, "a/b": 3, "c%d": 4, "e^f": 5, "g|h": 6, "i\\j": 7, "k\"l": 8, " ": 9, "m~n": 10}`
	for pointer, want := range map[string]string{
		"/foo/0": "0", "/foo/1": "1", "/": "2", "/a~1b": "3", "/c%d": "4", "/e^f": "5", "/g|h": "6", `/i\j`: "7", `/k"l`: "8", "/ ": "9", "/m~0n": "10",
		"/foo/2": "", "/foo/-": "", "/foo/01": "", "/foo/-1": "", "/foo/0/x": "", "/x": "", "/foo/18446744073709551616": "",
	} {
		a, err := numberAt([]byte(document), pointer)
		got := ""
		if len(a.External) > 0 {
			got = a.External[0].Value.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", pointer, got, err, want)
		}
	}
}

// TestQueriesOfHTTPThatAreRefused when the file is read.
func TestQueriesOfHTTPThatAreRefused(t *testing.T) {
	for query, want := range map[string]string{
		`{name: x, path: /a, query: up}`: `sources[0].queries[0].query: Forbidden: type "http" has path and value instead`,
		`{name: x, path: a}`:             `sources[0].queries[0].path: Invalid value: "a": must begin with "/", and have no parameters and no fragment`,
		`{name: x, path: "/a?b=1"}`:      `sources[0].queries[0].path: Invalid value: "/a?b=1": must begin with "/", and have no parameters and no fragment`,
		`{name: x, path: /a/../b}`:       `sources[0].queries[0].path: Invalid value: "/a/../b": must be a path as it is in a URL, without the segments "." and ".."`,
		`{name: x, path: "/a/%2e%2E/b"}`: `sources[0].queries[0].path: Invalid value: "/a/%2e%2E/b": must be a path as it is in a URL, without the segments "." and ".."`,
		`{name: x, path: "/a/%zz"}`:      `sources[0].queries[0].path: Invalid value: "/a/%zz": must be a path as it is in a URL, without the segments "." and ".."`,
	} {
		_, err := catalog.Parse([]byte("version: v1\nsources:\n- name: a\n  type: http\n  url: http://a.example\n  namespaces: [\"*\"]\n  queries: ["+query+"]\n"), Types())
		if diff := gocmp.Diff(want, fmt.Sprint(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}
