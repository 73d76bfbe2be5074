package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// TestSleepIsTold: of a workload that sleeps and wakes, Events, explain and metrics say so.
func TestSleepIsTold(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue("backlog-s", 0)
	d := shared.deploy(t, ns, "web", 2, 0, asking(external("backlog-s", "10"), map[string]string{"min": "0", "wake-replicas": "2"}))
	c := shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	d.await(0)
	explain := func() string {
		out, err := exec.CommandContext(t.Context(), program, "explain", "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns, "web").CombinedOutput()
		if err != nil {
			t.Errorf("explain: %v\n%s", err, out)
		}
		return string(out)
	}
	d.eventually("explain says since when it sleeps", func(context.Context) (bool, string) {
		out := explain()
		return strings.Contains(out, "web: asleep since ") && strings.Contains(out, "backlog-s  0      no"), out
	})
	shared.setQueue("backlog-s", 7)
	d.await(2)
	d.eventually("it is told", func(context.Context) (bool, string) {
		events := strings.Join(d.events(), "\n")
		return strings.Contains(events, "New size: 0; reason: no external or object metric is above 0: there is nothing to do") &&
			strings.Contains(events, "New size: 2; reason: backlog-s 7, target 10, above 0: wakes"), events
	})
	d.eventually("it is counted and measured", func(context.Context) (bool, string) {
		_, series := get(t, c.address, "/metrics")
		return strings.Contains(series, `mini_hpa_wakes_total{hpa_name="web",kind="Deployment",namespace="`+ns+`"} 1`) &&
			strings.Contains(series, "mini_hpa_wake_duration_seconds_count 1") && strings.Contains(series, `mini_hpa_asleep{hpa_name="web",kind="Deployment",namespace="`+ns+`"} 0`), series
	})
}
