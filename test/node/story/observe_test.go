//go:build linux

package story

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

func TestReportsOfTheSelftest(t *testing.T) {
	t.Parallel()
	good := []string{
		"mini-hpa-selftest", "ok   the metrics API answers: it has samples", "ok   the certificate of webhook workloads.webhook.mini-hpa: it is trusted",
		"ok   a Deployment without a CPU request is refused: the webhook was asked, and would skip nothing", "",
	}
	for name, tc := range map[string]struct {
		change func(lines []string) []string
		says   string
	}{
		"all is well": {change: func(lines []string) []string { return lines }},
		"no samples":  {change: func(lines []string) []string { return append(lines[:1], lines[2:]...) }, says: `"ok   the metrics API answers"`},
		"no line about the certificate": {
			change: func(lines []string) []string { return append(lines[:2], lines[3:]...) }, says: `"ok   the certificate of webhook"`,
		},
		"no refusal":          {change: func(lines []string) []string { return lines[:3] }, says: `"ok   a Deployment without a CPU request is refused"`},
		"something failed":    {change: func(lines []string) []string { return append(lines, "FAIL the rest: x") }, says: `not have the line "FAIL the rest: x"`},
		"something was left":  {change: func(lines []string) []string { return append(lines, "skip the rest: x") }, says: `not have the line "skip the rest: x"`},
		"there is no report":  {change: func([]string) []string { return nil }, says: "the metrics API answers"},
		"only inside of text": {change: func(lines []string) []string { return []string{strings.Join(lines, " ")} }, says: "the metrics API answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkReport(strings.Join(tc.change(slices.Clone(good)), "\n"))
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestEventsInADescription(t *testing.T) {
	t.Parallel()
	const (
		four  = "  Normal  SuccessfulRescale  90s                mini-hpa               New size: 4; reason: cpu\n"
		one   = "  Normal  SuccessfulRescale  2s (x2 over 90s)   mini-hpa               New size: 1; reason: all below\n"
		other = "  Normal  SuccessfulRescale  2s                 horizontal-pod-autoscaler  New size: 1; reason: all below\n"
		ten   = "  Normal  SuccessfulRescale  2s                 mini-hpa               New size: 10; reason: cpu\n"
		fails = "  Warning  FailedRescale     2s                 mini-hpa               New size: 1; reason: cpu; error: x\n"
	)
	for name, tc := range map[string]struct{ text, says string }{
		"both are there":       {text: four + one},
		"none":                 {says: "New size: 4"},
		"no end":               {text: four, says: "New size: 1"},
		"the end of another":   {text: four + other, says: "New size: 1"},
		"another size":         {text: four + ten, says: "New size: 1"},
		"a failed one":         {text: four + fails, says: "New size: 1"},
		"no growth to the top": {text: one, says: "New size: 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkEvents("Events:\n"+tc.text, 4, 1)
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestCountersAreTheWebhooks(t *testing.T) {
	t.Parallel()
	const ours = `rejection_count{error_type="no_error",name="workloads.webhook.mini-hpa",operation="CREATE",rejection_code="422",type="validating"} 51`
	const open = `fail_open_count{name="workloads.webhook.mini-hpa",type="validating"} 1`
	text := "# TYPE apiserver_admission_webhook_rejection_count counter\n" +
		"apiserver_admission_webhook_" + ours + "\n" +
		"apiserver_admission_webhook_" + strings.ReplaceAll(ours, hook, "other") + "\n" +
		"apiserver_admission_webhook_request_total{name=\"workloads.webhook.mini-hpa\"} 7\n" +
		"apiserver_admission_webhook_" + open + "\n"
	if diff := cmp.Diff([]string{ours, open}, counters(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheAuditLogIsHeldToTheRights(t *testing.T) {
	t.Parallel()
	record := func(user string, code int) rig.Record {
		r := rig.Record{Verb: "list", RequestURI: "/api/v1/secrets"}
		r.User.Username, r.Response.Code = user, code
		return r
	}
	ours, others := record(account, 200), record("system:serviceaccount:mini-hpa:other", 403)
	for name, tc := range map[string]struct {
		log   []rig.Record
		says  string
		asked int
	}{
		"nothing of ours is forbidden": {log: []rig.Record{ours, others, ours}, asked: 2},
		"something is":                 {log: []rig.Record{ours, record(account, 403), ours}, says: "mini-hpa was forbidden to list /api/v1/secrets"},
		"nothing is of ours":           {log: []rig.Record{others}, says: "there should be requests of mini-hpa"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, err := checkAudit(tc.log)
			if asked != tc.asked {
				t.Errorf("%d requests, want %d", asked, tc.asked)
			}
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestTheUsersClusterIsNotOurs(t *testing.T) {
	for _, name := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HELM_KUBECONTEXT", "HELM_NAMESPACE", "KUBECTL_EXTERNAL_DIFF", "HOME"} {
		t.Setenv(name, "theirs")
	}
	env := environment("/ours", "/home")
	if slices.ContainsFunc(env, func(entry string) bool {
		return strings.HasSuffix(entry, "=theirs") && !strings.HasPrefix(entry, "HOME=")
	}) ||
		slices.Index(env, "HOME=/home") < slices.Index(env, "HOME=theirs") || !slices.Contains(env, "KUBECONFIG=/ours") {
		t.Errorf("programs get %q", env)
	}
}
