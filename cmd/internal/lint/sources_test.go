package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

const listed = `
version: v1
sources:
- name: prom
  type: prometheus
  url: https://prometheus.monitoring.svc
  namespaces: [shop]
  queries: [{name: requests, query: 'sum(requests{namespace="$namespace",service="$service"})', parameters: {service: {type: name, default: $workload}}}]
- name: hidden
  type: prometheus
  url: https://prometheus.monitoring.svc
  namespaces: [billing]
  queries: [{name: requests, query: up}]
`

func TestLintSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sources.yaml")
	if err := os.WriteFile(file, []byte(listed), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		line string
		args []string
		code int
		want string // of what is printed; empty is no finding
	}{
		"it is listed":               {"prom requests target=40", []string{"-n", "shop"}, cli.ExitOK, ""},
		"a query":                    {"prom request target=40", []string{"-n", "shop"}, cli.ExitFailure, `line 1: source "prom" has no query "request"; did you mean "requests"?`},
		"a source":                   {"pron requests target=40", []string{"-n", "shop"}, cli.ExitFailure, `did you mean "prom"?`},
		"a source of others":         {"hidden requests target=40", []string{"-n", "shop"}, cli.ExitFailure, `source "hidden" is none that namespace "shop" may ask; must be one of "prom", "workload"`},
		"another namespace":          {"prom requests target=40", []string{"-n", "web"}, cli.ExitFailure, `source "prom" is none that namespace "web" may ask`},
		"a parameter":                {`prom requests service="a}" target=40`, []string{"-n", "shop"}, cli.ExitFailure, `service "a}" must be 1 to 253`},
		"a namespace is not known":   {"nothing at=all target=40", nil, cli.ExitOK, "1 workload with lines of mini-hpa/sources could not be held to --sources, because no namespace is named"},
		"no file, and nothing known": {"nothing at=all target=40", []string{"-n", "shop", "--sources="}, cli.ExitOK, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := lint(t, workload("sources: '"+tt.line+"'"), append([]string{"--sources", file}, tt.args...)...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) || tt.want == "" && stdout != "" {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

// TestLintSourcesOfAKustomization: who asks is the namespace into which a kustomization puts a workload.
func TestLintSourcesOfAKustomization(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sources.yaml.txt": listed, "app/web.yaml": workload("sources: prom requests target=40"), "app/kustomization.yaml": "namespace: shop\nresources: [web.yaml]\n",
		"other/web.yaml": workload("sources: prom requests target=40"), "other/kustomization.yaml": "namespace: web\nresources: [web.yaml]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, stdout, stderr := call(t, filepath.Join(dir, "app"), "--sources", filepath.Join(dir, "sources.yaml.txt")); code != cli.ExitOK || strings.Contains(stdout, "error") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := call(t, filepath.Join(dir, "other"), "--sources", filepath.Join(dir, "sources.yaml.txt")); code != cli.ExitFailure || !strings.Contains(stdout, `source "prom" is none that namespace "web" may ask`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestLintSourcesThatAreWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sources.yaml")
	if err := os.WriteFile(file, []byte("version: v1\nsources: [{name: a, type: prom}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:          `cannot be used: sources[0].type: Invalid value: "prom": `,
		file + "none": "cannot be used: no such file or directory",
	} {
		if code, stdout, stderr := lint(t, workload(), "--sources", path); code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
	}
}
