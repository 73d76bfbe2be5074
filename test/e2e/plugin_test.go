package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPluginOfKubectl: with two links to the program in the PATH, a real kubectl finds "kubectl mini-hpa", and completes its words.
func TestPluginOfKubectl(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.deploy(t, ns, "web", 2, 1000, map[string]string{"target-cpu": "50", "max": "10"})
	dir := t.TempDir()
	for _, name := range []string{"kubectl-mini_hpa", "kubectl_complete-mini_hpa"} {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := adminKubeconfig(t, shared)
	kubectl := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), shared.cluster.Kubectl(), args...)
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig, "HOME="+dir)
		var out, err bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &err
		if failed := cmd.Run(); failed != nil && !errors.As(failed, new(*exec.ExitError)) {
			t.Fatal(failed)
		}
		return cmd.ProcessState.ExitCode(), out.String(), err.String()
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want []string // in what it says, line by line or as a part of one
	}{
		"it is found":             {[]string{"plugin", "list"}, 0, []string{filepath.Join(dir, "kubectl-mini_hpa")}},
		"usage":                   {[]string{"mini-hpa", "get", "--help"}, 0, []string{"Usage: kubectl mini-hpa get "}},
		"a table":                 {[]string{"mini-hpa", "get", "-n", ns}, 0, []string{"source: computed here; ", "cpu: 50%/50%"}},
		"all namespaces":          {[]string{"mini-hpa", "get", "-A", "-o", "name"}, 0, []string{"deployment.apps/web\n"}},
		"a name that is not":      {[]string{"mini-hpa", "explain", "-n", ns, "nothing"}, 1, []string{`"nothing" not found`}},
		"a call that is not":      {[]string{"mini-hpa", "frobnicate"}, 2, []string{"Run \"kubectl mini-hpa --help\" for what it takes.\n"}},
		"commands are completed":  {[]string{"__complete", "mini-hpa", "expl"}, 0, []string{"explain\t", ":4\n"}},
		"names are completed":     {[]string{"__complete", "mini-hpa", "get", "-n", ns, ""}, 0, []string{"deploy/web\n:4\n"}},
		"values are completed":    {[]string{"__complete", "mini-hpa", "wait", "--for", "a"}, 0, []string{"active\n:4\n"}},
		"flags are completed":     {[]string{"__complete", "mini-hpa", "get", "--all"}, 0, []string{"--all-namespaces\t"}},
		"namespaces are, as well": {[]string{"__complete", "mini-hpa", "history", "-n", ns[:len(ns)-1]}, 0, []string{ns + "\n:4\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			eventually(t, "it says so", func(context.Context) (bool, string) { // names are given up after 3 seconds, which may not be enough for a machine at work
				code, stdout, stderr := kubectl(c.args...)
				says := !slices.ContainsFunc(c.want, func(want string) bool { return !strings.Contains(stdout+stderr, want) })
				return says && code == c.code, fmt.Sprintf("exit code %d, want %d and %q\n%s%s", code, c.code, c.want, stdout, stderr)
			})
		})
	}
	if code, stdout, stderr := kubectl("plugin", "list"); code != 0 || strings.Contains(stdout+stderr, "warning") {
		t.Errorf("kubectl warns of the plugin: exit code %d\n%s%s", code, stdout, stderr)
	}
}
