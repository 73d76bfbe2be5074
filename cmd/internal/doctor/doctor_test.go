package doctor

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

func TestDoctor(t *testing.T) {
	of := func(name string, state scaler.State, why string) scaler.Status {
		return scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "default", Name: name, State: state, Why: why, Wants: new(int32(8))}
	}
	limited := of("web", scaler.StateLimited, "needs 8, mini-hpa/max is 5")
	sick := clitest.Statuses{of("api", scaler.StateInvalid, "no request\x1b[2J"), of("cart", scaler.StateConflict, `HorizontalPodAutoscaler "cart"`), of("geo", scaler.StateStarved, "5 of 8"), of("idle", scaler.StateHolding, "needs 2"),
		of("office", scaler.StateLimited, "needs 8, the max of line 1 of mini-hpa/schedule is 5"), of("pay", scaler.StateOverwritten, "by kubectl"), limited}
	host, _ := os.Hostname()
	const metrics = `ok   the metrics API answers: metrics.k8s.io/v1beta1 has samples of 2 pods in namespace "default"`
	for name, c := range map[string]struct {
		known     clitest.Statuses
		forbidden string
		args      []string
		code      int
		want      []string
	}{
		"all is well": {known: clitest.Statuses{of("idle", scaler.StateHolding, "needs 2")}, want: []string{metrics,
			"skip the webhook: there is none, --webhook-configuration is empty",
			"skip the rights of the controller: --service-account is not given",
			"skip a controller leads: --leader-elect-resource-name or --service-account is not given",
			"ok   1 workload looked at; source: leader " + host + ", 0s ago"}},
		"much is wrong": {known: sick, code: cli.ExitFailure, want: []string{
			"ok   7 workloads looked at; source: leader " + host + ", 0s ago",
			`FAIL default deploy/api is INVALID: no request\x1b[2J; next: mini-hpa explain KUBECONFIG -n default deploy/api`,
			`FAIL default deploy/cart is CONFLICT: HorizontalPodAutoscaler "cart"; next: kubectl get KUBECONFIG -n default hpa`,
			"FAIL default deploy/geo is STARVED: 5 of 8; next: mini-hpa explain KUBECONFIG -n default deploy/geo",
			"FAIL default deploy/pay is OVERWRITTEN: by kubectl; next: mini-hpa history KUBECONFIG -n default deploy/pay",
			"FAIL default deploy/office is LIMITED: needs 8, the max of line 1 of mini-hpa/schedule is 5; next: mini-hpa explain KUBECONFIG -n default deploy/office",
			"FAIL default deploy/web is LIMITED: needs 8, mini-hpa/max is 5; next: kubectl annotate KUBECONFIG -n default deploy/web --overwrite mini-hpa/max=8"}},
		"rights that a user lacks": {forbidden: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations", args: []string{"--webhook-configuration=mini-hpa"}, code: cli.ExitFailure,
			want: []string{`skip ValidatingWebhookConfiguration "mini-hpa": `}},
		"samples that a user may not list":     {forbidden: "metrics.k8s.io", want: []string{"skip the metrics API answers: "}},
		"a name of no webhook":                 {args: []string{"--webhook-configuration=a b"}, code: cli.ExitUsage},
		"a service account with its namespace": {args: []string{"--service-account=mini-hpa/mini-hpa"}, code: cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			server := clitest.NewAPIServer(t, nil)
			server.Forbidden = c.forbidden
			port := server.Lead(state.Head{Time: time.Now()}, c.known)
			kubeconfig := server.Kubeconfig()
			args := append([]string{"--kubeconfig", kubeconfig, "--controller=default/mini-hpa", "--state-port=" + port, "--service-account=", "--webhook-configuration="}, c.args...)
			code, stdout, stderr := clitest.Call(t, Command(), args...)
			if code != c.code || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
			var got []string
			for line := range strings.Lines(stdout) {
				line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "--kubeconfig="+kubeconfig, "KUBECONFIG")
				for _, want := range c.want {
					if line == want || strings.HasSuffix(want, ": ") && strings.HasPrefix(line, want) {
						got = append(got, want)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s%s", diff, stdout, stderr)
			}
		})
	}
}

// silent is a source that does not answer.
type silent struct{}

func (silent) Status() ([]sources.Status, string) {
	return []sources.Status{{Name: "queue", Failure: "it is silent"}}, ""
}

// TestDoctorAsksForSources at the port that it is given.
func TestDoctorAsksForSources(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Sources = silent{}
	port := server.Lead(state.Head{Time: time.Now()}, clitest.Statuses{})
	code, stdout, stderr := clitest.Call(t, Command(), "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port="+port, "--webhook-configuration=")
	if code != cli.ExitFailure || !strings.Contains(stdout, `FAIL source "queue": it is silent`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
