package dashboard

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/doctor"
)

const (
	tokenOfTest   = "first-url"
	sessionOfTest = "the-browsers-own"
	keyOfTest     = "the-pages-own"
)

// guarded is all that a browser can reach, before anything was asked.
func guarded(t *testing.T) (*guard, *server) {
	t.Helper()
	h := newHub("this", head{})
	s := &server{hub: h, ctx: t.Context(), trying: make(chan struct{}, 1), examining: make(chan struct{}, 1), poller: &poller{hub: h, now: time.Now, watched: make(chan struct{}, 1), trials: map[string]*trial{}}}
	return &guard{token: tokenOfTest, session: sessionOfTest, key: keyOfTest, address: "127.0.0.1:8090", port: "8090", next: s.handler()}, s
}

// ask asks as the page does that has the cookie and the key; change makes it another request.
func ask(t *testing.T, h http.Handler, method, target string, change func(r *http.Request)) answered {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	r.Host = "127.0.0.1:8090"
	query := r.URL.Query()
	query.Set("key", keyOfTest)
	r.URL.RawQuery = query.Encode()
	r.AddCookie(&http.Cookie{Name: "mini-hpa-dashboard-8090", Value: sessionOfTest})
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := w.Result()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{answer.StatusCode, answer.Header, body}
}

// answered is an answer, all of it.
type answered struct {
	StatusCode int
	Header     http.Header
	Body       []byte
}

// pathOf is a path that fits a pattern.
func pathOf(pattern string) string {
	return strings.NewReplacer("{$}", "", "{namespace}", "shop", "{kind}", "deployments.apps", "{name}", "web").Replace(pattern)
}

// TestNobodyElseComesThrough: whatever the path, what is there is there for one browser, by the right name, and to be read only.
func TestNobodyElseComesThrough(t *testing.T) {
	g, s := guarded(t)
	routes := slices.Sorted(maps.Keys(s.routes()))
	if len(routes) < 10 {
		t.Fatalf("only %d routes are tested: %v", len(routes), routes)
	}
	for _, pattern := range append(routes, "/nothing-here") {
		for name, c := range map[string]struct {
			method string
			change func(r *http.Request)
			code   int
		}{
			"POST":                     {method: http.MethodPost, code: http.StatusMethodNotAllowed},
			"PUT":                      {method: http.MethodPut, code: http.StatusMethodNotAllowed},
			"PATCH":                    {method: http.MethodPatch, code: http.StatusMethodNotAllowed},
			"DELETE":                   {method: http.MethodDelete, code: http.StatusMethodNotAllowed},
			"OPTIONS":                  {method: http.MethodOptions, code: http.StatusMethodNotAllowed},
			"CONNECT":                  {method: http.MethodConnect, code: http.StatusMethodNotAllowed},
			"TRACE":                    {method: http.MethodTrace, code: http.StatusMethodNotAllowed},
			"a method of his own":      {method: "BREW", code: http.StatusMethodNotAllowed},
			"no cookie":                {change: func(r *http.Request) { r.Header.Del("Cookie") }, code: http.StatusForbidden},
			"another cookie":           {change: func(r *http.Request) { r.Header.Set("Cookie", "mini-hpa-dashboard-8090=x") }, code: http.StatusForbidden},
			"the cookie of a port":     {change: func(r *http.Request) { r.Header.Set("Cookie", "mini-hpa-dashboard-1="+sessionOfTest) }, code: http.StatusForbidden},
			"a wrong token":            {change: func(r *http.Request) { r.Header.Del("Cookie"); r.URL.RawQuery = "token=x" }, code: http.StatusForbidden},
			"the session as token":     {change: func(r *http.Request) { r.Header.Del("Cookie"); r.URL.RawQuery = "token=" + sessionOfTest }, code: http.StatusForbidden},
			"a name that leads here":   {change: func(r *http.Request) { r.Host = "evil.example:8090" }, code: http.StatusMisdirectedRequest},
			"with the token, too":      {change: func(r *http.Request) { r.Host = "evil.example:8090"; r.URL.RawQuery = "token=" + tokenOfTest }, code: http.StatusMisdirectedRequest},
			"a name under localhost":   {change: func(r *http.Request) { r.Host = "localhost.evil.example:8090" }, code: http.StatusMisdirectedRequest},
			"another port":             {change: func(r *http.Request) { r.Host = "127.0.0.1:80" }, code: http.StatusMisdirectedRequest},
			"no port":                  {change: func(r *http.Request) { r.Host = "127.0.0.1" }, code: http.StatusMisdirectedRequest},
			"an address of the host":   {change: func(r *http.Request) { r.Host = "192.0.2.7:8090" }, code: http.StatusMisdirectedRequest},
			"another page":             {change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, code: http.StatusForbidden},
			"a page without an origin": {change: func(r *http.Request) { r.Header.Set("Origin", "null") }, code: http.StatusForbidden},
			"a page of another port":   {change: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, code: http.StatusForbidden},
			"an image in another page": {change: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, code: http.StatusForbidden},
		} {
			if c.method == "" {
				c.method = http.MethodGet
			}
			if got := ask(t, g, c.method, pathOf(pattern), c.change); got.StatusCode != c.code || !strings.Contains(got.Header.Get("Content-Security-Policy"), "default-src 'self'; ") {
				t.Errorf("%s, %s: answered %d, want %d", pattern, name, got.StatusCode, c.code)
			}
		}
	}
}

