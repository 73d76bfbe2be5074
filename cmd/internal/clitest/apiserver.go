package clitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
)

// APIServer answers what this program asks of an API server, with one Deployment default/web and its pods, over real HTTP.
type APIServer struct {
	*httptest.Server
	T *testing.T

	mu         sync.Mutex
	Deployment *appsv1.Deployment
	replicaSet *appsv1.ReplicaSet
	Pods       []corev1.Pod
	// Others are further objects and lists, by their paths.
	Others map[string]any
	// limitRanges and hpas are of namespace default.
	limitRanges []corev1.LimitRange
	HPAs        []autoscalingv2.HorizontalPodAutoscaler
	samples     []metricsv1beta1.PodMetrics
	Lease       *coordinationv1.Lease
	Agents      map[string]bool
	// Forbidden is the resource that the caller may not touch.
	Forbidden string
	Scaled    chan int32
	Told      chan corev1.Event
	// Events are those that are listed.
	Events []corev1.Event
	// Sources are those of the leader, nil for none.
	Sources state.Sources
}

// NewAPIServer has a Deployment of two pods, each of which uses 220m of the 100m that it requests, with these annotations.
func NewAPIServer(t *testing.T, annotations map[string]string) *APIServer {
	controller := func(kind, name, uid string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID("uid-" + uid), Controller: new(true)}}
	}
	s := &APIServer{T: t, Agents: map[string]bool{}, Scaled: make(chan int32, 10), Told: make(chan corev1.Event, 10)}
	meta := metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "uid-d", ResourceVersion: "7", Annotations: annotations}
	s.Deployment = &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}, Status: appsv1.DeploymentStatus{Replicas: 2}}
	s.replicaSet = &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-1", UID: "uid-rs", ResourceVersion: "7", OwnerReferences: controller("Deployment", "web", "d")}}
	long := metav1.NewTime(time.Now().Add(-time.Hour))
	for _, name := range []string{"web-1-a", "web-1-b"} {
		s.Pods = append(s.Pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: "uid-p", ResourceVersion: "7", CreationTimestamp: long,
				OwnerReferences: controller("ReplicaSet", "web-1", "rs")},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &long, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: long}}},
		})
		s.samples = append(s.samples, metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Timestamp: metav1.Now(), Window: metav1.Duration{Duration: 15 * time.Second}, Containers: []metricsv1beta1.ContainerMetrics{
				{Name: "app", Usage: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("220m")}}}})
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// Kubeconfig writes a kubeconfig for the server and returns its path.
func (s *APIServer) Kubeconfig() string {
	path := filepath.Join(s.T.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "test",
"clusters": [{"name": "test", "cluster": {"server": %q}}], "users": [{"name": "test", "user": {}}],
"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}`, s.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
	return path
}

// ServeHTTP answers one request.
func (s *APIServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Agents[r.UserAgent()] = true
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	kind := path[len(path)-1]
	if len(path) == 7 { // apis/GROUP/VERSION/namespaces/NAMESPACE/KIND/NAME
		kind = path[5]
	}
	switch {
	case s.Others[r.URL.Path] == nil && strings.Contains(r.URL.Path, "/namespaces/") && !strings.Contains(r.URL.Path, "/namespaces/default/"):
		s.fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "nothing here")
	case s.Forbidden != "" && strings.Contains(r.URL.Path, "/"+s.Forbidden):
		s.fail(w, http.StatusForbidden, metav1.StatusReasonForbidden, s.Forbidden+` is forbidden: User "test" cannot`+" list\x1b[31m it")
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	case path[1] == "metrics.k8s.io":
		s.answer(w, metricsv1beta1.PodMetricsList{TypeMeta: metav1.TypeMeta{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetricsList"}, Items: s.samples})
	case kind == "scale":
		scale := &autoscalingv1.Scale{}
		s.read(r, scale)
		s.Scaled <- scale.Spec.Replicas
		s.answer(w, scale)
	case kind == "leases":
		s.serveLease(w, r)
	case kind == "events" && r.Method == http.MethodGet:
		s.answer(w, corev1.EventList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"}, Items: s.Events})
	case kind == "events":
		event := &corev1.Event{}
		s.read(r, event)
		s.Told <- *event
		s.answer(w, event)
	default:
		s.serveObject(w, path, kind)
	}
}

func (s *APIServer) serveObject(w http.ResponseWriter, path []string, kind string) {
	list := metav1.ListMeta{ResourceVersion: "7"}
	other, there := s.Others["/"+strings.Join(path, "/")]
	switch {
	case there:
		s.answer(w, other)
	case kind == "deployments" && path[len(path)-1] == "web":
		s.answer(w, s.Deployment)
	case kind == "deployments" && path[len(path)-1] == "deployments":
		s.answer(w, appsv1.DeploymentList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DeploymentList"}, ListMeta: list, Items: []appsv1.Deployment{*s.Deployment}})
	case kind == "replicasets":
		s.answer(w, appsv1.ReplicaSetList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSetList"}, ListMeta: list, Items: []appsv1.ReplicaSet{*s.replicaSet}})
	case kind == "statefulsets":
		s.answer(w, appsv1.StatefulSetList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSetList"}, ListMeta: list})
	case kind == "limitranges":
		s.answer(w, corev1.LimitRangeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRangeList"}, ListMeta: list, Items: s.limitRanges})
	case kind == "services":
		s.answer(w, corev1.ServiceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}, ListMeta: list})
	case kind == "networkpolicies":
		s.answer(w, networkingv1.NetworkPolicyList{TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicyList"}, ListMeta: list})
	case kind == "horizontalpodautoscalers":
		s.answer(w, autoscalingv2.HorizontalPodAutoscalerList{TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscalerList"},
			ListMeta: list, Items: s.HPAs})
	case kind == "namespaces":
		s.answer(w, corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}, ListMeta: list, Items: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}})
	case kind == "pods":
		s.answer(w, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: list, Items: s.Pods})
	default:
		s.fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", kind, path[len(path)-1]))
	}
}

func (s *APIServer) serveLease(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if s.Lease == nil {
			s.fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "no such lease")
			return
		}
		s.answer(w, s.Lease)
		return
	}
	s.Lease = &coordinationv1.Lease{}
	s.read(r, s.Lease)
	s.Lease.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	s.answer(w, s.Lease)
}

// watch holds on until the client goes away; nothing ever changes. A list that is streamed is refused, as older servers do.
func (s *APIServer) watch(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("sendInitialEvents") != "" {
		s.fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "sendInitialEvents is not supported")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	s.mu.Unlock()
	<-r.Context().Done()
	s.mu.Lock()
}

func (s *APIServer) read(r *http.Request, into runtime.Object) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, into)
	}
	if err != nil {
		s.T.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

func (s *APIServer) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.T.Errorf("answering: %v", err)
	}
}

