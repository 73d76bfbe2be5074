package controller

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// TestTheLeaderCanBeAsked for what it has decided, with what it remembers.
func TestTheLeaderCanBeAsked(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0", "--state-bind-address=127.0.0.1:0", "--tolerance=0.2")
	<-server.Scaled
	<-server.Told
	r.Logged("", "reason", "SuccessfulRescale")
	at := "http://" + r.Logged("listening", "flag", "state-bind-address")["address"].(string)
	var page state.Page
	ask(t, at+state.PathAll, &page)
	if len(page.Items) != 1 || page.Items[0].Name != "web" || page.Items[0].Targets[0].String() != "cpu: 220%/50%" || page.Items[0].State != scaler.StateRamping {
		t.Errorf("%s: %+v", state.PathAll, page.Items)
	}
	if !page.Leading || page.Identity == "" || page.Defaults.Tolerance.String() != "200m" || page.Newest.IsZero() {
		t.Errorf("of itself it says %+v", page.Head)
	}
	var one state.Explained
	ask(t, at+state.PathOne+"default/deployments.apps/web", &one)
	if one.Decision == nil || one.Decision.Desired != 6 || len(one.Snapshot.Pods) != 2 || one.Annotations["mini-hpa/max"] != "10" {
		t.Errorf("%s: %+v", state.PathOne, one.Shown)
	}
	var history state.ChroniclePage
	ask(t, at+state.PathHistory, &history)
	if len(history.Items) != 1 || history.Items[0].Entries[0].Reason != scaler.EventSuccessfulRescale || history.Items[0].Entries[0].To != 6 {
		t.Errorf("%s: %+v", state.PathHistory, history.Items)
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}

// TestAPortForTheStateThatIsTaken does not keep the controller from scaling.
func TestAPortForTheStateThatIsTaken(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	taken := strings.TrimPrefix(server.URL, "http://")
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0", "--state-bind-address="+taken)
	if line := r.Logged("nobody can ask how the workloads stand; scaling goes on", "", ""); !strings.Contains(line["error"].(string), "cannot serve --state-bind-address="+taken) {
		t.Errorf("logged %v", line)
	}
	if got := <-server.Scaled; got != 6 {
		t.Errorf("scaled to %d, want 6", got)
	}
}

// TestTheStateIsServedOnLoopbackAlone.
func TestTheStateIsServedOnLoopbackAlone(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:8082": true, "[::1]:0": true, "localhost:1": true, "127.8.8.8:1": true, "0": true,
		":8082": false, "0.0.0.0:8082": false, "10.0.0.1:8082": false, "[::]:8082": false, "example.com:8082": false, "127.0.0.1": false, "": false} {
		code, _, stderr := clitest.Call(t, Command(), "--state-bind-address="+address, "--kubeconfig=/nonexistent")
		if refused := code == cli.ExitUsage; refused == want {
			t.Errorf("--state-bind-address=%q: exit code %d, %s", address, code, stderr)
		}
	}
}

func ask(t *testing.T, url string, into any) {
	t.Helper()
	status, body := clitest.Get(t, url)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%s: %v in %s", url, err, body)
	}
}
