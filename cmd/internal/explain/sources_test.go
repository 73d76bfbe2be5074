package explain

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// TestExplainAsksSources of the controller's file, and says so where it has none.
func TestExplainAsksSources(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"open": 700}`) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "sources.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := "version: v1\nsources:\n- name: billing\n  type: http\n  url: " + server.URL + "\n  namespaces: [\"*\"]\n  queries:\n  - {name: open-invoices, path: /open, value: /open}\n"
	for name, tc := range map[string]struct {
		file string
		args []string
		code int
		want []string
	}{
		"it is asked": {good, []string{"--sources", file}, 0, []string{"METRIC                 OF  VALUE  ANSWERED", "0s ago", "scale from 2 to 6 replicas", "billing@open-invoices 700 for 2 replicas above target 100 for each", "ceil(700 / 100) = 7",
			"billing@open-invoices at 100 per pod (line 1 of mini-hpa/sources)"}},
		"a 0 that has to last": {strings.NewReplacer("value: /open", "value: /none, empty: '0'", "  type: http", "  type: http\n  settle: 1m").Replace(good), []string{"--sources", file}, 0,
			[]string{"billing@open-invoices  settling  not active counts after 1m0s", "billing@open-invoices 0 for 2 replicas"}},
		"no file":              {good, nil, 0, []string{"it is not known which sources there are", "warning: --sources: is not given"}},
		"a file without it":    {"version: v1\nsources: []\n", []string{"--sources", file}, cli.ExitFailure, []string{"deployment default/web cannot be autoscaled (SourceForbidden)", `source "billing" is none that namespace "default" may ask`}},
		"a file that is wrong": {"version: v9\n", []string{"--sources", file}, cli.ExitUsage, []string{"cannot read the file of sources", "version"}},
	} {
		t.Run(name, func(t *testing.T) {
			write(tc.file)
			s := clitest.NewAPIServer(t, map[string]string{"mini-hpa/max": "10", "mini-hpa/sources": "billing open-invoices target=100"})
			code, stdout, stderr := call(t, append([]string{"explain", "web", "--kubeconfig", s.Kubeconfig()}, tc.args...)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d: %s", code, tc.code, stderr)
			}
			for _, part := range tc.want {
				if !strings.Contains(stdout+stderr, part) {
					t.Errorf("%q is not in\n%s%s", part, stdout, stderr)
				}
			}
		})
	}
}