// TestTheBrowserComesThrough by each name of loopback, and is told everything in a form that runs nothing.
func TestTheBrowserComesThrough(t *testing.T) {
	g, s := guarded(t)
	for pattern := range s.routes() {
		want := http.StatusOK
		if strings.HasPrefix(pattern, pathTry) {
			want = http.StatusNotFound // nobody looks at it
		}
		for _, host := range []string{"127.0.0.1:8090", "localhost:8090", "LOCALHOST:8090", "[::1]:8090"} {
			got := ask(t, g, http.MethodHead, pathOf(pattern), func(r *http.Request) {
				r.Host = host
				r.Header.Set("Origin", "http://"+host)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
			})
			if got.StatusCode != want || got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Content-Type") == "" || got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s at %s: answered %d, want %d: %v", pattern, host, got.StatusCode, want, got.Header)
			}
		}
	}
}

// TestTheCookieAlone opens the pages, which are everybody's, and nothing that the cluster says: browsers send it to other ports, too.
func TestTheCookieAlone(t *testing.T) {
	g, s := guarded(t)
	for pattern := range s.routes() {
		want := http.StatusOK
		if strings.HasPrefix(pattern, pathStream) || strings.HasPrefix(pattern, pathTry) || pattern == pathDoctor {
			want = http.StatusForbidden
		}
		for _, query := range []string{"", "key=", "key=x", "key=" + sessionOfTest, "key=" + tokenOfTest} {
			if got := ask(t, g, http.MethodHead, pathOf(pattern), func(r *http.Request) { r.URL.RawQuery = query }); got.StatusCode != want {
				t.Errorf("%s?%s: answered %d, want %d", pattern, query, got.StatusCode, want)
			}
		}
	}
}

// TestTheFirstURL is exchanged for a cookie that no script and no other page has, and for the key of the page.
func TestTheFirstURL(t *testing.T) {
	g, _ := guarded(t)
	got := ask(t, g, http.MethodGet, "/?token="+tokenOfTest, func(r *http.Request) { r.Header.Del("Cookie") })
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/#key="+keyOfTest {
		t.Errorf("answered %d, to %q", got.StatusCode, got.Header.Get("Location"))
	}
	if cookie, want := got.Header.Get("Set-Cookie"), "mini-hpa-dashboard-8090="+sessionOfTest+"; Path=/; HttpOnly; SameSite=Strict"; cookie != want {
		t.Errorf("cookie %q, want %q", cookie, want)
	}
	if got := ask(t, g, http.MethodGet, "//evil.example/?token="+tokenOfTest, nil); got.Header.Get("Location") == "//evil.example/" {
		t.Error("it leads elsewhere")
	}
}

