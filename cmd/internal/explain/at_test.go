package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"20m":                 now.Add(-20 * time.Minute),
		"0s":                  now,
		"03:14":               time.Date(2026, 11, 29, 3, 14, 0, 0, time.Local),
		"03:14:07":            time.Date(2026, 11, 29, 3, 14, 7, 0, time.Local),
		"23:59":               time.Date(2026, 11, 28, 23, 59, 0, 0, time.Local),
		"2026-11-28 03:14":    time.Date(2026, 11, 28, 3, 14, 0, 0, time.Local),
		"2026-11-28T03:14:07": time.Date(2026, 11, 28, 3, 14, 7, 0, time.Local),
		"2026-11-28T03:14:0Z": {},
		"-20m":                {},
		"25:00":               {},
		"noon":                {},
		"":                    {},
	} {
		m, ok := momentOf(text)
		if ok != !want.IsZero() || ok && !m.of(now).Equal(want) {
			t.Errorf("%q: %v, %v, want %s", text, ok, m, want)
		}
	}
	if m, ok := momentOf("2026-11-28T03:14:07Z"); !ok || !m.of(now).Equal(time.Date(2026, 11, 28, 3, 14, 7, 0, time.UTC)) {
		t.Error("a time in UTC is another one")
	}
}

const recordedTrace = "../../../scaler/trace/testdata/0005.trace.jsonl.gz"

// TestATraceIsExplained as it was decided, with the state that it had, and without a cluster.
func TestATraceIsExplained(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nonexistent")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"at a moment":  {[]string{"--at=2000-01-01T00:12:20Z"}, cli.ExitOK, "deployment default/load: scale from 10 to 6 replicas\n  cpu utilization 4% below target 20%"},
		"the last":     {[]string{"deploy/load"}, cli.ExitOK, "deployment default/load: "},
		"before it":    {[]string{"--at=1999-12-31T00:00:00Z"}, cli.ExitFailure, "begins after 1999-12-31"},
		"of another":   {[]string{"web"}, cli.ExitFailure, "is of deployment default/load\n"},
		"another kind": {[]string{"sts/load"}, cli.ExitFailure, "is of deployment default/load\n"},
		"elsewhere":    {[]string{"deploy/load", "-n=shop"}, cli.ExitFailure, "is of deployment default/load\n"},
		"and there":    {[]string{"deploy/load", "-n=default"}, cli.ExitOK, "deployment default/load: "},
		"as JSON":      {[]string{"-o=json", "--at=2000-01-01T00:12:20Z"}, cli.ExitOK, `"desired": 6`},
		"watched":      {[]string{"-w"}, cli.ExitUsage, "--watch is about what happens now"},
		"not a time":   {[]string{"--at=noon"}, cli.ExitUsage, `invalid value "noon" for --at: want a time such as`},
		"no such file": {[]string{"--trace=/nonexistent"}, cli.ExitUsage, `cannot read the trace "/nonexistent": no such file or directory`},
		"not a trace":  {[]string{"--trace=at_test.go"}, cli.ExitUsage, `cannot read the trace "at_test.go": line 1: `},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, Command(), append([]string{"--trace=" + recordedTrace}, c.args...)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) || strings.Contains(stdout, "Seen from outside") {
				t.Errorf("exit code %d, want %d and %q\n%s%s", code, c.code, c.want, stdout, stderr)
			}
		})
	}
}

// TestTheLeaderIsAskedOfThePast as far as it remembers it.
func TestTheLeaderIsAskedOfThePast(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
	s.add("web-1", "30m", "64Mi")
	known := shown(s.explain(), s.annotations)
	known.Chronicle = nil
	for i := range 10 {
		known.Chronicle = append(known.Chronicle, scaler.Entry{Time: now.Add(time.Duration(i-10) * time.Minute), Reason: scaler.EventSuccessfulRescale, From: int32(i), To: int32(i + 1), Message: "because\x1b[2J"})
	}
	for name, c := range map[string]struct {
		args   []string
		code   int
		want   string
		within int
	}{
		"between two": {[]string{"--at=150s"}, cli.ExitOK, " 8 replicas\n", 6},
		"now":         {[]string{"--at=0s"}, cli.ExitOK, " 10 replicas\n", 5},
		"to come":     {[]string{"--at=2126-01-01T00:00:00Z"}, cli.ExitUsage, `invalid value "2126-01-01T00:00:00Z" for --at: that is still to come`, 0},
		"early":       {[]string{"--at=11m"}, cli.ExitFailure, "the controller remembers nothing of deployment default/web that was before ", 0},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := askedOfLeader(t, known, c.args...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) || strings.Count(stdout, "because") != c.within || strings.Contains(stdout, "\x1b") {
				t.Errorf("exit code %d, want %d and %q\n%s%s", code, c.code, c.want, stdout, stderr)
			}
		})
	}
	code, stdout, _ := askedOfLeader(t, known, "--at=150s", "-o=json")
	var form past
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || code != cli.ExitOK || form.Replicas == nil || *form.Replicas != 8 || len(form.Entries) != 6 {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	server := clitest.NewAPIServer(t, nil)
	if code, _, stderr := clitest.Call(t, Command(), "web", "--at=1m", "--kubeconfig", server.Kubeconfig()); code != cli.ExitFailure || !strings.Contains(stderr, "what was then is not known: ") {
		t.Errorf("without a leader: exit code %d, %s", code, stderr)
	}
}

// growing is a leader whose workload has one pod more each time.
type growing struct {
	clitest.One
	mu sync.Mutex
}

func (g *growing) Show(annotations.Key) (scaler.Shown, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := *g.Shown.Decision
	d.Desired++
	g.Shown.Decision = &d
	return g.Shown, true
}

// TestAWatchExplainsAgain when the decision has changed, until whoever watches has seen enough.
func TestAWatchExplainsAgain(t *testing.T) {
	now := time.Now()
	s := scene{now: now, replicas: 2, annotations: map[string]string{annotations.TargetCPU: "50", annotations.Max: "10"}}
	s.add("web-1", "30m", "64Mi")
	server := clitest.NewAPIServer(t, s.annotations)
	port := server.Lead(state.Head{Time: now}, &growing{One: clitest.One{Shown: shown(s.explain(), s.annotations)}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &until{text: "\n---\n", then: cancel}
	var stderr bytes.Buffer
	code := clitest.Run(ctx, Command(), []string{"web", "-w", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port=" + port}, cli.Streams{Out: out, Err: &stderr})
	if code != cli.ExitOK || strings.Count(out.all.String(), "source: leader ") != 2 || stderr.Len() > 0 {
		t.Errorf("exit code %d\n%s%s", code, out.all.String(), stderr.String())
	}
}

// until is told when what is written to it has a text, and what was written with it.
type until struct {
	all  strings.Builder
	text string
	then func()
}

// Write takes a part.
func (u *until) Write(p []byte) (int, error) {
	n, err := u.all.Write(p)
	if _, after, has := strings.Cut(u.all.String(), u.text); has && strings.Contains(after, "Conditions") {
		u.then()
	}
	return n, err
}
