package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// external is an External metric that wants so much for each pod.
func external(metric, each string) string {
	return fmt.Sprintf(`[{"type":"External","external":{"metric":{"name":%q,"selector":{"matchLabels":{"queue":"mail"}}},`+
		`"target":{"type":"AverageValue","averageValue":%q}}}]`, metric, each)
}

// asking are annotations with which a story takes seconds.
func asking(metrics string, more map[string]string) map[string]string {
	pairs := map[string]string{"metrics": metrics, "max": "10", "sync-period": "1s", "scale-down-stabilization": "3s"}
	for key, value := range more {
		pairs[key] = value
	}
	return pairs
}

// setQueue sets the External metric of the queue that external selects, and one of another queue that it does not.
func (w *world) setQueue(metric string, messages int64) {
	w.load.SetExternal(metric, map[string]string{"queue": "mail"}, loadsim.Constant(messages*1000))
	w.load.SetExternal(metric, map[string]string{"queue": "print"}, loadsim.Constant(999_000))
}

// TestExternalMetric scales out and in, asks once for two workloads that have the same question, and is explained.
func TestExternalMetric(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue("backlog-a", 10)
	d := shared.deploy(t, ns, "web", 1, 0, asking(external("backlog-a", "10"), nil))
	other := shared.deploy(t, ns, "other", 1, 0, asking(external("backlog-a", "10"), nil))
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	d.wantHistory(1)
	changed := time.Now()
	shared.setQueue("backlog-a", 40)
	scaled := d.await(4)
	other.await(4)
	t.Logf("set to scaled: %s", scaled.at.Sub(changed).Round(time.Millisecond))
	if event := d.awaitEvent("SuccessfulRescale"); !strings.Contains(event, "New size: 4; reason: backlog-a 40 for 1 replicas above target 10 for each") {
		t.Errorf("event %q does not tell the numbers", event)
	}
	before, from := shared.load.Asked(loadsim.ExternalAPI, "backlog-a"), time.Now()
	shared.samples(t, 4)
	asked, seconds := shared.load.Asked(loadsim.ExternalAPI, "backlog-a")-before, time.Since(from).Seconds()
	t.Logf("asked %d times in %.1f s by two workloads with a sync period of 1 s", asked, seconds)
	if float64(asked) > 1.5*seconds+2 {
		t.Errorf("asked %d times in %.1f s, want about once a second", asked, seconds)
	}
	out, err := exec.Command(program, "explain", "--kubeconfig", shared.cluster.Kubeconfig(), "-n", ns, "web").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "queue=mail") || !strings.Contains(string(out), "40 / 4 replicas / target 10 = ratio 1") {
		t.Errorf("explain (%v) does not show the metric:\n%s", err, out)
	}
	shared.setQueue("backlog-a", 10)
	d.await(1)
}

// TestExternalFailing: while a metric fails, another one that works scales out but never in.
func TestExternalFailing(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue("backlog-b", 20)
	d := shared.deploy(t, ns, "web", 2, loadFor(2), asking(external("backlog-b", "10"), map[string]string{"target-cpu": "50"}))
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	d.wantHistory(2)

	shared.load.SetMetricFault(loadsim.ExternalAPI, "backlog-b", loadsim.Fault{Error: 500})
	event := d.awaitEvent("FailedGetExternalMetric")
	for _, part := range []string{"metric backlog-b: the external metrics API answered 500", "replicas may go up for the other metrics but not down"} {
		if !strings.Contains(event, part) {
			t.Errorf("event %q does not say %q", event, part)
		}
	}
	d.setLoad(loadFor(4))
	d.await(4)
	d.setLoad(loadFor(1))
	began := time.Now()
	for time.Since(began) < *faultFor {
		shared.samples(t, 1)
	}
	d.wantTurns(2, 4)
	writes := len(d.history()) - 1
	if n := len(shared.scaleTimes(t, ns)); n != writes {
		t.Errorf("%d writes of the scale, want those that scaled out: %v", n, d.history())
	}
	if events := d.events(); d.told("FailedGetExternalMetric") != 1 || d.told("SuccessfulRescale") != writes || len(events) != writes+1 {
		t.Errorf("Events %q, want the failure, and each write once: %v", events, d.history())
	}

	shared.load.SetMetricFault(loadsim.ExternalAPI, "backlog-b", loadsim.Fault{})
	recovered := time.Now()
	d.await(2)
	t.Logf("recovered to scaled in: %s", time.Since(recovered).Round(time.Millisecond))
	d.awaitEvent("ValidMetricFound")
	shared.setQueue("backlog-b", 10)
	d.await(1)
}

