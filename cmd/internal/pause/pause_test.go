package pause

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// api is an API server with one object of each of two kinds, called web, in namespace shop.
type api struct {
	*httptest.Server
	mode    string
	written []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := func(v map[string]any) { _ = json.NewEncoder(w).Encode(v) }
	set := map[string]any{annotations.Max: "10"}
	if a.mode != "" {
		set[annotations.ModeKey] = a.mode
	}
	object := func(kind, version string) map[string]any {
		return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"namespace": "shop", "name": "web", "annotations": set}}
	}
	if r.Method == http.MethodPatch {
		body, _ := io.ReadAll(r.Body)
		a.written = append(a.written, strings.Join([]string{r.URL.Path, r.URL.Query().Get("dryRun"), string(body)}, " "))
		w.Header().Set("Warning", `299 - "mini-hpa/max is high"`)
	}
	switch r.URL.Path {
	case "/apis/apps/v1/namespaces/shop/deployments/web":
		answer(object("Deployment", "apps/v1"))
	case "/apis/apps/v1/namespaces/shop/deployments/bare":
		maps.DeleteFunc(set, func(string, any) bool { return true })
		answer(object("Deployment", "apps/v1"))
	case "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web":
		answer(object("Rollout", "argoproj.io/v1alpha1"))
	case "/apis":
		answer(map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{map[string]any{"name": "argoproj.io",
			"versions": []any{map[string]any{"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}}, "preferredVersion": map[string]any{"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}}}})
	case "/api":
		answer(map[string]any{"kind": "APIVersions", "versions": []any{"v1"}})
	default:
		w.WriteHeader(http.StatusNotFound)
		answer(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found\x1b[2J"})
	}
}

func TestPauseAndResume(t *testing.T) {
	const (
		paused  = `/apis/apps/v1/namespaces/shop/deployments/web  {"metadata":{"annotations":{"mini-hpa/mode":"paused"}}}`
		resumed = `/apis/apps/v1/namespaces/shop/deployments/web  {"metadata":{"annotations":{"mini-hpa/mode":null}}}`
		pausing = " deployments.apps web --overwrite mini-hpa/mode=paused\n"
	)
	for name, c := range map[string]struct {
		command cli.Command
		args    []string
		mode    string
		code    int
		says    []string
		written string
	}{
		"pause":                      {Command(), []string{"deploy/web"}, "", cli.ExitOK, []string{"kubectl annotate '--kubeconfig=", " --namespace=shop" + pausing, "deployments.apps/web paused\n", "Warning: mini-hpa/max is high\n"}, paused},
		"pause what is automatic":    {Command(), []string{"web"}, "auto", cli.ExitOK, []string{"deployments.apps/web paused\n"}, paused},
		"pause what is wrong":        {Command(), []string{"web"}, "stop", cli.ExitOK, []string{"deployments.apps/web paused\n"}, paused},
		"pause without a write":      {Command(), []string{"web", "--dry-run=client"}, "", cli.ExitOK, []string{pausing, "paused (dry run)\n"}, ""},
		"pause as a dry run":         {Command(), []string{"web", "--dry-run=server"}, "", cli.ExitOK, []string{pausing, "paused (server dry run)\n"}, strings.Replace(paused, "web ", "web All", 1)},
		"paused already":             {Command(), []string{"web"}, "paused", cli.ExitOK, []string{"deployments.apps/web is paused already\n"}, ""},
		"observed":                   {Command(), []string{"web"}, "observe", cli.ExitFailure, []string{`has mini-hpa/mode "observe", so it is not scaled, and not paused either`}, ""},
		"a custom resource":          {Command(), []string{"rollouts.argoproj.io/web"}, "", cli.ExitOK, []string{"rollouts.argoproj.io/web paused\n"}, "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web" + strings.TrimPrefix(paused, "/apis/apps/v1/namespaces/shop/deployments/web")},
		"a kind that is not there":   {Command(), []string{"trains.example.com/web"}, "", cli.ExitFailure, []string{`the API server knows no group "example.com"`}, ""},
		"what is not there":          {Command(), []string{"sts/web"}, "", cli.ExitFailure, []string{`cannot read statefulsets.apps/web in namespace "shop": not found\x1b[2J`}, ""},
		"what is not scaled":         {Command(), []string{"bare"}, "", cli.ExitFailure, []string{"has no mini-hpa/ annotation, so mini-hpa does not scale it"}, ""},
		"several":                    {Command(), []string{"deploy", "bare", "web"}, "", cli.ExitFailure, []string{"deployments.apps/web paused\n", "deployments.apps/bare in namespace"}, paused},
		"nothing":                    {Command(), nil, "", cli.ExitUsage, []string{"nothing to pause"}, ""},
		"resume":                     {ResumeCommand(), []string{"web"}, "paused", cli.ExitOK, []string{" --namespace=shop deployments.apps web mini-hpa/mode-\n", "deployments.apps/web resumed\n"}, resumed},
		"resume what is not paused":  {ResumeCommand(), []string{"web"}, "", cli.ExitOK, []string{"deployments.apps/web is not paused\n"}, ""},
		"resume what is observed":    {ResumeCommand(), []string{"web"}, "observe", cli.ExitFailure, []string{`has mini-hpa/mode "observe"`}, ""},
		"resume, and nothing stored": {ResumeCommand(), []string{"web", "--dry-run=server"}, "paused", cli.ExitOK, []string{"resumed (server dry run)\n"}, strings.Replace(resumed, "web ", "web All", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			a := &api{mode: c.mode}
			a.Server = httptest.NewServer(a)
			t.Cleanup(a.Close)
			kubeconfig := filepath.Join(t.TempDir(), "its kubeconfig")
			text := `{"apiVersion": "v1", "kind": "Config", "current-context": "t", "clusters": [{"name": "t", "cluster": {"server": "` + a.URL + `"}}], "users": [{"name": "t", "user": {}}],
				"contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}]}`
			if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := clitest.Call(t, c.command, append(c.args, "-n=shop", "--kubeconfig", kubeconfig)...)
			if code != c.code || strings.Join(a.written, "\n") != c.written || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("exit code %d, want %d; written %q, want %q\n%s%s", code, c.code, a.written, c.written, stdout, stderr)
			}
			for _, says := range c.says {
				if !strings.Contains(stdout+stderr, says) {
					t.Errorf("it does not say %q:\n%s%s", says, stdout, stderr)
				}
			}
		})
	}
}
