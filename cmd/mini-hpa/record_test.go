package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func TestControllerRecordsWhatReplayDecidesOn(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	dir := filepath.Join(t.TempDir(), "traces")
	r := startController(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0", "--record", dir)
	if got := <-server.Scaled; got != 6 {
		t.Errorf("scaled to %d, want 6", got)
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	files, err := filepath.Glob(filepath.Join(dir, "default", "web_*.trace.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("recorded %q, error %v", files, err)
	}
	code, stdout, stderr := call(t, "replay", "-o", "json", files[0])
	first, _, _ := strings.Cut(stdout, "\n")
	for _, part := range []string{`"current":2,"desired":6,`, `"able":"SucceededRescale"`, `cpu utilization 220% above target 50% (2 of 2 pods`} {
		if !strings.Contains(first, part) {
			t.Errorf("no %s in %s", part, first)
		}
	}
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
}

func TestControllerScalesWhereItCannotRecord(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := startController(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0", "--record", file)
	if got := <-server.Scaled; got != 6 {
		t.Errorf("scaled to %d, want 6", got)
	}
	line := r.Logged("nothing is recorded until the next start; scaling goes on", "", "")
	if why, _ := line["error"].(string); !strings.Contains(why, "cannot record into ") {
		t.Errorf("logged %v", line)
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}

// start starts a controller.
func startController(t *testing.T, args ...string) *clitest.Process {
	return clitest.Start(t, thisProgram(), append([]string{"controller"}, args...)...)
}
