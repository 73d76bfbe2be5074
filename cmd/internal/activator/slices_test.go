package activator

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/informer/watching"
	"github.com/mini-hpa/mini-hpa/scaler/activator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is a server that notes what it was told last.
type told struct {
	mu   sync.Mutex
	says map[string]string
	late map[string]string // what is said of those that are not served
}

func (s *told) Serve(slice serves.Slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[slice.Key().String()] = fmt.Sprint(slice.Ports[0].Pair, " ")
}

func (s *told) Drop(slice types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.says, slice.String())
}

func (s *told) Pods(slice types.NamespacedName, ready map[string][]netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said, is := s.says[slice.String()]
	if !is {
		s.late[slice.String()] = fmt.Sprint(ready)
		return
	}
	pair, _, _ := strings.Cut(said, " ")
	s.says[slice.String()] = fmt.Sprint(pair, " ", ready)
}

// lateOf is what was said last of a slice that is not served. A slice may be told of again at any time, such as when all are listed anew.
func (s *told) lateOf(slice string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late[slice]
}

func (s *told) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.says)
}

// ourSlice is mini-hpa's slice of a Service.
func ourSlice(service string, family discoveryv1.AddressType, pair int32, backends ...serves.Backends) *discoveryv1.EndpointSlice {
	s := serves.Slice{Namespace: "shop", Service: service, Family: family, Serves: serves.Serves{Kind: "Deployment", Group: "apps", Name: service},
		Ports: []serves.Port{{Name: "http", Pair: pair}}, Backends: backends}
	return s.Object()
}

// podSlice is one of Kubernetes' own, each of whose endpoints is an address and what it says of readiness.
func podSlice(name, service string, family discoveryv1.AddressType, endpoints ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}},
		AddressType: family, Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}, {Name: new("all")}}}
	for _, e := range endpoints {
		address, says, _ := strings.Cut(e, " ")
		endpoint := discoveryv1.Endpoint{Addresses: []string{address}}
		switch says {
		case "ready":
			endpoint.Conditions.Ready = new(true)
		case "not":
			endpoint.Conditions.Ready = new(false)
		case "ends":
			endpoint.Conditions.Ready, endpoint.Conditions.Terminating = new(true), new(true)
		}
		s.Endpoints = append(s.Endpoints, endpoint)
	}
	return s
}

func TestWhatIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v4, v6 := discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6
		client := fake.NewClientset(ourSlice("web", v4, 20016), podSlice("web-1", "web", v4, "10.0.0.1 ready", "10.0.0.2 not", "10.0.0.3 ends", "10.0.0.4"), podSlice("db-1", "db", v4, "10.0.0.9 ready"))
		server := &told{says: map[string]string{}, late: map[string]string{}}
		core, logs := observer.New(zap.WarnLevel)
		s, err := newSlices(slicesConfig{client: client, watches: watching.NewWatches("", nil), server: server, log: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		if s.filled() {
			t.Error("nothing was listed, and it is filled")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.run(ctx) })
		defer running.Wait()
		defer cancel()
		expect := func(what string, want map[string]string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, server.all()); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		api := client.DiscoveryV1().EndpointSlices("shop")
		must := func(_ *discoveryv1.EndpointSlice, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		expect("at the start", map[string]string{"shop/mini-hpa-web": "20016 map[http:[10.0.0.1:8080]]"})
		if !s.filled() {
			t.Error("all was listed, and it is not filled")
		}
		must(api.Create(ctx, podSlice("web-2", "web", v4, "10.0.0.5 ready", "10.0.0.1 ready", "127.0.0.1 ready", "169.254.169.254 ready"), metav1.CreateOptions{}))
		must(api.Create(ctx, podSlice("web-6", "web", v6, "fd00::1 ready"), metav1.CreateOptions{}))
		must(api.Create(ctx, ourSlice("web", v6, 20020), metav1.CreateOptions{}))
		expect("more pods, and IPv6", map[string]string{"shop/mini-hpa-web": "20016 map[http:[10.0.0.1:8080 10.0.0.5:8080]]", "shop/mini-hpa-web.ipv6": "20020 map[http:[[fd00::1]:8080]]"})
		if err := api.Delete(ctx, "mini-hpa-web.ipv6", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		must(api.Update(ctx, podSlice("web-1", "web", v4, "10.0.0.1 not"), metav1.UpdateOptions{}))
		must(api.Update(ctx, podSlice("web-2", "web", v4), metav1.UpdateOptions{}))
		expect("asleep", map[string]string{"shop/mini-hpa-web": "20016 map[]"})
		// The pods of a Service that begins to be served are known.
		must(api.Create(ctx, ourSlice("db", v4, 20022), metav1.CreateOptions{}))
		must(api.Create(ctx, ourSlice("api", v4, 20024, serves.Backends{Addresses: []string{"10.0.0.7"}, Ports: map[string]int32{"http": 80}}), metav1.CreateOptions{}))
		more := map[string]string{"shop/mini-hpa-web": "20016 map[]", "shop/mini-hpa-db": "20022 map[http:[10.0.0.9:8080]]", "shop/mini-hpa-api": "20024 map[http:[10.0.0.7:80]]"}
		expect("others", more)
		broken := ourSlice("web", v4, 20016)
		broken.Annotations[serves.Annotation] = "{"
		must(api.Update(ctx, broken, metav1.UpdateOptions{}))
		must(api.Update(ctx, podSlice("web-1", "web", v4, "10.0.0.1 not"), metav1.UpdateOptions{}))
		expect("a slice that cannot be read is served as before", more)
		must(api.Update(ctx, podSlice("web-1", "web", v4, "10.0.0.1 ready"), metav1.UpdateOptions{}))
		more["shop/mini-hpa-web"] = "20016 map[http:[10.0.0.1:8080]]"
		expect("a pod of a slice that cannot be read is ready", more)
		if n := logs.FilterMessage("a slice is not served as it says").Len(); n != 1 {
			t.Errorf("that is told %d times: %v", n, logs.All())
		}
		for _, name := range []string{"mini-hpa-web", "mini-hpa-db", "mini-hpa-api"} {
			if err := api.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		expect("nothing", map[string]string{})
		must(api.Update(ctx, podSlice("db-1", "db", v4, "10.0.0.8 ready"), metav1.UpdateOptions{}))
		expect("nothing, and its pods have changed", map[string]string{})
		if got := server.lateOf("shop/mini-hpa-db"); got != "map[http:[10.0.0.8:8080]]" {
			t.Errorf("those that are held for a slice that has gone hear of %s", got)
		}
		time.Sleep(activator.Lasting)
		must(api.Update(ctx, podSlice("db-1", "db", v4, "10.0.0.7 ready"), metav1.UpdateOptions{}))
		expect("nobody is left", map[string]string{})
		if len(s.known) > 0 || len(s.gone) > 0 || server.lateOf("shop/mini-hpa-db") != "map[http:[10.0.0.8:8080]]" {
			t.Errorf("%v and %v are left, and %s", s.known, s.gone, server.lateOf("shop/mini-hpa-db"))
		}
	})
}

// TestActivatorsAreNoPods: an activator whose door is told of as a pod would pass connections on to itself, or to another that passes them back.
func TestActivatorsAreNoPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v4 := discoveryv1.AddressTypeIPv4
		ours := serves.Slice{Namespace: "shop", Service: "web", Family: v4, Serves: serves.Serves{Kind: "Deployment", Group: "apps", Name: "web"}, Face: serves.Standby,
			Ports:      []serves.Port{{Name: "http", Pair: 20016}},
			Activators: []serves.Activator{{Namespace: "mini-hpa", Pod: "a-1", Address: "10.9.9.1"}, {Namespace: "mini-hpa", Pod: "a-2", Address: "10.9.9.2"}}}
		doors := podSlice("web-1", "web", v4, "10.0.0.1 ready", "10.9.9.1 ready", "10.9.9.2 ready", "10.9.9.3 ready")
		doors.Ports[0].Port = new(int32(20016))
		later := doors.DeepCopy()
		later.Name, later.Ports[0].Port = "web-2", new(int32(20019)) // whose slice may come later
		outside := ourSlice("db", v4, 30000)
		beside := podSlice("db-1", "db", v4, "10.9.9.1 ready", "10.9.9.3 ready") // the latter is that of a node's network
		own := podSlice("db-2", "db", v4, "10.9.9.1 ready", "10.9.9.3 ready")
		own.Ports[0].Port = new(int32(30001))
		client := fake.NewClientset(ours.Object(), doors, later, outside, beside, own)
		server := &told{says: map[string]string{}, late: map[string]string{}}
		s, err := newSlices(slicesConfig{client: client, watches: watching.NewWatches("", nil), server: server, log: zap.NewNop(),
			own: map[netip.Addr]bool{netip.MustParseAddr("10.9.9.2"): true, netip.MustParseAddr("10.9.9.3"): true}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.run(ctx) })
		defer running.Wait()
		defer cancel()
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{
			"shop/mini-hpa-web": "20016 map[http:[10.0.0.1:20016 10.0.0.1:20019]]", "shop/mini-hpa-db": "30000 map[http:[10.9.9.3:8080]]"}, server.all()); diff != "" {
			t.Error(diff)
		}
		if !s.named.Load() {
			t.Error("a slice names this activator, and it does not know")
		}
		ours.Activators = ours.Activators[:1]
		if _, err := client.DiscoveryV1().EndpointSlices("shop").Update(ctx, ours.Object(), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); s.named.Load() {
			t.Error("no slice names this activator, and it does not know")
		}
		if err := client.DiscoveryV1().EndpointSlices("shop").Delete(ctx, "mini-hpa-web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); len(s.activators) > 0 {
			t.Errorf("%v are left", s.activators)
		}
	})
}

func TestSlim(t *testing.T) {
	object := podSlice("web-1", "web", discoveryv1.AddressTypeIPv4, "10.0.0.1 ready", "10.0.0.2 ready", "10.0.0.3 not")
	object.Annotations = map[string]string{"a": "b"}
	object.Ports = append(object.Ports, discoveryv1.EndpointPort{Port: new(int32(70000))})
	kept, err := slim(object)
	if err != nil {
		t.Fatal(err)
	}
	got := kept.(*discoveryv1.EndpointSlice)
	if len(got.Endpoints) != 1 || !slices.Equal(got.Endpoints[0].Addresses, []string{"10.0.0.1", "10.0.0.2"}) || len(got.Ports) != 1 || got.Annotations != nil || isOurs(got) || serviceOf(got).Name != "web" {
		t.Errorf("%+v", got)
	}
	for name, one := range map[string]*discoveryv1.EndpointSlice{"another's": got, "mini-hpa's": ourSlice("web", discoveryv1.AddressTypeIPv4, 20016)} {
		again, err := slim(one.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one, again); diff != "" {
			t.Errorf("%s that is slim is made slim again: %s", name, diff)
		}
	}
	if _, err := slim(&discoveryv1.EndpointSliceList{}); err == nil {
		t.Error("a list is taken for a slice")
	}
}