func (s *APIServer) fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	status := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message}
	if err := json.NewEncoder(w).Encode(status); err != nil {
		s.T.Errorf("answering: %v", err)
	}
}

// Lead serves a leader on this host, who knows what the teller tells, and has the Lease default/mini-hpa name it. It returns the port to ask at.
func (s *APIServer) Lead(h state.Head, teller state.Teller) (port string) {
	s.T.Helper()
	host, err := os.Hostname()
	if err != nil {
		s.T.Fatal(err)
	}
	h.Leading, h.Identity = true, host+"_1"
	s.Hold(h.Identity, time.Now())
	served := httptest.NewServer(state.Handler(func() state.Head { return h }, func() state.Teller { return teller }, s.Sources))
	s.T.Cleanup(served.Close)
	_, port, err = net.SplitHostPort(served.Listener.Addr().String())
	if err != nil {
		s.T.Fatal(err)
	}
	return port
}

// Hold has the Lease say who leads, and when that was last renewed.
func (s *APIServer) Hold(identity string, at time.Time) {
	s.Lease = &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: &identity, LeaseDurationSeconds: new(int32(15)), RenewTime: new(metav1.NewMicroTime(at))}}
}

// Use sets what every pod uses of its CPU.
func (s *APIServer) Use(cpu string) {
	for i := range s.samples {
		s.samples[i].Containers[0].Usage[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
}

// HPAOf is an HPA that scales the Deployment of its name.
func HPAOf(deployment string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: deployment},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
			APIVersion: "apps/v1", Kind: "Deployment", Name: deployment}}}
}
