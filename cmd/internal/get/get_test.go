package get

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

func TestTheLeaderIsAsked(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	port := server.Lead(state.Head{Time: noon, Newest: noon.Add(-9 * time.Second)}, clitest.Statuses(shop().Items[:3]))
	call := func(args ...string) (int, string, string) {
		return clitest.Call(t, Command(), append([]string{"--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa", "--state-port=" + port}, args...)...)
	}
	code, stdout, stderr := call("-A", "--sort-by=state")
	host, _ := os.Hostname()
	if want := "source: leader " + host + ", 3s ago\nNAMESPACE   NAME "; code != cli.ExitOK || stderr != "" || !strings.HasPrefix(stdout, want) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if want := "-- 3 workloads: 1 invalid, 1 starved, 1 limited; metrics 9s old; leader " + host + "\n"; !strings.HasSuffix(stdout, want) {
		t.Errorf("the table ends otherwise than with %q:\n%s", want, stdout)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
		err  string
	}{
		"one by name":             {args: []string{"-n", "shop", "deploy/web", "-o", "name"}, want: "deployment.apps/web\n"},
		"with its kind before it": {args: []string{"-n", "shop", "deploy", "web", "api", "-o", "name"}, want: "deployment.apps/api\ndeployment.apps/web\n"},
		"of another kind":         {args: []string{"-n", "shop", "sts/web", "-o", "name"}, code: cli.ExitFailure, err: "mini-hpa get: \"web\" is not scaled by mini-hpa, or is not there\n"},
		"of another namespace":    {args: []string{"-n", "default", "-o", "name"}},
		"problems":                {args: []string{"-A", "--problem", "-o", "name"}, code: cli.ExitFailure, want: "deployment.apps/api\ndeployment.apps/geo\ndeployment.apps/web\n"},
		"a path":                  {args: []string{"-A", "-o", "jsonpath=.items[*].state"}, want: "INVALID STARVED LIMITED\n"},
		"no form":                 {args: []string{"-o", "jsonpath={.items"}, code: cli.ExitUsage},
		"no column":               {args: []string{"--sort-by=age"}, code: cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(c.args...)
			if code != c.code || stdout != c.want || c.err != "" && stderr != c.err {
				t.Errorf("exit code %d, want %d\n%q, want %q\n%s", code, c.code, stdout, c.want, stderr)
			}
		})
	}
}

// TestWhatIsComputedHere says so in its first line, and why.
func TestWhatIsComputedHere(t *testing.T) {
	since := time.Now().Add(-2 * time.Minute)
	good := map[string]string{"mini-hpa/target-cpu": "50", "mini-hpa/max": "10"}
	for name, c := range map[string]struct {
		prepare func(s *clitest.APIServer)
		args    []string
		code    int
		source  string
		row     string
	}{
		"nobody leads": {
			prepare: func(s *clitest.APIServer) { s.Hold("", since) },
			source:  "source: computed here; no controller leads since " + since.Local().Format("15:04:05") + ", nothing will be scaled\n",
			row:     "web    cpu: 220%/50%   1     10    2          2       9       DOWN    -            no controller leads; otherwise RAMPING: needs 9; 4 pods/15s, 100%/15s: no further than 6 now",
		},
		"the Lease has run out, and its holder does not answer": {
			prepare: func(s *clitest.APIServer) { s.Hold("gone_1", since) },
			source:  "source: computed here; no controller leads since " + since.Local().Format("15:04:05") + ", nothing will be scaled\n",
			row:     "DOWN",
		},
		"the leader may not be asked": {
			prepare: func(s *clitest.APIServer) { s.Hold("mini-hpa-7c9f-x2_1", time.Now()) },
			source:  "source: computed here; the leader mini-hpa-7c9f-x2 cannot be asked: cannot ask the controller: ",
			row:     "RAMPING",
		},
		"the Lease is not there": {
			prepare: func(*clitest.APIServer) {},
			source:  "source: computed here; it is not known whether a controller leads: there is no Lease \"mini-hpa\" in namespace \"default\"; --controller names another\n",
			row:     "RAMPING",
		},
		"the Lease is forbidden": {
			prepare: func(s *clitest.APIServer) { s.Forbidden = "leases" },
			source:  "source: computed here; it is not known whether a controller leads: the Lease default/mini-hpa cannot be read: leases is forbidden",
			row:     "RAMPING",
		},
		"samples are forbidden": {
			prepare: func(s *clitest.APIServer) { s.Forbidden = "metrics.k8s.io" },
			source:  "source: computed here; it is not known",
			row:     "web    cpu: ?/50%   1     10    2          2       -       ?       -            not known to you: cannot list pod metrics",
		},
		"pods are forbidden": {
			prepare: func(s *clitest.APIServer) { s.Forbidden = "v1/namespaces/default/pods" },
			code:    cli.ExitFailure,
			source:  "mini-hpa get: cannot list the workloads of namespace \"default\" and their pods:\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := clitest.NewAPIServer(t, good)
			c.prepare(server)
			code, stdout, stderr := clitest.Call(t, Command(), append([]string{"--kubeconfig", server.Kubeconfig(), "--controller=default/mini-hpa"}, c.args...)...)
			if code != c.code || !strings.HasPrefix(stdout+stderr, c.source) || !strings.Contains(stdout, c.row) || strings.Contains(stdout+stderr, "\x1b") {
				t.Errorf("exit code %d, want %d and\n%s...%s\n%s%s", code, c.code, c.source, c.row, stdout, stderr)
			}
		})
	}
}

// TestAUserOfOneNamespace is told which one to name.
func TestAUserOfOneNamespace(t *testing.T) {
	server := clitest.NewAPIServer(t, nil)
	server.Forbidden = "apps/v1/deployments"
	code, stdout, stderr := clitest.Call(t, Command(), "--kubeconfig", server.Kubeconfig(), "-A")
	if code != cli.ExitFailure || stdout != "" || !strings.HasPrefix(stderr, "mini-hpa get: not all namespaces are known to you; name one with -n:\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// BenchmarkGet is the table of 5,000 workloads.
func BenchmarkGet(b *testing.B) {
	var all []scaler.Status
	for i := range 5000 {
		s := shop().Items[i%5]
		s.Namespace, s.Name = fmt.Sprintf("ns-%03d", i/20), fmt.Sprintf("web-%d", i%20)
		all = append(all, s)
	}
	for b.Loop() {
		f := &Fleet{Items: slices.Clone(all), Time: noon}
		sortItems(f.Items, "state")
		if err := f.write(discard{}, "", true); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
