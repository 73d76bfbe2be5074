package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

// playing, in the environment, makes the test binary play another process than the test.
const playing = "MINI_HPA_TEST_PLAYS"

func TestMain(m *testing.M) {
	if os.Getenv(playing) == "library" {
		logAsLibrariesDo()
		return
	}
	goleak.VerifyTestMain(m)
}

func logAsLibrariesDo() {
	logger := DefaultLogFlags().Logger(os.Stderr)
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
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), playing+"=library")
	stderr := &bytes.Buffer{}
	c.Stderr = stderr
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
	var lines []map[string]any
	for text := range strings.Lines(stderr.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in line %q", err, text)
		}
		lines = append(lines, line)
	}
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
