package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// activatorW is how long nodes take in these stories.
const activatorW = 2 * time.Second

// withActivators are the controller's flags for activators in a namespace. Their ports are those of nobody else here: other ones are control planes'.
func withActivators(ns string) []string {
	return []string{"--activator", "--activator-namespace", ns, "--activator-propagation", activatorW.String(), "--activator-ports", "30000-32767"}
}

// awakened is a workload that sleeps when nothing is in its queue, and that requests to Service web wake.
func awakened(t *testing.T, pairs map[string]string) (ns string, d *workload) {
	t.Helper()
	ns = shared.namespace(t)
	shared.grantActivator(t, ns)
	shared.setQueue(ns, 0)
	d = shared.deploy(t, ns, "web", 1, 100, sleepy(ns, pairs))
	d.service("web")
	return ns, d
}

// endpoints is mini-hpa's EndpointSlice of a Service.
func (d *workload) endpoints(service string) *discoveryv1.EndpointSlice {
	d.t.Helper()
	s, err := shared.client.DiscoveryV1().EndpointSlices(d.namespace).Get(d.t.Context(), "mini-hpa-"+service, metav1.GetOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
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
	ns, d := awakened(t, map[string]string{"wake": "requests", "sync-period": "1m"})
	keeper := shared.doorkeeper(t, ns, "activator-1")
	controller := shared.controller(t, ns, withActivators(ns)...)
	stranger := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "strange", Labels: serves.Labels("web")}}
	stranger, err := shared.client.DiscoveryV1().EndpointSlices(ns).Create(t.Context(), stranger, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slept := d.await(0)
	asleep := d.endpoints("web")
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

	// An activator that ends is taken out when it does not listen any more, as there is no other one, and put in again once it listens.
	ends := func(does bool) {
		keeper.change(func() {
			keeper.draining, keeper.deaf = does, does
			for _, state := range keeper.told {
				state.Listening = !does
			}
		})
	}
	ends(true)
	d.awaitSlice("web", "active")
	ends(false)
	d.awaitSlice("web", "active activator-1")

	asked := time.Now()
	keeper.hold("web", 3)
	woke := d.await(1)
	t.Logf("woken %s after the activator has told of a request", woke.at.Sub(asked).Round(time.Millisecond))
	if event := d.awaitEvent("SuccessfulRescale New size: 1; reason: activator@requests"); !strings.Contains(event, "activator@requests 3") {
		t.Errorf("told: %s", event)
	}
	d.annotate(map[string]string{"sleep-after": "1h"}) // before there is nothing to do, or it might sleep by then
	keeper.hold("web", 0)
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
	ns, d := awakened(t, map[string]string{"wake": "requests", "sync-period": "1m"})
	keeper := shared.doorkeeper(t, ns, "activator-1")
	first := shared.controller(t, ns, withActivators(ns)...)
	shared.awaitLeader(t, ns)
	second := shared.controller(t, ns, withActivators(ns)...)
	d.await(0)
	door := func() int32 { return *d.endpoints("web").Ports[0].Port }
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
	ns, d := awakened(t, map[string]string{"wake": "requests", "sync-period": "1m"})
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

// TestBeforeItGoesItWakesThem is what an uninstallation runs: what mini-hpa has put to sleep is woken, while somebody else writes to it, and neither what somebody
// has paused nor the ReplicaSet to which the annotations are copied.
func TestBeforeItGoesItWakesThem(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	shared.setQueue(ns, 0)
	d := shared.deploy(t, ns, "web", 1, 100, sleepy(ns, map[string]string{"wake": "requests"}))
	paused := shared.deploy(t, ns, "paused", 1, 100, sleepy(ns, map[string]string{"wake": "requests"}))
	paused.scaleAs("kubectl", 0)
	paused.await(0)
	scales, err := scaler.NewScales(shared.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error { // the Deployment controller writes the status meanwhile
		seen, err := shared.client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, err = scales.Scale(t.Context(), annotations.OfDeployment(seen), 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.await(0)
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"somebody-else/writes":"%d"}}}`, i)
			_, _ = d.objects().Patch(ctx, d.name, types.MergePatchType, patch, metav1.PatchOptions{})
			time.Sleep(100 * time.Millisecond)
		}
	})
	code, stdout, stderr := asks(t.Context(), t, adminKubeconfig(t, shared), "wake", "--all", "-n", ns, "--timeout", "1m", "--activator-propagation", "0s")
	cancel()
	writer.Wait()
	if want := "woke deployment " + ns + "/web: 1 replica\n"; code != 0 || stdout != want {
		t.Errorf("exit code %d, said %q, want %q; %s", code, stdout, want, stderr)
	}
	d.await(1)
	d.wantHistory(1, 0, 1)
	paused.wantHistory(1, 0)
}

// TestWithoutAnActivatorNobodySleeps, and it is told why.
func TestWithoutAnActivatorNobodySleeps(t *testing.T) {
	t.Parallel()
	ns, d := awakened(t, map[string]string{"wake": "requests"})
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
	ns, d := awakened(t, map[string]string{"wake": "requests hold=5s", "sync-period": "1m"})
	shared.controller(t, ns, withActivators(ns)...)
	address := shared.activator(t, ns, "activator-1")
	d.await(0)
	slice := d.endpoints("web")
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

// targeted is a workload all of whose requests go through the activators, by Service api, as HTTP or as another protocol, and that is held at 20 of them for each replica.
func targeted(t *testing.T, protocol string, pairs map[string]string) (ns string, d *workload) {
	t.Helper()
	ns = shared.namespace(t)
	shared.grantActivator(t, ns)
	maps.Copy(pairs, map[string]string{"max": "10", "wake": "requests service=api path=always target=20", "sync-period": "1m"})
	d = shared.deploy(t, ns, "web", 1, 100, pairs)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "api", Annotations: map[string]string{"mini-hpa/activator": d.name}},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", AppProtocol: &protocol, Port: 80, TargetPort: intstr.FromInt32(8080)}}}}
	if _, err := shared.client.CoreV1().Services(ns).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return ns, d
}

// awaitBackends returns when activators are told of so many pods of a Service.
func (d *workload) awaitBackends(service string, pods int) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("activators are told of %d pods", pods), func(ctx context.Context) (bool, string) {
		s, err := d.w.client.DiscoveryV1().EndpointSlices(d.namespace).Get(ctx, "mini-hpa-"+service, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		says, err := serves.Read(s)
		told := 0
		for _, b := range says.Backends {
			if told += len(b.Addresses); b.Ports["http"] != 8080 {
				d.t.Errorf("ports %v", b.Ports)
			}
		}
		return err == nil && says.Backends != nil && told == pods, fmt.Sprintf("%+v %v", says, err)
	})
}

// TestReplicasAreHeldAtATargetOfRequests: all requests go through the activators, whose numbers together decide. The workload sleeps when there are none, and the
// activators know of its pods from its slice alone.
func TestReplicasAreHeldAtATargetOfRequests(t *testing.T) {
	t.Parallel()
	ns, d := targeted(t, "http", map[string]string{"min": "0", "scale-down-stabilization": "1s"})
	one, two := shared.doorkeeper(t, ns, "activator-1"), shared.doorkeeper(t, ns, "activator-2")
	shared.controller(t, ns, withActivators(ns)...)
	d.awaitSlice("api", "active activator-1 activator-2")
	d.awaitBackends("api", 1)
	asked := time.Now()
	one.fly("api", 60)
	two.fly("api", 40)
	grown := d.await(5)
	t.Logf("5 replicas were asked for %s after there were 100 requests at a time, in these steps: %v", grown.at.Sub(asked).Round(time.Millisecond), d.history())
	d.awaitBackends("api", 5)
	one.fly("api", 30)
	two.fly("api", 10)
	d.await(2)
	one.fly("api", 0)
	two.fly("api", 0)
	d.await(0)
	d.awaitBackends("api", 0)
	d.awaitSlice("api", "active activator-1 activator-2")
	asked = time.Now()
	two.hold("api", 30)
	t.Logf("woken %s after 30 requests came at once", d.await(2).at.Sub(asked).Round(time.Millisecond))
	d.awaitBackends("api", 2)
}

// TestRequestsAtTheActivatorItselfAreCounted: the program's own activator tells how many there are, from which it is not far to replicas.
func TestRequestsAtTheActivatorItselfAreCounted(t *testing.T) {
	t.Parallel()
	ns, d := targeted(t, "echo", map[string]string{"min": "1"})
	shared.controller(t, ns, withActivators(ns)...)
	address := shared.activator(t, ns, "activator-1")
	d.awaitSlice("api", "active activator-1")
	slice := d.endpoints("api")
	door := net.JoinHostPort(address, fmt.Sprint(*slice.Ports[0].Port))
	asked := time.Now()
	for range 100 {
		c, err := net.Dial("tcp", door)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // whoever is at the address that KWOK has made up for the pod, or nobody: it waits
	}
	grown := d.await(5)
	t.Logf("5 replicas were asked for %s after the first of 100 connections was made, in these steps: %v", grown.at.Sub(asked).Round(time.Millisecond), d.history())
}

// manyServices are of one namespace. With 1,000 it is docs/wake.md's figure.
var manyServices = flag.Int("services", 200, "how many Services are led to an activator that ends")

// TestAnActivatorsEndIsToldToManyServices, whose slices lead to the other one soon; how soon is in the log.
func TestAnActivatorsEndIsToldToManyServices(t *testing.T) {
	w := isolated(t, samplePeriod)
	ns := w.namespace(t)
	w.grantActivator(t, ns)
	w.setQueue(ns, 0)
	services := *manyServices
	for i := range services {
		d := w.workload(t, deployments, ns, fmt.Sprintf("web-%d", i))
		if _, err := d.objects().Create(t.Context(), d.manifest(0, sleepy(ns, map[string]string{"wake": "requests"})), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		d.service(d.name)
	}
	ending := w.doorkeeper(t, ns, "activator-1")
	w.doorkeeper(t, ns, "activator-2")
	c := w.controller(t, ns, withActivators(ns)...)
	lead := func(activators ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("all lead to %v", activators), func(ctx context.Context) (bool, string) {
			all, err := w.client.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: serves.Ours().String()})
			if err != nil {
				return false, err.Error()
			}
			time.Sleep(time.Second) // a list of all takes its time, too
			right := 0
			for i := range all.Items {
				says, err := serves.Read(&all.Items[i])
				if err != nil || says.Face != serves.Active || len(says.Activators) != len(activators) {
					continue
				}
				if slices.EqualFunc(says.Activators, activators, func(a serves.Activator, pod string) bool { return a.Pod == pod }) {
					right++
				}
			}
			return right == services, fmt.Sprintf("%d of %d", right, services)
		})
	}
	lead("activator-1", "activator-2")
	began := time.Now()
	ending.change(func() { ending.draining = true })
	lead("activator-2")
	t.Logf("%d slices led to it no more after %s", services, time.Since(began).Round(time.Millisecond))
	c.running()
}
