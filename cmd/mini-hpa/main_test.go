package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

// playing, in the environment, makes the test binary play another process than the test.
const playing = "MINI_HPA_TEST_PLAYS"

func TestMain(m *testing.M) {
	switch os.Getenv(playing) {
	case "mini-hpa":
		main()
	case "library":
		logAsLibrariesDo()
	default:
		klog.SetLoggerWithOptions(logr.Discard(), klog.ContextualLogger(true))
		goleak.VerifyTestMain(m)
	}
}

// child is the test binary as another process.
func child(t *testing.T, plays string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), playing+"="+plays)
	stderr := &bytes.Buffer{}
	c.Stderr = stderr
	return c, stderr
}

func logAsLibrariesDo() {
	logger := defaultLogFlags().logger(os.Stderr)
	bridge(logger)
	logger.Info("zap", zap.Int("number", 1))
	klog.Info("klog's\nformatted line")
	klog.InfoS("klog's structured line", "pod", klog.KRef("default", "web"))
	klog.ErrorS(errors.New("broken"), "klog's error")
	klog.FromContext(context.Background()).Info("a contextual line")
	klog.V(5).Info("too fine to be logged")
	klog.Background().V(4).Info("too fine to be logged")
	utilruntime.HandleErrorWithContext(context.Background(), errors.New("broken"), "client-go's unhandled error")
	log.Print("Go's own log")
	klog.Flush()
}

func TestEveryLogLineIsOneJSONObject(t *testing.T) {
	c, stderr := child(t, "library")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{"level": "info", "msg": "zap"},
		{"level": "info", "msg": "klog's\nformatted line", "logger": "client-go"},
		{"level": "info", "msg": "klog's structured line", "logger": "client-go"},
		{"level": "error", "msg": "klog's error", "logger": "client-go", "error": "broken"},
		{"level": "info", "msg": "a contextual line", "logger": "client-go"},
		{"level": "error", "msg": "client-go's unhandled error", "logger": "client-go.UnhandledError", "error": "broken"},
		{"level": "info", "msg": "Go's own log", "logger": "log"},
	}
	lines := jsonLines(t, stderr.String())
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), stderr)
	}
	for i, line := range lines {
		for key, value := range want[i] {
			if line[key] != value {
				t.Errorf("line %d: %s is %q, want %q", i, key, line[key], value)
			}
		}
		if line["ts"] == nil {
			t.Errorf("line %d has no time", i)
		}
	}
}

func TestProcessEndsOnSIGTERM(t *testing.T) {
	server := newAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	c, stderr := child(t, "mini-hpa", "controller", "--kubeconfig", server.kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-server.scaled
	<-server.told
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, stderr)
	}
	var seen bool
	for _, line := range jsonLines(t, stderr.String()) {
		seen = seen || line["msg"] == "Successfully acquired lease"
	}
	if !seen {
		t.Errorf("client-go's own lines are missing:\n%s", stderr)
	}
}

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, exited := make(chan os.Signal), 0
		ctx := untilSignal(context.Background(), signals, func(code int) { exited = code })
		synctest.Wait()
		if ctx.Err() != nil || exited != 0 {
			t.Errorf("ended without a signal: %v, %d", ctx.Err(), exited)
		}
		signals <- syscall.SIGTERM
		synctest.Wait()
		if ctx.Err() == nil || exited != 0 {
			t.Errorf("after one signal: %v, %d; want a graceful end", ctx.Err(), exited)
		}
		signals <- syscall.SIGTERM
		synctest.Wait()
		if exited != exitFailure {
			t.Errorf("after two signals: exit code %d", exited)
		}
	})
}
