package doors

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

const w = 10 * time.Second

// scene is a Deployment "web" with a Service of the same name, and activators. It is the Cluster and the Workloads of a Keeper.
type scene struct {
	t        *testing.T
	client   *fake.Clientset
	keeper   *Keeper
	workload *annotations.Workload
	wake     annotations.Wake
	services []*corev1.Service
	// pods are those of activators, as far as a test needs them.
	pods []*corev1.Pod
	// ready are the pods that Kubernetes' own slice of web has, owned those that the workload has.
	ready []string
	owned []*podspec.Pod
	// late says that the watch brings nothing at present: what it has is as it was then.
	late     []*discoveryv1.EndpointSlice
	isLate   bool
	err      error
	version  int
	enqueued int
	writes   []string
	// unknown says that it is not known of any workload whether it exists, obscured that it is not known whether another object is scaled in the place of web.
	unknown, obscured bool
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, client: fake.NewClientset(), wake: annotations.Wake{Requests: true, Hold: time.Minute, PerPod: 50, Limit: 1000}}
	s.workload = &annotations.Workload{Key: annotations.DeploymentKey("shop", "web"), UID: "w", Replicas: 1, Annotations: map[string]string{annotations.WakeKey: "requests"},
		Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}}}
	s.services = []*corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web-uid"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, ClusterIP: "10.0.0.1", Ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}}}}}
	s.client.PrependReactor("*", "endpointslices", s.stamp)
	s.keeper = s.leader()
	return s
}

// stamp gives what is written a version, refuses what is based on another one, and notes it.
func (s *scene) stamp(action clienttesting.Action) (bool, runtime.Object, error) {
	write, ok := action.(interface{ GetObject() runtime.Object })
	if !ok {
		if action.GetVerb() == "delete" {
			s.writes = append(s.writes, "delete "+action.(clienttesting.DeleteAction).GetName())
		}
		return false, nil, nil
	}
	slice := write.GetObject().(*discoveryv1.EndpointSlice)
	stored := s.stored(slice.Name)
	if action.GetVerb() == "update" && stored != nil && stored.ResourceVersion != slice.ResourceVersion {
		return true, nil, apierrors.NewConflict(discoveryv1.Resource("endpointslices"), slice.Name, fmt.Errorf("version %s", slice.ResourceVersion))
	}
	s.version++
	slice.ResourceVersion = strconv.Itoa(s.version)
	if action.GetVerb() == "create" {
		slice.UID, slice.CreationTimestamp = types.UID("uid-"+slice.Name), metav1.Now()
	}
	s.writes = append(s.writes, action.GetVerb()+" "+describe(slice))
	return false, nil, nil
}

// describe is a slice in a line: its name, its face, and whom it leads to.
func describe(slice *discoveryv1.EndpointSlice) string {
	says, err := serves.Read(slice)
	if err != nil {
		return slice.Name + " that cannot be read"
	}
	text := fmt.Sprintf("%s %s", slice.Name, says.Face)
	for _, a := range says.Activators {
		text += " " + a.Pod
	}
	return text
}

func (s *scene) stored(name string) *discoveryv1.EndpointSlice {
	obj, err := s.client.Tracker().Get(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), "shop", name)
	if err != nil {
		return nil
	}
	return obj.(*discoveryv1.EndpointSlice).DeepCopy()
}

// leader is a process that begins to lead.
func (s *scene) leader() *Keeper {
	k := NewKeeper(Config{Cluster: s, Workloads: s, Slices: s.client.DiscoveryV1(), Enqueue: func(keys ...annotations.Key) { s.enqueued += len(keys) },
		Propagation: w, Range: serves.DefaultRange(), Now: time.Now, Log: zap.NewNop()})
	k.Begin()
	return k
}

// pass lets time pass.
func (s *scene) pass(d time.Duration) { time.Sleep(d) }

// activator is one that tells that it listens on all that there is.
func (s *scene) activator(name string) {
	uid := types.UID(name)
	if s.keeper.reports[uid] == nil {
		s.keeper.reports[uid] = &report{activator: activator{uid: uid, namespace: "mini-hpa", name: name, addresses: []string{"10.9.9." + strings.TrimPrefix(name, "a")}}, ports: map[portKey]*serves.State{}}
	}
	s.keeper.begins(uid)
	s.keeper.says(uid, serves.Line{Process: &serves.Process{Start: "1"}})
	for _, slice := range s.OwnSlices() {
		if says, err := serves.Read(slice); err == nil {
			for _, port := range says.Ports {
				s.keeper.says(uid, serves.Line{Port: &serves.State{Slice: "shop/" + slice.Name, Name: port.Name, Pair: port.Pair, Listening: true}})
			}
		}
	}
	s.keeper.says(uid, serves.Line{Synced: true})
}

// tell is an activator that says something of port http of web.
func (s *scene) tell(name string, change func(*serves.State)) {
	uid := types.UID(name)
	state := *s.keeper.reports[uid].ports[portKey{types.NamespacedName{Namespace: "shop", Name: "mini-hpa-web"}, "http"}]
	change(&state)
	s.keeper.says(uid, serves.Line{Port: &state})
}

