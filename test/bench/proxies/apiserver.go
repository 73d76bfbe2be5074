//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// apiServer is as much of an API server as an activator asks for: EndpointSlices, which do not change but when they are told to.
type apiServer struct {
	*httptest.Server
	slices []discoveryv1.EndpointSlice
	// asked counts the requests.
	asked atomic.Int64
	// changes are sent to the watch.
	changes chan discoveryv1.EndpointSlice
}

func newAPIServer(slices ...discoveryv1.EndpointSlice) *apiServer {
	s := &apiServer{slices: slices, changes: make(chan discoveryv1.EndpointSlice)}
	s.Server = httptest.NewServer(s)
	return s
}

// ServeHTTP is http.Handler's.
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/apis/discovery.k8s.io/v1/endpointslices" {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("watch") == "" {
		_ = json.NewEncoder(w).Encode(discoveryv1.EndpointSliceList{TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"},
			ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: s.slices})
		return
	}
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`, http.StatusUnprocessableEntity)
		return
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for version := 2; ; version++ {
		select {
		case <-r.Context().Done():
			return
		case slice := <-s.changes:
			slice.ResourceVersion = fmt.Sprint(version)
			raw, _ := json.Marshal(slice)
			_ = json.NewEncoder(w).Encode(map[string]any{"type": watch.Modified, "object": json.RawMessage(raw)})
			_ = flush.Flush()
		}
	}
}

// kubeconfig writes a file that leads here.
func (s *apiServer) kubeconfig(dir string) (string, error) {
	path := filepath.Join(dir, "kubeconfig")
	return path, os.WriteFile(path, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],"users":[{"name":"a","user":{}}],"clusters":[{"name":"a","cluster":{"server":%q}}]}`, s.URL), 0o600)
}

// service are the slices of a Service: mini-hpa's and Kubernetes'. The pod's address is empty while it sleeps.
func service(name string, pair int32, s serves.Serves, address string, port int32) []discoveryv1.EndpointSlice {
	s.Kind, s.Group, s.Name = "Deployment", "apps", name
	ours := serves.Slice{Namespace: "bench", Service: name, Family: discoveryv1.AddressTypeIPv4, Serves: s, Ports: []serves.Port{{Name: "http", Pair: pair}}}
	own := *ours.Object()
	own.TypeMeta, own.ResourceVersion, own.UID = metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, "1", "o-"+own.UID
	pods := discoveryv1.EndpointSlice{TypeMeta: own.TypeMeta, ObjectMeta: metav1.ObjectMeta{Namespace: "bench", Name: name + "-x7k2p", ResourceVersion: "1",
		Labels: map[string]string{discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: &port}}}
	if address != "" {
		pods.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}}
	}
	return []discoveryv1.EndpointSlice{own, pods}
}
