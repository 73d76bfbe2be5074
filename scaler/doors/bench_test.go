package doors

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// town has many workloads that sleep, each with a Service in a namespace of its own, and two activators.
type town struct {
	discoveryclient.EndpointSliceInterface
	slices    map[types.NamespacedName]*discoveryv1.EndpointSlice
	services  map[string]*corev1.Service
	workloads []*annotations.Workload
	keeper    *Keeper
	version   int
	writes    int
}

func (m *town) EndpointSlices(string) discoveryclient.EndpointSliceInterface { return m }

func (m *town) Create(_ context.Context, s *discoveryv1.EndpointSlice, _ metav1.CreateOptions) (*discoveryv1.EndpointSlice, error) {
	return m.Update(context.Background(), s, metav1.UpdateOptions{})
}

func (m *town) Update(_ context.Context, s *discoveryv1.EndpointSlice, _ metav1.UpdateOptions) (*discoveryv1.EndpointSlice, error) {
	m.version++
	m.writes++
	s.ResourceVersion = strconv.Itoa(m.version)
	m.slices[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	return s, nil
}

func (m *town) Serving(w *annotations.Workload, _ []string) []*corev1.Service {
	return []*corev1.Service{m.services[w.Namespace]}
}

func (m *town) Service(name types.NamespacedName) *corev1.Service { return m.services[name.Namespace] }

func (m *town) Doubtful(annotations.Key) *annotations.Workload { return nil }

func (m *town) Slices(types.NamespacedName) []*discoveryv1.EndpointSlice { return nil }

func (m *town) OwnSlice(name types.NamespacedName) *discoveryv1.EndpointSlice { return m.slices[name] }

func (m *town) OwnSlices() []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for _, s := range m.slices {
		all = append(all, s)
	}
	return all
}

func (m *town) Activators() []*corev1.Pod { return nil }

func (m *town) Err() error { return nil }

func (m *town) Pods(*annotations.Workload) []*podspec.Pod { return nil }

func (m *town) Workload(key annotations.Key) *annotations.Workload {
	n, _ := strconv.Atoi(key.Namespace[len("town-"):])
	return m.workloads[n]
}

func newTown(b *testing.B, n int) *town {
	m := &town{slices: map[types.NamespacedName]*discoveryv1.EndpointSlice{}, services: map[string]*corev1.Service{}}
	for i := range n {
		namespace := fmt.Sprint("town-", i)
		m.services[namespace] = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", UID: types.UID(namespace)},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, ClusterIP: "10.0.0.1", Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}}
		m.workloads = append(m.workloads, &annotations.Workload{Key: annotations.DeploymentKey(namespace, "web"), Annotations: map[string]string{annotations.WakeKey: "requests"},
			Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}})
	}
	m.keeper = NewKeeper(Config{Cluster: m, Workloads: m, Slices: m, Enqueue: func(...annotations.Key) {}, Propagation: w, Range: serves.DefaultRange(), Now: time.Now, Log: zap.NewNop()})
	m.keeper.Begin()
	m.leadAll(b)
	for _, name := range []string{"a1", "a2"} {
		r := &report{activator: activator{uid: types.UID(name), namespace: "mini-hpa", name: name, addresses: []string{"10.9.9." + name[1:]}}, ports: map[portKey]*serves.State{}, synced: true}
		for key, s := range m.slices {
			r.ports[portKey{key, "http"}] = &serves.State{Slice: key.String(), Name: "http", Pair: serves.PairOf(*s.Ports[0].Port), Listening: true}
		}
		m.keeper.reports[r.uid] = r
	}
	m.leadAll(b)
	return m
}

func (m *town) leadAll(b *testing.B) {
	for _, workload := range m.workloads {
		if _, err := m.keeper.Lead(b.Context(), workload, annotations.Wake{Requests: true}, wake.Wanted{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAtRest is a look at a workload that sleeps, beside a thousand others, of which nothing has changed.
func BenchmarkAtRest(b *testing.B) {
	m := newTown(b, 1000)
	m.writes = 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		workload := m.workloads[i%len(m.workloads)]
		if _, err := m.keeper.Lead(b.Context(), workload, annotations.Wake{Requests: true}, wake.Wanted{}); err != nil {
			b.Fatal(err)
		}
		if _, err := m.keeper.Requests(workload.Key); err != nil {
			b.Fatal(err)
		}
	}
	if m.writes > 0 {
		b.Errorf("%d writes at rest", m.writes)
	}
}

// BenchmarkActivatorGone is what it takes, without the API server, to take an activator out of a thousand slices.
func BenchmarkActivatorGone(b *testing.B) {
	m := newTown(b, 1000)
	for b.Loop() {
		report := m.keeper.reports["a2"]
		delete(m.keeper.reports, "a2")
		m.writes = 0
		m.leadAll(b)
		if m.writes != 1000 {
			b.Fatalf("%d slices written", m.writes)
		}
		m.keeper.reports["a2"] = report
		m.leadAll(b)
	}
}

// BenchmarkSweep is a look at a thousand slices, which are made once a second.
func BenchmarkSweep(b *testing.B) {
	m := newTown(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		m.keeper.sweep()
	}
}
