package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// crowd are workloads of which nothing is known but that they are there, in the order of a table.
type crowd []annotations.Key

func (c crowd) Standing(wanted func(annotations.Key) bool) []annotations.Key {
	var keys []annotations.Key
	for _, key := range c {
		if wanted(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (crowd) Status(k annotations.Key) (scaler.Status, bool) {
	return scaler.Status{Kind: k.Kind.Kind, Namespace: k.Namespace, Name: k.Name}, true
}

func (crowd) Chronicle(annotations.Key) []scaler.Entry {
	return []scaler.Entry{{Reason: "X", Message: "said"}}
}

func (crowd) Show(k annotations.Key) (scaler.Shown, bool) {
	return scaler.Shown{Status: scaler.Status{Name: k.Name}}, true
}

// asked is a file of sources that is not right.
type asked struct{}

func (asked) Status() (all []sources.Status, fileError string) { return nil, "it is not right" }

// ask asks a handler as somebody does who has connected to loopback.
func ask(t *testing.T, h http.Handler, method, target, host string, into any) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if into != nil && json.Unmarshal(w.Body.Bytes(), into) != nil {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w.Code
}

func leading() Head { return Head{Leading: true, Identity: "me"} }

// TestPagesHaveEachWorkloadOnce: whatever their size, and in the order of the table.
func TestPagesHaveEachWorkloadOnce(t *testing.T) {
	var all crowd
	for i := range 1203 {
		all = append(all, annotations.DeploymentKey(fmt.Sprintf("ns-%d", i%7), fmt.Sprintf("web-%d", i)))
	}
	slices.SortFunc(all, scaler.CompareKeys)
	h := Handler(leading, func() Teller { return all }, nil)
	for _, limit := range []string{"", "1", "7", "499"} {
		var got []string
		pages := 0
		for query := (url.Values{ParamLimit: {limit}}); ; pages++ {
			var page Page
			ask(t, h, http.MethodGet, PathAll+"?"+query.Encode(), "localhost:8082", &page)
			for _, item := range page.Items {
				got = append(got, item.Namespace+"/"+item.Name)
			}
			if page.Continue == "" {
				break
			}
			query.Set(ParamContinue, page.Continue)
		}
		var want []string
		for _, key := range all {
			want = append(want, key.Namespace+"/"+key.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %q: %d workloads in %d pages, want %d", limit, len(got), pages, len(want))
		}
	}
	var page ChroniclePage
	ask(t, h, http.MethodGet, PathHistory+"?namespace=ns-3&name=web-3&kind=deployments.apps", "localhost", &page)
	if len(page.Items) != 1 || page.Items[0].Name != "web-3" || len(page.Items[0].Entries) != 1 {
		t.Errorf("history of one: %+v", page.Items)
	}
}

func TestWhatIsNotAnswered(t *testing.T) {
	h := Handler(leading, func() Teller { return crowd{annotations.DeploymentKey("shop", "web")} }, asked{})
	standby := Handler(func() Head { return Head{Identity: "you"} }, func() Teller { return crowd{} }, asked{})
	for name, c := range map[string]struct {
		handler              http.Handler
		method, target, host string
		code                 int
	}{
		"a name that leads to loopback": {h, http.MethodGet, PathAll, "evil.example:8082", http.StatusForbidden},
		"the address of the pod":        {h, http.MethodGet, PathAll, "10.0.0.7:8082", http.StatusForbidden},
		"IPv6":                          {h, http.MethodGet, PathAll, "[::1]:8082", http.StatusOK},
		"a standby":                     {standby, http.MethodGet, PathAll, "127.0.0.1:8082", http.StatusServiceUnavailable},
		"a write":                       {h, http.MethodPost, PathAll, "localhost", http.StatusMethodNotAllowed},
		"a deletion":                    {h, http.MethodDelete, PathOne + "shop/deployments.apps/web", "localhost", http.StatusMethodNotAllowed},
		"a change":                      {h, http.MethodPut, PathHistory, "localhost", http.StatusMethodNotAllowed},
		"too large a page":              {h, http.MethodGet, PathAll + "?limit=501", "localhost", http.StatusBadRequest},
		"a broken continue":             {h, http.MethodGet, PathAll + "?continue=x", "localhost", http.StatusBadRequest},
		"sources":                       {h, http.MethodGet, PathSources, "localhost", http.StatusOK},
		"sources of a standby":          {standby, http.MethodGet, PathSources, "localhost", http.StatusServiceUnavailable},
		"nobody":                        {h, http.MethodGet, PathOne + "shop/deployments.apps/web2", "localhost", http.StatusNotFound},
		"another kind":                  {h, http.MethodGet, PathOne + "shop/statefulsets.apps/web", "localhost", http.StatusNotFound},
		"somebody":                      {h, http.MethodGet, PathOne + "shop/deployments.apps/web", "localhost", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			if code := ask(t, c.handler, c.method, c.target, c.host, nil); code != c.code {
				t.Errorf("answered %d, want %d", code, c.code)
			}
		})
	}
}

// TestTracesAreFiles: what is recorded can be listed and fetched, and nothing beside it, be it by a link.
func TestTracesAreFiles(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{filepath.Join(dir, "shop", "web.trace.jsonl"): "{}\n", secret: "hidden words"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	h := WithTraces(Handler(func() Head { return Head{} }, func() Teller { return crowd(nil) }, nil), root.FS())
	for name, test := range map[string]struct {
		method, target, host string
		status               int
		want                 string
	}{
		"a file":                {"GET", PathTraces + "shop/web.trace.jsonl", "localhost:8082", http.StatusOK, "{}\n"},
		"a list":                {"GET", PathTraces + "shop/", "127.0.0.1", http.StatusOK, "web.trace.jsonl\n"},
		"all that there is":     {"GET", PathTraces, "localhost", http.StatusOK, "shop/\n"},
		"what is not there":     {"GET", PathTraces + "shop/db.trace.jsonl", "localhost", http.StatusNotFound, "shop/db.trace.jsonl"},
		"a file beside":         {"GET", PathTraces + "../secret", "localhost", http.StatusTemporaryRedirect, ""},
		"a link that leads":     {"GET", PathTraces + "link", "localhost", http.StatusNotFound, "cannot read what is recorded at"},
		"another name":          {"GET", PathTraces + "shop/web.trace.jsonl", "evil.example.com", http.StatusForbidden, "want localhost"},
		"writing":               {"PUT", PathTraces + "shop/web.trace.jsonl", "localhost", http.StatusNotFound, ""},
		"the rest is as it was": {"GET", PathAll, "localhost", http.StatusServiceUnavailable, "does not lead"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), test.method, test.target, http.NoBody)
			r.Host = test.host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || strings.Contains(w.Body.String(), "hidden") {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.status, test.want)
			}
		})
	}
}