// TestOneTriesAtATime: whoever comes next waits, and is no longer there when he has gone away.
func TestOneTriesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := guarded(t)
		s.poller.trials["shop/deployments.apps/web"] = &trial{workload: &annotations.Workload{}, decision: cli.DefaultDecisionFlags()}
		try := func(ctx context.Context) int {
			return ask(t, g, http.MethodGet, "/try/shop/deployments.apps/web?mini-hpa%2Fmax=5", func(r *http.Request) { *r = *r.WithContext(ctx) }).StatusCode
		}
		s.trying <- struct{}{}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if code := try(ctx); code != http.StatusServiceUnavailable || time.Since(began) != time.Second {
			t.Errorf("who goes away: answered %d after %v", code, time.Since(began))
		}
		if code := try(t.Context()); code != http.StatusServiceUnavailable || time.Since(began) != time.Second+patience {
			t.Errorf("who waits too long: answered %d after %v", code, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { <-s.trying })
		for range 2 {
			if code := try(t.Context()); code != http.StatusOK {
				t.Errorf("the next one: answered %d", code)
			}
		}
	})
}

// TestWhatDoctorFinds is told when it is asked for, to one at a time, and as far as it was found in time.
func TestWhatDoctorFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := guarded(t)
		look := func(method string) (out findings, text string) {
			got := ask(t, g, method, pathDoctor, nil)
			if got.StatusCode != http.StatusOK {
				t.Fatalf("answered %d", got.StatusCode)
			}
			if text = string(got.Body); text != "" {
				if err := json.Unmarshal(got.Body, &out); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			return out, text
		}
		asked := 0
		const hostile = "<script>alert(1)</script>"
		s.doctor = func(context.Context) ([]doctor.Line, error) {
			asked++
			return slices.Concat([]doctor.Line{{Word: doctor.WordFail, Text: hostile}}, make([]doctor.Line, mostFindings)), nil
		}
		if _, text := look(http.MethodHead); text != "" || asked != 0 {
			t.Errorf("HEAD looked %d times, and answered %q", asked, text)
		}
		if out, text := look(http.MethodGet); asked != 1 || len(out.Lines) != mostFindings || out.More != 1 || out.Lines[0].Text != hostile || out.Problem != "" || strings.Contains(text, "<") {
			t.Errorf("looked %d times, and answered %s", asked, text)
		}
		s.doctor = func(ctx context.Context) ([]doctor.Line, error) {
			<-ctx.Done()
			return []doctor.Line{{Word: doctor.WordOK, Text: "in time"}}, context.Cause(ctx)
		}
		began := time.Now()
		if out, text := look(http.MethodGet); time.Since(began) != patience || len(out.Lines) != 1 || out.Problem != "that takes longer than 20s" {
			t.Errorf("after %v: %s", time.Since(began), text)
		}
		s.examining <- struct{}{}
		if out, text := look(http.MethodGet); out.Lines != nil || out.Problem != "somebody else examines: that takes longer than 20s" {
			t.Errorf("while another one looks: %s", text)
		}
	})
}

// TestAnExposedPage is there for addresses, and for no name.
func TestAnExposedPage(t *testing.T) {
	g, _ := guarded(t)
	g.remote = true
	for host, want := range map[string]int{"192.0.2.7:8090": http.StatusOK, "[2001:db8::1]:8090": http.StatusOK, "evil.example:8090": http.StatusMisdirectedRequest} {
		if got := ask(t, g, http.MethodGet, "/", func(r *http.Request) { r.Host = host }); got.StatusCode != want {
			t.Errorf("%s: answered %d, want %d", host, got.StatusCode, want)
		}
	}
}

// TestPageIsWhatItIsMadeOf: the compressed files are those of the folder. They are small, whole, and make no markup of text.
func TestPageIsWhatItIsMadeOf(t *testing.T) {
	size := 0
	for name, packed := range map[string]string{"index.html": indexHTML, "style.css": styleCSS, "chart.js": chartJS, "app.js": appJS, "icon.svg": iconSVG} {
		text, err := os.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if unpacked := unpack(t, packed); *clitest.Update {
			pack(t, "page/"+name+".gz", text)
		} else if unpacked != string(text) {
			t.Errorf("page/%s.gz is stale, see the -update flag", name)
		}
		size += len(text)
		rest := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http:", "https:", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "createTextNode", "Function(", " style=", "<script>", " on" + "click=\""} {
			if strings.Contains(rest, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
	if size > 60_000 {
		t.Errorf("it has %d bytes, want 60,000 at most", size)
	}
}

func unpack(t *testing.T, packed string) string {
	t.Helper()
	in, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pack(t *testing.T, path string, text []byte) {
	t.Helper()
	var packed bytes.Buffer
	out, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