// lead is a look that has decided on so many replicas. It writes what it may, and returns what it was told.
func (s *scene) lead(desired int32) wake.Led {
	s.t.Helper()
	led, err := s.keeper.Lead(context.Background(), s.workload, s.wake, wake.Wanted{Desired: desired})
	if err != nil {
		s.t.Fatal(err)
	}
	if desired > 0 || led.Closed == nil {
		s.workload.Replicas = desired
	}
	return led
}

// leave is a look at a workload that is not there, or scaled no more.
func (s *scene) leave() time.Duration {
	s.t.Helper()
	s.keeper.sweep()
	next, err := s.keeper.Leave(context.Background(), annotations.DeploymentKey("shop", "web"))
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

// stay is a look at a workload on which nothing is decided.
func (s *scene) stay() time.Duration {
	s.t.Helper()
	next, err := s.keeper.Stay(context.Background(), s.workload)
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

// pod is that of an activator, which is there as far as the watch says.
func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "mini-hpa", Name: name, UID: types.UID(name)}, Status: corev1.PodStatus{PodIP: "10.9.9." + strings.TrimPrefix(name, "a")}}
}

// wantWrites compares with, and takes away, what was written since the last call.
func (s *scene) wantWrites(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.writes, want) {
		s.t.Errorf("written: %q; want %q", s.writes, want)
	}
	s.writes = nil
}

func (s *scene) wantClosed(led wake.Led, seconds time.Duration, because string) {
	s.t.Helper()
	switch {
	case because == "" && led.Closed == nil:
	case because == "" || led.Closed == nil:
		s.t.Errorf("closed: %+v; want %q", led.Closed, because)
	case led.Closed.For != seconds*time.Second || !strings.Contains(led.Closed.Because, because):
		s.t.Errorf("closed for %s because %q; want %d s because %q", led.Closed.For, led.Closed.Because, seconds, because)
	}
}

func (s *scene) Serving(w *annotations.Workload, names []string) (found []*corev1.Service) {
	for _, service := range s.services {
		if slices.Contains(names, service.Name) || len(names) == 0 && annotations.Selects(service, w) {
			found = append(found, service)
		}
	}
	return found
}

func (s *scene) Service(name types.NamespacedName) *corev1.Service {
	for _, service := range s.services {
		if service.Name == name.Name {
			return service
		}
	}
	return nil
}

func (s *scene) Doubtful(key annotations.Key) *annotations.Workload {
	switch {
	case s.obscured && key == s.workload.Key:
		return s.workload
	case s.unknown:
		return &annotations.Workload{Key: key}
	}
	return nil
}

func (s *scene) Slices(service types.NamespacedName) []*discoveryv1.EndpointSlice {
	kube := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x7k2p", Labels: map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}}}
	for i, pod := range s.ready {
		kube.Endpoints = append(kube.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.1.0." + strconv.Itoa(i)}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef: &corev1.ObjectReference{UID: types.UID(pod)}})
	}
	return append([]*discoveryv1.EndpointSlice{kube}, s.OwnSlices()...)
}

func (s *scene) OwnSlices() []*discoveryv1.EndpointSlice {
	if s.isLate {
		return s.late
	}
	list, err := s.client.Tracker().List(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), "shop")
	if err != nil {
		return nil
	}
	var all []*discoveryv1.EndpointSlice
	for i := range list.(*discoveryv1.EndpointSliceList).Items {
		if slice := &list.(*discoveryv1.EndpointSliceList).Items[i]; slice.Labels[discoveryv1.LabelManagedBy] == serves.Manager {
			all = append(all, slice)
		}
	}
	return all
}

func (s *scene) OwnSlice(name types.NamespacedName) *discoveryv1.EndpointSlice {
	if !s.isLate {
		return s.stored(name.Name)
	}
	for _, slice := range s.late {
		if slice.Name == name.Name {
			return slice
		}
	}
	return nil
}

func (s *scene) Activators() []*corev1.Pod { return s.pods }

func (s *scene) Err() error { return s.err }

func (s *scene) Workload(key annotations.Key) *annotations.Workload {
	switch {
	case s.workload == nil || key != s.workload.Key:
		return nil
	case s.obscured:
		return &annotations.Workload{Key: key, UID: s.workload.UID}
	}
	return s.workload
}

func (s *scene) Pods(*annotations.Workload) []*podspec.Pod { return s.owned }

// edit is somebody else who changes a slice.
func (s *scene) edit(name string, change func(*discoveryv1.EndpointSlice)) {
	slice := s.stored(name)
	change(slice)
	s.version++
	slice.ResourceVersion = strconv.Itoa(s.version)
	if err := s.client.Tracker().Update(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), slice, "shop"); err != nil {
		s.t.Fatal(err)
	}
}

// delete is somebody else who deletes a slice.
func (s *scene) delete(name string) {
	if err := s.client.Tracker().Delete(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), "shop", name); err != nil {
		s.t.Fatal(err)
	}
}

// wantStranded compares why requests cannot wake it any more; empty if they can.
func (s *scene) wantStranded(because string) {
	s.t.Helper()
	if got := s.keeper.Stranded(s.workload.Key); (got == "") != (because == "") || !strings.Contains(got, because) {
		s.t.Errorf("stranded because %q; want %q", got, because)
	}
}
