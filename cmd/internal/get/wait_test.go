package get

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

func TestGoals(t *testing.T) {
	of := func(state scaler.State, replicas, ready, wants int32, ago time.Duration) scaler.Status {
		return scaler.Status{State: state, Replicas: replicas, Ready: ready, Wants: &wants, Min: new(int32(1)), Max: new(int32(5)), Decided: noon.Add(-ago)}
	}
	undecided := scaler.Status{State: scaler.StatePaused, Replicas: 2, Ready: 2, Min: new(int32(1)), Max: new(int32(5))}
	for name, c := range map[string]struct {
		status                    scaler.Status
		active, settled, replicas bool
	}{
		"it has what it wants":            {of(scaler.StateOK, 2, 2, 2, 0), true, true, true},
		"what was decided before that":    {of(scaler.StateOK, 2, 2, 2, time.Second), false, false, true},
		"it wants more than it may have":  {of(scaler.StateLimited, 5, 5, 8, 0), true, true, false},
		"it wants less than it must have": {of(scaler.StateOK, 1, 1, 0, 0), true, true, false},
		"pods are not ready":              {of(scaler.StateStarved, 2, 1, 2, 0), true, false, false},
		"a window holds it":               {of(scaler.StateHolding, 2, 2, 1, 0), true, false, true},
		"it sleeps, and min is 1 by day":  {of(scaler.StateAsleep, 0, 0, 0, 0), true, false, false},
		"observed, and it would change":   {of(scaler.StateObserve, 2, 2, 3, 0), true, false, true},
		"nobody leads":                    {of(scaler.StateDown, 2, 2, 2, 0), false, false, true},
		"paused":                          {undecided, false, false, true},
	} {
		got := [3]bool{goal{word: goalActive}.reached(&c.status, noon), goal{word: goalSettled}.reached(&c.status, noon), goal{goalReplicas, 2}.reached(&c.status, noon)}
		if want := [3]bool{c.active, c.settled, c.replicas}; got != want {
			t.Errorf("%s: active, settled, 2 replicas are %v, want %v", name, got, want)
		}
	}
}

func TestWait(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	decided := func(name string, replicas, ready int32) scaler.Status {
		return scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "shop", Name: name, State: scaler.StateOK, Replicas: replicas, Ready: ready, Wants: &replicas,
			Min: new(int32(1)), Max: new(int32(5)), Decided: noon.Add(-5 * time.Second)}
	}
	starved := decided("geo", 5, 3)
	starved.State, starved.Why = scaler.StateStarved, "2 of 5 replicas do not come\x1b[2J"
	stale := decided("old", 2, 2)
	stale.Decided = noon.Add(-time.Minute)
	port := server.Lead(state.Head{Time: noon, Defaults: annotations.DefaultDefaults()}, clitest.Statuses{decided("web", 2, 2), starved, stale})
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"settled":              {[]string{"deploy/web"}, cli.ExitOK, "deployments.apps/web is OK with 2 replicas, 2 ready\n"},
		"active":               {[]string{"deploy", "web", "geo", "--for=active"}, cli.ExitOK, "deployments.apps/geo is STARVED with 5 replicas, 3 ready\n"},
		"replicas":             {[]string{"web", "--for=replicas=2"}, cli.ExitOK, "with 2 replicas, 2 ready\n"},
		"decided lately":       {[]string{"web", "--timeout=1m"}, cli.ExitOK, "deployments.apps/web is OK with 2 replicas, 2 ready\n"},
		"decided long ago":     {[]string{"old"}, cli.ExitOK, "deployments.apps/old is OK with 2 replicas, 2 ready\n"},
		"not decided since":    {[]string{"old", "--timeout=4s"}, cli.ExitFailure, "not within 4s: deployments.apps/old is OK with 2 replicas, 2 ready; nothing has been decided since the wait began, the last decision is 1m0s old\n"},
		"not in time":          {[]string{"web", "geo"}, cli.ExitFailure, `mini-hpa wait: not within 0s: deployments.apps/geo is STARVED with 5 replicas, 3 ready: 2 of 5 replicas do not come\x1b[2J` + "\n"},
		"not there":            {[]string{"sts/web"}, cli.ExitFailure, "statefulsets.apps/web is not scaled by mini-hpa, or is not there\n"},
		"no such goal":         {[]string{"web", "--for=replicas"}, cli.ExitUsage, `invalid value "replicas" for --for: want active, settled or replicas=N`},
		"fewer than none":      {[]string{"web", "--for=replicas=-1"}, cli.ExitUsage, "want active, settled or replicas=N"},
		"nothing to wait for":  {nil, cli.ExitUsage, "nothing to wait for; want one workload"},
		"no kind of workloads": {[]string{"pod/web"}, cli.ExitUsage, `no kind that mini-hpa scales is called "pod"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := clitest.Call(t, WaitCommand(), append([]string{"-n=shop", "--timeout=0s", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port=" + port}, c.args...)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("exit code %d, want %d and %q\n%s%s", code, c.code, c.want, stdout, stderr)
			}
		})
	}
}

// TestWaitIsBoundByItsTimeout where nobody answers a look, which would take a minute.
func TestWaitIsBoundByItsTimeout(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	server := clitest.NewAPIServer(t, nil)
	server.URL = silent.URL
	began := time.Now()
	code, stdout, stderr := clitest.Call(t, WaitCommand(), "web", "--timeout=1s", "--kube-api-timeout=5m", "--kubeconfig", server.Kubeconfig())
	if took := time.Since(began); code != cli.ExitFailure || took > 45*time.Second || !strings.Contains(stderr, "not within 1s: ") {
		t.Errorf("exit code %d after %s\n%s%s", code, took, stdout, stderr)
	}
}

// TestWaitAsksAgain until it is so.
func TestWaitAsksAgain(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	comes := &coming{Statuses: clitest.Statuses{{Kind: "Deployment", Group: "apps", Namespace: "shop", Name: "web", State: scaler.StateOK, Replicas: 1}}}
	port := server.Lead(state.Head{Time: noon}, comes)
	code, stdout, stderr := clitest.Call(t, WaitCommand(), "web", "-n=shop", "--for=replicas=1", "--timeout=1m", "--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port="+port)
	if code != cli.ExitOK || stdout != "deployments.apps/web is OK with 1 replica, 1 ready\n" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// coming is a leader who sees that a pod becomes ready once it has been asked about.
type coming struct {
	clitest.Statuses
	asked atomic.Int32
}

func (c *coming) Status(key annotations.Key) (scaler.Status, bool) {
	s, known := c.Statuses.Status(key)
	if c.asked.Add(1) > 2 { // whoever finds the leader asks for one, too
		s.Ready = 1
	}
	return s, known
}
