package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// activatorW is how long nodes take in these stories.
const activatorW = 2 * time.Second

// withActivators are the controller's flags for activators in a namespace.
func withActivators(ns string) []string {
	return []string{"--activator", "--activator-namespace", ns, "--activator-propagation", activatorW.String()}
}

// awaitSlice returns when mini-hpa's slice of a Service is what is wanted.
func (d *workload) awaitSlice(service, want string) {
	d.t.Helper()
	d.eventually("the slice of "+service+" is "+want, func(context.Context) (bool, string) {
		got := d.slice(service)
		return got == want, fmt.Sprint(got, "; Events: ", d.events())
	})
}

// TestRequestsWake is the life of a workload that requests wake: it sleeps when its Service leads to the activators, wakes for the first request, and its
// Service leads to the pods again.
func TestRequestsWake(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests", "sync-period": "1m"}))
	d.service("web")
	keeper := shared.doorkeeper(t, ns, "activator-1")
	controller := shared.controller(t, ns, withActivators(ns)...)
	stranger := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "strange", Labels: serves.Labels("web")}}
	stranger, err := shared.client.DiscoveryV1().EndpointSlices(ns).Create(t.Context(), stranger, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slept := d.await(0)
	asleep, err := shared.client.DiscoveryV1().EndpointSlices(ns).Get(t.Context(), "mini-hpa-web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	says, err := serves.Read(asleep)
	if err != nil || says.Face != serves.Active || len(says.Activators) != 1 || says.Activators[0].Pod != "activator-1" {
		t.Errorf("asleep, the slice says %+v: %v", says, err)
	}
	if waited := slept.at.Sub(says.Since); waited < activatorW {
		t.Errorf("0 replicas were seen %s after the Service has led to the activators; want at least %s", waited, activatorW)
	}
	if len(asleep.OwnerReferences) != 1 || asleep.OwnerReferences[0].Kind != "Service" {
		t.Errorf("the slice is owned by %+v", asleep.OwnerReferences)
	}

	// Somebody takes the activators out of it.
	asleep.Endpoints = nil
	if _, err := shared.client.DiscoveryV1().EndpointSlices(ns).Update(t.Context(), asleep, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	d.awaitSlice("web", "active activator-1")

	// An activator that ends is taken out, and put in again once it listens.
	keeper.change(func() { keeper.draining = true })
	d.awaitSlice("web", "active")
	keeper.change(func() { keeper.draining = false })
	d.awaitSlice("web", "active activator-1")

	asked := time.Now()
	keeper.hold("web", 3)
	woke := d.await(1)
	t.Logf("woken %s after the activator has told of a request", woke.at.Sub(asked).Round(time.Millisecond))
	if event := d.awaitEvent("SuccessfulRescale New size: 1; reason: activator@requests"); !strings.Contains(event, "activator@requests 3") {
		t.Errorf("told: %s", event)
	}
	keeper.hold("web", 0)
	d.annotate(map[string]string{"sleep-after": "1h"})
	d.awaitSlice("web", "out")
	if got := d.history(); fmt.Sprint(got[len(got)-1].replicas) != "1" {
		t.Errorf("replicas went %v", got)
	}
	if _, metrics := get(t, controller.address, "/metrics"); !strings.Contains(metrics, "mini_hpa_activators 1") || !strings.Contains(metrics, "mini_hpa_request_wakes_total 1") {
		t.Error("no metrics of activators")
	}

	d.annotate(map[string]string{"wake": ""})
	d.awaitSlice("web", "none")
	if left, err := shared.client.DiscoveryV1().EndpointSlices(ns).Get(t.Context(), "strange", metav1.GetOptions{}); err != nil || left.ResourceVersion != stranger.ResourceVersion {
		t.Errorf("somebody else's slice with mini-hpa's label: %+v, %v", left, err)
	}
	keeper.mu.Lock()
	defer keeper.mu.Unlock()
	for _, peer := range keeper.peers {
		if peer != serves.LeaderName {
			t.Errorf("asked by %q", peer)
		}
	}
}

// TestTheLeaderDiesWhileRequestsWait: the next one sees them at once, and goes on with the doors that there are.
func TestTheLeaderDiesWhileRequestsWait(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests", "sync-period": "1m"}))
	d.service("web")
	keeper := shared.doorkeeper(t, ns, "activator-1")
	first := shared.controller(t, ns, withActivators(ns)...)
	shared.awaitLeader(t, ns)
	second := shared.controller(t, ns, withActivators(ns)...)
	d.await(0)
	door := func() int32 {
		s, err := shared.client.DiscoveryV1().EndpointSlices(ns).Get(t.Context(), "mini-hpa-web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return *s.Ports[0].Port
	}
	before := door()
	first.kill()
	keeper.hold("web", 1)
	asked := time.Now()
	woke := d.await(1)
	t.Logf("woken %s after the leader was killed", woke.at.Sub(asked).Round(time.Millisecond))
	if after := door(); after != before {
		t.Errorf("door %d became %d", before, after)
	}
	second.running()
}

// TestASleeperIsNotLeftAlone: one that is paused stays led to the activators, also by a process that has not led it before, and one that requests are not to wake any
// more is woken.
func TestASleeperIsNotLeftAlone(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests", "sync-period": "1m"}))
	d.service("web")
	keeper := shared.doorkeeper(t, ns, "activator-1")
	first := shared.controller(t, ns, withActivators(ns)...)
	d.await(0)
	d.annotate(map[string]string{"mode": "paused"})
	first.kill()
	second := shared.controller(t, ns, withActivators(ns)...)
	shared.awaitLeader(t, ns)
	other := shared.doorkeeper(t, ns, "activator-2")
	d.awaitSlice("web", "active activator-1 activator-2")
	keeper.change(func() { keeper.draining = true })
	d.awaitSlice("web", "active activator-2")
	other.hold("web", 1)
	time.Sleep(activatorW)
	d.wantHistory(1, 0) // nothing wakes it
	d.annotate(map[string]string{"mode": "", "wake": ""})
	d.await(1)
	d.awaitEvent("SuccessfulRescale New size: 1; reason: requests can wake it no more: requests to Service \"web\" are not to wake it any")
	if got := d.slice("web"); got != "active activator-2" {
		t.Errorf("no pod has been ready for long, and the slice is %s", got)
	}
	second.running()
}

// TestWithoutAnActivatorNobodySleeps, and it is told why.
func TestWithoutAnActivatorNobodySleeps(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests"}))
	d.service("web")
	shared.controller(t, ns, withActivators(ns)...)
	if event := d.awaitEvent("FailedGetSource"); !strings.Contains(event, "activator@requests: no activator tells its state") {
		t.Errorf("told: %s", event)
	}
	d.wantHistory(1)
	d.awaitSlice("web", "out")
}

// TestARequestAtTheActivatorItself wakes a workload: the program's own activator listens, tells the leader of the request, and holds it.
func TestARequestAtTheActivatorItself(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests hold=5s", "sync-period": "1m"}))
	d.service("web")
	shared.controller(t, ns, withActivators(ns)...)
	address := shared.activator(t, ns, "activator-1")
	d.await(0)
	slice, err := shared.client.DiscoveryV1().EndpointSlices(ns).Get(t.Context(), "mini-hpa-web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	door := net.JoinHostPort(slice.Endpoints[0].Addresses[0], fmt.Sprint(*slice.Ports[0].Port))
	if host, _, _ := net.SplitHostPort(door); host != address {
		t.Errorf("the slice leads to %s, and the activator is at %s", host, address)
	}
	answered := make(chan string, 1)
	asked := time.Now()
	go func() {
		answer, err := http.Get("http://" + door + "/")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer answer.Body.Close()
		answered <- answer.Status
	}()
	woke := d.await(1)
	t.Logf("woken %s after the request was sent", woke.at.Sub(asked).Round(time.Millisecond))
	// Its pod is KWOK's, at an address that it has made up: whether anybody is there is chance. But the request was taken, and has its answer.
	if got := <-answered; len(got) < 3 || strings.Trim(got[:3], "0123456789") != "" {
		t.Errorf("answered: %s; want a status", got)
	}
}
