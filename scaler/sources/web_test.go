package sources

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// fileWith writes a file for a test.
func fileWith(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// opened is a client of what a test says.
func opened(t *testing.T, env Env, w Web) *webClient {
	t.Helper()
	if problems := w.check(field.NewPath("x")); len(problems) > 0 {
		t.Fatal(problems.ToAggregate())
	}
	c, err := w.open(env, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// TestAnswersThatAreNoAnswers of servers that are broken, or hostile.
func TestAnswersThatAreNoAnswers(t *testing.T) {
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	redirect := func(to string, code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, code) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "tenant b's secret is hunter2", code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		told   string
	}{
		"a redirect to a cloud's credentials": {redirect("http://169.254.169.254/latest/meta-data", http.StatusFound), "answered with a redirect, which is not followed"},
		"a redirect to another server":        {redirect(elsewhere.URL, http.StatusTemporaryRedirect), "answered with a redirect, which is not followed"},
		"a redirect to itself":                {redirect("/", http.StatusMovedPermanently), "answered with a redirect, which is not followed"},
		"no rights":                           {status(http.StatusForbidden), "refused the credentials"},
		"nobody":                              {status(http.StatusUnauthorized), "refused the credentials"},
		"nothing there":                       {status(http.StatusNotFound), "has nothing at that path"},
		"too many":                            {status(http.StatusTooManyRequests), "has too much to do"},
		"broken":                              {status(http.StatusInternalServerError), "answered 500"},
		"away":                                {status(http.StatusServiceUnavailable), "answered 503"},
		"no content":                          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "answered 204"},
		"a body without an end": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "answered more than is read"},
		"headers without an end": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
			}
		}, "cannot be reached"},
		"a body that is broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}, "broke off its answer"},
		"a connection that is broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off its answer"},
		"interim answers without an end":  {raw("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "cannot be reached"},
		"another protocol from here on":   {raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", ""), "answered 101"},
		"a line without an end":           {raw("", "HTTP/1.1 200 "), "cannot be reached"},
		"two lengths":                     {raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", ""), "cannot be reached"},
		"chunks that are none":            {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n", ""), "cannot be reached"},
		"a chunk's length without an end": {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"), "cannot be reached"},
		"trailers without an end":         {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\n", "X: y\r\n"), "cannot be reached"},
		"another protocol": {func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = connection.Write([]byte("-ERR unknown command 'GET'\r\n"))
				_ = connection.Close()
			}
		}, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			_, err := opened(t, environment(), Web{URL: server.URL}).get(t.Context(), webRequest{path: "/"})
			if got := told(err); got != c.told {
				t.Errorf("%v, told as %q, want %q", err, got, c.told)
			}
		})
	}
	if n := followed.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// raw answers with bytes, the last of them again and again, and keeps the connection open.
func raw(first, again string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, err = connection.Write([]byte(first))
		}
		for err == nil && again != "" {
			_, err = connection.Write([]byte(again))
		}
	}
}

// TestADeadlineStaysADeadline, so that the source's own words say how long was waited.
func TestADeadlineStaysADeadline(t *testing.T) {
	drip := func(first, again string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, err = connection.Write([]byte(first))
			}
			for err == nil {
				_, err = connection.Write([]byte(again))
				<-time.After(time.Millisecond)
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"silence":              func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a header that drips":  drip("HTTP/1.1 200 OK\r\nX: ", "x"),
		"HTTP/2":               drip("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x10\x00\x00", "\x00"),
		"a body that drips":    drip("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", " "),
		"a failure that drips": drip("HTTP/1.1 500 Sorry\r\nContent-Length: 100000\r\n\r\n", " "),
	} {
		server := httptest.NewServer(answer)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := opened(t, environment(), Web{URL: server.URL}).get(ctx, webRequest{path: "/"})
		if told(err) != "" && told(err) != "answered 500" || err == nil || ctx.Err() == nil {
			t.Errorf("%s: %v, told as %q", name, err, told(err))
		}
		cancel()
		server.Close()
	}
}

// TestNothingIsDecompressed: a few kilobytes can stand for gigabytes.
func TestNothingIsDecompressed(t *testing.T) {
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	_, _ = packer.Write(make([]byte, 64<<20))
	_ = packer.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if accepts := r.Header.Get("Accept-Encoding"); accepts != "" {
			t.Errorf("encoding %q is accepted", accepts)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer server.Close()
	got, err := opened(t, environment(), Web{URL: server.URL}).get(t.Context(), webRequest{path: "/"})
	if err != nil || len(got) != bomb.Len() {
		t.Errorf("%d bytes, %v, want the %d that were sent", len(got), err, bomb.Len())
	}
}

// TestNoAnswerBringsACredentialIntoTheLog, wherever in it a server repeats what it was sent, nor to a tenant.
func TestNoAnswerBringsACredentialIntoTheLog(t *testing.T) {
	token, user, password := fileWith(t, "t0ken-\"one\""), fileWith(t, "somebody"), fileWith(t, "pass:w0rd")
	var answer string
	code := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := json.Marshal(r.Header.Get("Authorization"))
		w.Header().Set("Location", "/"+r.Header.Get("Authorization"))
		w.WriteHeader(code)
		fmt.Fprint(w, strings.ReplaceAll(answer, "IT", string(text)))
	}))
	defer server.Close()
	entry := func(kind, auth, query string) string {
		return fmt.Sprintf("- {name: a-%s, type: %s, url: %q, namespaces: [\"*\"], auth: {%s}, queries: [{name: q, %s}]}\n", kind, kind, server.URL, auth, query)
	}
	ofToken, ofUser := "bearerTokenFile: "+token, "userFile: "+user+", passwordFile: "+password
	for name, c := range map[string]struct {
		code                      int
		kind, auth, query, answer string
	}{
		"a failure":                  {500, "http", ofUser, "path: /q", "IT"},
		"a redirect":                 {302, "http", ofToken, "path: /q", "IT"},
		"a number":                   {200, "http", ofToken, "path: /q", "IT"},
		"a number of somebody":       {200, "http", ofUser, "path: /q, value: /a", `{"a": IT}`},
		"no JSON":                    {200, "http", ofToken, "path: /q", "IT IT"},
		"an error of Prometheus":     {200, "prometheus", ofToken, "query: up", `{"status": "error", "error": IT}`},
		"a status of Prometheus":     {200, "prometheus", ofUser, "query: up", `{"status": IT}`},
		"a result of Prometheus":     {200, "prometheus", ofToken, "query: up", `{"status": "success", "data": {"resultType": IT}}`},
		"a value of Prometheus":      {200, "prometheus", ofToken, "query: up", `{"status": "success", "data": {"resultType": "scalar", "result": [1, IT]}}`},
		"a warning of Prometheus":    {200, "prometheus", ofUser, "query: up", `{"status": "success", "warnings": [IT], "data": {"resultType": "vector", "result": []}}`},
		"a bad request, Prometheus'": {400, "prometheus", ofToken, "query: up", `{"status": "error", "error": IT}`},
	} {
		t.Run(name, func(t *testing.T) {
			code, answer = c.code, c.answer
			listed, err := catalog.Parse([]byte("version: v1\nsources:\n"+entry(c.kind, c.auth, c.query)), Types())
			if err != nil {
				t.Fatal(err)
			}
			core, logged := observer.New(zapcore.DebugLevel)
			env := environment()
			env.Log = zap.New(core)
			s, err := Open(listed.Entries()[0], env, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Ask(t.Context(), metrics.Question{Namespace: "shop", Metric: "q"})
			text := fmt.Sprint(err)
			for _, line := range logged.All() {
				text += fmt.Sprintf("\n%s %v", line.Message, line.ContextMap())
			}
			if err == nil || logged.Len() == 0 || strings.Contains(text, "t0ken") || strings.Contains(text, "w0rd") || strings.Contains(text, "c29tZWJvZHk6") {
				t.Errorf("a credential is seen, or nothing at all: %s", text)
			}
		})
	}
}

