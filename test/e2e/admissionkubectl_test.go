package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of what kubectl says, instead of comparing with them")

// said is how a command ended.
type said struct {
	code     int
	out, err string
}

// kubectl does what a person does, in the directory of the manifests.
func (a *admission) kubectl(t *testing.T, stdin string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), a.cluster.Kubectl(), args...)
	cmd.Dir = filepath.Join("testdata", "admission")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+a.cluster.Kubeconfig(), "KUBECACHEDIR="+a.cache, "HOME="+a.cache)
	cmd.Stdin = strings.NewReader(stdin)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	exit := &exec.ExitError{}
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &exit) {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), failed)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), err.String()}
}

// must is kubectl where it has to work.
func (a *admission) must(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if s := a.kubectl(t, stdin, args...); s.code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), s)
	}
}

// verdict is what a person is told. A refusal reads as if the API server itself had looked at the Deployment.
func (s said) verdict() string {
	switch {
	case s.code != 0 && strings.Contains(s.err, ` "web" is invalid: `):
		return denied
	case s.code != 0:
		return "failed: " + s.err
	case s.warnings() != "":
		return warned
	}
	return accepted
}

// warnings are the lines that begin with a field. kubectl has warnings of its own, which do not.
func (s said) warnings() string {
	var lines strings.Builder
	for line := range strings.Lines(s.err) {
		if strings.HasPrefix(line, "Warning: metadata.") || strings.HasPrefix(line, "Warning: spec.") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// What becomes of a request.
const (
	accepted = "accepted"
	warned   = "warned"
	denied   = "denied"
)

// String is the command's end as golden files have it.
func (s said) String() string {
	text := fmt.Sprintf("exit code %d\n", s.code)
	for _, stream := range []struct{ name, text string }{{"stdout", s.out}, {"stderr", s.err}} {
		if stream.text != "" {
			text += "--- " + stream.name + "\n" + stream.text
		}
	}
	return text
}

// goldenPath is where a golden file is.
func goldenPath(file string) string { return filepath.Join("testdata", "admission", file) }

// golden compares with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := goldenPath(file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

// refusable is a Deployment that the webhook refuses wherever it is.
const refusable = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"refusable","annotations":{"mini-hpa/max":"0"}},"spec":{
	"selector":{"matchLabels":{"app":"refusable"}},"template":{"metadata":{"labels":{"app":"refusable"}},"spec":{"containers":[{"name":"app","image":"app"}]}}}}`

// awaitRefusal returns when the webhook is asked about a namespace and answers.
func (a *admission) awaitRefusal(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the webhook refuses what is wrong in "+namespace, func(ctx context.Context) (bool, string) {
		answer := a.ask(ctx, t, namespace, object(t, refusable))
		return answer.verdict() == denied, answer.err
	})
}

// somewhere is a namespace about which the webhook is asked.
func (a *admission) somewhere(t *testing.T) string {
	t.Helper()
	return a.space(t, fmt.Sprintf("somewhere-%d", spaces.Add(1)), true)
}
