package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// TestItEndsGracefully: status 0, the Lease free for the next one, the last Event written.
func TestItEndsGracefully(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	c := shared.controller(t, ns)
	d.await(5)
	c.terminate()
	if c.ended != nil {
		t.Errorf("after SIGTERM it ended with %v, want status 0", c.ended)
	}
	lease, err := shared.client.CoordinationV1().Leases(ns).Get(t.Context(), "mini-hpa", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
		t.Errorf("the Lease is not free (%v): %+v", err, lease.Spec)
	}
	d.awaitEvent("SuccessfulRescale") // a slow API server may still store what it was sent
}

// TestHealthAndMetrics are served as users of Kubernetes components know them.
func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(5), map[string]string{"target-cpu": "50", "max": "10"})
	c := shared.controller(t, ns)
	d.await(5)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, c.health, path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, name := range []string{`mini_hpa_reconciliations_total{action="scale_up",error="none"} `, "mini_hpa_num_horizontal_pod_autoscalers 1",
		fmt.Sprintf("mini_hpa_desired_replicas{hpa_name=%q,kind=\"Deployment\",namespace=%q} 5", "web", ns), "workqueue_depth{", "rest_client_requests_total{",
		fmt.Sprintf("mini_hpa_metric_target{hpa_name=%q,kind=\"Deployment\",metric_container=\"\",metric_name=\"cpu\",metric_target_type=\"utilization\",metric_type=\"Resource\",namespace=%q} 50", "web", ns),
		fmt.Sprintf("mini_hpa_metric_value{hpa_name=%q,kind=\"Deployment\",metric_container=\"\",metric_name=\"cpu\",metric_target_type=\"utilization\",metric_type=\"Resource\",namespace=%q} ", "web", ns),
		fmt.Sprintf("mini_hpa_ready_replicas{hpa_name=%q,kind=\"Deployment\",namespace=%q} 5", "web", ns), "mini_hpa_last_scale_timestamp_seconds{"} {
		eventually(t, "/metrics has "+name, func(context.Context) (bool, string) { // what was written is counted when it is answered
			status, body := get(t, c.address, "/metrics")
			return status == http.StatusOK && strings.Contains(body, name), fmt.Sprint(status)
		})
	}
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestKilledInAScaleOutItKeepsToTheRules kills the controller right after each of its writes and starts another at
// once, without leader election, which is the hardest case: nothing but the cluster remembers what was written.
func TestKilledInAScaleOutItKeepsToTheRules(t *testing.T) {
	t.Parallel()
	const step, period = 2, 10 * time.Second
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadBeyond(9), map[string]string{"target-cpu": "50", "max": "9",
		"scale-up-policies": fmt.Sprintf("%d pods/%s", step, period)})
	for _, replicas := range []int32{3, 5, 7} { // it may take two writes, if the pods before came to be in two different seconds
		c := shared.controller(t, ns, "--leader-elect=false")
		d.await(replicas)
		c.kill()
	}
	shared.controller(t, ns, "--leader-elect=false")
	d.await(9)
	history := d.history()
	var times []time.Time
	d.eventually("the audit log has all writes of the scale", func(context.Context) (bool, string) {
		times = shared.scaleTimes(t, ns)
		return len(times) == len(history)-1, fmt.Sprintf("%v, and replicas went %v", times, history)
	})
	for i, at := range times {
		before := int32(1)
		for j, earlier := range times[:i] {
			if at.Sub(earlier) >= period {
				before = history[j+1].replicas
			}
		}
		if added := history[i+1].replicas - before; added > step {
			t.Errorf("%d pods were added within %s, the policy allows %d: %v at %v", added, period, step, history, times)
		}
	}
}

// TestAnotherTakesOver: a standby replica goes on when the leader is killed.
func TestAnotherTakesOver(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"})
	first := shared.controller(t, ns)
	leader := shared.awaitLeader(t, ns)
	second := shared.controller(t, ns)
	eventually(t, "the standby is ready", func(context.Context) (bool, string) {
		response, err := http.Get("http://" + second.health + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status
	})
	first.kill()
	d.setLoad(loadFor(5))
	d.await(5)
	if now := shared.awaitLeader(t, ns); now == leader {
		t.Errorf("the leader is still %s", now)
	}
	second.running()
}

// TestTheControlPlaneDiesAndComesBack: the controller carries on without a restart.
func TestTheControlPlaneDiesAndComesBack(t *testing.T) {
	t.Parallel()
	w := isolated(t, samplePeriod)
	ns := w.namespace(t)
	d := w.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"})
	c := w.controller(t, ns)
	w.awaitLeader(t, ns)
	for _, step := range []struct {
		load     int64
		replicas int32
	}{{loadFor(5), 5}, {loadBeyond(10), 10}} {
		for _, component := range []controlplane.Component{controlplane.APIServer, controlplane.Etcd} {
			if err := w.cluster.Kill(component); err != nil {
				t.Fatal(err)
			}
		}
		d.setLoad(step.load)
		w.samples(t, 8) // longer than the Lease's renew deadline of 10 s
		c.running()
		for _, component := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer} {
			if err := w.cluster.Restart(component); err != nil {
				t.Fatal(err)
			}
		}
		d.await(step.replicas)
	}
	c.running()
}
