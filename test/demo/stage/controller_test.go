package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// program is a controller made of shell.
func program(t *testing.T, script string) (path, log string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "mini-hpa")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, filepath.Join(dir, "controller.log")
}

const obedient = `echo "$@"; trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done`

// led is a stage whose Lease somebody holds.
func led() *Stage {
	holder := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: lease, Namespace: namespace}}
	holder.Spec.HolderIdentity = new("somebody")
	return &Stage{Client: fake.NewClientset(holder), Namespace: namespace, Kubeconfig: "/etc/k", Period: 5 * time.Second}
}

func TestControllerRunsUntilClose(t *testing.T) {
	path, log := program(t, obedient)
	c, err := led().Run(t.Context(), path, log)
	if err != nil {
		t.Fatal(err)
	}
	// The shell may not have come to its trap yet.
	for !strings.Contains(c.Tail(), "--namespace") {
		time.Sleep(time.Millisecond)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := syscall.Kill(c.command.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is still there: %v", err)
	}
	const want = "controller --kubeconfig=/etc/k --namespace=mini-hpa-demo-x --metrics-resolution=5s --leader-elect-resource-namespace=mini-hpa-demo-x"
	if tail := c.Tail(); !strings.HasPrefix(tail, want) || !strings.HasSuffix(tail, "bye") {
		t.Errorf("log %q", tail)
	}
}

func TestControllerThatEndsByItself(t *testing.T) {
	path, log := program(t, "while [ ! -e \"$0.go\" ]; do sleep 0.05; done; echo boom; exit 3")
	c, err := led().Run(t.Context(), path, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-c.Broken; err == nil || err.Error() != "the controller ended (exit status 3), saying last:\nboom" {
		t.Errorf("error %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close complains again: %v", err)
	}
}

func TestControllerThatEndsBadlyWhenAsked(t *testing.T) {
	path, log := program(t, `trap 'echo oops; exit 4' TERM; echo ready; while :; do sleep 0.05; done`)
	c, err := led().Run(t.Context(), path, log)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(c.Tail(), "ready") {
		time.Sleep(time.Millisecond)
	}
	if err := c.Close(); err == nil || err.Error() != "the controller ended (exit status 4), saying last:\nready\noops" {
		t.Errorf("error %v", err)
	}
}

func TestControllerThatNeverLeads(t *testing.T) {
	tests := map[string]struct {
		script, want string
	}{
		"it fails":        {script: "echo no such flag; exit 2", want: "the controller ended (exit status 2), saying last:\nno such flag"},
		"it is not asked": {script: obedient, want: "context canceled"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := led()
			s.Client = fake.NewClientset()
			path, log := program(t, tt.script)
			ctx, cancel := context.WithCancel(t.Context())
			if tt.script == obedient {
				time.AfterFunc(200*time.Millisecond, cancel)
			}
			defer cancel()
			if _, err := s.Run(ctx, path, log); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestTailIsShort(t *testing.T) {
	_, log := program(t, "")
	var all strings.Builder
	for range 100 {
		all.WriteString("line\n")
	}
	all.WriteString("\xfflast\n")
	if err := os.WriteFile(log, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tail := (&Controller{log: log}).Tail()
	if lines := strings.Split(tail, "\n"); len(lines) != 15 || lines[14] != "last" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func TestRootIsWhereTheProductIs(t *testing.T) {
	root, err := Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", "mini-hpa", "main.go")); err != nil {
		t.Error(err)
	}
}

func TestBuildSaysWhatTheCompilerSays(t *testing.T) {
	root := t.TempDir()
	if _, err := Build(t.Context(), root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "could not build mini-hpa") || !strings.Contains(err.Error(), "cmd/mini-hpa") {
		t.Errorf("error %v", err)
	}
}
