package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/externalscaler"
)

// ledger is a system that an administrator lists as a source: a page of JSON for each namespace.
type ledger struct {
	address string
	open    atomic.Int64
	broken  atomic.Bool
	asked   atomic.Int64
	slow    atomic.Bool // 10 s
	gone    func()      // refuses connections from then on
}

const secretOfTheLedger = "password=hunter2"

func newLedger(t *testing.T) *ledger {
	l := &ledger{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if l.slow.Load() {
			select {
			case <-time.After(10 * time.Second):
			case <-r.Context().Done():
			}
		}
		if l.broken.Load() {
			http.Error(w, secretOfTheLedger, http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"path": %q, "open": %d, "asleep": 0}`, r.URL.Path, l.open.Load())
	}))
	t.Cleanup(server.Close)
	l.address, l.gone = server.URL, server.Close
	return l
}

// list writes the administrator's file, in the way in which the kubelet replaces that of a ConfigMap.
func (l *ledger) list(t *testing.T, file string, namespaces ...string) {
	t.Helper()
	text := fmt.Sprintf("version: v1\nsources:\n- name: billing\n  type: http\n  url: %s\n  namespaces: [%s]\n  queries:\n  - {name: open-invoices, path: /tenants/$namespace, value: /open}\n",
		l.address, strings.Join(namespaces, ", "))
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestSourceWakesAndPutsToSleep: a worker takes 100 of a source's number for each pod. It sleeps, wakes in proportion, stays while the
// source fails or the namespace may not ask any more, and sleeps again.
func TestSourceWakesAndPutsToSleep(t *testing.T) {
	t.Parallel()
	ns, l, file := shared.namespace(t), newLedger(t), filepath.Join(t.TempDir(), "sources.yaml")
	l.list(t, file, ns)
	l.open.Store(100)
	d := shared.deploy(t, ns, "worker", 1, 0, map[string]string{"sources": "billing open-invoices target=100", "min": "0", "max": "40",
		"sync-period": "1s", "scale-down-stabilization": "1s", "scale-up-policies": "4 pods/3s, 100%/3s"})
	shared.controller(t, ns, "--sources", file)
	shared.awaitLeader(t, ns)
	shared.samples(t, 2)
	d.wantHistory(1)

	l.open.Store(0)
	d.await(0)
	d.awaitState("asleep", "--sources", file)
	l.open.Store(5200) // 52 pods are needed, 40 allowed
	d.await(40)
	d.wantHistory(1, 0, 4, 8, 16, 32, 40)

	l.broken.Store(true) // before it says 0, which nobody is to see
	l.open.Store(0)
	if event := d.awaitEvent("FailedGetSource"); !strings.Contains(event, "billing") || strings.Contains(event, "hunter2") {
		t.Errorf("event %q, want one that names the source and not what it has answered", event)
	}
	shared.samples(t, 3)
	d.await(40)

	l.list(t, file, "somebody-else")
	d.awaitEvent("SourceForbidden")
	before := l.asked.Load()
	l.broken.Store(false)
	shared.samples(t, 3)
	d.await(40)
	if asked := l.asked.Load() - before; asked > 2 { // which were under way
		t.Errorf("the source was asked %d times for a namespace that may not ask", asked)
	}

	l.list(t, file, ns)
	d.await(0)
	if told := d.told("SourceForbidden"); told != 1 {
		t.Errorf("it was told %d times that the namespace may not ask", told)
	}
	d.wantTurns(1, 0, 40, 0) // while a failure is in the window, it keeps a replica: there may have been something to do
	d.eventually("an Event for each write, with the source's name", func(context.Context) (bool, string) {
		events := strings.Join(d.events(), "\n")
		return d.told("SuccessfulRescale") == len(d.history())-1 && strings.Contains(events, "billing@open-invoices"), events
	})
	if events := strings.Join(d.events(), "\n"); strings.Contains(events, "hunter2") {
		t.Errorf("Events have what the source has answered: %s", events)
	}
}

// TestSlowAndBrokenSourcesCostNothingElse: one source takes 10 s, another is gone. What is held at CPU and at a third source goes on as before; who is
// asleep on those that fail stays asleep, which is told, who is awake does not sleep, and the fallback counts.
func TestSlowAndBrokenSourcesCostNothingElse(t *testing.T) {
	t.Parallel()
	ns, file := shared.namespace(t), filepath.Join(t.TempDir(), "sources.yaml")
	good, slow, gone := newLedger(t), newLedger(t), newLedger(t)
	text := "version: v1\ndefaults: {timeout: 5s, maxAge: 1s}\nsources:\n"
	for name, l := range map[string]*ledger{"good": good, "slow": slow, "gone": gone} {
		l.open.Store(100)
		text += fmt.Sprintf("- {name: %s, type: http, url: %q, namespaces: [%s], queries: [{name: asleep, path: /asleep, value: /asleep}, {name: open, path: /open, value: /open}]}\n", name, l.address, ns)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, load int64, pairs map[string]string) *workload {
		for key, value := range map[string]string{"max": "40", "sync-period": "1s", "scale-down-stabilization": "1s", "scale-up-policies": "40 pods/1s"} {
			if pairs[key] == "" {
				pairs[key] = value
			}
		}
		return shared.deploy(t, ns, name, 1, load, pairs)
	}
	web := run("web", loadFor(1), map[string]string{"target-cpu": "50"})
	worker := run("worker", 0, map[string]string{"sources": "good open target=100"})
	both := run("both", loadFor(1), map[string]string{"target-cpu": "50", "sources": "slow open target=100"})
	asleep := map[string]*workload{
		"slow": run("asleep-slow", 0, map[string]string{"sources": "slow asleep target=100", "min": "0"}),
		"gone": run("asleep-gone", 0, map[string]string{"sources": "gone asleep target=100", "min": "0"}),
	}
	awake := []*workload{
		run("awake-slow", 0, map[string]string{"sources": "slow open target=100", "min": "0"}),
		run("awake-gone", 0, map[string]string{"sources": "gone open target=100", "min": "0"}),
	}
	covered := run("covered", 0, map[string]string{"sources": "gone open target=100", "fallback": "3 after 2s"})
	c := shared.controller(t, ns, "--sources", file)
	for _, d := range asleep {
		d.await(0)
	}

	slow.slow.Store(true)
	gone.gone()
	covered.await(3)
	for _, replicas := range []int32{4, 8} {
		web.setLoad(loadFor(replicas))
		both.setLoad(loadFor(replicas))
		good.open.Store(int64(replicas) * 100)
		web.await(replicas)
		both.await(replicas)
		worker.await(replicas)
	}
	for name, d := range asleep {
		d.eventually("it is told that what would wake "+d.title()+" fails", func(context.Context) (bool, string) {
			_, series := get(t, c.address, "/metrics")
			of := fmt.Sprintf("{hpa_name=%q,kind=\"Deployment\",namespace=%q} 1", d.name, ns)
			return strings.Contains(series, "mini_hpa_failed_metrics"+of) && strings.Contains(series, "mini_hpa_asleep"+of), series
		})
		if event := d.awaitEvent("FailedGetSource"); !strings.Contains(event, name) {
			t.Errorf("event %q, want one that names source %s", event, name)
		}
		d.wantHistory(1, 0)
	}
	for _, d := range awake {
		d.wantHistory(1)
	}
	covered.wantHistory(1, 3)
}

// TestAnExternalScalerWakesAtOnce: a worker sleeps and is asked for once in an hour. What wakes it before is the scaler's own word, on the stream that is kept
// open for it.
func TestAnExternalScalerWakesAtOnce(t *testing.T) {
	t.Parallel()
	ns, file := shared.namespace(t), filepath.Join(t.TempDir(), "sources.yaml")
	scaler := externalscaler.Serve(t, net.Listen, map[string]externalscaler.Spoken{
		"GetMetricSpec": externalscaler.Says(`metricSpecs { metricName: "length" targetSize: 5 }`),
		"GetMetrics":    externalscaler.Says(`metricValues { metricName: "length" metricValue: 0 }`),
		"IsActive":      externalscaler.Says(``),
	})
	pushes := scaler.Pushes()
	text := fmt.Sprintf("version: v1\nsources: [{name: cosmos, type: keda, address: %q, namespaces: [%s], allow: {container: ['*']}}]\n", scaler.Address, ns)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := shared.deploy(t, ns, "worker", 1, 0, map[string]string{"sources": "cosmos container=orders", "min": "0", "max": "40", "sync-period": "1h",
		"scale-down-stabilization": "0s", "scale-up-policies": "40 pods/1s"})
	shared.controller(t, ns, "--sources", file)
	d.await(0)
	d.awaitState("asleep", "--sources", file)

	pushes <- "result: false" // says nothing new
	before := scaler.Count("GetMetrics")
	scaler.Turn("GetMetrics", externalscaler.Says(`metricValues { metricName: "length" metricValue: 25 }`))
	scaler.Turn("IsActive", externalscaler.Says(`result: true`))
	pushes <- "result: true"
	d.await(5)
	d.wantHistory(1, 0, 5)
	if n := scaler.Count("GetMetrics") - before; n != 1 {
		t.Errorf("the scaler was asked %d times after its word, want once", n)
	}
}

// TestAWorkloadFollowsThePodsOfAnother: there is a proxy for each ten pods of another workload of the namespace. It is scaled in proportion while they come
// and go, sleeps when there are none, and wakes when there are some again, without a file of sources.
func TestAWorkloadFollowsThePodsOfAnother(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	web := shared.deploy(t, ns, "web", 20, 0, nil)
	proxy := shared.deploy(t, ns, "proxy", 1, 0, map[string]string{"sources": "workload selector=app=web phase=ready target=10", "min": "0", "max": "20",
		"sync-period": "1s", "scale-down-stabilization": "1s", "scale-up-policies": "20 pods/1s"})
	shared.controller(t, ns)
	for _, now := range []struct{ pods, want int32 }{{20, 2}, {45, 5}, {11, 2}, {0, 0}, {30, 3}} {
		web.set(now.pods)
		proxy.await(now.want)
		if now.want > 0 {
			proxy.awaitPods(now.want)
		}
	}
	proxy.wantTurns(1, 5, 0, 3)
	web.wantHistory(20, 45, 11, 0, 30)
	proxy.eventually("an Event for each write, with what was counted", func(context.Context) (bool, string) {
		events := strings.Join(proxy.events(), "\n")
		return proxy.told("SuccessfulRescale") == len(proxy.history())-1 && strings.Contains(events, "workload@"), events
	})
}
