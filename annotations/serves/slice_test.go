package serves

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// sleeping is a Service of two ports whose workload sleeps.
func sleeping() Slice {
	return Slice{
		Namespace: "shop", Service: "web", ServiceUID: "u1", Family: discoveryv1.AddressTypeIPv4,
		Serves: Serves{Kind: "Deployment", Group: "apps", Name: "web", Protocol: map[string]Protocol{"http": HTTP1}, Hold: metav1.Duration{Duration: 90 * time.Second}},
		Ports:  []Port{{Name: "http", Pair: 20016, AppProtocol: new("http")}, {Name: "grpc", Pair: 20018}},
		Face:   Active, Since: time.Date(2026, 11, 29, 8, 0, 0, 5, time.UTC),
		Activators: []Activator{{Namespace: "mini-hpa", Pod: "a-1", UID: "p1", Address: "10.9.9.1", Node: "n1", Zone: "z1"}, {Namespace: "mini-hpa", Pod: "a-2", UID: "p2", Address: "10.9.9.2"}},
	}
}

func with(change func(*Slice)) Slice {
	s := sleeping()
	change(&s)
	return s
}

func TestObject(t *testing.T) {
	s := sleeping()
	got := s.Object()
	want := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mini-hpa-web",
			Labels: map[string]string{"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "mini-hpa"},
			Annotations: map[string]string{"mini-hpa/active-since": "2026-11-29T08:00:00.000000005Z",
				"mini-hpa/serves": `{"kind":"Deployment","group":"apps","name":"web","protocol":{"http":"http1"},"hold":"1m30s"}`},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: "web", UID: "u1"}}},
		AddressType: "IPv4",
		Ports: []discoveryv1.EndpointPort{
			{Name: new("http"), Port: new(int32(20017)), Protocol: new(corev1.ProtocolTCP), AppProtocol: new("http")},
			{Name: new("grpc"), Port: new(int32(20019)), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.9.9.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "mini-hpa", Name: "a-1", UID: "p1"}, NodeName: new("n1"), Zone: new("z1")},
			{Addresses: []string{"10.9.9.2"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "mini-hpa", Name: "a-2", UID: "p2"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.Face = Standby
	standby := s.Object()
	if c := standby.Endpoints[0].Conditions; *c.Ready || !*c.Serving || !*c.Terminating || *standby.Ports[0].Port != 20016 || standby.Annotations[ActiveSince] != "" {
		t.Errorf("on standby it is %+v at %d since %q", c, *standby.Ports[0].Port, standby.Annotations[ActiveSince])
	}
}

func TestReadIsTheWayBack(t *testing.T) {
	tests := map[string]Slice{
		"active":                            sleeping(),
		"standby":                           with(func(s *Slice) { s.Face, s.Since = Standby, time.Time{} }),
		"out":                               with(func(s *Slice) { s.Face, s.Since, s.Activators = Out, time.Time{}, nil }),
		"active, and no activator is there": with(func(s *Slice) { s.Activators = nil }),
		"a Service without a selector": with(func(s *Slice) {
			s.Serves.Path, s.Backends = PathAlways, []Backends{{Addresses: []string{"10.1.0.7"}, Ports: map[string]int32{"http": 8080}}}
		}),
		"a Service without a selector, and no pod is ready": with(func(s *Slice) { s.Serves.Path, s.Backends = PathAlways, []Backends{} }),
		"IPv6": with(func(s *Slice) {
			s.Family, s.Activators = discoveryv1.AddressTypeIPv6, []Activator{{Namespace: "mini-hpa", Pod: "a-1", UID: "p1", Address: "fd00::1"}}
		}),
		"one port without a name": with(func(s *Slice) { s.Ports = []Port{{Pair: 29998}} }),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			object := want.Object()
			before := object.DeepCopy()
			got, err := Read(object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, object); diff != "" {
				t.Errorf("what was read has changed: %s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*discoveryv1.EndpointSlice)
		want   string
	}{
		"the name of another's":     {func(o *discoveryv1.EndpointSlice) { o.Name = "web-x7k2p" }, `metadata.name: Invalid value: "web-x7k2p": name "web-x7k2p" must be "mini-hpa-" and the name of a Service`},
		"no Service":                {func(o *discoveryv1.EndpointSlice) { o.Name = "mini-hpa-" }, `metadata.name`},
		"another Service's label":   {func(o *discoveryv1.EndpointSlice) { o.Labels["kubernetes.io/service-name"] = "db" }, `metadata.labels[kubernetes.io/service-name]: Invalid value: "db": must be "web"`},
		"another family":            {func(o *discoveryv1.EndpointSlice) { o.AddressType = "FQDN" }, `addressType: Invalid value: "FQDN": must be IPv4, as its name says`},
		"no annotation":             {func(o *discoveryv1.EndpointSlice) { o.Annotations = nil }, `metadata.annotations[mini-hpa/serves]`},
		"no time":                   {func(o *discoveryv1.EndpointSlice) { delete(o.Annotations, ActiveSince) }, `metadata.annotations[mini-hpa/active-since]: Required value: when the slice became active`},
		"a time that is none":       {func(o *discoveryv1.EndpointSlice) { o.Annotations[ActiveSince] = "now" }, `metadata.annotations[mini-hpa/active-since]: Invalid value: "now"`},
		"backends that are none":    {func(o *discoveryv1.EndpointSlice) { o.Annotations[BackendsAnnotation] = "{" }, `metadata.annotations[mini-hpa/backends]: Invalid value: "{": annotation mini-hpa/backends must be JSON`},
		"doors of two kinds":        {func(o *discoveryv1.EndpointSlice) { o.Ports[1].Port = new(int32(20018)) }, `ports[1].port: Invalid value: 20018: must be even or odd as the others are`},
		"one door twice":            {func(o *discoveryv1.EndpointSlice) { o.Ports[1].Port = new(int32(20017)) }, `ports[1].port: Duplicate value: 20017`},
		"one name twice":            {func(o *discoveryv1.EndpointSlice) { o.Ports[1].Name = new("http") }, `ports[1].name: Duplicate value: "http"`},
		"no port":                   {func(o *discoveryv1.EndpointSlice) { o.Ports[1].Port = nil }, `ports[1].port: Required value`},
		"a port of the system":      {func(o *discoveryv1.EndpointSlice) { o.Ports[0].Port = new(int32(443)) }, `ports[0].port: Invalid value: 443: must be between 1024 and 65535`},
		"UDP":                       {func(o *discoveryv1.EndpointSlice) { o.Ports[0].Protocol = new(corev1.ProtocolUDP) }, `ports[0].protocol: Unsupported value: "UDP"`},
		"a name that is none":       {func(o *discoveryv1.EndpointSlice) { o.Ports[0].Name = new("HTTP!") }, `ports[0].name: Invalid value: "HTTP!"`},
		"an address of IPv6":        {func(o *discoveryv1.EndpointSlice) { o.Endpoints[0].Addresses = []string{"fd00::1"} }, `endpoints[0].addresses[0]: Invalid value: "fd00::1": must be of the family IPv4`},
		"two addresses":             {func(o *discoveryv1.EndpointSlice) { o.Endpoints[0].Addresses = []string{"10.0.0.1", "10.0.0.2"} }, `endpoints[0].addresses: Invalid value: 2: must be one`},
		"a condition that is unset": {func(o *discoveryv1.EndpointSlice) { o.Endpoints[1].Conditions.Terminating = nil }, `endpoints[1].conditions.terminating: Invalid value`},
		"a condition that is wrong": {func(o *discoveryv1.EndpointSlice) { o.Endpoints[1].Conditions.Ready = new(false) }, `endpoints[1].conditions.ready: Invalid value: false: must be true in a slice that is active`},
		"no pod":                    {func(o *discoveryv1.EndpointSlice) { o.Endpoints[0].TargetRef = nil }, `endpoints[0].targetRef: Required value: the activator's pod`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := sleeping()
			object := s.Object()
			tt.change(object)
			if _, err := Read(object); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %s", err, tt.want)
			}
		})
	}
}

func TestAnErrorShowsTheBeginning(t *testing.T) {
	s := sleeping()
	object := s.Object()
	object.Annotations[Annotation] = "{" + strings.Repeat("x", 100_000)
	if _, err := Read(object); err == nil || len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestSliceNames(t *testing.T) {
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		for _, service := range []string{"web", "mini-hpa-web", "ipv6", "0", strings.Repeat("a", 63)} {
			if got, of, err := ReadSliceName(SliceName(service, family)); got != service || of != family || err != nil {
				t.Errorf("%s of %s is read as %s of %s: %v", service, family, got, of, err)
			}
		}
	}
	for _, name := range []string{"", "web", "mini-hpa-", "mini-hpa-.ipv6", "mini-hpa-a.b", "mini-hpa-A", "mini-hpa-" + strings.Repeat("a", 64)} {
		if service, _, err := ReadSliceName(name); err == nil {
			t.Errorf("%q is read as %q", name, service)
		}
	}
	s := sleeping()
	if !Ours().Matches(labels.Set(s.Object().Labels)) || Ours().Matches(labels.Set{}) {
		t.Error("the selector selects other slices")
	}
}

// FuzzRead holds slices of any text to what the activators rely on.
func FuzzRead(f *testing.F) {
	s := sleeping()
	text := s.Serves.String()
	f.Add("mini-hpa-web", "http", int32(20017), int32(20019), "10.9.9.1", "2026-11-29T08:00:00.5Z", text, "")
	f.Add("mini-hpa-web.ipv6", "", int32(20016), int32(20018), "fd00::1", "", text, `[{"addresses":["fd00::1"],"ports":{"http":8080}}]`)
	f.Add("web", "\xff", int32(-1), int32(1<<30), "", "x", "{}", "null")
	f.Fuzz(func(t *testing.T, name, port string, first, second int32, address, since, serves, backends string) {
		object := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: Labels("web"), Annotations: map[string]string{Annotation: serves, ActiveSince: since}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: &port, Port: &first}, {Name: new("b"), Port: &second}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "a"},
				Conditions: discoveryv1.EndpointConditions{Ready: new(isActiveDoor(first)), Serving: new(true), Terminating: new(!isActiveDoor(first))}}},
		}
		if strings.HasSuffix(name, nameOfIPv6) {
			object.AddressType = discoveryv1.AddressTypeIPv6
		}
		if backends != "" {
			object.Annotations[BackendsAnnotation] = backends
		}
		read, err := Read(object)
		if err != nil {
			return
		}
		again, err := Read(read.Object())
		if err != nil {
			t.Fatalf("%v of %+v", err, read)
		}
		if diff := cmp.Diff(read, again); diff != "" {
			t.Errorf("what was read is written as something else: %s", diff)
		}
		for _, p := range read.Ports {
			if !isPair(p.Pair) {
				t.Errorf("pair %d", p.Pair)
			}
		}
	})
}
