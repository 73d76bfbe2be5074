//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// The copies of the program that the commands start are copies of the test.
func TestMain(m *testing.M) {
	sandbox.Play(work)
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
	}
	os.Exit(m.Run())
}

// need skips a test that this machine cannot do, saying why; where MINI_HPA_NODE is "required", as in CI, the test fails instead.
func need(t *testing.T, others ...error) {
	t.Helper()
	if testing.Short() {
		t.Skip("a node takes minutes; -short was asked for")
	}
	missing := sandbox.Missing()
	for _, err := range others {
		if err != nil {
			missing = append(missing, err.Error())
		}
	}
	switch {
	case len(missing) == 0:
	case os.Getenv(requiredVariable) == required:
		t.Fatal(impossible(missing))
	default:
		t.Skip(impossible(missing))
	}
}

// The story checks what it tells.
func TestNode(t *testing.T) {
	need(t)
	a := &app{stdout: t.Output(), stderr: t.Output()}
	if err := a.demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	assertNothingLeft(t, os.Getpid())
}

func TestNodeWithAQueue(t *testing.T) {
	need(t, rabbitmq.Installed())
	a := &app{stdout: t.Output(), stderr: t.Output()}
	if err := a.queue(t.Context()); err != nil {
		t.Fatal(err)
	}
	assertNothingLeft(t, os.Getpid())
}

func TestNodeWithActivators(t *testing.T) {
	need(t)
	a := &app{stdout: t.Output(), stderr: t.Output()}
	if err := a.wake(t.Context()); err != nil {
		t.Fatal(err)
	}
	assertNothingLeft(t, os.Getpid())
}

func TestNodeInTheBackground(t *testing.T) {
	need(t)
	place := t.TempDir()
	dir := "--dir=" + place
	var exports bytes.Buffer
	if code := run(t.Context(), []string{"up", dir}, &exports, t.Output()); code != exitHeld {
		t.Fatalf("up: exit code %d", code)
	}
	content, err := os.ReadFile(filepath.Join(place, "pid"))
	if err != nil {
		t.Error(err)
	}
	pid, _ := strconv.Atoi(string(content))
	t.Cleanup(func() {
		if code := run(context.Background(), []string{"down", dir}, io.Discard, t.Output()); code != exitHeld {
			t.Errorf("down: exit code %d", code)
		}
		assertNothingLeft(t, pid)
	})
	shell := exec.CommandContext(t.Context(), "sh", "-c", exports.String()+"kubectl get nodes --output=name && kubectl top node && "+
		"kubectl --namespace=kube-system logs deployment/metrics-server --tail=1")
	out, err := shell.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "node/node\n") || !strings.Contains(string(out), "CPU(cores)") {
		t.Errorf("kubectl from outside: %v\n%s", err, out)
	}
	if code := run(t.Context(), []string{"serve", dir}, io.Discard, io.Discard); code != exitFailed {
		t.Errorf("a second one in the same directory: exit code %d", code)
	}
	var again bytes.Buffer
	if code := run(t.Context(), []string{"up", dir}, &again, t.Output()); code != exitHeld || again.String() != exports.String() {
		t.Errorf("up while it runs: exit code %d, printed %s", code, again.String())
	}
}

// assertNothingLeft looks for the remains of the sandboxes that a process has made.
func assertNothingLeft(t *testing.T, pid int) {
	t.Helper()
	name := fmt.Sprintf("mini-hpa-node-%d-*", pid)
	for _, parent := range []string{os.TempDir(), "/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		if left, err := filepath.Glob(filepath.Join(parent, name)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help is no mistake":          {args: []string{"--help"}, code: exitHeld, says: "usage: node COMMAND"},
		"a command is wanted":         {code: exitUsage, says: "one of demo, queue, wake, up, down, serve and missing is wanted, got []"},
		"one command is wanted":       {args: []string{"up", "down"}, code: exitUsage, says: `got ["up" "down"]`},
		"an unknown one is quoted":    {args: []string{"\x1b[31m"}, code: exitUsage, says: `got ["\x1b[31m"]`},
		"an unknown part is quoted":   {args: []string{"wake", "--with=late-proxy,\x1b"}, code: exitUsage, says: `got "\x1b"`},
		"parts are of one story":      {args: []string{"demo", "--with=late-proxy"}, code: exitUsage, says: "--with and --picture are for wake"},
		"an unknown flag is quoted":   {args: []string{"up", "--\x1b"}, code: exitUsage, says: `\x1b`},
		"down without a node is done": {args: []string{"down", "--dir=" + t.TempDir()}, code: exitHeld, says: "none is running"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			if code := run(t.Context(), tc.args, &said, &said); code != tc.code || !strings.Contains(said.String(), tc.says) {
				t.Errorf("exit code %d, want %d; said\n%s\nwant %s", code, tc.code, said.String(), tc.says)
			}
		})
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	t.Parallel()
	lacks := []string{"root: the user id is 7", "runc: not in PATH (package runc)"}
	for name, tc := range map[string]struct {
		missing    []string
		isRequired bool
		says       string
	}{
		"nothing is":               {says: "the real node test runs here\n"},
		"nothing is, as it must":   {isRequired: true, says: "the real node test runs here\n"},
		"a test is skipped":        {missing: lacks, says: "the real node test is SKIPPED here; missing:\n  root: the user id is 7\n  runc: not in PATH (package runc)\n"},
		"a required test will not": {missing: lacks[:1], isRequired: true, says: "the real node test FAILS here, since MINI_HPA_NODE=required; missing:\n  root: the user id is 7\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			if tellMissing(&said, tc.missing, tc.isRequired); said.String() != tc.says {
				t.Errorf("it says\n%s\nwant\n%s", said.String(), tc.says)
			}
		})
	}
}

// Without PATH there are no programs.
func TestTheCommandThatTellsWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(requiredVariable, "")
	var said, complaints bytes.Buffer
	code := run(t.Context(), []string{"missing"}, &said, &complaints)
	if code != exitImpossible || complaints.Len() > 0 {
		t.Errorf("exit code %d, want %d; it complains %q", code, exitImpossible, complaints.String())
	}
	for _, want := range []string{"the real node test is SKIPPED here; missing:\n", "\n  runc: not in PATH (package runc)\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, said.String())
		}
	}
}

func TestWhatIsMissingHasAnExitCodeOfItsOwn(t *testing.T) {
	t.Parallel()
	err := errors.Join(impossible{"root: the user id is 7"})
	if !errors.As(err, new(impossible)) || !strings.Contains(err.Error(), "it lacks\n  root: the user id is 7") {
		t.Error(err)
	}
}

func TestTheGateLeadsBothWays(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		heard, _ := io.ReadAll(conn) // until the client has said all
		_, _ = conn.Write(append([]byte("heard "), heard...))
		_ = conn.Close()
	}()
	path := filepath.Join(t.TempDir(), "gate")
	gate, err := openGate(t.Context(), path, "https://"+server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != "heard hello" {
		t.Errorf("got %q, %v", answer, err)
	}
}