// TestNoProxyOfTheEnvironment: it would see the credentials.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	c := opened(t, environment(), Web{URL: "http://prometheus.invalid"})
	if transport, ok := c.client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Error("the client has a proxy")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.get(ctx, webRequest{path: "/"}); err == nil || asked.Load() > 0 {
		t.Errorf("the proxy was asked %d times: %v", asked.Load(), err)
	}
}

// TestCredentialsAreReadAgain at each request, and appear in no log, also if the server repeats them.
func TestCredentialsAreReadAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			http.Error(w, "what is this? "+r.Header.Get("Authorization"), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	token, user, password := fileWith(t, "t0ken-one\n"), fileWith(t, "me"), fileWith(t, "pass:w0rd\r\n")
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log = zap.New(core)
	for name, c := range map[string]struct {
		auth *Auth
		want string
	}{
		"none":  {nil, ""},
		"token": {&Auth{BearerTokenFile: token}, "Bearer t0ken-one"},
		"basic": {&Auth{Credentials: Credentials{UserFile: user, PasswordFile: password}}, "Basic bWU6cGFzczp3MHJk"},
	} {
		client := opened(t, env, Web{URL: server.URL, Auth: c.auth})
		if got, err := client.get(t.Context(), webRequest{path: "/"}); err != nil || string(got) != c.want {
			t.Errorf("%s: sent %q, %v, want %q", name, got, err, c.want)
		}
		_, err := client.get(t.Context(), webRequest{path: "/fails"})
		if text := fmt.Sprint(err, logged.All()); strings.Contains(text, "t0ken") || strings.Contains(text, "w0rd") || strings.Contains(text, "bWU6cGFzczp3MHJk") {
			t.Errorf("%s: a credential is seen: %s", name, text)
		}
	}
	client := opened(t, env, Web{URL: server.URL, Auth: &Auth{BearerTokenFile: token}})
	if err := os.WriteFile(token, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := client.get(t.Context(), webRequest{path: "/"}); err != nil || string(got) != "Bearer two" {
		t.Errorf("after the file has changed: %q, %v", got, err)
	}
	for name, text := range map[string]string{"an empty file": "\n", "two lines": "a\nX-Admin: yes"} {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := client.get(t.Context(), webRequest{path: "/"}); told(err) != "is not set up: a file of it cannot be read" || strings.Contains(err.Error(), "Admin") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestASecretThatIsWithinAnAnswer changes nothing of it, and is not seen in an error that quotes it.
func TestASecretThatIsWithinAnAnswer(t *testing.T) {
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	defer server.Close()
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log = zap.New(core)
	c, err := catalog.Parse(fmt.Appendf(nil, "version: v1\nsources:\n- {name: billing, type: http, url: %q, namespaces: [\"*\"], auth: {userFile: %s, passwordFile: %s}, queries: [{name: open, path: /, value: /open}]}\n",
		server.URL, fileWith(t, "open"), fileWith(t, "1234")), Types())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct{ body, want string }{
		{`{"open": 123456}`, "123456"},
		{`{"other": 7, "open": "0.1234"}`, "124m"},
		{`{"open": "` + strings.Repeat("x", 35) + `open1234"}`, "billing has no number at that place"},
	} {
		body = one.body
		s, err := Open(c.Entries()[0], env, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := answered(t, s, c, "open", nil); got != one.want {
			t.Errorf("%s: %q, want %q", one.body, got, one.want)
		}
		s.Close()
	}
	for _, one := range logged.All() {
		if text := fmt.Sprint(one.ContextMap()["error"]); !strings.Contains(text, "xxx") || strings.Contains(text, "xope") || strings.Contains(text, "123") {
			t.Errorf("the log: %s", text)
		}
	}
	if logged.Len() != 1 {
		t.Errorf("the log: %v", logged.All())
	}
}

// TestWhomTLSTrusts: whom the entry says, or the system.
func TestWhomTLSTrusts(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "yes") }))
	defer server.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // what is to be refused
	old.StartTLS()
	defer old.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	ca := fileWith(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for name, c := range map[string]struct {
		url  string
		tls  *TLS
		told string
	}{
		"the CA":                 {server.URL, &TLS{CAFile: ca}, ""},
		"a name":                 {server.URL, &TLS{CAFile: ca, ServerName: "example.com"}, ""},
		"another name":           {server.URL, &TLS{CAFile: ca, ServerName: "example.org"}, "has a certificate that is not trusted"},
		"the system":             {server.URL, nil, "has a certificate that is not trusted"},
		"anybody":                {server.URL, &TLS{Insecure: true}, ""},
		"a version that is old":  {old.URL, &TLS{CAFile: ca}, "refused the TLS connection"},
		"no TLS":                 {strings.Replace(plain.URL, "http:", "https:", 1), &TLS{CAFile: ca}, "does not speak TLS"},
		"a file that is missing": {server.URL, &TLS{CAFile: ca + "x"}, "is not set up: a file of it cannot be read"},
		"a file that is no CA":   {server.URL, &TLS{CAFile: fileWith(t, "x")}, "is not set up: a file of it cannot be read"},
		"a key that is none":     {server.URL, &TLS{CAFile: ca, CertFile: ca, KeyFile: ca}, "is not set up: a file of it cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := opened(t, environment(), Web{URL: c.url, TLS: c.tls}).get(t.Context(), webRequest{path: "/"})
			if got := told(err); got != c.told || (err == nil) != (c.told == "") {
				t.Errorf("%v, told as %q, want %q", err, got, c.told)
			}
		})
	}
}

