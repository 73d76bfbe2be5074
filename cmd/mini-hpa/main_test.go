package main

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"k8s.io/klog/v2"

	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

// playing, in the environment, makes the test binary play the program.
const playing = "MINI_HPA_TEST_PLAYS"

func TestMain(m *testing.M) {
	if os.Getenv(playing) == "mini-hpa" {
		main()
	}
	klog.SetLoggerWithOptions(logr.Discard(), klog.ContextualLogger(true))
	goleak.VerifyTestMain(m)
}

func TestProcessEndsOnSIGTERM(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	c := exec.CommandContext(t.Context(), os.Args[0], "controller", "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0")
	c.Env = append(os.Environ(), playing+"=mini-hpa")
	stderr := &bytes.Buffer{}
	c.Stderr = stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-server.Scaled
	<-server.Told
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, stderr)
	}
	var seen bool
	for _, line := range clitest.JSONLines(t, stderr.String()) {
		seen = seen || line["msg"] == "Successfully acquired lease"
	}
	if !seen {
		t.Errorf("client-go's own lines are missing:\n%s", stderr)
	}
}
