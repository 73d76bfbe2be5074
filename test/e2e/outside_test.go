package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// stored are the writes of a namespace's replicas that the API server has carried out, those of mini-hpa and those of others.
func (w *world) stored(t *testing.T, namespace string) (own, others []rig.Write) {
	t.Helper()
	for _, write := range w.scaleWrites(t, namespace) {
		switch {
		case !write.Stored():
		case write.Manager == "mini-hpa":
			own = append(own, write)
		default:
			others = append(others, write)
		}
	}
	return own, others
}

// told counts the Events of a reason, or with these words, repetitions included.
func (d *workload) told(words string) int {
	n := 0
	for _, line := range d.events() {
		var count int
		if _, err := fmt.Sscan(line, &count); err == nil && strings.Contains(line, " "+words+" ") {
			n += count
		}
	}
	return n
}

// set is an apply of a manifest that has replicas.
func (d *workload) set(replicas int32) {
	d.patch(map[string]any{"spec": map[string]any{"replicas": replicas}})
}

// TestFaultScaleInUnderLoad: 12 replicas are at their target, and a manifest says 1.
func TestFaultScaleInUnderLoad(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 12, 6000, map[string]string{"target-cpu": "50", "max": "20"})
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	d.overwrite(1, d.set)
	d.eventually("it is told", func(context.Context) (bool, string) {
		events := fmt.Sprint(d.events())
		return strings.Contains(events, "New size: 12") && strings.Contains(events, "somebody else has set 1 instead of 12"), events
	})
	own, others := shared.stored(t, ns)
	t.Logf("taken back after %s", own[len(own)-1].At.Sub(others[len(others)-1].At))
	d.wantHistory(12, 1, 12)
	shared.samples(t, 8)
	d.wantHistory(12, 1, 12)
}

// TestFaultRival: somebody applies the manifest again each second. There is no tolerance, or 11 replicas, which a part of the load may lead to, would do as well.
func TestFaultRival(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 12, 6000, map[string]string{"target-cpu": "50", "max": "20", "scale-up-policies": "100 pods/1s", "tolerance": "0"})
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	lasting := 40 * time.Second
	if *long {
		lasting = 90 * time.Second
	}
	for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(time.Second) {
		d.set(1)
	}
	own, _ := shared.stored(t, ns)
	t.Logf("%d writes in %s: %v", len(own), lasting, own)
	if len(own) > 5 {
		t.Errorf("%d writes in %s, want 5 at most", len(own), lasting)
	}
	event := d.awaitEvent("ReplicasOverwritten")
	if !strings.Contains(event, `field manager "test" sets the replicas again and again: now to 1, where mini-hpa wants 12`) || d.told("ReplicasOverwritten") != 1 {
		t.Errorf("told %d times: %s", d.told("ReplicasOverwritten"), event)
	}
	d.await(12) // the rival rests
}

// TestFaultTwoInstallations scale the same Deployments. What the policy grants is granted once, and each tells of its own writes only.
func TestFaultTwoInstallations(t *testing.T) {
	t.Parallel()
	ns, other := shared.namespace(t), shared.namespace(t, "-2")
	var workloads []*workload
	for i := range 4 {
		workloads = append(workloads, shared.deploy(t, ns, fmt.Sprint("web-", i), 1, 500,
			map[string]string{"target-cpu": "50", "max": "30", "scale-up-policies": "2 pods/10s", "scale-down-stabilization": "2s", "scale-down-policies": "4 pods/10s"}))
	}
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.controller(t, ns, "--leader-elect-resource-namespace", other)
	shared.awaitLeader(t, other)
	time.Sleep(35 * time.Second) // what another leader of the same installation may have begun is over by then
	loads := []int64{9000, 500, 9000}
	if *long {
		loads = []int64{9000, 500, 9000, 500, 9000}
	}
	for _, load := range loads {
		for _, d := range workloads {
			d.setLoad(load)
		}
		shared.samples(t, 15)
	}
	for _, d := range workloads {
		d.setLoad(500)
	}
	own, _ := shared.stored(t, ns)
	sum := func(reason string) int {
		n := 0
		for _, d := range workloads {
			n += d.told(reason)
		}
		return n
	}
	for _, d := range workloads {
		var writes []rig.Write
		for _, write := range own {
			if write.Name == d.name {
				writes = append(writes, write)
			}
		}
		for i, write := range writes {
			first := i // of the period, which is a second shorter here: one write is decided before the other is seen
			for first > 0 && write.At.Sub(writes[first-1].At) < 9*time.Second {
				first--
			}
			if start := writes[first].From; write.To > write.From && write.To > start+2 {
				t.Errorf("%s: from %d to %d replicas within 10 s, the policy allows 2 pods: %v", d.name, start, write.To, writes[first:i+1])
			}
		}
	}
	t.Logf("%d writes, %d Events SuccessfulRescale, %d Events SecondInstallation", len(own), sum("SuccessfulRescale"), sum("SecondInstallation"))
	eventually(t, "an Event for each write", func(context.Context) (bool, string) {
		own, _ = shared.stored(t, ns)
		told := sum("SuccessfulRescale")
		return told == len(own) && told > 0, fmt.Sprintf("%d Events for %d writes", told, len(own))
	})
	if n := sum("SecondInstallation"); n < 1 || n > 2 { // whoever is first to write each time has seen nothing of the other one
		t.Errorf("%d Events SecondInstallation, want one of each controller that has met the other", n)
	}
}

// TestFaultQuota: a quota lets three pods be. No more replicas are asked for than were, until it is raised.
func TestFaultQuota(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}}}
	quotas := shared.client.CoreV1().ResourceQuotas(ns)
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := shared.deploy(t, ns, "web", 3, 1_200_000, map[string]string{"target-cpu": "50", "max": "600", "sync-period": "5s"})
	c := shared.controller(t, ns)
	event := d.awaitEvent("ReplicasNotComing")
	for _, part := range []string{"replicas do not come, because their pods cannot be created", "exceeded quota: small", "limited: pods=3"} {
		if !strings.Contains(event, part) {
			t.Errorf("event %q does not say %q", event, part)
		}
	}
	asked := d.history()
	shared.samples(t, 20)
	if got := d.history(); len(got) != len(asked) || len(got) > 4 {
		t.Errorf("replicas went %v, and on to %v", asked, got[len(asked):])
	}
	if n := d.told("ReplicasNotComing"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	out, err := exec.Command(program, "explain", "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns, "deploy/web").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "exceeded quota: small") {
		t.Errorf("explain (%v) does not show it:\n%s", err, out)
	}
	if status, body := get(t, c.address, "/metrics"); status != http.StatusOK || !strings.Contains(body, "mini_hpa_missing_replicas{") {
		t.Errorf("/metrics (%d) does not show it", status)
	}
	t.Logf("with a quota of 3 replicas went %v", asked)
	if _, err := quotas.Patch(t.Context(), "small", types.MergePatchType, []byte(`{"spec":{"hard":{"pods":"1000"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	d.eventually("more are asked for", func(context.Context) (bool, string) {
		got := d.history()
		return got[len(got)-1].replicas > asked[len(asked)-1].replicas, fmt.Sprint(got)
	})
}
