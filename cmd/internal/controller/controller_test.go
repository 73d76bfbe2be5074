package controller

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func TestControllerScalesUntilToldToEnd(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")

	if got := <-server.Scaled; got != 6 { // 2 pods at 220 % of a 50 % target want 9; the policy allows 4 more at once
		t.Errorf("scaled to %d, want 6", got)
	}
	if event := <-server.Told; event.Reason != "SuccessfulRescale" || !strings.HasPrefix(event.Message, "New size: 6; reason: cpu utilization 220% above target 50% (2 of 2 pods") {
		t.Errorf("told %s: %s", event.Reason, event.Message)
	}
	probes := "http://" + r.Logged("listening", "flag", "health-probe-bind-address")["address"].(string)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := clitest.Get(t, probes+path); status != http.StatusOK || body != "ok" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	metrics, looked, exposed := "http://"+r.Logged("listening", "flag", "metrics-bind-address")["address"].(string)+"/metrics", `mini_hpa_reconciliations_total{action="scale_up",error="none"} 1`, ""
	for end := time.Now().Add(30 * time.Second); !strings.Contains(exposed, looked) && time.Now().Before(end); { // a look is counted when it is over, which is later than what it writes
		_, exposed = clitest.Get(t, metrics)
	}
	for _, want := range []string{
		`mini_hpa_build_info{commit=`,
		looked,
		`mini_hpa_desired_replicas{hpa_name="web",kind="Deployment",namespace="default"} 6`,
		`mini_hpa_metrics_age_seconds `,
		`mini_hpa_metrics_lists_total `,
		`mini_hpa_metrics_list_failures_total 0`,
		`leader_election_master_status{name="mini-hpa"} 1`,
		`workqueue_adds_total{controller="mini-hpa",name="mini-hpa"} `,
		`rest_client_requests_total{code="200",host="` + strings.TrimPrefix(server.URL, "http://"),
		`rest_client_request_duration_seconds_bucket{`,
		`go_goroutines `, `process_resident_memory_bytes `,
	} {
		if !strings.Contains(exposed, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if holder := server.Lease.Spec.HolderIdentity; holder == nil || *holder != "" {
		t.Errorf("the lease is still held by %v", holder)
	}
	for agent := range server.Agents {
		if !strings.HasPrefix(agent, "mini-hpa/") {
			t.Errorf("user agent %q", agent)
		}
	}
	r.Logged("mini-hpa controller has ended", "", "")
}

func TestControllerStandsBy(t *testing.T) {
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	server.Lease = &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
	server.Lease.Spec = resourcelock.LeaderElectionRecordToLeaseSpec(&resourcelock.LeaderElectionRecord{
		HolderIdentity: "them", LeaseDurationSeconds: 3600, AcquireTime: metav1.Now(), RenewTime: metav1.Now()})
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")
	r.Logged("leader observed", "identity", "them")
	probes := "http://" + r.Logged("listening", "flag", "health-probe-bind-address")["address"].(string)
	if status, body := clitest.Get(t, probes+"/readyz?verbose"); status != http.StatusOK || body != "[+]ping ok\n[+]shutdown ok\n[+]informer-sync ok\nreadyz check passed\n" {
		t.Errorf("/readyz of a standby: %d %s", status, body)
	}
	if status, body := clitest.Get(t, probes+"/healthz?verbose"); status != http.StatusOK || body != "[+]ping ok\n[+]leaderElection ok\n[+]term-end ok\nhealthz check passed\n" {
		t.Errorf("/healthz of a standby: %d %s", status, body)
	}
	_, exposed := clitest.Get(t, "http://"+r.Logged("listening", "flag", "metrics-bind-address")["address"].(string)+"/metrics")
	if strings.Contains(exposed, "mini_hpa_metrics_age_seconds") || !strings.Contains(exposed, "mini_hpa_metrics_lists_total 0") {
		t.Error("a standby reads metrics, or tells the age of samples that it does not read")
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if holder := server.Lease.Spec.HolderIdentity; *holder != "them" {
		t.Errorf("the standby changed the lease that it did not hold: %q", *holder)
	}
	if len(server.Scaled) > 0 {
		t.Error("a standby scaled")
	}
}

func TestControllerThatCannotStart(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	taken := strings.TrimPrefix(server.URL, "http://")
	tests := map[string]struct {
		args []string
		want string
	}{
		"a port that is taken": {
			args: []string{"--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=" + taken, "--health-probe-bind-address=0"},
			want: fmt.Sprintf("cannot serve --metrics-bind-address=%s: listen tcp %s: bind: address already in use", taken, taken),
		},
		"no kubeconfig": {
			args: []string{"--kubeconfig", "/nonexistent/kubeconfig"},
			want: "cannot load kubeconfig /nonexistent/kubeconfig: stat /nonexistent/kubeconfig: no such file or directory",
		},
		"no such context": {
			args: []string{"--kubeconfig", server.Kubeconfig(), "--context", "nowhere"},
			want: `context "nowhere" does not exist`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := start(t, test.args...)
			if code := <-r.Code; code != cli.ExitFailure {
				t.Errorf("exit code %d", code)
			}
			line := r.Logged("mini-hpa controller failed", "level", "error")
			if got, _ := line["error"].(string); !strings.Contains(got, test.want) {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

func TestControllerToldToEndBeforeItsCachesAreFilled(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Forbidden = "deployments"
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0")
	probes := "http://" + r.Logged("listening", "flag", "health-probe-bind-address")["address"].(string)
	r.Logged("will try again", "", "") // the watch of Deployments is forbidden
	want := "[+]ping ok\n[+]shutdown ok\n[-]informer-sync failed: the caches of what is in the cluster are not filled yet\nreadyz check failed\n"
	if status, body := clitest.Get(t, probes+"/readyz"); status != http.StatusInternalServerError || body != want {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, body := clitest.Get(t, probes+"/healthz"); status != http.StatusOK || body != "ok" {
		t.Errorf("/healthz: %d %s", status, body)
	}
	if code := r.End(); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}

func start(t *testing.T, args ...string) *clitest.Process {
	return clitest.Start(t, program(), append([]string{"controller"}, args...)...)
}
