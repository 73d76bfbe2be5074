package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// shopping is an API server with Deployment default/web, which is scaled, a StatefulSet that is, too, one that is not, and two namespaces.
func shopping(t *testing.T) *clitest.APIServer {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/max": "10"})
	db := metav1.ObjectMeta{Namespace: "default", Name: "db", Annotations: map[string]string{"mini-hpa/max": "3"}}
	server.Others = map[string]any{
		"/apis/apps/v1/namespaces/default/statefulsets": appsv1.StatefulSetList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSetList"},
			Items: []appsv1.StatefulSet{{ObjectMeta: db}, {ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}}},
		"/api/v1/namespaces": corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"},
			Items: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, {ObjectMeta: metav1.ObjectMeta{Name: "shop"}}}},
	}
	return server
}

func TestCompletion(t *testing.T) {
	kubeconfig := shopping(t).Kubeconfig()
	for name, c := range map[string]struct {
		words []string
		want  string // without what the words mean
	}{
		"commands":                       {[]string{"re"}, "replay resume :4"},
		"commands to be helped with":     {[]string{"help", "ve"}, "version :4"},
		"an unknown command":             {[]string{"frobnicate", ""}, ":4"},
		"flags":                          {[]string{"get", "--a"}, "--all-namespaces :4"},
		"what a flag may be":             {[]string{"get", "--sort-by", "st"}, "state :4"},
		"in one word":                    {[]string{"get", "--sort-by=st"}, "--sort-by=state :4"},
		"in three words, as bash has it": {[]string{"get", "--sort-by", "=", "st"}, "state :4"},
		"and its value is empty":         {[]string{"wait", "--for", "="}, "active settled replicas= :4"},
		"by its short name":              {[]string{"get", "-o", "w"}, "wide :4"},
		"a flag that is true or false":   {[]string{"get", "-A", "--kubeconfig", kubeconfig, ""}, "deploy/web sts/db :4"},
		"a file":                         {[]string{"get", "--kubeconfig", ""}, ":0"},
		"files are arguments":            {[]string{"lint", ""}, ":0"},
		"names":                          {[]string{"explain", "--kubeconfig", kubeconfig, ""}, "deploy/web sts/db :4"},
		"an empty word of PowerShell":    {[]string{"explain", "--kubeconfig", kubeconfig, `""`}, "deploy/web sts/db :4"},
		"a name without its kind":        {[]string{"history", "--kubeconfig", kubeconfig, "w"}, "web :4"},
		"a kind that is typed":           {[]string{"pause", "--kubeconfig", kubeconfig, "statefulset/"}, "statefulset/db :4"},
		"no kind":                        {[]string{"pause", "--kubeconfig", kubeconfig, "pod/"}, ":4"},
		"in a namespace with nothing":    {[]string{"resume", "--kubeconfig", kubeconfig, "-n", "shop", ""}, ":4"},
		"namespaces":                     {[]string{"wait", "--kubeconfig", kubeconfig, "-n", "s"}, "shop :4"},
		"contexts":                       {[]string{"get", "--kubeconfig", kubeconfig, "--context", ""}, "test :4"},
		"shells":                         {[]string{"completion", "p"}, "powershell :4"},
		"no arguments are taken":         {[]string{"doctor", "--kubeconfig", kubeconfig, ""}, ":4"},
		"nor files":                      {[]string{"selftest", ""}, ":4"},
		"no cluster":                     {[]string{"get", "--kubeconfig", "/nonexistent", ""}, ":4"},
		"nothing":                        {nil, ":4"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"__complete"}, c.words...)...)
			var got []string
			for line := range strings.Lines(stdout) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				got = append(got, word)
			}
			if code != cli.ExitOK || stderr != "" || strings.Join(got, " ") != c.want {
				t.Errorf("exit code %d, %q, want %q\n%s", code, strings.Join(got, " "), c.want, stderr)
			}
		})
	}
}

// called is the program under a name of its own.
func called(t *testing.T, name string) string {
	t.Helper()
	program, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(program, path); err != nil {
		t.Fatal(err)
	}
	t.Setenv(playing, "mini-hpa")
	return path
}

// TestBashCompletes with the script that is made for it.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	program := called(t, "mini-hpa")
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(`{"contexts": [{"name": "arn:aws:eks/one"}, {"name": "admin@kind"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	_, script, _ := call(t, "completion", "bash")
	for words, want := range map[string]string{"expl": "explain", "get --sort-by = wa": "wants", "wait --for a": "active", "get --all": "--all-namespaces",
		"get --context arn : aws : e": "eks/one", "get --context arn :": "aws:eks/one", "get --context = arn : a": "aws:eks/one", "get --context admin @k": "@kind"} {
		typed := append([]string{program}, strings.Fields(words)...)
		last := strings.TrimLeft(typed[len(typed)-1], ":") // what bash has us replace
		text := script + "\nCOMP_WORDS=(" + strings.Join(typed, " ") + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); __mini_hpa mini-hpa '" + last + "'; echo \"${COMPREPLY[*]}\"\n"
		out, err := exec.CommandContext(t.Context(), bash, "--norc", "-c", text).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %q, %v; want %s", words, out, err, want)
		}
	}
}

// TestAPluginOfKubectl is called by another name, says so, and answers what kubectl asks.
func TestAPluginOfKubectl(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"kubectl-mini_hpa":              {[]string{"get", "--help"}, "Usage: kubectl mini-hpa get [[KIND/]NAME...] [flags]\n"},
		"kubectl-mini_hpa.exe":          {nil, "mini-hpa autoscales "},
		"kubectl_complete-mini_hpa":     {[]string{"get", "--sort-by", "wa"}, "wants\n:4\n"},
		"kubectl_complete-mini_hpa.exe": {[]string{"hist"}, "history\t"},
		"mini-hpa-1.2":                  {[]string{"get", "--help"}, "Usage: mini-hpa get "},
	} {
		out, err := exec.CommandContext(t.Context(), called(t, name), c.args...).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			t.Errorf("%s: %v\n%s\nwant %s", name, err, out, c.want)
		}
	}
	out, err := exec.CommandContext(t.Context(), called(t, "kubectl-mini_hpa"), "frobnicate").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Run \"kubectl mini-hpa --help\" for what it takes.\n") {
		t.Errorf("an unknown command: %v\n%s", err, out)
	}
}
