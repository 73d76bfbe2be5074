package cluster

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// kubeconfigs writes a kubeconfig with two contexts, of which blue is current and green has a namespace.
func kubeconfigs(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion": "v1", "kind": "Config", "current-context": "blue",
"clusters": [{"name": "blue", "cluster": {"server": "http://blue.example"}}, {"name": "green", "cluster": {"server": "http://green.example"}}],
"contexts": [{"name": "blue", "context": {"cluster": "blue"}}, {"name": "green", "context": {"cluster": "green", "namespace": "meadow"}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhichCluster(t *testing.T) {
	path := kubeconfigs(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	type found struct{ Server, Namespace, Source string }
	tests := map[string]struct {
		flags     Flags
		env, host string // KUBECONFIG, KUBERNETES_SERVICE_HOST
		want      found
		err       string // part of the error
		podFirst  string // part of the controller's error, where it is another one
	}{
		"--kubeconfig": {flags: Flags{kubeconfig: path}, env: "/nonexistent", host: "10.0.0.1",
			want: found{"http://blue.example", "default", "kubeconfig " + path}},
		"--kubeconfig and --context": {flags: Flags{kubeconfig: path, context: "green"},
			want: found{"http://green.example", "meadow", "kubeconfig " + path + ` with context "green"`}},
		"KUBECONFIG": {env: path,
			want: found{"http://blue.example", "default", "kubeconfig " + path}},
		"KUBECONFIG and --context, which no pod has": {flags: Flags{context: "green"}, env: path, host: "10.0.0.1",
			want: found{"http://green.example", "meadow", "kubeconfig " + path + ` with context "green"`}},
		"KUBECONFIG with several files": {env: "/nonexistent" + string(os.PathListSeparator) + path,
			want: found{"http://blue.example", "default", "kubeconfig /nonexistent" + string(os.PathListSeparator) + path}},
		"a pod without a token comes before KUBECONFIG only for the controller": {env: path, host: "10.0.0.1",
			want:     found{"http://blue.example", "default", "kubeconfig " + path},
			podFirst: "cannot use the pod's service account (KUBERNETES_SERVICE_HOST is set)"},
		"nothing":                  {env: "/nonexistent", err: "no cluster configured: kubeconfig /nonexistent holds none"},
		"an empty kubeconfig":      {flags: Flags{kubeconfig: empty}, err: "no cluster configured: kubeconfig " + empty + " holds none"},
		"no such file":             {flags: Flags{kubeconfig: "/nonexistent"}, err: "cannot load kubeconfig /nonexistent"},
		"no such context":          {flags: Flags{kubeconfig: path, context: "red"}, err: `context "red" does not exist`},
		"a directory is no config": {flags: Flags{kubeconfig: filepath.Dir(path)}, err: "cannot load kubeconfig " + filepath.Dir(path)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", test.env)
			t.Setenv("KUBERNETES_SERVICE_HOST", test.host)
			t.Setenv("KUBERNETES_SERVICE_PORT", "443")
			expect := func(who string, got Target, err error, want string) {
				t.Helper()
				switch {
				case want != "":
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %v, want %q", who, err, want)
					}
				case err != nil:
					t.Errorf("%s: %v", who, err)
				default:
					if diff := cmp.Diff(test.want, found{got.Config.Host, got.Namespace, got.Source}); diff != "" {
						t.Errorf("%s (-want +got):\n%s", who, diff)
					}
				}
			}
			got, err := test.flags.ForUser(cli.Build{})
			expect("user", got, err, test.err)
			want := test.err
			if test.podFirst != "" {
				want = test.podFirst
			}
			got, err = test.flags.ForController(cli.Build{})
			expect("controller", got, err, want)
		})
	}
}

// TestWhichNamespaceIsAnsweredFor: the one that is named, and nothing that a library logs is among the answer.
func TestWhichNamespaceIsAnsweredFor(t *testing.T) {
	flags := Flags{kubeconfig: kubeconfigs(t), context: "green"}
	for named, want := range map[string]string{"": "meadow", "shop": "shop"} {
		var out, messages strings.Builder
		s := cli.Streams{Out: &out, Err: &messages, Bridge: func(of *zap.Logger) {
			of.Error("a library's error")
			of.Info("a library's detail")
		}}
		got, err := flags.ForAnswer(s, named)
		if err != nil || got.Namespace != want {
			t.Errorf("namespace %q: got %q, %v, want %q", named, got.Namespace, err, want)
		}
		if out.Len() > 0 || !strings.Contains(messages.String(), "a library's error") || strings.Contains(messages.String(), "a library's detail") {
			t.Errorf("on standard output %q, on standard error %q", out.String(), messages.String())
		}
	}
	if _, err := (Flags{kubeconfig: "/nonexistent"}).ForAnswer(cli.Streams{Err: io.Discard, Bridge: func(*zap.Logger) {}}, "shop"); err == nil {
		t.Error("no error where no cluster is found")
	}
}

func TestHost(t *testing.T) {
	t.Setenv("POD_NAME", "mini-hpa-7c9f-x2")
	if got, err := Host(); got != "mini-hpa-7c9f-x2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	t.Setenv("POD_NAME", "")
	want, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Host(); got != want || err != nil {
		t.Errorf("outside of a pod: got %q, %v, want %q", got, err, want)
	}
}

func TestPodNamespace(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "kube-system")
	if got := podNamespace(); got != "kube-system" {
		t.Errorf("got %q", got)
	}
	t.Setenv("POD_NAMESPACE", "")
	if got := podNamespace(); got != "default" {
		t.Errorf("outside of a pod: got %q", got)
	}
}
