package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// TestIdleIsSilent watches 20 workloads at their target and, beside them, one: no writes but the Lease's, no Events,
// and the number of metrics LISTs does not depend on the number of workloads.
func TestIdleIsSilent(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{"target-cpu": "50", "max": "10"}
	many, one := shared.namespace(t), shared.namespace(t, "-one")
	shared.deploy(t, one, "web", 2, 1000, annotations)
	var workloads []*workload
	for i := range 20 {
		workloads = append(workloads, shared.deploy(t, many, fmt.Sprintf("web-%02d", i), 2, 1000, annotations))
	}
	shared.controller(t, many)
	shared.controller(t, one)
	shared.awaitLeader(t, many)
	shared.awaitLeader(t, one)
	standby := many + "-standby"
	shared.controller(t, many, "--kubeconfig", shared.userKubeconfig(t, standby))
	shared.samples(t, 5)
	since := time.Now()
	shared.samples(t, int(*idleFor/samplePeriod))
	took := time.Since(since).Round(time.Second)

	var lists [2]int
	for i, ns := range []string{many, one} {
		requests := shared.requests(t, since, ns)
		for _, write := range writes(requests) {
			if write != "update leases" {
				t.Errorf("%s: %q while nothing happens", ns, write)
			}
		}
		if n := count(requests, "update", "leases", "coordination.k8s.io"); n == 0 {
			t.Errorf("%s: no write to the Lease was seen: is the audit log read rightly?", ns)
		}
		lists[i] = count(requests, "list", "pods", "metrics.k8s.io")
	}
	t.Logf("in %s: %d metrics LISTs with 20 workloads, %d with one; %d sample sets", took, lists[0], lists[1], int(took/samplePeriod))
	shared.wantIdle(t, standby, since, took)
	if lists[0] == 0 || lists[0] > lists[1]*5/4+3 {
		t.Errorf("%d metrics LISTs with 20 workloads, %d with one: want the same", lists[0], lists[1])
	}
	for _, d := range workloads {
		if events := d.events(); len(events) > 0 {
			t.Errorf("%s: Events %q while nothing happens", d.name, events)
		}
		d.wantHistory(2)
	}
}

// wantIdle holds what a standby has asked of the API server to what it needs: a look at the Lease in each retry period, and short watches.
func (w *world) wantIdle(t *testing.T, user string, since time.Time, took time.Duration) {
	t.Helper()
	asked := map[string]int{}
	for _, r := range w.audit(t) {
		if r.User.Username == user && r.ObjectRef != nil && r.Stage == "ResponseComplete" && r.Answered.After(since) && r.Answered.Before(since.Add(took)) {
			asked[r.Verb+" "+r.ObjectRef.Resource]++
		}
	}
	t.Logf("in %s a standby has asked: %v", took, asked)
	for what, n := range asked {
		if perMinute := float64(n) / took.Minutes(); perMinute > 33 || what != "get leases" && perMinute > 6 || strings.HasPrefix(what, "list") && perMinute > 2 {
			t.Errorf("a standby has made %d requests to %s in %s", n, what, took)
		}
	}
	if asked["get leases"] == 0 || asked["watch pods"] == 0 {
		t.Error("no look at the Lease, or no watch, was seen: is the audit log read rightly?")
	}
}

// TestMetricsFail: while the metrics API is down, slow, stale or empty nothing is scaled in, each transition is told
// once, and the first good sample is acted on.
func TestMetricsFail(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]loadsim.Fault{
		"down":    {Error: 503},
		"slow":    {Delay: time.Minute},
		"stale":   {Stale: true},
		"empty":   {Empty: true},
		"partial": {Partial: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := isolated(t, samplePeriod)
			ns := w.namespace(t)
			// At 44 % all four pods are needed; whoever overlooks those that are not measured goes to 2.
			d := w.deploy(t, ns, "web", 4, 1760, map[string]string{"target-cpu": "50", "max": "10", "scale-down-stabilization": "0s"})
			c := w.controller(t, ns)
			w.awaitLeader(t, ns)
			w.samples(t, 3)
			w.load.SetFault(fault)
			awaitEnd := time.After(*faultFor)
			if name != "partial" { // half of the pods missing is not a failure: the others decide, with care
				d.awaitEvent("FailedGetResourceMetric")
			}
			<-awaitEnd
			c.running()
			d.wantHistory(4)
			if events := d.events(); len(events) > 1 {
				t.Errorf("Events during the fault: %q, want at most the one", events)
			}
			d.setLoad(loadFor(8))
			w.load.SetFault(loadsim.Fault{})
			cleared := time.Now()
			t.Logf("acted %s after the fault's end", d.await(8).at.Sub(cleared).Round(time.Millisecond))
			if name == "partial" {
				return
			}
			if event := d.awaitEvent("ValidMetricFound"); !strings.HasPrefix(event, "1 Normal") {
				t.Errorf("event %q, want one", event)
			}
			if event := d.awaitEvent("FailedGetResourceMetric"); !strings.HasPrefix(event, "1 Warning") {
				t.Errorf("event %q, want one", event)
			}
		})
	}
}
