package explain

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/recommend"
)

// askedOfLeader explains default/web with a leader that knows this, and would by itself see pods at 220 % of their requests.
func askedOfLeader(t *testing.T, s scaler.Shown, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := clitest.NewAPIServer(t, map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"})
	port := server.Lead(state.Head{Time: s.Status.Decided.Add(3 * time.Second), Defaults: annotations.DefaultDefaults(), Rules: recommend.DefaultRules()}, clitest.One{Shown: s})
	return clitest.Call(t, Command(), append([]string{"web", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port=" + port}, args...)...)
}

// shown is what a leader shows of an explanation.
func shown(e scaler.Explanation, pairs map[string]string) scaler.Shown {
	return scaler.Shown{Status: scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "default", Name: "web", State: scaler.StateHolding, Why: "needs 1; 5 is\x1b[31m the highest", Decided: e.Decision.Time},
		Annotations: pairs, Warnings: e.Warnings, Snapshot: &e.Snapshot, Decision: &e.Decision,
		Chronicle: []scaler.Entry{{Time: e.Decision.Time.Add(-2 * time.Minute), Reason: scaler.EventSuccessfulRescale, Message: "New size: 2; reason\x1b[31m", From: 1, To: 2}}}
}

// TestTheLeadersLastDecisionIsExplained in the words in which a look from outside is, without its doubts.
func TestTheLeadersLastDecisionIsExplained(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10", annotations.ScheduleKey: "Mon-Fri 07:30-20:00 min=1"}}
	s.add("web-1", "30m", "64Mi")
	s.add("web-2", "40m", "65Mi")
	e := s.explain()
	var outside strings.Builder
	if err := (&Answer{Explanation: e}).render(&outside, now); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := askedOfLeader(t, shown(e, s.annotations))
	host, _ := os.Hostname()
	rest, found := strings.CutPrefix(stdout, "source: leader "+host+", 3s ago\n")
	if code != cli.ExitOK || stderr != "" || !found || strings.Contains(stdout, "\x1b") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	rest, history, _ := strings.Cut(rest, "\nHistory (since this controller leads, the last 1)\n")
	if !strings.Contains(history, `2m0s`) || !strings.Contains(history, `1 -> 2`) || !strings.Contains(history, `New size: 2; reason\x1b[31m`) {
		t.Errorf("history:\n%s", history)
	}
	if !strings.Contains(rest, "\n  state HOLDING: needs 1; 5 is\\x1b[31m the highest\n") {
		t.Errorf("the state is not told:\n%s", rest)
	}
	lines := func(text string) []string {
		var kept []string
		for line := range strings.Lines(text) {
			if !strings.Contains(noHistory, strings.TrimSpace(line)) && !strings.HasPrefix(line, "  state ") && !strings.Contains(line, "Time alone changes") {
				kept = append(kept, line)
			}
		}
		return kept
	}
	if diff := cmp.Diff(lines(outside.String()), lines(rest)); diff != "" {
		t.Errorf("from outside, and from the leader (-outside +leader):\n%s", diff)
	}
	var form explanationJSON
	if code, stdout, stderr := askedOfLeader(t, shown(e, s.annotations), "-o", "json"); code != cli.ExitOK || json.Unmarshal([]byte(stdout), &form.Note) == nil || !strings.Contains(stdout, `"source": "source: leader `) || strings.Contains(stdout, `"note"`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestTheLeaderTellsHowItAsked sources for what it knows, which may be newer than what it has decided on.
func TestTheLeaderTellsHowItAsked(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := scene{now: now, replicas: 2, annotations: worker(), answers: map[string]string{"backlog": "700", "mails": "3"}}
	e := s.explain()
	e.Snapshot.Taken.ExternalMetrics = map[string][]time.Time{"backlog": {now.Add(-4 * time.Second)}}
	known := shown(e, s.annotations)
	known.Replies = map[string]metrics.Reply{"backlog": {Asked: now.Add(time.Second), Took: 12 * time.Millisecond, Together: 42}, "mails": {Asked: now, Took: time.Second, Together: 1}}
	_, stdout, stderr := askedOfLeader(t, known)
	for _, want := range []string{`backlog +- +700 +2s ago, in 12ms, with 41 others +4s ago\n`, `mails +- +3 +3s ago, in 1s +0s ago\n`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("%s is not told:\n%s%s", want, stdout, stderr)
		}
	}
	if _, stdout, _ := askedOfLeader(t, known, "-o", "json"); !strings.Contains(stdout, `"together": 42`) {
		t.Errorf("how many were asked together is not told:\n%s", stdout)
	}
}

// TestWhatTheLeaderDoesNotDecide is told, or looked at from outside.
func TestWhatTheLeaderDoesNotDecide(t *testing.T) {
	host, _ := os.Hostname()
	invalid := scaler.Shown{Status: scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "default", Name: "web"}, Problems: []string{"metadata.annotations[mini-hpa/max]: \x1b[31m"}, ProblemEvent: "InvalidAnnotations"}
	if code, stdout, stderr := askedOfLeader(t, invalid); code != cli.ExitFailure || stdout != "" ||
		stderr != "mini-hpa explain: deployment default/web cannot be autoscaled (InvalidAnnotations), so mini-hpa leaves it alone:\n  metadata.annotations[mini-hpa/max]: \\x1b[31m\n" {
		t.Errorf("invalid: exit code %d\n%s%s", code, stdout, stderr)
	}
	invalid.Decision = &recommend.Decision{Current: 0, Desired: 1}
	if code, _, stderr := askedOfLeader(t, invalid); code != cli.ExitFailure || !strings.Contains(stderr, "(InvalidAnnotations), so mini-hpa only wakes it:") {
		t.Errorf("invalid, and to be woken: exit code %d\n%s", code, stderr)
	}
	outside := "source: computed here; the leader " + host + " has decided nothing on it\ndeployment default/web: scale from 2 to 6 replicas\n"
	for name, s := range map[string]scaler.Shown{"not known to it": {}, "paused": {Status: scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "default", Name: "web"}}} {
		if code, stdout, stderr := askedOfLeader(t, s); code != cli.ExitOK || !strings.HasPrefix(stdout, outside) {
			t.Errorf("%s: exit code %d\n%s%s", name, code, stdout, stderr)
		}
	}
}

// TestTheLeaderTellsOfRequests that it knows from the activators: from outside nobody knows them.
func TestTheLeaderTellsOfRequests(t *testing.T) {
	s := scene{now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
	s.add("web-1", "30m", "64Mi")
	told := shown(s.explain(), s.annotations)
	took := func(n uint64, p50, p99 time.Duration) scaler.Times {
		return scaler.Times{Count: n, P50: metav1.Duration{Duration: p50}, P99: metav1.Duration{Duration: p99}}
	}
	told.Requests = &scaler.RequestsShown{Held: 3, InFlight: 12, AtATime: new(14.256), Reaction: took(7, 20*time.Millisecond, 100*time.Millisecond), Start: took(7, 2*time.Second, 4*time.Second)}
	told.Leads = slicesOfAll(s.now, true)
	_, stdout, _ := askedOfLeader(t, told)
	if lead := regexp.MustCompile(`web +grpc +the activators, which are told of 3 pods +\S+ \(1m30s ago\) +mini-hpa-web +20003 +activator-1, activator-2\n`); !lead.MatchString(stdout) {
		t.Errorf("where requests go is not in\n%s", stdout)
	}
	_, requests, _ := strings.Cut(stdout, "\nRequests at the activators\n")
	requests, _, _ = strings.Cut(requests, "\n\nPods")
	want := `  held       3
  in flight  12
  at a time  14.26, of late

Wakes for requests
  FROM                      TO                       TIMES  P50     P99
  the first request         replicas are written     7      <=20ms  <=100ms
  replicas are written      a pod is ready           7      <=2s    <=4s
  a pod is ready            the first answer begins  0      -       -
  each request that waited  a pod has it             0      -       -`
	if diff := cmp.Diff(want, requests); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, stdout, _ = askedOfLeader(t, told, "-o", "json")
	for _, part := range []string{`"held": 3`, `"p99": "100ms"`, `"slice": "mini-hpa-admin"`, `"port": 20004`} {
		if !strings.Contains(stdout, part) {
			t.Errorf("%s is not in\n%s", part, stdout)
		}
	}
	told.Requests.Unknown = "no activator tells its state"
	if _, stdout, _ = askedOfLeader(t, told); !strings.Contains(stdout, "unknown    no activator tells its state\n") {
		t.Errorf("why it is not known is not in\n%s", stdout)
	}
}
