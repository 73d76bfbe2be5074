package rig

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		method, path string
		want         Request
	}{
		"a list of all namespaces": {"GET", "/api/v1/pods?limit=5", Request{Verb: "list", Resource: "pods"}},
		"a watch":                  {"GET", "/apis/apps/v1/deployments?watch=true", Request{Verb: "watch", Group: "apps", Resource: "deployments"}},
		"a watch of one namespace": {"GET", "/api/v1/namespaces/a/pods?watch=1", Request{Verb: "watch", Resource: "pods", Namespace: "a"}},
		"an object":                {"GET", "/apis/apps/v1/namespaces/a/deployments/web", Request{Verb: "get", Group: "apps", Resource: "deployments", Namespace: "a", Name: "web"}},
		"a subresource":            {"PUT", "/apis/apps/v1/namespaces/a/deployments/web/scale", Request{Verb: "update", Group: "apps", Resource: "deployments/scale", Namespace: "a", Name: "web"}},
		"a patch":                  {"PATCH", "/api/v1/namespaces/a/events/e", Request{Verb: "patch", Resource: "events", Namespace: "a", Name: "e"}},
		"a new object":             {"POST", "/apis/coordination.k8s.io/v1/namespaces/a/leases", Request{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Namespace: "a"}},
		"a namespace":              {"GET", "/api/v1/namespaces/a", Request{Verb: "get", Resource: "namespaces", Name: "a"}},
		"an end":                   {"DELETE", "/api/v1/namespaces/a/pods/p", Request{Verb: "delete", Resource: "pods", Namespace: "a", Name: "p"}},
		"an end of many":           {"DELETE", "/api/v1/namespaces/a/pods", Request{Verb: "deletecollection", Resource: "pods", Namespace: "a"}},
		"discovery":                {"GET", "/apis", Request{Verb: "get"}},
		"no resource":              {"GET", "/version", Request{Verb: "get"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.At = at
			if diff := cmp.Diff(test.want, parse(httptest.NewRequest(test.method, test.path, nil), at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := Request{Verb: "update", Resource: "deployments/scale", Namespace: "a", Name: "web", At: at}
	tests := map[string]struct {
		match Match
		want  bool
	}{
		"any":               {On("", ""), true},
		"its verb":          {On("update", ""), true},
		"another verb":      {On("patch", "deployments/scale"), false},
		"another resource":  {On("update", "deployments"), false},
		"its namespace":     {On("update", "deployments/scale").In("a"), true},
		"another namespace": {On("", "").In("b"), false},
		"its name":          {On("", "").In("a").Named("web"), true},
		"another name":      {On("", "").Named("api"), false},
		"before later":      {On("", "").Before(at.Add(1)), true},
		"before itself":     {On("", "").Before(at), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.match(r); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