// TestWarningsAtTheStart of what is not safe.
func TestWarningsAtTheStart(t *testing.T) {
	password := fileWith(t, "x")
	for name, c := range map[string]struct {
		web  Web
		want int
	}{
		"safe":                         {Web{URL: "https://a.example"}, 0},
		"any certificate":              {Web{URL: "https://a.example", TLS: &TLS{Insecure: true}}, 1},
		"credentials that all can see": {Web{URL: "http://a.example", Auth: &Auth{BearerTokenFile: password}}, 1},
		"credentials on this machine":  {Web{URL: "http://localhost", Auth: &Auth{BearerTokenFile: password}}, 0},
	} {
		core, logged := observer.New(zapcore.WarnLevel)
		opened(t, Env{Log: zap.New(core), ReadFile: os.ReadFile}, c.web)
		if got := logged.Len(); got != c.want {
			t.Errorf("%s: %d warnings, want %d", name, got, c.want)
		}
	}
}

const ownToken = "is the controller's own token, with which whoever gets it can scale in its place: want one that was made for this source"

// TestWhatAnEntrySaysOfAServer, and what is wrong with it.
func TestWhatAnEntrySaysOfAServer(t *testing.T) {
	for text, want := range map[string]string{
		`{"url": "https://a.example:9090/prefix/", "tls": {"caFile": "/a"}, "auth": {"bearerTokenFile": "/b"}}`: "",
		`{"url": "http://a.example", "auth": {"userFile": "/a", "passwordFile": "/b"}}`:                         "",
		`{}`:                                     `x.url: Required value: such as https://prometheus.monitoring.svc:9090`,
		`{"url": "https://me:secret@a.example"}`: `x.url: Invalid value: want no credentials in it: auth names the files that hold them`,
		`{"url": "https://me:sec ret@a.example"}`:                   `x.url: Invalid value: want a URL such as https://prometheus.monitoring.svc:9090`,
		`{"url": "ftp://a.example"}`:                                `x.url: Invalid value: "ftp://a.example": want http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]`,
		`{"url": "https:///a"}`:                                     `x.url: Invalid value: "https:///a": want http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]`,
		`{"url": "https://a.example?x=1"}`:                          `x.url: Invalid value: "https://a.example?x=1": want no parameters and no fragment`,
		`{"url": "http://a.example", "tls": {"insecure": true}}`:    `x.tls: Invalid value: url begins with http://, which is not encrypted: want https://, or no tls`,
		`{"url": "https://a.example", "tls": {"certFile": "/a"}}`:   `x.tls: Invalid value: certFile and keyFile belong together: want both or neither`,
		`{"url": "https://a.example", "tls": {"caFile": "a/../b"}}`: `x.tls.caFile: Invalid value: "a/../b": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`,
		`{"url": "https://a.example", "auth": {"bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}}`:                   `x.auth.bearerTokenFile: Invalid value: "/var/run/secrets/kubernetes.io/serviceaccount/token": ` + ownToken,
		`{"url": "https://a.example", "auth": {"userFile": "/a", "passwordFile": "/run/secrets/kubernetes.io/serviceaccount/..data/token"}}`: `x.auth.passwordFile: Invalid value: "/run/secrets/kubernetes.io/serviceaccount/..data/token": ` + ownToken,
		`{"url": "https://a.example", "tls": {"caFile": "/proc/1/root/run/secrets/kubernetes.io/serviceaccount/token"}}`:                     `x.tls.caFile: Invalid value: "/proc/1/root/run/secrets/kubernetes.io/serviceaccount/token": ` + ownToken,
		`{"url": "https://a.example", "tls": {"caFile": "/var/run/secrets/kubernetes.io/serviceaccount/service-ca.crt"}}`:                    "",
		`{"url": "https://a.example", "auth": {"bearerTokenFile": "/etc/../var/run/secrets/kubernetes.io/serviceaccount/token"}}`:            `x.auth.bearerTokenFile: Invalid value: "/etc/../var/run/secrets/kubernetes.io/serviceaccount/token": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`,
		`{"url": "https://a.example", "auth": {"bearerTokenFile": "//var/run/secrets/kubernetes.io/serviceaccount/token"}}`:                  `x.auth.bearerTokenFile: Invalid value: "//var/run/secrets/kubernetes.io/serviceaccount/token": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password`,
		`{"url": "https://a.example", "auth": {}}`:                                `x.auth: Invalid value: want userFile and passwordFile, or bearerTokenFile`,
		`{"url": "https://a.example", "auth": {"passwordFile": "/a"}}`:            `x.auth: Invalid value: userFile and passwordFile belong together: want both`,
		`{"url": "https://a.example", "tls": {"insecure": true, "caFile": "/a"}}`: `x.tls: Invalid value: insecure: true accepts any certificate: want no caFile and no serverName beside it`,
	} {
		var w Web
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := w.check(field.NewPath("x")).ToAggregate(); err != nil {
			got = err.Error()
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestWhatIsSent is a GET or a POST below the path of the URL, whose segments stay what they are.
func TestWhatIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		fmt.Fprint(w, r.Method, " ", r.RequestURI, " ", r.PostForm.Encode())
	}))
	defer server.Close()
	c := opened(t, environment(), Web{URL: server.URL + "/pre%2Ffix/"})
	for want, r := range map[string]webRequest{
		"GET /pre%2Ffix/a%2F..%2Fb ":        {path: "/a%2F..%2Fb"},
		"GET /pre%2Ffix/a?x=1+%26 ":         {path: "/a", query: url.Values{"x": {"1 &"}}},
		"POST /pre%2Ffix/q query=up%7B%7D ": formRequest("/q", url.Values{"query": {"up{}"}}),
	} {
		got, err := c.get(t.Context(), r)
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(want) {
			t.Errorf("sent %q, %v, want %q", got, err, want)
		}
	}
}