// TestExternalHanging: an adapter that does not answer holds up neither CPU targets nor the other API.
func TestExternalHanging(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue("backlog-c", 10)
	shared.load.SetMetricFault(loadsim.ExternalAPI, "backlog-c", loadsim.Fault{Delay: time.Hour})
	hanging := shared.deploy(t, ns, "hanging", 1, 0, asking(external("backlog-c", "10"), nil))
	d := shared.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"})
	shared.controller(t, ns, "--kube-api-timeout", "1s")
	shared.awaitLeader(t, ns)
	event := hanging.awaitEvent("FailedGetExternalMetric")
	if !strings.Contains(event, "metric backlog-c: the external metrics API did not answer within 2s") {
		t.Errorf("event %q does not say that it hangs", event)
	}
	d.setLoad(loadFor(5))
	d.await(5)
	shared.load.SetMetricFault(loadsim.ExternalAPI, "backlog-c", loadsim.Fault{})
	shared.setQueue("backlog-c", 30)
	hanging.await(3)
}

// TestPodsAndObjectMetrics each scale a Deployment, out and in.
func TestPodsAndObjectMetrics(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	front := loadsim.Object{Namespace: ns, Resource: "ingresses.networking.k8s.io", Kind: "Ingress", Name: "front"}
	set := func(total int64) {
		shared.load.SetPodsMetric(ns, "pods", "hits", loadsim.Constant(total*1000))
		shared.load.SetObjectMetric(front, "rate", loadsim.Constant(total*1000))
	}
	set(100)
	pods := shared.deploy(t, ns, "pods", 1, 0, asking(`[{"type":"Pods","pods":{"metric":{"name":"hits"},"target":{"type":"AverageValue","averageValue":"100"}}}]`, nil))
	object := shared.deploy(t, ns, "object", 1, 0, asking(`[{"type":"Object","object":{"metric":{"name":"rate"},`+
		`"describedObject":{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","name":"front"},"target":{"type":"AverageValue","averageValue":"100"}}}]`, nil))
	shared.controller(t, ns)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	pods.wantHistory(1)
	object.wantHistory(1)
	set(400)
	pods.await(4)
	object.await(4)
	if event := object.awaitEvent("SuccessfulRescale"); !strings.Contains(event, "rate of Ingress front 400 for 1 replicas above target 100") {
		t.Errorf("event %q does not tell the numbers", event)
	}
	set(100)
	lowered := time.Now()
	t.Logf("lowered to scaled in: Object %s, Pods %s", object.await(1).at.Sub(lowered).Round(time.Millisecond), pods.await(1).at.Sub(lowered).Round(time.Millisecond))
}

// TestNoMetricsAdapter: what is missing is named, and found when it comes.
func TestNoMetricsAdapter(t *testing.T) {
	t.Parallel()
	w := isolated(t, samplePeriod)
	for _, api := range []loadsim.API{loadsim.CustomAPI, loadsim.ExternalAPI} {
		if err := w.load.Withdraw(t.Context(), api); err != nil {
			t.Fatal(err)
		}
	}
	ns := w.namespace(t)
	w.setQueue("backlog", 30)
	d := w.deploy(t, ns, "web", 1, 0, asking(external("backlog", "10"), nil))
	pods := w.deploy(t, ns, "pods", 1, 0, asking(`[{"type":"Pods","pods":{"metric":{"name":"hits"},"target":{"type":"AverageValue","averageValue":"100"}}}]`, nil))
	began := time.Now()
	w.controller(t, ns)
	if event := d.awaitEvent("FailedGetExternalMetric"); !strings.HasSuffix(event, "metric backlog: no external metrics API is registered (APIService v1beta1.external.metrics.k8s.io)") {
		t.Errorf("event %q does not say what is missing", event)
	}
	if event := pods.awaitEvent("FailedGetPodsMetric"); !strings.HasSuffix(event, "metric hits: no custom metrics API is registered (APIService v1beta2.custom.metrics.k8s.io)") {
		t.Errorf("event %q does not say what is missing", event)
	}
	w.samples(t, 3) // of 2 s, with a look at each workload every second
	if n, most := w.discoveries(t, loadsim.ExternalAPI), 1+int(time.Since(began)/(30*time.Second)); n < 1 || n > most {
		t.Errorf("the API server was asked %d times for an API that is missing, want once in 30 s, at most %d times", n, most)
	}
	if err := w.load.Offer(t.Context(), loadsim.ExternalAPI); err != nil {
		t.Fatal(err)
	}
	d.await(3)
}

// discoveries counts the controllers' requests for an API group, by the API server's own account.
func (w *world) discoveries(t *testing.T, api loadsim.API) int {
	t.Helper()
	n := 0
	for _, r := range w.audit(t) {
		if r.User.Username == user && strings.HasPrefix(r.RequestURI, "/apis/"+string(api)) {
			n++
		}
	}
	return n
}
