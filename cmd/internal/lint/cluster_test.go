package lint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/neighbors"
)

func TestLintServerSide(t *testing.T) {
	needy := strings.Replace(workload(), "250m", "50%", 1)
	const (
		limits = "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: limits}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 700m}}]}\n"
		keda   = "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue}\nspec: {scaleTargetRef: {name: another}}\n"
	)
	tests := map[string]struct {
		text, refused string
		err           error
		code          error
		want          []string // parts of standard output
		stderr        string   // part of standard error
	}{
		"the cluster counts":        {needy, "", nil, nil, []string{`ScaledObject "queue" already`, "get 100m from LimitRange"}, "0 errors, 2 warnings"},
		"manifests count more":      {needy + limits + keda, "", nil, nil, []string{"get 700m from LimitRange"}, "0 errors, 1 warning"},
		"LimitRanges are forbidden": {needy + keda, "limitranges", clitest.Forbidden("limitranges"), nil, []string{"UnverifiedRequest"}, "0 errors, 1 warning"},
		"HPAs are forbidden": {needy + keda, "horizontalpodautoscalers", clitest.Forbidden("hpa"), nil, []string{"RequestFromLimitRange"},
			`mini-hpa lint: warning: cannot list the HorizontalPodAutoscalers of namespace "shop": hpa is forbidden: not you\x1b[31m`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := clitest.NewFakeCluster()
			if tt.refused != "" {
				c.Refuse(tt.refused, tt.err)
			}
			ask := func(ctx context.Context, namespace string) (*neighbors.Neighborhood, error) {
				return neighbors.Read(ctx, c.Core, c.Dynamic, namespace)
			}
			var out, messages strings.Builder
			l := task{defaults: annotations.DefaultDefaults(), namespace: "shop", output: "text"}
			err := l.lint(t.Context(), []string{"-"}, cli.Streams{In: strings.NewReader(tt.text), Out: &out, Err: &messages}, ask)
			if !errors.Is(err, tt.code) || strings.Count(out.String(), "\n") != len(tt.want) {
				t.Errorf("error %v, standard output:\n%s", err, out.String())
			}
			for _, part := range tt.want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("standard output lacks %q:\n%s", part, out.String())
				}
			}
			if !strings.Contains(messages.String(), tt.stderr) {
				t.Errorf("standard error lacks %q:\n%s", tt.stderr, messages.String())
			}
		})
	}
}

// kubeconfigOf writes a kubeconfig whose context has namespace shop.
func kubeconfigOf(t *testing.T, server string) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "test",
"clusters": [{"name": "test", "cluster": {"server": %q}}], "users": [{"name": "test", "user": {}}],
"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "shop"}}]}`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLintAsksOverHTTP(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		status := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden}
		if err := json.NewEncoder(w).Encode(status); err != nil {
			t.Error(err)
		}
	}))
	code, stdout, stderr := lint(t, strings.Replace(workload(), "250m", "50%", 1), "--server-side", "--kubeconfig", kubeconfigOf(t, server.URL))
	if code != cli.ExitOK || !strings.Contains(stdout, "Deployment shop/web: ") || strings.Count(stderr, "warning: cannot list") != 3 {
		t.Errorf("exit code %d, standard output %s, standard error %s", code, stdout, stderr)
	}
	want := []string{"/api/v1/namespaces/shop/limitranges", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
		"/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects", "/apis/autoscaling.k8s.io/v1/namespaces/shop/verticalpodautoscalers", "/api/v1/namespaces/shop",
		"/api/v1/namespaces/shop/services", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	server.Close()
	code, stdout, stderr = lint(t, workload(), "--server-side", "--kubeconfig", kubeconfigOf(t, server.URL))
	if code != cli.ExitFailure || stdout != "" || !strings.Contains(stderr, `mini-hpa lint: cannot list the LimitRanges of namespace "shop": `) {
		t.Errorf("exit code %d, standard output %s, standard error %s", code, stdout, stderr)
	}
	code, _, stderr = lint(t, workload(), "--server-side", "--kubeconfig", filepath.Join(t.TempDir(), "none"))
	if code != cli.ExitFailure || !strings.Contains(stderr, "mini-hpa lint: no cluster configured") && !strings.Contains(stderr, "mini-hpa lint: cannot load") {
		t.Errorf("exit code %d, standard error %s", code, stderr)
	}
}
