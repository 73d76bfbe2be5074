package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestTwoClasses: of two installations in one cluster each scales, tells and reports the workloads of its class, and a workload may change from one to the other.
func TestTwoClasses(t *testing.T) {
	t.Parallel()
	ns, other := shared.namespace(t), shared.namespace(t, "-batch")
	pairs := func(class string) map[string]string {
		return map[string]string{"target-cpu": "50", "max": "10", "class": class}
	}
	web := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	night := shared.deploy(t, ns, "night", 1, loadFor(5), pairs("batch"))
	nobodys := shared.deploy(t, ns, "nobodys", 1, loadFor(5), pairs("none"))
	states := []string{freeAddress(t), freeAddress(t)}
	first := shared.controller(t, ns, "--state-bind-address", states[0])
	shared.awaitLeader(t, ns)
	web.await(5)
	shared.samples(t, 3)
	night.wantHistory(1)
	second := shared.controller(t, ns, "--class", "batch", "--leader-elect-resource-namespace", other, "--state-bind-address", states[1])
	shared.awaitLeader(t, other)
	night.await(5)
	shared.samples(t, 3)
	nobodys.wantHistory(1)
	if events := nobodys.events(); len(events) > 0 {
		t.Errorf("of a workload of no installation is told: %v", events)
	}
	metrics := func(c *controller, name string) bool {
		_, body := get(t, c.address, "/metrics")
		return strings.Contains(body, fmt.Sprintf("mini_hpa_desired_replicas{hpa_name=%q,kind=\"Deployment\",namespace=%q} ", name, ns))
	}
	for name, of := range map[string]*controller{"web": first, "night": second, "nobodys": nil} {
		for _, c := range []*controller{first, second} {
			if got := metrics(c, name); got != (c == of) {
				t.Errorf("%s is among the metrics of --class=%t: %t", name, c == second, got)
			}
		}
	}
	web.annotate(map[string]string{"class": "batch"})
	night.annotate(map[string]string{"class": ""})
	for _, d := range []*workload{web, night} {
		d.setLoad(loadBeyond(10))
		d.await(10)
		for _, line := range d.events() {
			if strings.Contains(line, "SecondInstallation") || strings.Contains(line, "ReplicasOverwritten") {
				t.Errorf("after the change of class %s is told: %s", d.name, line)
			}
		}
	}
	eventually(t, "after the change of class the metrics are those of the other one", func(context.Context) (bool, string) { // each sees the change when it does
		return metrics(second, "web") && !metrics(first, "web") && metrics(first, "night") && !metrics(second, "night"), ""
	})
	port := func(address string) string { return " --state-port=" + address[strings.LastIndex(address, ":")+1:] }
	for args, want := range map[string]string{
		"explain deploy/web":                 "is of class \"batch\", so that the controller of that class scales it",
		"explain deploy/night --class=batch": "has no mini-hpa/class, so that the controller without a class scales it",
		"explain deploy/night":               "10 replicas",
		"explain deploy/web --class=batch":   "10 replicas",
		"get -o name":                        "/night\n",
		"get -o name --class=batch":          "/web\n",
		"get -o name --controller=" + ns + "/mini-hpa" + port(states[0]):             "/night\n",
		"get -o name --controller=" + other + "/mini-hpa" + port(states[1]):          "/web\n",
		"explain deploy/night --controller=" + other + "/mini-hpa" + port(states[1]): "has no mini-hpa/class",
		"explain deploy/web --controller=" + other + "/mini-hpa" + port(states[1]):   "10 replicas",
	} {
		out, err := exec.Command(program, append(strings.Fields(args), "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns)...).CombinedOutput()
		refused := strings.Contains(want, "mini-hpa/class") || strings.Contains(want, "is of class")
		if (err != nil) != refused || !strings.Contains(string(out), want) || strings.Contains(string(out), "nobodys") || strings.HasPrefix(args, "get") && strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s (%v): want %q\n%s", args, err, want, out)
		}
	}
}
