package sources

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPrometheus asks a real one, which scrapes itself.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	path, address, dir := installed(t, "prometheus", "prometheus"), "127.0.0.1:"+freePorts(t, 1)[0], t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	err := os.WriteFile(config, []byte("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: a.c, static_configs: [{targets: [\""+address+"\"], labels: {namespace: shop}}]}]\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	start := func() *served {
		return launch(t, "prometheus", func(ctx context.Context) error { return accepts(ctx, address) }, exec.CommandContext(context.WithoutCancel(t.Context()), path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address))
	}
	server := start()
	gate, between := proxy(t, address)
	a := newAsker(t, `
version: v1
sources:
- name: prom
  type: prometheus
  url: http://`+between+`
  timeout: 1m
  namespaces: ["*"]
  queries:
  - {name: up, query: 'count(up{namespace="$namespace"})'}
  - {name: of, query: 'sum(up{job=~"$job"})', parameters: {job: {type: word}}, empty: "0"}
  - {name: strict, query: 'sum(up{job="$job"})', parameters: {job: {type: word}}}
  - {name: several, query: 'prometheus_http_requests_total'}
  - {name: scalar, query: 'scalar(vector($n)) + 0.5', parameters: {n: {type: integer}}}
  - {name: rate, query: 'sum(rate(prometheus_http_requests_total[$window])) * 0 + 3', parameters: {window: {type: duration, default: 5m}}}
  - {name: nan, query: 'vector(0) / 0'}
  - {name: infinite, query: 'vector(1) / 0'}
  - {name: negative, query: 'vector(-1)'}
  - {name: broken, query: 'sum(up'}
  - {name: range, query: 'up[1m]'}
  - {name: text, query: '"a"'}
`)
	until(t, "two scrapes", func() error {
		_, err := a.ask(t.Context(), "rate", nil)
		return err
	})
	for name, c := range map[string]struct {
		query string
		given map[string]string
		want  string
	}{
		"a value":                 {"up", nil, "1"},
		"a job that is a pattern": {"of", map[string]string{"job": ".*"}, "0"},
		"no such job":             {"strict", map[string]string{"job": "x"}, "prom has no value for it"},
		"a scalar":                {"scalar", map[string]string{"n": "-3"}, "prom has a negative number for it"},
		"another scalar":          {"scalar", map[string]string{"n": "7"}, "7500m"},
		"several series":          {"several", nil, "prom has more than one series for it"},
		"no number":               {"nan", nil, "prom has no number for it (NaN)"},
		"infinity":                {"infinite", nil, "prom has no finite number for it"},
		"a number below 0":        {"negative", nil, "prom has a negative number for it"},
		"a query that is none":    {"broken", nil, "prom answered 400"},
		"a range":                 {"range", nil, "prom has no number for it"},
		"text":                    {"text", nil, "prom has no number for it"},
	} {
		got, err := a.ask(t.Context(), c.query, c.given)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}

	gate.hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := a.ask(ctx, "up", nil); err == nil {
		t.Errorf("of one that hangs: %s", got)
	}
	gate.goOn()
	isBack := func() error {
		got, err := a.ask(t.Context(), "up", nil)
		if err == nil && got != "1" {
			t.Fatalf("amid it: %s", got)
		}
		return err
	}
	until(t, "it goes on", isBack)
	server.Kill()
	for range 3 { // not so often that it is left alone
		if got, err := a.ask(t.Context(), "up", nil); err == nil {
			t.Errorf("of one that is gone: %s", got)
		}
	}
	start()
	until(t, "it is back", isBack)
}
